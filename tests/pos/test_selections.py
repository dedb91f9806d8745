from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pos import selections, slips, tokens
from pos.acquisitions import ACQUISITIONS
from pos.errors import Invalid, ListingGone, NotEligible, NotFound, PosError, PriceChanged, TooManyLines
from pos.line_facts import Wish
from pos.selections import Priced
from pos.totals import Line, selection_totals
from tests.plans import plan_of
from tests.world import CHARGER, ETALE_200, FORFAIT_5, NOW, REPAIR, SERIE_100, SERIE_100_12, Kiosk

PHONE = Wish(listing_id=101)
BUNDLE = Wish(listing_id=101, plan_id=SERIE_100, option_ids=(REPAIR, CHARGER))


def start(kiosk: Kiosk, *wishes: Wish) -> str:
    with kiosk.ops_write() as ops:
        selection_id = selections.start_selection(ops.execute, now=NOW)
    for wish in wishes:
        add(kiosk, selection_id, wish)
    return selection_id


def add(kiosk: Kiosk, selection_id: str, wish: Wish) -> int:
    with kiosk.ops_write() as ops:
        return selections.add_line(ops.execute, kiosk.catalog.read(), selection_id, wish=wish, now=NOW)


def accept(kiosk: Kiosk, selection_id: str, line_no: int) -> None:
    with kiosk.ops_write() as ops:
        selections.accept_line(ops.execute, kiosk.catalog.read(), selection_id, line_no, now=NOW)


def priced(kiosk: Kiosk, selection_id: str) -> Priced:
    return selections.priced_selection(kiosk.ops.read().execute, kiosk.catalog.read(), selection_id, now=NOW)


def change(kiosk: Kiosk, statement: str) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute(statement)


def test_a_line_is_priced_from_today_s_catalogue(kiosk: Kiosk) -> None:
    shown = priced(kiosk, start(kiosk, BUNDLE))

    [line] = shown.lines
    assert (line.state, line.wish.seen_cents, line.facts["listing"]["all_in_cents"]) == ("ok", 36900, 36900)
    assert [option["option_id"] for option in line.facts["options"]] == [REPAIR, CHARGER]
    assert shown.totals == line.totals
    assert (shown.totals.due_today_cents, shown.totals.monthly_now_cents) == (36900 - 20000 + 100 + 1500, 2499 + 699)
    assert shown.is_issuable


def test_totals_are_the_sum_of_the_lines_whatever_their_order(kiosk: Kiosk) -> None:
    wishes = [BUNDLE, Wish(listing_id=109, quantity=2), Wish(plan_id=FORFAIT_5), Wish(listing_id=108, plan_id=ETALE_200)]

    there, back = priced(kiosk, start(kiosk, *wishes)), priced(kiosk, start(kiosk, *reversed(wishes)))

    assert there.totals == back.totals == selection_totals(Line.from_slip(line.facts) for line in there.lines)
    assert there.totals.due_today_cents == sum(line.facts["totals"]["due_today_cents"] for line in there.lines)


@pytest.mark.parametrize(
    ("wish", "refusal"),
    [
        (Wish(), Invalid),
        (replace(PHONE, quantity=0), Invalid),
        (replace(PHONE, quantity=10), Invalid),
        (replace(PHONE, acquisition="gift"), Invalid),
        (Wish(listing_id=4040), ListingGone),
        (replace(PHONE, quantity=5), ListingGone),
        (replace(PHONE, seen_cents=36400), PriceChanged),
        (Wish(plan_id=404), NotFound),
        (replace(PHONE, option_ids=(404,)), NotFound),
        (Wish(listing_id=110, option_ids=(REPAIR,)), NotFound),
        (Wish(option_ids=(REPAIR,)), NotFound),
        (Wish(listing_id=110, plan_id=SERIE_100), NotEligible),
    ],
    ids=str,
)
def test_what_cannot_be_had_is_refused_and_leaves_nothing(kiosk: Kiosk, wish: Wish, refusal: type[PosError]) -> None:
    selection_id = start(kiosk)
    with pytest.raises(refusal):
        add(kiosk, selection_id, wish)
    assert priced(kiosk, selection_id).lines == ()


def test_a_selection_holds_twelve_lines(kiosk: Kiosk) -> None:
    selection_id = start(kiosk, *[Wish(plan_id=FORFAIT_5)] * tokens.MAX_LINES)
    with pytest.raises(TooManyLines):
        add(kiosk, selection_id, PHONE)


def test_two_tabs_never_mix(kiosk: Kiosk) -> None:
    left, right = start(kiosk, PHONE), start(kiosk, Wish(listing_id=109))

    with kiosk.ops_write() as ops:
        selections.remove_line(ops.execute, left, 1, now=NOW)

    assert left != right
    assert priced(kiosk, left).lines == ()
    assert [line.wish.listing_id for line in priced(kiosk, right).lines] == [109]


def test_removing_twice_is_as_good_as_once(kiosk: Kiosk) -> None:
    selection_id = start(kiosk, PHONE, Wish(listing_id=109))
    for _ in range(2):
        with kiosk.ops_write() as ops:
            selections.remove_line(ops.execute, selection_id, 1, now=NOW)

    assert [line.line_no for line in priced(kiosk, selection_id).lines] == [2]


def test_a_price_that_moved_is_shown_and_can_be_taken(kiosk: Kiosk) -> None:
    selection_id = start(kiosk, PHONE)
    before = priced(kiosk, selection_id)
    change(kiosk, "update listing set price_cents = 35400 where listing_id = 101")

    moved = priced(kiosk, selection_id)
    accept(kiosk, selection_id, 1)
    taken = priced(kiosk, selection_id)

    assert (before.lines[0].state, moved.lines[0].state, taken.lines[0].state) == ("ok", "changed", "ok")
    assert taken.lines[0].wish.seen_cents == 35900
    assert len({before.fingerprint, moved.fingerprint, taken.fingerprint}) == 3


@pytest.mark.parametrize(
    "statement",
    [
        "update stock set quantity = 0 where listing_id = 101",
        "delete from listing where listing_id = 101",
        "update listing set battery_pct = 70 where listing_id = 101",
    ],
)
def test_a_listing_gone_leaves_the_totals_and_the_next_best_stands_in(kiosk: Kiosk, statement: str) -> None:
    selection_id = start(kiosk, PHONE, Wish(listing_id=109))
    change(kiosk, statement)

    shown = priced(kiosk, selection_id)

    assert [line.state for line in shown.lines] == ["gone", "ok"]
    assert not shown.is_issuable
    assert shown.totals.due_today_cents == 35900
    if not statement.startswith("delete"):
        accept(kiosk, selection_id, 1)
        assert [line.wish.listing_id for line in priced(kiosk, selection_id).lines] == [102, 109]


def test_too_few_left_since_is_a_listing_gone(kiosk: Kiosk) -> None:
    selection_id = start(kiosk, replace(PHONE, quantity=2))
    change(kiosk, "update stock set quantity = 1 where listing_id = 101")

    [line] = priced(kiosk, selection_id).lines

    assert line.state == "gone"
    assert line.instead is not None
    assert (line.instead.listing_id, line.instead.quantity) == (102, 2)


def test_nothing_stands_in_for_the_last_one(kiosk: Kiosk) -> None:
    selection_id = start(kiosk, Wish(listing_id=109))
    change(kiosk, "update stock set quantity = 0 where listing_id = 109")

    assert priced(kiosk, selection_id).lines[0].instead is None
    with pytest.raises(ListingGone):
        accept(kiosk, selection_id, 1)


@pytest.mark.parametrize("statement", ["delete from plan where plan_id = 2", "delete from option where option_id = 1"])
def test_a_plan_or_option_withdrawn_takes_its_line_out(kiosk: Kiosk, statement: str) -> None:
    selection_id = start(kiosk, BUNDLE)
    change(kiosk, statement)
    assert priced(kiosk, selection_id).lines[0].state == "gone"


def test_the_fingerprint_names_what_is_shown_and_nothing_else(kiosk: Kiosk) -> None:
    selection_id = start(kiosk, BUNDLE)
    first = priced(kiosk, selection_id).fingerprint
    later = selections.priced_selection(
        kiosk.ops.read().execute, kiosk.catalog.read(), selection_id, now=NOW + timedelta(hours=3)
    )

    assert first == later.fingerprint
    change(kiosk, "update plan set body = json_set(body, '$.monthly_cents', 2599) where plan_id = 2")
    assert priced(kiosk, selection_id).fingerprint != first


def test_an_idle_selection_is_forgotten_and_its_slip_stays(kiosk: Kiosk) -> None:
    idle, busy = start(kiosk, PHONE), start(kiosk, PHONE)
    with kiosk.ops_write() as ops:
        slip = slips.issue_slip(ops, kiosk.catalog.read(), idle, device=kiosk.device, seen=None, language="fr", now=NOW)
        selections.remove_line(ops.execute, busy, 1, now=NOW + timedelta(minutes=2))
        selections.wipe_idle_selections(ops.execute, before=NOW + timedelta(minutes=1), issued_before=NOW)

    with pytest.raises(NotFound):
        priced(kiosk, idle)
    assert priced(kiosk, busy).lines == ()
    assert slips.slip(kiosk.ops.read(), slip.number) == slip
    assert kiosk.ops.read().execute("select count(*) from selection_line").fetchone() == (0,)


def test_a_selection_touched_by_a_clock_that_ran_ahead_is_forgotten_too(kiosk: Kiosk) -> None:
    ahead, busy = start(kiosk, PHONE), start(kiosk, PHONE)
    with kiosk.ops_write() as ops:
        selections.remove_line(ops.execute, ahead, 1, now=NOW + timedelta(days=900))
        long_ago = NOW - timedelta(hours=2)
        selections.wipe_idle_selections(ops.execute, before=long_ago, issued_before=long_ago, ahead_of=NOW + timedelta(hours=2))

    assert [row[0] for row in kiosk.ops.read().execute("select selection_id from selection")] == [busy]


def test_a_selection_that_became_a_slip_is_forgotten_earlier_unless_it_is_still_composed(kiosk: Kiosk) -> None:
    open_, done, again = (start(kiosk, PHONE) for _ in range(3))
    with kiosk.ops_write() as ops:
        for each in (done, again):
            slips.issue_slip(ops, kiosk.catalog.read(), each, device=kiosk.device, seen=None, language="fr", now=NOW)
        selections.remove_line(ops.execute, again, 1, now=NOW + timedelta(minutes=2))
        selections.wipe_idle_selections(ops.execute, before=NOW, issued_before=NOW + timedelta(minutes=1))

    assert [row[0] for row in kiosk.ops.read().execute("select selection_id from selection order by rowid")] == [open_, again]


def test_a_selection_unknown_is_not_found(kiosk: Kiosk) -> None:
    for act in (lambda: priced(kiosk, "nobody"), lambda: add(kiosk, "nobody", PHONE), lambda: accept(kiosk, "nobody", 1)):
        with pytest.raises(NotFound):
            act()
    with pytest.raises(NotFound):
        accept(kiosk, start(kiosk, PHONE), 2)


wishes = st.builds(
    Wish,
    listing_id=st.sampled_from((None, 101, 104, 107, 109, 110)),
    plan_id=st.sampled_from((None, FORFAIT_5, SERIE_100, ETALE_200)),
    option_ids=st.sets(st.sampled_from((REPAIR, CHARGER))).map(tuple),
    quantity=st.integers(1, 3),
    acquisition=st.sampled_from(ACQUISITIONS),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some=st.lists(wishes, max_size=5))
def test_what_is_accepted_can_be_issued_and_adds_up(kiosk: Kiosk, some: list[Wish]) -> None:
    selection_id = start(kiosk)
    taken = 0
    for wish in some:
        with suppress(PosError):
            add(kiosk, selection_id, wish)
            taken += 1

    shown = priced(kiosk, selection_id)

    assert len(shown.lines) == taken
    assert all(line.state == "ok" for line in shown.lines)
    each: list[dict[str, Any]] = [line.facts["totals"] for line in shown.lines]
    assert shown.totals.due_today_cents == sum(totals["due_today_cents"] for totals in each)
    assert shown.totals.monthly_now_cents == sum(totals["monthly_now_cents"] for totals in each)
    assert shown.is_issuable == bool(taken)


def test_lines_of_one_listing_share_its_stock(kiosk: Kiosk) -> None:
    """103 is a single unit: two lines of it would make a slip nobody can order from."""
    selection_id = start(kiosk, Wish(listing_id=103))

    with pytest.raises(ListingGone) as gone:
        add(kiosk, selection_id, Wish(listing_id=103))

    assert gone.value.data["left"] == 0
    assert [line.state for line in priced(kiosk, selection_id).lines] == ["ok"]


def test_a_line_is_gone_when_stock_fell_below_the_lines_before_it(kiosk: Kiosk) -> None:
    selection_id = start(kiosk, Wish(listing_id=104, quantity=2), Wish(listing_id=104))
    with kiosk.catalog.write() as catalog:
        catalog.execute("update stock set quantity = 2 where listing_id = 104")

    assert [line.state for line in priced(kiosk, selection_id).lines] == ["ok", "gone"]


def test_pricing_reads_no_large_table_from_end_to_end(kiosk: Kiosk) -> None:
    selection_id = start(kiosk, BUNDLE)
    steps = plan_of(kiosk.catalog.read(), lambda: priced(kiosk, selection_id))

    assert any("listing" in step for step in steps)
    assert not [step for step in steps if step.startswith("SCAN") and step.split()[1] not in ("plan", "option", "law", "grade")]


def test_a_plan_alone_costs_nothing_to_leave_after_a_year(kiosk: Kiosk) -> None:
    """L224-28: without a subsidised device nothing is owed beyond the twelfth month."""
    alone = selections.line_facts(kiosk.catalog.read(), Wish(plan_id=SERIE_100), None, now=NOW)
    bundle = priced(kiosk, start(kiosk, BUNDLE)).lines[0].facts

    assert (alone["listing"], alone["plan"]["exit_after_12_cents"]) == (None, 0)
    assert bundle["plan"]["exit_after_12_cents"] == 12 * 2499 * 2000 // 10000


def two_etales(kiosk: Kiosk) -> str:
    """Two phones, each on a line of its own, with the plan that two devices may have."""
    return start(kiosk, Wish(listing_id=101, plan_id=ETALE_200), Wish(listing_id=107, plan_id=ETALE_200))


def test_devices_of_one_plan_count_over_all_lines(kiosk: Kiosk) -> None:
    selection_id = two_etales(kiosk)

    for wish in (Wish(listing_id=108, plan_id=ETALE_200), Wish(listing_id=101, plan_id=ETALE_200, quantity=2)):
        with pytest.raises(NotEligible) as refusal:
            add(kiosk, selection_id, wish)
        [reason] = refusal.value.data["reasons"]
        assert (reason.code, reason.data["max_devices"]) == ("too_many_devices", 2)
    assert len(priced(kiosk, selection_id).lines) == 2, "nothing of a refused line stays"
    add(kiosk, selection_id, Wish(listing_id=108, plan_id=SERIE_100))
    assert priced(kiosk, selection_id).is_issuable


def test_the_nearest_plan_counts_the_devices_it_has_already(kiosk: Kiosk) -> None:
    selection_id = start(kiosk, Wish(listing_id=101, plan_id=SERIE_100), Wish(listing_id=107, plan_id=SERIE_100_12))

    with pytest.raises(NotEligible) as refusal:
        add(kiosk, selection_id, Wish(listing_id=108, plan_id=SERIE_100))
    assert refusal.value.data["fix"].plan_id == ETALE_200, "the twelve-month plan has its one device, too"


def test_a_plan_closed_after_it_was_chosen_is_told_with_the_nearest_that_is_open(kiosk: Kiosk) -> None:
    selection_id = start(kiosk, Wish(listing_id=101, plan_id=SERIE_100))
    with kiosk.catalog.write() as catalog:
        catalog.execute(
            "update plan set body = json_replace(body, '$.acquisitions', json('[\"renewal\"]')) where plan_id = ?", [SERIE_100]
        )

    shown = priced(kiosk, selection_id)
    [line] = shown.lines
    assert not shown.is_issuable
    assert line.answer is not None
    assert [reason.code for reason in line.answer.reasons] == ["acquisition_not_offered"]
    assert line.answer.fix is not None
    assert line.answer.fix.plan_id == SERIE_100_12
