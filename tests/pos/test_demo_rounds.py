from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from pos import corners, demo_devices, demo_rounds
from pos.demo_rounds import NoRound, RoundLists, place_value
from pos.errors import Conflict, Invalid, NotFound
from pos.ops import open_ops, store_setting
from pos.planogram import DemoDevice
from pos.scans import code_of
from tests import world
from tests.world import NOW, Kiosk

CAMILLE, IDRISS = "camille", "idriss"


class Table:
    """The Nantes corner's table, as a clerk with a scanner works at it."""

    def __init__(self, kiosk: Kiosk) -> None:
        self.kiosk = kiosk
        self.now = NOW

    @property
    def corner(self) -> corners.Corner:
        return corners.corner(self.kiosk.ops.read())

    def device(self, position: str) -> DemoDevice:
        """Return the device that HQ plans at a place."""
        known = demo_devices.devices(self.kiosk.ops.read(), self.corner)
        return next(each for each in known if each.planned == position)

    def tag(self, position: str) -> str:
        return code_of("device", self.device(position).demo_id)

    def label(self, position: str) -> str:
        return code_of("place", place_value(self.corner.corner_id, position))

    def does(self, act: Callable[..., Any], *args: Any, clerk: str = CAMILLE, **facts: Any) -> Any:
        self.now += timedelta(seconds=1)
        with self.kiosk.ops_write() as ops:
            return act(ops, *args, clerk_id=clerk, now=self.now, **facts)

    def begins(self, kind: str = "opening", clerk: str = CAMILLE) -> demo_rounds.DemoRound:
        begun: demo_rounds.DemoRound = self.does(demo_rounds.begin_round, kind, clerk=clerk)
        return begun

    def scans(self, *codes: str, clerk: str = CAMILLE) -> str:
        for code in codes:
            self.does(demo_rounds.hear, self.corner, code, clerk=clerk)
        ops = self.kiosk.ops.read()
        return demo_rounds.turn_of(ops, demo_rounds.round_under_way(ops), clerk).heard

    def answers(self, position: str, seen_in: str | None, clerk: str = CAMILLE) -> None:
        self.does(demo_rounds.answer, self.corner, self.device(position), seen_in=seen_in, clerk=clerk)

    def ends(self, *, is_complete: bool = True) -> None:
        running = demo_rounds.round_under_way(self.kiosk.ops.read())
        self.does(demo_rounds.end_round, self.corner, running.round_no, is_complete=is_complete)

    def lists(self) -> RoundLists:
        ops = self.kiosk.ops.read()
        return demo_rounds.lists_of(ops, self.corner, demo_rounds.open_round(ops))

    def marks(self) -> dict[str, str]:
        return {each.device.planned: each.mark for each in self.lists().devices}

    def places(self) -> dict[str, str]:
        return {each.planned: each.position for each in demo_devices.devices(self.kiosk.ops.read(), self.corner)}

    def plans(self, **change: Any) -> None:
        with self.kiosk.ops_write() as ops:
            store_setting(ops, "corner", {**world.corner_document(), **change})

    def told(self, kind: str = "demo_device_noted") -> list[dict[str, Any]]:
        rows = self.kiosk.ops.read().execute("select body from outbox where kind = ? order by seq", [kind])
        return [json.loads(body) for (body,) in rows]


@pytest.fixture
def table(kiosk: Kiosk) -> Table:
    return Table(kiosk)


def test_devices_are_scanned_in_any_order(table: Table) -> None:
    table.begins()

    heard = [table.scans(table.tag(position)) for position in ("B1", "A2", "A1")]

    assert heard == ["seen"] * 3
    assert table.marks() == {"A1": "right", "A2": "right", "B1": "right"}
    assert [(event["position"], event["state"], event["clerk_id"]) for event in table.told()] == [
        (position, "present", CAMILLE) for position in ("B1", "A2", "A1")
    ]


def test_a_device_scanned_twice_counts_once(table: Table) -> None:
    table.begins()

    table.scans(table.tag("A1"), table.tag("A1"), table.tag("A2"))

    assert table.scans(table.tag("A1") + table.tag("A1")) == "again"
    assert [event["planned"] for event in table.told()] == ["A1", "A2"]


def test_a_place_scanned_first_says_where_the_next_device_lies(table: Table) -> None:
    table.begins()

    assert table.scans(table.label("A2")) == "here"
    assert table.scans(table.tag("A1")) == "elsewhere"
    assert table.scans(table.tag("A1")) == "again"
    assert table.scans(table.tag("B1")) == "seen"

    assert table.marks() == {"A1": "elsewhere", "A2": "unseen", "B1": "right"}
    [[moved]] = table.lists().moves
    assert (moved.device.planned, moved.seen_in) == ("A1", "A2")


def test_a_whole_table_in_one_breath_is_told_apart(table: Table) -> None:
    table.begins()

    table.scans(table.label("A2") + table.tag("A1") + table.label("A1") + table.tag("A2") + table.tag("B1"))

    assert table.marks() == {"A1": "elsewhere", "A2": "elsewhere", "B1": "right"}


def test_a_device_put_back_is_right_again(table: Table) -> None:
    table.begins()
    table.scans(table.label("A2"), table.tag("A1"), table.tag("B1"))

    table.scans(table.tag("A1"))

    assert table.marks()["A1"] == "right"


def test_an_accepted_move_is_the_corner_s_own_plan_and_hq_hears_of_it(table: Table) -> None:
    table.begins()
    table.scans(table.label("A2"), table.tag("A1"))

    table.does(demo_rounds.accept_move, table.corner, table.device("A1").demo_id)

    assert table.places() == {"A1": "A2", "A2": "A2", "B1": "B1"}
    assert table.marks()["A1"] == "right"
    last = table.told()[-1]
    assert (last["kind"], last["planned"], last["position"], last["detail"]) == ("moved", "A1", "A2", "A1")
    table.ends(is_complete=False)
    table.begins("closing")
    assert table.scans(table.tag("A1")) == "seen"


def test_a_swap_is_accepted_with_one_tap(table: Table) -> None:
    table.begins()
    table.scans(table.label("B1") + table.tag("A1"), table.label("A1") + table.tag("B1"))
    assert [len(group) for group in table.lists().moves] == [2]

    table.does(demo_rounds.accept_move, table.corner, table.device("B1").demo_id)

    assert table.places() == {"A1": "B1", "A2": "A2", "B1": "A1"}
    assert table.marks() == {"A1": "right", "A2": "unseen", "B1": "right"}


def test_three_that_went_round_are_one_move(table: Table) -> None:
    table.begins()
    for device, position in (("A1", "A2"), ("A2", "B1"), ("B1", "A1")):
        table.scans(table.label(position) + table.tag(device))

    table.does(demo_rounds.accept_move, table.corner, table.device("A2").demo_id)

    assert table.places() == {"A1": "A2", "A2": "B1", "B1": "A1"}


def test_a_device_moved_home_again_is_where_hq_plans_it(table: Table) -> None:
    table.begins()
    table.scans(table.label("A2") + table.tag("A1"))
    table.does(demo_rounds.accept_move, table.corner, table.device("A1").demo_id)

    table.scans(table.label("A1") + table.tag("A1"))
    table.does(demo_rounds.accept_move, table.corner, table.device("A1").demo_id)

    assert table.places()["A1"] == "A1"
    assert table.kiosk.ops.read().execute("select count(*) from demo_place").fetchone() == (0,)


def test_hq_s_next_word_on_a_device_or_its_place_wins(table: Table) -> None:
    tags = {"A1": "AAAAAAAA", "A2": "BBBBBBBB", "B1": "CCCCCCCC"}
    plan = [{**spot, "demo_id": tags[spot["position"]]} for spot in world.corner_document()["planogram"]]
    table.plans(planogram=plan)
    table.begins()
    table.scans(table.label("A2") + table.tag("A1"), table.label("A1") + table.tag("A2"))
    table.does(demo_rounds.accept_move, table.corner, "AAAAAAAA")
    assert table.places() == {"A1": "A2", "A2": "A1", "B1": "B1"}

    table.plans(planogram=plan, phone="02 00 00 00 00")
    assert table.places() == {"A1": "A2", "A2": "A1", "B1": "B1"}
    table.plans(
        planogram=[plan[0], plan[1] | {"position": "A3"}, plan[2], {"position": "A2", "sku_id": 1, "demo_id": "DDDDDDDD"}]
    )
    assert table.places() == {"A1": "A1", "A3": "A3", "B1": "B1", "A2": "A2"}
    swapped = [plan[0] | {"position": "A2"}, plan[1] | {"position": "A1"}, plan[2]]
    table.plans(planogram=swapped)
    assert table.places() == {"A2": "A2", "A1": "A1", "B1": "B1"}


def test_a_missing_device_is_one_until_it_is_seen_again(table: Table) -> None:
    table.begins()
    table.answers("A2", None)
    first = table.now
    ops = table.kiosk.ops.read()
    assert table.marks()["A2"] == "missing"
    assert demo_devices.table_faults(ops, table.corner, now=table.now).get("demo_missing") is not None
    table.ends(is_complete=False)
    table.begins("closing")
    table.answers("A2", None)

    assert table.told()[-1]["state"] == "missing"
    assert demo_devices.table_faults(ops, table.corner, now=table.now).get("demo_missing") == table.told()[0]["at"]
    assert first < table.now
    table.scans(table.tag("A2"))
    assert demo_devices.table_faults(ops, table.corner, now=table.now).get("demo_missing") is None
    assert (table.told()[-1]["state"], table.told()[-1]["since"]) == ("present", table.told()[-1]["at"])


def test_what_nobody_saw_is_missing_when_the_round_is_ended_so(table: Table) -> None:
    table.begins()
    table.scans(table.tag("A1"))

    table.ends(is_complete=True)

    assert [event["planned"] for event in table.told() if event["kind"] == "missing"] == ["A2", "B1"]
    [ended] = table.told("demo_round_ended")
    assert {name: ended[name] for name in ("kind", "right", "elsewhere", "missing", "unseen", "away", "ended_by")} == {
        "kind": "opening", "right": 1, "elsewhere": 0, "missing": 2, "unseen": 0, "away": 0, "ended_by": CAMILLE,
    }  # fmt: skip


def test_a_round_stopped_half_way_says_nothing_of_the_rest(table: Table) -> None:
    table.begins()
    table.scans(table.tag("A1"))

    table.ends(is_complete=False)

    assert [event["kind"] for event in table.told()] == ["seen"]
    assert table.told("demo_round_ended")[0]["unseen"] == 2
    with pytest.raises(NoRound):
        table.scans(table.tag("A2"))


def test_two_clerks_make_one_round_at_once_each_at_a_place_of_their_own(table: Table) -> None:
    first = table.begins(clerk=CAMILLE)
    assert table.begins("closing", clerk=IDRISS) == first
    table.scans(table.label("A1"), clerk=CAMILLE)
    table.scans(table.label("B1"), clerk=IDRISS)

    table.scans(table.tag("A1"), clerk=CAMILLE)
    table.scans(table.tag("B1"), clerk=IDRISS)
    table.scans(table.tag("A1"), clerk=IDRISS)

    assert table.marks() == {"A1": "right", "A2": "unseen", "B1": "right"}
    assert [(event["planned"], event["clerk_id"]) for event in table.told()] == [("A1", CAMILLE), ("B1", IDRISS)]


def test_a_round_goes_on_after_a_power_cut_and_past_midnight(table: Table) -> None:
    begun = table.begins()
    table.scans(table.tag("A1"), table.label("B1"))
    table.now += timedelta(hours=20)

    store = open_ops(table.kiosk.ops.path)
    running = demo_rounds.round_under_way(store.read())
    assert (running, demo_rounds.turn_of(store.read(), running, CAMILLE).position) == (begun, "B1")
    store.close()
    table.scans(table.tag("A2"))

    assert table.marks() == {"A1": "right", "A2": "elsewhere", "B1": "unseen"}


def test_the_planogram_may_change_in_mid_round(table: Table) -> None:
    table.begins()
    table.scans(table.tag("A1"), table.tag("A2"))
    gone = table.device("A2").demo_id
    before = world.corner_document()["planogram"]

    table.plans(planogram=[before[0], {"position": "A2", "sku_id": world.PLAYSTATION_5}, before[2]])

    assert table.marks() == {"A1": "right", "A2": "unseen", "B1": "unseen"}
    assert table.lists().strangers == [(gone, "A2")]
    assert table.scans(table.tag("A2")) == "seen"


def test_a_tag_the_planogram_does_not_know_is_said_to_be_one(table: Table) -> None:
    table.begins()

    assert table.scans(code_of("device", "00000000")) == "stranger"
    assert table.scans(table.label("A2"), code_of("device", "00000000")) == "stranger"

    assert table.lists().strangers == [("00000000", "A2")]
    assert (table.told()[-1]["sku_id"], table.told()[-1]["place"]) == (None, "A2")
    assert set(table.marks().values()) == {"unseen"}


@pytest.mark.parametrize(
    ("code", "heard"),
    [
        ("3017620422003", "other"),
        ("35-0001-H", "other"),
        (code_of("badge", "0000000000"), "other"),
        ("caméra", "nothing"),
        (code_of("place", place_value("paris-beaubourg", "A1")), "foreign_place"),
    ],
)
def test_a_code_of_something_else_notes_nothing(table: Table, code: str, heard: str) -> None:
    table.begins()

    assert table.scans(code) == heard
    assert table.told() == []


def test_an_answer_is_taken_back_and_hq_hears_how_it_is_without_it(table: Table) -> None:
    table.begins()
    table.answers("A1", "A1")
    table.answers("A1", None)
    ops = table.kiosk.ops.read()
    running = demo_rounds.round_under_way(ops)
    last = demo_rounds.last_answer(ops, running, CAMILLE)
    assert last is not None

    table.does(demo_rounds.take_back, table.corner, last.event_no)

    assert table.marks()["A1"] == "right"
    undone = table.told()[-1]
    assert (undone["kind"], undone["detail"], undone["state"]) == ("undone", "missing", "present")
    table.answers("A2", None)
    with pytest.raises(Conflict):
        table.does(demo_rounds.take_back, table.corner, last.event_no)


def test_a_clerk_takes_back_no_other_s_answer_nor_an_accepted_move(table: Table) -> None:
    table.begins()
    table.answers("B1", "B1", clerk=IDRISS)
    ops = table.kiosk.ops.read()
    running = demo_rounds.round_under_way(ops)
    assert demo_rounds.last_answer(ops, running, CAMILLE) is None

    table.scans(table.label("A2") + table.tag("A1"))
    table.does(demo_rounds.accept_move, table.corner, table.device("A1").demo_id)
    assert demo_rounds.last_answer(ops, running, CAMILLE) is None


def test_nothing_is_accepted_or_answered_for_without_cause(table: Table) -> None:
    with pytest.raises(NoRound):
        table.answers("A1", "A1")
    with pytest.raises(Invalid):
        table.begins("lunch")
    table.begins()
    with pytest.raises(Conflict):
        table.does(demo_rounds.accept_move, table.corner, table.device("A1").demo_id)
    with pytest.raises(NotFound):
        table.answers("A1", "Z9")
    assert table.told() == []


def test_a_lent_or_stolen_device_is_not_looked_for_and_is_back_once_scanned(table: Table) -> None:
    detail = demo_devices.loan_detail(table.kiosk.ops.read(), table.corner, IDRISS, "2026-12-01", now=NOW)
    table.does(demo_devices.note, table.device("A1"), "loaned", detail=detail)
    table.does(demo_devices.note, table.device("A2"), "stolen")
    table.begins()

    assert table.marks() == {"A1": "away", "A2": "away", "B1": "unseen"}
    assert table.told()[0]["back_by"] == "2026-12-01"
    table.scans(table.tag("A1"))
    assert table.marks()["A1"] == "right"


@pytest.mark.parametrize(
    ("borrower", "back_by"), [("nobody", "2026-12-01"), (IDRISS, "soon"), (IDRISS, "2026-11-01"), (IDRISS, "")]
)
def test_a_loan_names_a_clerk_and_a_day_to_come(table: Table, borrower: str, back_by: str) -> None:
    with pytest.raises(Invalid):
        demo_devices.loan_detail(table.kiosk.ops.read(), table.corner, borrower, back_by, now=NOW)


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("battery", "101"),
        ("battery", "x"),
        ("battery", ""),
        ("battery", "²"),
        ("battery", "0000" + "9" * 5000),
        ("damaged", "Mme Roux"),
        ("loaned", "Mme Roux"),
        ("seen", "x"),
        ("sold", ""),
    ],
)
def test_what_says_nothing_of_a_device_is_refused(table: Table, kind: str, detail: str) -> None:
    with pytest.raises(Invalid):
        table.does(demo_devices.note, table.device("A1"), kind, detail=detail)
    assert table.told() == []


def test_battery_damage_and_care_are_the_device_s_last(table: Table) -> None:
    device = table.device("A1")
    for kind, detail in (("battery", "91"), ("battery", "79"), ("damaged", "screen"), ("charged", ""), ("wiped", "")):
        table.does(demo_devices.note, device, kind, detail=detail)
    state = demo_devices.states(table.kiosk.ops.read(), [device.demo_id])[device.demo_id]
    assert (state.battery, state.is_worn, state.damage, sorted(state.cares or {})) == (79, True, "screen", ["charged", "wiped"])

    table.does(demo_devices.note, device, "tested")

    state = demo_devices.states(table.kiosk.ops.read(), [device.demo_id])[device.demo_id]
    assert (state.damage, table.told()[-1]["damage"], table.told()[-1]["battery"]) == ("", "", 79)


def test_an_event_whose_report_cannot_be_written_is_not_there(table: Table) -> None:
    """One transaction: the round's rows and HQ's events are never apart."""
    table.begins()
    with table.kiosk.ops_write() as ops:
        ops.execute("insert into outbox values (9223372036854775807, 'x', '{}', 'x', 'x', 'x')")

    with pytest.raises(OverflowError):
        table.scans(table.tag("A1"))

    assert (table.told(), table.marks()["A1"]) == ([], "unseen")
