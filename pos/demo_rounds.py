"""The opening and the closing round: every device of the table is looked for, scanned in any order or tapped place by place.

Invariant: a round is what was noted in it, read anew each time: it goes on after a power cut, past midnight, with two clerks at
once, and by the planogram as it is now. A device counts once, where it was last seen in the round.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from sqlite_utils import Database

from pos import clock, demo_devices, outbox, shelf_labels
from pos.corners import Corner
from pos.demo_devices import RESERVE, DemoDeviceEvent, DemoDeviceState
from pos.errors import Conflict, Invalid, NotFound
from pos.planogram import DemoDevice
from pos.scans import Scan, codes_in, place_value
from pos.shelf_labels import LabelUnknown, scanned_label

Mark = Literal["unseen", "right", "elsewhere", "missing", "away"]
"""Of a device in a round: still to see, at its place, somewhere else on the table, missing, or known to be away."""
ROUND_KINDS = ("opening", "closing")
AWAY = ("loaned", "stolen")
ANSWERS = "('seen', 'moved', 'missing')"


class NoRound(Conflict):
    """No round is under way: another clerk ended it."""


class DemoRound(NamedTuple):
    """A round; `ended_at` is None while it is under way."""

    round_no: int
    kind: str
    begun_at: str
    begun_by: str
    ended_at: str | None


class Turn(NamedTuple):
    """Where a clerk is in the round. `is_here`: the next device scanned lies at `position`. `heard` is what the last scan was."""

    position: str | None = None
    is_here: int = 0
    demo_id: str | None = None
    heard: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundDevice:
    """A device with its mark in the round; `seen_in` is the place where it was seen, if it was."""

    device: DemoDevice
    mark: Mark
    seen_in: str
    state: DemoDeviceState

    @property
    def is_troubled(self) -> bool:
        """Whether somebody has to look after it: it is not here, or not as it should be."""
        return self.state.where not in ("present", "unknown") or self.state.is_worn or bool(self.state.damage)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundLists:
    """A round's devices by mark, moves grouped so that a swap is one, and tags the planogram does not know, with their places."""

    devices: list[RoundDevice]
    moves: list[list[RoundDevice]]
    strangers: list[tuple[str, str]]

    def marked(self, *marks: Mark) -> list[RoundDevice]:
        """Return the devices with one of these marks."""
        return [each for each in self.devices if each.mark in marks]


def begin_round(ops: Database, kind: str, *, clerk_id: str, now: datetime) -> DemoRound:
    """Begin a round, or join the one under way; runs inside the caller's `write`. Raises: Invalid for another kind."""
    if kind not in ROUND_KINDS:
        raise Invalid("no kind of round", field="kind")
    if (running := open_round(ops)) is not None:
        return running
    ops.table("demo_round").insert({"kind": kind, "begun_at": clock.to_text(now), "begun_by": clerk_id})
    ops.execute("delete from demo_turn")
    return round_under_way(ops)


def open_round(ops: Database) -> DemoRound | None:
    """Return the round under way."""
    row = ops.execute("select round_no, kind, begun_at, begun_by, ended_at from demo_round where ended_at is null").fetchone()
    return DemoRound(*row) if row else None


def round_under_way(ops: Database) -> DemoRound:
    """Return the round under way. Raises: NoRound."""
    if (running := open_round(ops)) is None:
        raise NoRound("no round is under way")
    return running


def last_round(ops: Database) -> DemoRound | None:
    """Return the round that ended last."""
    row = ops.execute(
        """
        select round_no, kind, begun_at, begun_by, ended_at from demo_round
        where ended_at is not null order by round_no desc limit 1
        """
    ).fetchone()
    return DemoRound(*row) if row else None


def turn_of(ops: Database, running: DemoRound, clerk_id: str) -> Turn:
    """Return where a clerk is in the round."""
    row = ops.execute(
        "select position, is_here, demo_id, heard, subject from demo_turn where clerk_id = ? and round_no = ?",
        [clerk_id, running.round_no],
    ).fetchone()
    return Turn(*row) if row else Turn()


def keep_turn(ops: Database, running: DemoRound, clerk_id: str, turn: Turn) -> None:
    """Remember where a clerk is in the round; runs inside the caller's `write`."""
    ops.execute(
        """
        insert into demo_turn (clerk_id, round_no, position, is_here, demo_id, heard, subject) values (?, ?, ?, ?, ?, ?, ?)
        on conflict (clerk_id) do update
        set round_no = excluded.round_no, position = excluded.position, is_here = excluded.is_here,
          demo_id = excluded.demo_id, heard = excluded.heard, subject = excluded.subject
        """,
        [clerk_id, running.round_no, *turn],
    )


def go_to(ops: Database, corner: Corner, position: str, *, clerk_id: str) -> None:
    """Note that a clerk is at a place; runs inside the caller's `write`. Raises: NoRound, NotFound."""
    if position not in {spot["position"] for spot in corner.planogram}:
        raise NotFound(f"no place {position}", position=position)
    keep_turn(ops, round_under_way(ops), clerk_id, Turn(position=position, is_here=1, heard="here", subject=position))


def round_no_of(ops: Database) -> int | None:
    """Return the number of the round under way, for what is noted meanwhile."""
    running = open_round(ops)
    return running.round_no if running else None


def lists_of(ops: Database, corner: Corner, running: DemoRound | None) -> RoundLists:
    """Return how the round stands, by what is planned and accepted now; without one, the table's devices as nobody looked yet."""
    known = demo_devices.devices(ops, corner)
    answers = _answers(ops, running) if running else {}
    how = demo_devices.states(ops, [each.demo_id for each in known])
    marked = [_marked(each, answers.get(each.demo_id), how[each.demo_id]) for each in known]
    planned = {each.demo_id for each in known}
    strangers = [(event.demo_id, event.position) for event in answers.values() if event.demo_id not in planned]
    return RoundLists(devices=marked, moves=_grouped(marked), strangers=strangers)


def hear(ops: Database, corner: Corner, text: str, *, clerk_id: str, now: datetime) -> None:
    """Take what a scanner typed: a place says where the clerk is, the device after it lies there, a device alone is at its place.

    The code of a shelf label is a place and a print: it says where the clerk is, and that this print stands there.

    Runs inside the caller's `write`. Raises: NoRound.
    """
    running = round_under_way(ops)
    turn = turn_of(ops, running, clerk_id)
    for scan in codes_in(text):
        turn = _heard(ops, corner, running, turn, scan, clerk_id=clerk_id, now=now)
    keep_turn(ops, running, clerk_id, turn)


def answer(
    ops: Database, corner: Corner, device: DemoDevice, *, seen_in: str | None, clerk_id: str, now: datetime, detail: str = ""
) -> None:
    """Note in the round where a device was seen, or with None that it is missing; runs inside the caller's `write`.

    What was noted already is not noted again. Raises: NoRound, NotFound for a place that is none.
    """
    running = round_under_way(ops)
    if seen_in and seen_in not in {spot["position"] for spot in corner.planogram}:
        raise NotFound(f"no place {seen_in}", position=seen_in)
    kind, position = ("missing", device.position) if seen_in is None else ("seen", seen_in)
    _note_once(ops, running, device, kind, position=position, detail=detail, clerk_id=clerk_id, now=now)
    keep_turn(ops, running, clerk_id, Turn())


def accept_move(ops: Database, corner: Corner, demo_id: str, *, clerk_id: str, now: datetime) -> list[DemoDevice]:
    """Let a device belong where it was seen, with those that changed places with it; return them as they now belong.

    Runs inside the caller's `write`. Raises: NoRound, Conflict when it lies at its place meanwhile.
    """
    running = round_under_way(ops)
    lists = lists_of(ops, corner, running)
    group = next((group for group in lists.moves if demo_id in {each.device.demo_id for each in group}), None)
    if group is None:
        raise Conflict("nothing to accept", demo_id=demo_id)
    moves = [(each.device, each.seen_in) for each in group]
    demo_devices.move(ops, corner, moves, clerk_id=clerk_id, now=now)
    for device, position in moves:
        demo_devices.note(
            ops, device, "moved", position=position, detail=device.position, clerk_id=clerk_id, now=now, round_no=running.round_no
        )
    keep_turn(ops, running, clerk_id, Turn())
    moved = {device.demo_id for device, _ in moves}
    return [each for each in demo_devices.devices(ops, corner) if each.demo_id in moved]


def last_answer(ops: Database, running: DemoRound, clerk_id: str) -> DemoDeviceEvent | None:
    """Return what a clerk noted last in the round, if it can be taken back: a sighting or a missing one."""
    row = ops.execute(
        """
        select event_no, demo_id, position, kind, detail, clerk_id, at from demo_device_event
        where round_no = ? and clerk_id = ? order by event_no desc limit 1
        """,
        [running.round_no, clerk_id],
    ).fetchone()
    last = DemoDeviceEvent(*row) if row else None
    return last if last and last.kind in ("seen", "missing") else None


def take_back(ops: Database, corner: Corner, event_no: int, *, clerk_id: str, now: datetime) -> None:
    """Undo the clerk's last answer, and tell HQ how the device is without it; runs inside the caller's `write`.

    Raises: NoRound, Conflict when it is no longer the last.
    """
    running = round_under_way(ops)
    last = last_answer(ops, running, clerk_id)
    if last is None or last.event_no != event_no:
        raise Conflict("not the last answer any more")
    device = next((each for each in demo_devices.devices(ops, corner) if each.demo_id == last.demo_id), None)
    ops.execute("delete from demo_device_event where event_no = ?", [event_no])
    said = {"demo_id": last.demo_id, "position": last.position, "kind": "undone", "detail": last.kind, "clerk_id": clerk_id}
    about = {"sku_id": device.sku_id if device else None, "planned": device.planned if device else None}
    demo_devices.tell(ops, {**said, **about, "at": clock.to_text(now)}, now=now)
    keep_turn(ops, running, clerk_id, Turn(position=device.position if device else None))


def end_round(ops: Database, corner: Corner, round_no: int, *, is_complete: bool, clerk_id: str, now: datetime) -> None:
    """End the round and tell HQ how it went; with `is_complete`, what nobody saw is missing. Runs inside the caller's `write`.

    One that another clerk ended stays as it is.
    """
    running = open_round(ops)
    if running is None or running.round_no != round_no:
        return
    if is_complete:
        for unseen in lists_of(ops, corner, running).marked("unseen"):
            device = unseen.device
            demo_devices.note(ops, device, "missing", position=device.position, clerk_id=clerk_id, now=now, round_no=round_no)
    lists = lists_of(ops, corner, running)
    ops.execute("update demo_round set ended_at = ? where round_no = ?", [clock.to_text(now), round_no])
    ops.execute("delete from demo_turn")
    counts = {mark: len(lists.marked(mark)) for mark in ("right", "elsewhere", "missing", "unseen", "away")}
    facts = {"kind": running.kind, "begun_at": running.begun_at, "begun_by": running.begun_by, "ended_by": clerk_id}
    outbox.record(ops, "demo_round_ended", {**facts, "ended_at": clock.to_text(now), **counts}, now=now)


def _heard(ops: Database, corner: Corner, running: DemoRound, turn: Turn, scan: Scan, *, clerk_id: str, now: datetime) -> Turn:
    if scan.kind == "place":
        position = next(
            (spot["position"] for spot in corner.planogram if place_value(corner.corner_id, spot["position"]) == scan.value), None
        )
        if position is None:
            return turn._replace(heard="foreign_place", subject="")
        return Turn(position=position, is_here=1, heard="here", subject=position)
    if scan.kind == "label":
        return _label_heard(ops, corner, turn, scan, clerk_id=clerk_id, now=now)
    if scan.kind != "device":
        return turn._replace(heard="nothing" if scan.kind == "nothing" else "other", subject=scan.value[:40])
    if scan.value == turn.demo_id and not turn.is_here:
        # A scanner that reads twice, or a hand that is not sure: the device lies where it was just seen.
        return turn._replace(heard="again", subject=scan.value)
    device = next((each for each in demo_devices.devices(ops, corner) if each.demo_id == scan.value), None)
    position = turn.position or "" if turn.is_here else device.position if device else ""
    is_new = _note_once(ops, running, device or scan.value, "seen", position=position, clerk_id=clerk_id, now=now)
    heard = "stranger" if device is None else "again" if not is_new else "seen" if position == device.position else "elsewhere"
    return Turn(position=position or turn.position, demo_id=scan.value, heard=heard, subject=scan.value)


def _label_heard(ops: Database, corner: Corner, turn: Turn, scan: Scan, *, clerk_id: str, now: datetime) -> Turn:
    """Take the second half of a shelf label's code: its print stands at the place that the first half named, if that is here."""
    if turn.heard != "here":
        return turn
    place = Scan(kind="place", value=place_value(corner.corner_id, turn.position or ""))
    try:
        label = shelf_labels.confirm_label(ops, scanned_label(ops, corner, (place, scan)).label_no, clerk_id=clerk_id, now=now)
    except LabelUnknown:
        return turn._replace(heard="old_label")
    return turn if label.state == "standing" else turn._replace(heard="old_label")


def _note_once(
    ops: Database,
    running: DemoRound,
    device: DemoDevice | str,
    kind: str,
    *,
    position: str,
    clerk_id: str,
    now: datetime,
    detail: str = "",
) -> bool:
    """Note an answer of the round unless it is what was said last; return whether it was new."""
    demo_id = device if isinstance(device, str) else device.demo_id
    said = _answers(ops, running).get(demo_id)
    if said is not None and (said.kind.replace("moved", "seen"), said.position) == (kind, position):
        if kind == "missing" or detail == (said.detail if said.kind == "seen" else ""):
            return False
    demo_devices.note(ops, device, kind, position=position, detail=detail, clerk_id=clerk_id, now=now, round_no=running.round_no)
    return True


def _answers(ops: Database, running: DemoRound) -> dict[str, DemoDeviceEvent]:
    """Return the last word of the round on each device."""
    rows = ops.execute(
        f"""
        select max(event_no), demo_id, position, kind, detail, clerk_id, at from demo_device_event
        where round_no = ? and kind in {ANSWERS} group by demo_id
        """,
        [running.round_no],
    )
    return {event.demo_id: event for event in (DemoDeviceEvent(*row) for row in rows.fetchall())}


def _marked(device: DemoDevice, said: DemoDeviceEvent | None, state: DemoDeviceState) -> RoundDevice:
    mark: Mark
    seen_in = ""
    if state.where in AWAY:
        mark = "away"
    elif said is None:
        mark = "unseen"
    elif said.kind == "missing":
        mark = "missing"
    elif said.detail == RESERVE and said.kind == "seen":
        mark = "away"
    else:
        seen_in = said.position
        mark = "right" if seen_in == device.position else "elsewhere"
    return RoundDevice(device=device, mark=mark, seen_in=seen_in, state=state)


def _grouped(marked: list[RoundDevice]) -> list[list[RoundDevice]]:
    """Return the devices that are elsewhere, those that lie in each other's places together."""
    groups: list[list[RoundDevice]] = []
    for moved in marked:
        if moved.mark == "elsewhere" and moved.seen_in:
            linked = [group for group in groups if any(_is_linked(moved, other) for other in group)]
            groups = [group for group in groups if group not in linked]
            groups.append([*(other for group in linked for other in group), moved])
    return groups


def _is_linked(one: RoundDevice, other: RoundDevice) -> bool:
    return one.seen_in == other.device.position or other.seen_in == one.device.position
