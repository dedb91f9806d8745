"""Credit disclosure: the figures of L312-6 for a device in instalments."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos.credit import credit_notice
from pos.totals import Line, PlanTerms, device_price_cents, line_totals

SENTENCE = {
    "fr": "Un crédit vous engage et doit être remboursé. Vérifiez vos capacités de remboursement avant de vous engager.",
    "en": "A loan commits you and must be repaid. Check your ability to repay before you commit yourself.",
}
LAW = {"sentence": SENTENCE}


def test_published_example_with_its_cent_difference_last() -> None:
    notice = credit_notice(97900, 8100, 36, law_body=LAW)

    assert notice is not None
    assert notice.to_facts() == {
        "cash_price_cents": 97900,
        "deposit_cents": 8100,
        "credit_cents": 89800,
        "rate_bp": 0,
        "months": 36,
        "instalment_cents": 2495,
        "last_instalment_cents": 2475,
        "total_due_cents": 89800,
        "sentence": SENTENCE,
    }
    assert json.loads(json.dumps(notice.to_facts())) == notice.to_facts()


@pytest.mark.parametrize(
    ("device_cents", "deposit_cents", "months"),
    [(97900, 8100, 0), (8100, 8100, 36), (5000, 8100, 36), (0, 0, 24)],
)
def test_nothing_lent_nothing_said(device_cents: int, deposit_cents: int, months: int) -> None:
    assert credit_notice(device_cents, deposit_cents, months, law_body=LAW) is None


def test_one_cent_lent_is_said() -> None:
    assert credit_notice(8101, 8100, 36, law_body=LAW) is not None


@settings(deadline=None)
@given(
    device_cents=st.integers(0, 300_000),
    discount_cents=st.integers(0, 100_000),
    deposit_cents=st.integers(0, 50_000),
    months=st.sampled_from([0, 3, 24, 36]),
)
def test_notice_tells_what_the_totals_count(device_cents: int, discount_cents: int, deposit_cents: int, months: int) -> None:
    plan = PlanTerms(
        monthly_cents=0,
        promo_monthly_cents=None,
        promo_months=0,
        commitment_months=0,
        activation_cents=0,
        exit_fee_cents=0,
        device_discount_cents=discount_cents,
        min_device_cents=0,
        refund_cents=0,
        instalment_months=months,
        deposit_cents=deposit_cents,
    )
    line = Line(quantity=1, device_cents=device_cents, plan=plan, options=())
    totals = line_totals(line)

    notice = credit_notice(device_price_cents(line), deposit_cents, months, law_body=LAW)

    if notice is None:
        assert totals.instalments == ()
        return
    assert totals.instalments == (notice.instalment_cents,) * (notice.months - 1) + (notice.last_instalment_cents,)
    assert notice.deposit_cents == totals.due_today_cents
    assert notice.deposit_cents + notice.total_due_cents == notice.cash_price_cents
    assert notice.total_due_cents == notice.credit_cents
