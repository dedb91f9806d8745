"""Totals: the vectors of reference/domain.md §3, and what must hold for any selection."""

from __future__ import annotations

import itertools
import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pos.errors import Invalid
from pos.totals import (
    Line,
    OptionTerms,
    PlanTerms,
    Totals,
    device_plus_sim_only,
    device_price_cents,
    early_exit_cents,
    instalments,
    line_totals,
    parts,
    schedule,
    selection_totals,
)

SIM_ONLY = PlanTerms(
    monthly_cents=2000,
    promo_monthly_cents=None,
    promo_months=0,
    commitment_months=0,
    activation_cents=0,
    exit_fee_cents=0,
    device_discount_cents=0,
    min_device_cents=0,
    refund_cents=0,
    instalment_months=0,
    deposit_cents=0,
)
CLASSIC_SUBSIDY = replace(
    SIM_ONLY,
    monthly_cents=4499,
    promo_monthly_cents=2999,
    promo_months=12,
    commitment_months=24,
    device_discount_cents=33910,
)
SMART_CHANGE = replace(SIM_ONLY, commitment_months=24, refund_cents=8000, instalment_months=36, deposit_cents=8100)
REPAIR = OptionTerms(one_off_cents=0, monthly_cents=699, commitment_months=0)
CASE = OptionTerms(one_off_cents=1990, monthly_cents=0, commitment_months=0)
INSURANCE = OptionTerms(one_off_cents=0, monthly_cents=899, commitment_months=12)


def line(device_cents: int | None = None, plan: PlanTerms | None = None, *options: OptionTerms, quantity: int = 1) -> Line:
    return Line(quantity=quantity, device_cents=device_cents, plan=plan, options=options)


cents = st.integers(0, 200_000)
plans = st.builds(
    PlanTerms,
    monthly_cents=st.integers(0, 9_999),
    promo_monthly_cents=st.none() | st.integers(0, 9_999),
    promo_months=st.integers(0, 30),
    commitment_months=st.sampled_from([0, 12, 24]),
    activation_cents=st.integers(0, 5_000),
    exit_fee_cents=st.integers(0, 500),
    device_discount_cents=cents,
    min_device_cents=cents,
    refund_cents=st.integers(0, 10_000),
    instalment_months=st.sampled_from([0, 3, 24, 36]),
    deposit_cents=st.integers(0, 20_000),
)
options = st.builds(
    OptionTerms, one_off_cents=cents, monthly_cents=st.integers(0, 2_000), commitment_months=st.sampled_from([0, 12, 24])
)
lines = st.builds(
    Line,
    quantity=st.integers(1, 4),
    device_cents=st.none() | cents,
    plan=st.none() | plans,
    options=st.lists(options, max_size=3).map(tuple),
)


# The trade's own cases


def test_classic_subsidy_costs_more_than_buying_apart() -> None:
    subsidised = line(80900, CLASSIC_SUBSIDY)

    totals = line_totals(subsidised)
    apart = device_plus_sim_only(subsidised, SIM_ONLY)

    assert totals.due_today_cents == 46990
    assert (totals.monthly_now_cents, totals.monthly_later_cents, totals.promo_months) == (2999, 4499, 12)
    assert (totals.total_cents, totals.horizon_months, totals.commitment_months) == (136966, 24, 24)
    assert (apart.total_cents, apart.horizon_months, apart.commitment_months) == (128900, 24, 0)


def test_device_in_instalments_sums_to_its_price_with_the_cent_difference_last() -> None:
    totals = line_totals(line(97900, SMART_CHANGE))

    assert totals.due_today_cents == 8100
    assert totals.instalments == (2495,) * 35 + (2475,)
    assert totals.due_today_cents + sum(totals.instalments) == 97900
    assert totals.monthly_now_cents == 2000 + 2495
    assert totals.refund_cents == 8000
    assert (totals.horizon_months, totals.commitment_months) == (36, 24)
    assert totals.total_cents == 97900 + 36 * 2000
    assert totals.total_after_refund_cents == totals.total_cents - 8000


def test_device_part_of_the_first_year_is_the_published_figure() -> None:
    twelve = schedule([line(97900, SMART_CHANGE)], 12)

    assert sum(twelve) - 12 * 2000 - 8000 == 30040


@pytest.mark.parametrize(
    ("after_month", "with_device", "expected"),
    [
        (12, True, 7176),
        (12, False, 0),
        (15, True, 5382),
        (15, False, 0),
        (23, True, 598),
        (23, False, 0),
        (3, True, 34086),
        (3, False, 26910),
        (0, False, 35880),
        (24, True, 0),
        (30, True, 0),
    ],
)
def test_early_exit_of_24_months_at_29_90(after_month: int, with_device: bool, expected: int) -> None:
    plan = replace(SIM_ONLY, monthly_cents=2990, commitment_months=24)

    assert early_exit_cents(plan, after_month=after_month, with_device=with_device, rate_bp=2000, from_month=12) == expected


def test_early_exit_of_12_months_owes_all_that_remains() -> None:
    plan = replace(SIM_ONLY, monthly_cents=2990, commitment_months=12)

    assert early_exit_cents(plan, after_month=5, with_device=True, rate_bp=2000, from_month=12) == 7 * 2990


def test_early_exit_counts_the_exit_fee_and_the_promo_that_still_runs() -> None:
    plan = replace(CLASSIC_SUBSIDY, exit_fee_cents=500)

    assert early_exit_cents(plan, after_month=10, with_device=False, rate_bp=2000, from_month=12) == 500 + 2 * 2999
    assert early_exit_cents(plan, after_month=12, with_device=True, rate_bp=2000, from_month=12) == 500 + 12 * 4499 // 5


def test_early_exit_rate_is_a_ceiling_so_its_part_is_rounded_down() -> None:
    plan = replace(SIM_ONLY, monthly_cents=999, commitment_months=13)

    assert early_exit_cents(plan, after_month=12, with_device=True, rate_bp=2000, from_month=12) == 199


def test_early_exit_before_the_beginning_is_no_question() -> None:
    with pytest.raises(Invalid, match="after_month"):
        early_exit_cents(CLASSIC_SUBSIDY, after_month=-1, with_device=True, rate_bp=2000, from_month=12)


def test_no_commitment_leaves_only_the_exit_fee() -> None:
    plan = replace(SIM_ONLY, exit_fee_cents=500)

    assert early_exit_cents(plan, after_month=1, with_device=True, rate_bp=2000, from_month=12) == 500


# Conditions


@pytest.mark.parametrize(
    ("device_cents", "price_cents"),
    [(25000, 7000), (24999, 24999), (25001, 7001)],
)
def test_discount_needs_the_minimum_device(device_cents: int, price_cents: int) -> None:
    plan = replace(SIM_ONLY, device_discount_cents=18000, min_device_cents=25000)

    assert line_totals(line(device_cents, plan)).due_today_cents == price_cents


@pytest.mark.parametrize(("device_cents", "price_cents"), [(15000, 100), (101, 100), (100, 100), (60, 60), (0, 0)])
def test_discount_never_brings_a_device_below_one_unit(device_cents: int, price_cents: int) -> None:
    discounted = line(device_cents, replace(SIM_ONLY, device_discount_cents=50000))

    assert device_price_cents(discounted) == price_cents
    assert line_totals(discounted).due_today_cents == price_cents


def test_plan_alone_has_no_device_advantage() -> None:
    plan = replace(SMART_CHANGE, device_discount_cents=5000, activation_cents=100)

    totals = line_totals(line(None, plan))

    assert (totals.due_today_cents, totals.refund_cents, totals.instalments) == (100, 0, ())
    assert totals.horizon_months == 24
    assert totals.total_cents == 100 + 24 * 2000


def test_device_alone_is_due_today_and_nothing_after() -> None:
    totals = line_totals(line(36900, None, CASE))

    assert totals.due_today_cents == totals.total_cents == 36900 + 1990
    assert (totals.monthly_now_cents, totals.horizon_months, totals.commitment_months) == (0, 0, 0)


def test_an_option_runs_every_month_of_the_horizon() -> None:
    assert line_totals(line(36900, None, REPAIR)).total_cents == 36900 + 24 * 699
    assert line_totals(line(97900, SMART_CHANGE, REPAIR)).total_cents == 97900 + 36 * (2000 + 699)


@pytest.mark.parametrize(
    ("plan", "horizon_months"),
    [
        (replace(SIM_ONLY, monthly_cents=0), 0),
        (replace(SIM_ONLY, monthly_cents=0, commitment_months=12), 12),
        (replace(SIM_ONLY, monthly_cents=0, instalment_months=3), 24),
        (replace(SIM_ONLY, monthly_cents=0, promo_monthly_cents=500, promo_months=3), 24),
        (replace(SIM_ONLY, monthly_cents=1), 24),
        (replace(SIM_ONLY, commitment_months=36), 36),
    ],
)
def test_anything_monthly_is_counted_over_two_years_or_longer(plan: PlanTerms, horizon_months: int) -> None:
    assert line_totals(line(30000, plan)).horizon_months == horizon_months


def test_the_longest_commitment_of_a_line_counts() -> None:
    assert line_totals(line(36900, None, INSURANCE)).commitment_months == 12
    assert line_totals(line(36900, replace(SIM_ONLY, commitment_months=24), INSURANCE)).commitment_months == 24


def test_deposit_that_covers_the_device_leaves_no_instalment() -> None:
    totals = line_totals(line(8100, SMART_CHANGE))

    assert (totals.due_today_cents, totals.instalments, totals.horizon_months) == (8100, (), 24)


def test_free_promo_months_are_counted_as_free() -> None:
    plan = replace(SIM_ONLY, promo_monthly_cents=0, promo_months=3)

    totals = line_totals(line(None, plan))

    assert (totals.monthly_now_cents, totals.monthly_later_cents) == (0, 2000)
    assert totals.total_cents == 21 * 2000


def test_promo_months_without_promo_price_are_no_promo() -> None:
    totals = line_totals(line(None, replace(SIM_ONLY, promo_months=6)))

    assert (totals.promo_months, totals.monthly_now_cents) == (0, 2000)


def test_sim_only_beside_the_device_is_counted_over_the_bundle_horizon_without_its_advantages() -> None:
    bundle = line(97900, SMART_CHANGE, REPAIR)

    apart = device_plus_sim_only(bundle, replace(SMART_CHANGE, monthly_cents=999, device_discount_cents=5000))

    assert apart.horizon_months == line_totals(bundle).horizon_months == 36
    assert apart.due_today_cents == 97900
    assert (apart.refund_cents, apart.instalments) == (0, ())
    assert apart.total_cents == 97900 + 36 * (999 + 699)


@pytest.mark.parametrize(
    ("device_cents", "changes", "expected"),
    [
        (30000, {"device_discount_cents": 100}, True),
        (30000, {"refund_cents": 100}, True),
        (30000, {"instalment_months": 24}, False),
        (30000, {"device_discount_cents": 100, "min_device_cents": 30001}, False),
        (None, {"device_discount_cents": 100, "refund_cents": 100}, False),
    ],
)
def test_what_makes_a_device_subsidised(device_cents: int | None, changes: dict[str, int], expected: bool) -> None:
    assert replace(SIM_ONLY, **changes).subsidises(device_cents) is expected


def test_selection_with_two_promos_and_two_credits() -> None:
    first = line(80900, CLASSIC_SUBSIDY)
    second = line(97900, SMART_CHANGE, quantity=2)

    totals = selection_totals([first, second])

    assert totals.due_today_cents == 46990 + 2 * 8100
    assert totals.monthly_now_cents == 2999 + 2 * 4495
    assert totals.monthly_later_cents == 4499 + 2 * 4495
    assert (totals.promo_months, totals.horizon_months, totals.commitment_months) == (12, 36, 24)
    assert totals.instalments == (4990,) * 35 + (4950,)
    assert totals.refund_cents == 16000


def test_empty_selection_costs_nothing() -> None:
    facts = selection_totals([]).to_facts()

    assert facts.pop("instalments") == []
    assert set(facts.values()) == {0}
    assert schedule([], 2) == [0, 0, 0]


# What holds for any selection


@settings(deadline=None)
@given(line=lines)
def test_total_is_what_the_schedule_shows(line: Line) -> None:
    totals = line_totals(line)
    months = schedule([line], totals.horizon_months)

    assert months[0] == totals.due_today_cents
    assert totals.total_cents == sum(months)
    assert totals.monthly_now_cents == (months[1] if totals.horizon_months else 0)
    assert totals.total_after_refund_cents == totals.total_cents - totals.refund_cents
    assert len(months) == totals.horizon_months + 1


@settings(deadline=None)
@given(chosen=st.lists(lines, max_size=5))
def test_selection_is_the_sum_of_its_lines(chosen: list[Line]) -> None:
    whole, parts = selection_totals(chosen), [line_totals(line) for line in chosen]

    for name in ("due_today", "refund", "monthly_now", "monthly_later", "total", "total_after_refund"):
        assert getattr(whole, f"{name}_cents") == sum(getattr(part, f"{name}_cents") for part in parts), name
    for name in ("promo_months", "horizon_months", "commitment_months"):
        assert getattr(whole, name) == max((getattr(part, name) for part in parts), default=0), name
    assert sum(whole.instalments) == sum(sum(part.instalments) for part in parts)
    assert whole.total_cents == sum(schedule(chosen, whole.horizon_months))


@settings(deadline=None, max_examples=30)
@given(chosen=st.lists(lines, min_size=2, max_size=4))
def test_order_of_lines_does_not_matter(chosen: list[Line]) -> None:
    expected, months = selection_totals(chosen), schedule(chosen, 36)

    for other in itertools.permutations(chosen):
        assert selection_totals(other) == expected
        assert schedule(other, 36) == months


@settings(deadline=None)
@given(line=lines)
def test_a_quantity_is_as_many_lines_of_one(line: Line) -> None:
    assert selection_totals([replace(line, quantity=1)] * line.quantity) == line_totals(line)


@settings(deadline=None)
@given(line=lines)
def test_device_is_due_once_to_the_cent(line: Line) -> None:
    assume(line.device_cents is not None)
    totals = line_totals(line)
    extras = sum(option.one_off_cents for option in line.options) + (line.plan.activation_cents if line.plan else 0)

    device = totals.due_today_cents - line.quantity * extras + sum(totals.instalments)

    assert device == line.quantity * device_price_cents(line)


@settings(deadline=None)
@given(line=lines)
def test_month_after_the_promo_is_the_one_announced_while_instalments_run(line: Line) -> None:
    totals = line_totals(line)
    month = totals.promo_months + 1
    assume(month < (len(totals.instalments) or totals.horizon_months))

    assert schedule([line], month)[month] == totals.monthly_later_cents


@settings(deadline=None)
@given(amount=st.integers(0, 10_000_000), months=st.integers(1, 120))
def test_instalments_sum_exactly_and_are_equal_but_the_last(amount: int, months: int) -> None:
    parts = instalments(amount, months)

    assert len(parts) == months
    assert sum(parts) == amount
    assert min(parts) >= 0
    assert len(set(parts[:-1])) <= 1
    assert all(type(part) is int for part in parts)


@settings(deadline=None)
@given(amount=st.integers(1, 10_000_000), months=st.integers(1, 36))
def test_last_instalment_is_the_smaller_one_for_any_real_price(amount: int, months: int) -> None:
    assume(amount > months * months)

    parts = instalments(amount, months)

    assert 0 < parts[-1] <= parts[0]


@pytest.mark.parametrize(
    ("amount", "months", "expected"),
    [
        (90000, 3, [30000, 30000, 30000]),
        (10000, 3, [3334, 3334, 3332]),
        (5, 3, [2, 2, 1]),
        (2, 3, [0, 0, 2]),
        (1, 1, [1]),
        (0, 2, [0, 0]),
    ],
)
def test_instalments_of_small_amounts(amount: int, months: int, expected: list[int]) -> None:
    assert instalments(amount, months) == expected


@pytest.mark.parametrize(("amount", "months"), [(-1, 3), (100, 0), (100, -1), (100, 121), (1.5, 3), (True, 3)])
def test_instalments_refuse_what_is_no_amount(amount: Any, months: Any) -> None:
    with pytest.raises(Invalid):
        instalments(amount, months)


@settings(deadline=None)
@given(line=lines)
def test_no_float_ever(line: Line) -> None:
    facts = line_totals(line).to_facts()

    values = [*facts.pop("instalments"), *facts.values(), *schedule([line], 40)]
    assert {type(value) for value in values} == {int}


@settings(deadline=None)
@given(plan=plans, after_month=st.integers(0, 40), with_device=st.booleans())
def test_leaving_never_costs_more_than_staying_nor_more_later(plan: PlanTerms, after_month: int, with_device: bool) -> None:
    def cost(month: int) -> int:
        return early_exit_cents(plan, after_month=month, with_device=with_device, rate_bp=2000, from_month=12)

    staying = sum(schedule([line(None, plan)], plan.commitment_months)[after_month + 1 :])
    assert cost(after_month) <= plan.exit_fee_cents + staying
    assert cost(after_month + 1) <= cost(after_month)
    assert cost(plan.commitment_months) == plan.exit_fee_cents


# Facts


@settings(deadline=None)
@given(line=lines)
def test_facts_round_trip_through_json(line: Line) -> None:
    totals = line_totals(line)

    assert Totals.from_facts(json.loads(json.dumps(totals.to_facts()))) == totals


def test_slip_line_reads_back_as_the_same_line() -> None:
    expected = line(36900, SMART_CHANGE, REPAIR, CASE, quantity=2)
    frozen = {
        "listing": {"listing_id": 7, "price_cents": 36500, "shipping_cents": 400, "all_in_cents": 36900},
        "plan": {"plan_id": 11, "terms": SMART_CHANGE.to_facts()},
        "options": [{"option_id": 1, "terms": REPAIR.to_facts()}, {"option_id": 2, "terms": CASE.to_facts()}],
        "quantity": 2,
        "credit": None,
    }

    assert Line.from_slip(frozen) == expected
    assert Line.from_slip({"listing": None, "plan": None, "options": [], "quantity": 1}) == line()


@pytest.mark.parametrize(
    "frozen",
    [
        {},
        {"listing": None, "plan": None, "options": [], "quantity": 0},
        {"listing": None, "plan": None, "options": {}, "quantity": 1},
        {"listing": [], "plan": None, "options": [], "quantity": 1},
        {"listing": {"all_in_cents": 3.5}, "plan": None, "options": [], "quantity": 1},
        {"listing": None, "plan": {"terms": {}}, "options": [], "quantity": 1},
        {"listing": None, "plan": None, "options": [None], "quantity": 1},
    ],
)
def test_slip_line_out_of_shape_is_refused(frozen: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Line.from_slip(frozen)


@pytest.mark.parametrize("wrong", [-1, 1.0, True, "1", [1]])
@pytest.mark.parametrize("name", [field.name for field in fields(PlanTerms)])
def test_plan_terms_hold_only_whole_numbers(name: str, wrong: Any) -> None:
    with pytest.raises(Invalid, match=name):
        PlanTerms.from_facts({**SIM_ONLY.to_facts(), name: wrong})


def test_only_the_promo_may_be_absent() -> None:
    assert PlanTerms.from_facts({**SIM_ONLY.to_facts(), "promo_monthly_cents": None}).promo_monthly_cents is None
    with pytest.raises(Invalid, match="monthly_cents"):
        PlanTerms.from_facts({**SIM_ONLY.to_facts(), "monthly_cents": None})


@pytest.mark.parametrize("name", ["commitment_months", "instalment_months", "promo_months"])
def test_durations_are_bounded(name: str) -> None:
    with pytest.raises(Invalid, match=name):
        PlanTerms.from_facts({**SIM_ONLY.to_facts(), name: 121})


@pytest.mark.parametrize("facts", [{}, None, [], "x", {**REPAIR.to_facts(), "more": 1}, {"monthly_cents": 1}])
def test_facts_have_every_field_and_no_other(facts: Any) -> None:
    with pytest.raises(Invalid):
        OptionTerms.from_facts(facts)


@pytest.mark.parametrize(
    "wrong",
    [
        {"total_after_refund_cents": 1},
        {"total_after_refund_cents": 136966.0},
        {"total_cents": True},
        {"instalments": [1.0]},
        {"instalments": "12"},
        {"horizon_months": 121},
    ],
)
def test_totals_read_strictly(wrong: dict[str, Any]) -> None:
    facts = line_totals(line(80900, CLASSIC_SUBSIDY)).to_facts()

    with pytest.raises(Invalid):
        Totals.from_facts({**facts, **wrong})


def test_terms_are_read_among_the_other_fields_of_a_row() -> None:
    body = {"plan_id": 1, "name": {"fr": "Libre"}, "data_gb": 5, **CLASSIC_SUBSIDY.to_facts()}

    assert PlanTerms.from_body(body) == CLASSIC_SUBSIDY
    assert OptionTerms.from_body({"option_id": 1, **REPAIR.to_facts()}) == REPAIR
    with pytest.raises(Invalid, match="deposit_cents"):
        PlanTerms.from_body({name: value for name, value in body.items() if name != "deposit_cents"})


@given(line=lines)
def test_what_device_plan_and_options_cost_is_the_whole(line: Line) -> None:
    costs = line_totals(line)
    device, plan, options = parts(line, costs)

    assert device + plan + options == costs.total_cents
    assert device == line.quantity * device_price_cents(line)
    assert plan == 0 or line.plan is not None
    assert options == 0 or line.options
