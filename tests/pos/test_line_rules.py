"""What is said of a line beside its totals: the same for the kiosk's pages, the paper and the marketplace's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pos.acquisitions import answers, left_open, read_acquisition
from pos.laws import Laws, laws_on
from pos.line_rules import credit_of, exit_after_a_year, exit_cents, exits, sim_only_beside, ways
from pos.plans import plan, plans
from pos.totals import Line
from tests import world
from tests.world import Kiosk

LAWS: Laws = {"early_exit": {"rate_bp": 2000, "from_month": 12}, "credit_notice": {"sentence": {"fr": "Un crédit vous engage."}}}


def line_with(kiosk: Kiosk, plan_id: int, *, device_cents: int | None = 36900, quantity: int = 1) -> Line:
    terms = plan(kiosk.catalog.read(), plan_id).terms
    return Line(quantity=quantity, device_cents=device_cents, plan=terms, options=())


def test_leaving_counts_every_unit_and_its_device(kiosk: Kiosk) -> None:
    """A fifth of the months after the first year with a subsidised device, nothing without (L224-28)."""
    subsidised = line_with(kiosk, world.SERIE_100, quantity=2)

    assert exit_after_a_year(subsidised, LAWS) == 2 * (12 * 2499 * 2000 // 10000)
    assert exit_after_a_year(replace(subsidised, device_cents=None), LAWS) == 0
    assert exit_cents(subsidised, {}, after_month=12) == 2 * 12 * 2499, "without a law every month is due"
    assert [month for month, _ in exits(subsidised, LAWS)] == [3, 6, 12, 18]


@pytest.mark.parametrize("plan_id", [world.FORFAIT_5, world.SERIE_100_12])
def test_who_is_bound_for_a_year_at_most_is_told_nothing_of_leaving_after_it(kiosk: Kiosk, plan_id: int) -> None:
    assert exit_after_a_year(line_with(kiosk, plan_id), LAWS) is None
    assert 12 not in dict(exits(line_with(kiosk, plan_id), LAWS))


def test_a_line_without_a_plan_has_nothing_to_leave_and_nothing_lent() -> None:
    alone = Line(quantity=1, device_cents=36900, plan=None, options=())

    assert (exit_after_a_year(alone, LAWS), exits(alone, LAWS), exit_cents(alone, LAWS, after_month=3)) == (None, [], 0)
    assert credit_of(alone, LAWS) is None


def test_instalments_need_their_notice_where_the_law_asks_for_one(kiosk: Kiosk) -> None:
    spread = line_with(kiosk, world.ETALE_200)
    notice = credit_of(spread, LAWS)

    assert notice is not None
    assert (notice.cash_price_cents, notice.deposit_cents, notice.credit_cents) == (36900, 4900, 32000)
    assert credit_of(spread, {}) is None
    assert credit_of(line_with(kiosk, world.SERIE_100), LAWS) is None
    assert credit_of(replace(spread, device_cents=None), LAWS) is None


def test_the_comparison_is_with_as_much_data_for_the_least_money(kiosk: Kiosk) -> None:
    every = plans(kiosk.catalog.read())
    beside = sim_only_beside(next(each for each in every if each.plan_id == world.SERIE_100), every)

    assert beside is not None
    assert beside.plan_id == world.FORFAIT_5


def test_both_ways_are_counted_over_the_same_months(kiosk: Kiosk) -> None:
    every = plans(kiosk.catalog.read())
    chosen = next(each for each in every if each.plan_id == world.ETALE_200)
    together, apart = ways(line_with(kiosk, world.ETALE_200), chosen, every)

    assert (together.plan, apart.plan.plan_id) == (chosen, world.FORFAIT_5)
    assert together.totals.horizon_months == apart.totals.horizon_months == 36
    assert apart.totals.due_today_cents == 36900 + 100
    sim_only = next(each for each in every if each.plan_id == world.FORFAIT_5)
    assert len(ways(line_with(kiosk, world.FORFAIT_5), sim_only, every)) == 1


def test_the_laws_of_the_world_say_the_same(kiosk: Kiosk) -> None:
    laws = laws_on(kiosk.catalog.read(), "2026-11-22")

    assert exit_after_a_year(line_with(kiosk, world.SERIE_100), laws) == 12 * 2499 * 2000 // 10000


def test_how_a_number_comes_is_answered_and_never_guessed() -> None:
    offered = {1: ["new", "port"], 2: ["port"], 3: ["new", "port"]}

    assert answers({1: "port", 2: None, 3: None}, offered) == {1: "port", 2: "port", 3: None}
    assert left_open({1: "port", 2: None, 3: None}, is_asked=False) == []
    assert left_open({1: "port", 2: None, 3: "gift"}, is_asked=False) == [3]
    assert left_open({1: "port", 2: None, 3: ""}, is_asked=True) == [2, 3]
    assert [read_acquisition(text) for text in ("renewal", "gift", "", None)] == ["renewal", None, None, None]
