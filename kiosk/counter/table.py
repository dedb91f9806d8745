"""The table of demo devices: its drawing, the opening and the closing round, and what is noted of each device."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, g, request
from sqlite_utils import Database

from kiosk import files
from kiosk.counter.labels import labels_due
from kiosk.counter.sessions import for_clerks
from kiosk.home import demo_spots
from kiosk.printing import prints
from pos import clock, demo_devices, demo_rounds
from pos.corners import Corner
from pos.db import DatabaseError
from pos.demo_devices import DemoDeviceEvent, DemoDeviceState
from pos.demo_rounds import DemoRound, Mark, RoundDevice, RoundLists, Turn
from pos.errors import Invalid, PosError
from pos.planogram import DemoDevice, drawn_rows
from pos.scans import code_of
from pos.team import team
from shop import forms, web

routes = Blueprint("counter_table", __name__, url_prefix="/counter/table")

HAND_COOKIE = "hand"
SECONDS_A_PLACE = 20
DAY = timedelta(hours=14)
"""No corner is open for longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnPlace:
    """A place of the drawing: the devices that belong there, and whether the clerk is at it."""

    position: str
    devices: list[RoundDevice]
    is_current: bool
    swaps_with_next: bool = False

    @property
    def mark(self) -> Mark | str:
        """What is most to be seen of its devices; a place without one is free."""
        marks = {each.mark for each in self.devices}
        return next((mark for mark in ("missing", "elsewhere", "unseen", "right", "away") if mark in marks), "free")


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundInHand:
    """The round under way as one clerk sees it: `current` is the device to answer for, `last` what can be taken back."""

    running: DemoRound
    lists: RoundLists
    turn: Turn
    current: RoundDevice | None
    last: DemoDeviceEvent | None

    @property
    def seen(self) -> int:
        """How many devices were answered for."""
        return len(self.lists.devices) - len(self.lists.marked("unseen"))

    @property
    def minutes(self) -> int:
        """About how long the rest takes."""
        return -(-len(self.lists.marked("unseen")) * SECONDS_A_PLACE // 60)


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePage:
    """The table: its drawing, its devices, what the catalogue says of them by SKU, the round under way and the last one."""

    rows: list[list[DrawnPlace | None]]
    devices: list[RoundDevice]
    items: dict[int, dict[str, Any]]
    round: RoundInHand | None
    last: DemoRound | None
    searched: RoundDevice | None
    """The device whose place is asked for."""

    @property
    def suggested(self) -> str:
        """The kind of round that is due: closing where the last was an opening of the last hours."""
        if self.last and self.last.kind == "opening" and clock.now() - clock.from_text(self.last.begun_at) < DAY:
            return "closing"
        return "opening"


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePage:
    """One device: how it is, what was noted of it last, and the code on its tag."""

    device: DemoDevice
    state: DemoDeviceState
    item: dict[str, Any] | None
    history: list[DemoDeviceEvent]
    code: str
    is_in_round: bool


@routes.get("")
@for_clerks
def table() -> Response:
    """Show the table, and the round where one is under way; with `elsewhere`, ask where a device lies."""
    ops, corner = files.ops(), files.corner()
    running = demo_rounds.open_round(ops)
    lists = demo_rounds.lists_of(ops, corner, running)
    in_hand = _in_hand(ops, running, lists) if running else None
    searched = next((each for each in lists.devices if each.device.demo_id == request.args.get("elsewhere")), None)
    page = TablePage(
        rows=_drawn(corner, lists.devices, in_hand),
        devices=lists.devices,
        items=_items(),
        round=in_hand,
        last=demo_rounds.last_round(ops),
        searched=searched if running else None,
    )
    return web.page(
        "kiosk/counter/table.html", page=page, people=_people(), hand=request.cookies.get(HAND_COOKIE, ""), labels=labels_due()
    )


@routes.get("/devices/<demo_id>")
@for_clerks
def device(demo_id: str) -> Response:
    """Show one device."""
    ops, corner = files.ops(), files.corner()
    known = demo_devices.device(ops, corner, demo_id)
    page = DevicePage(
        device=known,
        state=demo_devices.states(ops, [demo_id])[demo_id],
        item=_items().get(known.sku_id),
        history=demo_devices.history(ops, demo_id),
        code=code_of("device", demo_id),
        is_in_round=demo_rounds.open_round(ops) is not None,
    )
    return web.page("kiosk/counter/demo_device.html", page=page, people=_people())


@routes.post("/devices/<demo_id>/tags")
@for_clerks
def print_tag(demo_id: str) -> Response:
    """Print the tag of a device on the printer for slips."""
    prints.print_paper(prints.device_tag_wanted(demo_id, requested_by=g.clerk["clerk_id"]))
    return web.see_other(f"/counter/table/devices/{demo_id}")


@routes.post("/rounds")
@for_clerks
def begin_round() -> Response:
    """Begin a round, or join the one under way."""
    with files.ops_store().write() as ops:
        demo_rounds.begin_round(ops, request.form.get("kind", ""), clerk_id=g.clerk["clerk_id"], now=clock.now())
    return web.see_other("/counter/table")


@routes.post("/rounds/<int:round_no>/end")
@for_clerks
def end_round(round_no: int) -> Response:
    """End the round; what nobody saw is missing, or stays as it was before."""
    is_complete = request.form.get("unseen") == "missing"
    with files.ops_store().write() as ops:
        demo_rounds.end_round(
            ops, files.corner(), round_no, is_complete=is_complete, clerk_id=g.clerk["clerk_id"], now=clock.now()
        )
    return web.see_other("/counter/table")


@routes.post("/scans")
@for_clerks
def scan() -> Response:
    """Take what a scanner typed."""
    with files.ops_store().write() as ops:
        demo_rounds.hear(ops, files.corner(), request.form.get("code", ""), clerk_id=g.clerk["clerk_id"], now=clock.now())
    return web.see_other("/counter/table")


@routes.post("/turn")
@for_clerks
def turn() -> Response:
    """Go to a place by tapping it: the next device scanned lies there."""
    position = request.form.get("position", "")
    with files.ops_store().write() as ops:
        demo_rounds.go_to(ops, files.corner(), position, clerk_id=g.clerk["clerk_id"])
    return web.see_other("/counter/table")


@routes.post("/devices/<demo_id>/sightings")
@for_clerks
def sight(demo_id: str) -> Response:
    """Answer for a device in the round: seen at a place, in the back room, or missing."""
    with files.ops_store().write() as ops:
        corner = files.corner()
        demo_rounds.answer(
            ops,
            corner,
            demo_devices.device(ops, corner, demo_id),
            seen_in=None if "missing" in request.form else request.form.get("position", ""),
            detail=demo_devices.RESERVE if "reserve" in request.form else "",
            clerk_id=g.clerk["clerk_id"],
            now=clock.now(),
        )
    return web.see_other("/counter/table")


@routes.post("/devices/<demo_id>/events")
@for_clerks
def note(demo_id: str) -> Response:
    """Note something of a device: a care, its battery, damage, a loan, that it is back, missing or stolen."""
    kind = request.form.get("kind", "")
    if kind not in demo_devices.KINDS or kind == "moved":
        raise Invalid("nothing to note", field="kind")
    now, corner = clock.now(), files.corner()
    with files.ops_store().write() as ops:
        known = demo_devices.device(ops, corner, demo_id)
        demo_devices.note(
            ops,
            known,
            kind,
            position=known.position,
            detail=_detail(corner, kind),
            clerk_id=g.clerk["clerk_id"],
            now=now,
            round_no=demo_rounds.round_no_of(ops),
        )
    onward = forms.local_path(request.form.get("next"))
    return web.see_other(onward if onward.startswith("/counter/table") else f"/counter/table/devices/{demo_id}")


@routes.post("/moves")
@for_clerks
def accept_move() -> Response:
    """Accept that a device lies where it was seen, with those it changed places with."""
    with files.ops_store().write() as ops:
        demo_rounds.accept_move(
            ops, files.corner(), request.form.get("demo_id", ""), clerk_id=g.clerk["clerk_id"], now=clock.now()
        )
    return web.see_other("/counter/table")


@routes.post("/answers/<int:event_no>/removal")
@for_clerks
def take_back(event_no: int) -> Response:
    """Undo the clerk's last answer."""
    with files.ops_store().write() as ops:
        demo_rounds.take_back(ops, files.corner(), event_no, clerk_id=g.clerk["clerk_id"], now=clock.now())
    return web.see_other("/counter/table")


@routes.post("/hand")
@for_clerks
def change_hand() -> Response:
    """Turn the bar round for the other hand, on this tablet."""
    hand = "" if request.cookies.get(HAND_COOKIE) == "left" else "left"
    response = web.see_other("/counter/table")
    response.set_cookie(HAND_COOKIE, hand, path="/counter", samesite="Strict", httponly=True, max_age=365 * 86_400)
    return response


def _people() -> dict[str, str]:
    """Return the names of the corner's people by id."""
    return {each["clerk_id"]: each["name"] for each in team(files.ops(), files.corner())}


def _detail(corner: Corner, kind: str) -> str:
    if kind == "loaned":
        return demo_devices.loan_detail(
            files.ops(), corner, request.form.get("borrower", ""), request.form.get("back_by", ""), now=clock.now()
        )
    return request.form.get("detail", "").strip() if kind in ("battery", "damaged") else ""


def _in_hand(ops: Database, running: DemoRound, lists: RoundLists) -> RoundInHand:
    turn = demo_rounds.turn_of(ops, running, g.clerk["clerk_id"])
    at_hand = [each for each in lists.devices if each.device.demo_id == turn.demo_id] or [
        each for each in lists.devices if each.device.position == turn.position
    ]
    at_hand.sort(key=lambda each: each.mark != "unseen")
    if not turn.is_here and not lists.marked("unseen"):
        # All is seen: what is left is to end the round, unless the clerk goes to a place.
        at_hand, turn = [], turn._replace(position=None)
    current = at_hand[0] if at_hand else None if turn.position else next(iter(lists.marked("unseen")), None)
    last = demo_rounds.last_answer(ops, running, g.clerk["clerk_id"])
    return RoundInHand(running=running, lists=lists, turn=turn, current=current, last=last)


def _drawn(corner: Corner, devices: list[RoundDevice], in_hand: RoundInHand | None) -> list[list[DrawnPlace | None]]:
    current = in_hand.turn.position if in_hand else None
    if current is None and in_hand and in_hand.current:
        current = in_hand.current.device.position
    rows: list[list[DrawnPlace | None]] = []
    for spots in drawn_rows(corner.planogram):
        names = [spot["position"] if spot else None for spot in spots]
        pairs = zip(names, [*names[1:], None], strict=True)
        rows.append([_place(name, after, devices, current) if name else None for name, after in pairs])
    return rows


def _place(position: str, after: str | None, devices: list[RoundDevice], current: str | None) -> DrawnPlace:
    lying = [each for each in devices if each.device.position == position]
    swaps = any(
        each.seen_in == after and any(other.device.position == after and other.seen_in == position for other in devices)
        for each in lying
        if each.mark == "elsewhere"
    )
    return DrawnPlace(position=position, devices=lying, is_current=position == current, swaps_with_next=swaps)


def _items() -> dict[int, dict[str, Any]]:
    """Return what the catalogue says of the table's SKUs; without a catalogue the round goes on all the same."""
    try:
        return {spot["sku_id"]: spot for spot in demo_spots(files.catalog())}
    except (PosError, DatabaseError):
        return {}
