from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import templates
from pos.languages import LANGUAGES
from pos.months import plan_spans, runs, spans
from pos.totals import Line, OptionTerms, PlanTerms, line_totals, schedule
from pos.words import words
from tests.sentences import months_in, plain

cents = st.integers(0, 200_000)
plans = st.builds(
    PlanTerms,
    monthly_cents=cents,
    promo_monthly_cents=st.none() | cents,
    promo_months=st.integers(0, 36),
    commitment_months=st.sampled_from((0, 12, 24)),
    activation_cents=cents,
    exit_fee_cents=cents,
    device_discount_cents=cents,
    min_device_cents=cents,
    refund_cents=cents,
    instalment_months=st.sampled_from((0, 24, 36)),
    deposit_cents=cents,
)
options = st.builds(OptionTerms, one_off_cents=cents, monthly_cents=cents, commitment_months=st.sampled_from((0, 12)))
any_lines = st.lists(
    st.builds(
        Line,
        quantity=st.integers(1, 9),
        device_cents=st.none() | st.integers(100, 200_000),
        plan=st.none() | plans,
        options=st.lists(options, max_size=2).map(tuple),
    ),
    min_size=1,
    max_size=4,
).map(tuple)


@given(lines=any_lines, language=st.sampled_from(sorted(LANGUAGES)))
def test_what_is_said_of_the_months_is_the_schedule(lines: tuple[Line, ...], language: str) -> None:
    due = schedule(lines, max(line_totals(line).horizon_months for line in lines))[1:]
    said = words(language, templates.PATH)
    found = spans(lines)

    sentence = plain(said.each_month(found, "EUR"))
    assert months_in(sentence, language) == ([due] if due else [])
    later = plain(said.for_how_long(found, "EUR"))
    assert bool(later) == (len(set(due)) > 1)
    assert sentence.endswith(later)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("fr", "261,04 € pendant 12 mois, puis 271,04 € pendant 12 mois"),
        ("en", "€261.04 for 12 months, then €271.04 for 12 months"),
        ("es", "261,04 € durante 12 meses, después 271,04 € durante 12 meses"),
        ("de", "261,04 € für 12 Monate, dann 271,04 € für 12 Monate"),
    ],
)
def test_months_that_differ_are_told_apart(language: str, said: str) -> None:
    assert plain(words(language, templates.PATH).each_month(runs([26104] * 12 + [27104] * 12), "EUR")) == said


def test_months_that_are_equal_are_said_once() -> None:
    said = words("fr", templates.PATH)

    assert plain(said.each_month(runs([699] * 24), "EUR")) == "6,99 € chaque mois, pendant 24 mois"
    assert said.for_how_long(runs([699] * 24), "EUR") == ""
    assert said.each_month((), "EUR") == ""


@given(plan=plans, quantity=st.integers(1, 9))
def test_a_plan_alone_has_the_months_of_its_own_schedule(plan: PlanTerms, quantity: int) -> None:
    line = Line(quantity=quantity, device_cents=None, plan=plan, options=())
    told = plan_spans(
        {"quantity": quantity, "listing": {"all_in_cents": 40_000}, "plan": {"terms": plan.to_facts()}, "options": []}
    )

    months = [cents for count, cents in told for _ in range(count)]
    assert months == (schedule([line], line_totals(line).horizon_months)[1:] or [0] * 24)
