"""The demo devices on the corner's table: what clerks note of each, where it belongs, how it is.

Invariant: what is noted is an event here and in the outbox in one transaction, and HQ is told with each how the device is after
it. An accepted move is the corner's own word on where a device belongs, until HQ's planogram says something new of it or the
place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from sqlite_utils import Database

from pos import clock, journal, outbox
from pos.corners import Corner
from pos.errors import Invalid, NotFound
from pos.planogram import DemoDevice, planned_devices
from pos.team import active_member

WHEREABOUTS = ("seen", "moved", "missing", "loaned", "returned", "stolen")
"""The kinds of event that say where a device is."""
CARES = ("charged", "cleaned", "tested", "wiped")
"""What is done to a device in a round: on its charger, cleaned, found working, the last visitor's traces wiped."""
KINDS = (*WHEREABOUTS, "damaged", "battery", *CARES)
JOURNALED = {"moved": "move_accepted", "loaned": "demo_loaned", "stolen": "demo_stolen"}
"""The kinds that somebody may ask about, as the audit journal calls them."""
DAMAGES = ("screen", "body", "battery", "other")
RESERVE = "reserve"
"""Detail of a device seen in the back room: it is there, not on the table."""
WORN_BATTERY = 80
"""Per cent of a battery's first capacity below which it is to be changed: below that we offer no device either."""
PERCENT = re.compile("100|[0-9]{1,2}")
LOAN = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}) (.+)")

Whereabouts = Literal["unknown", "present", "reserve", "missing", "loaned", "stolen"]


class DemoDeviceEvent(NamedTuple):
    """Something a clerk noted of a device."""

    event_no: int
    demo_id: str
    position: str
    kind: str
    detail: str
    clerk_id: str
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoDeviceState:
    """How a device is by the last of each kind of event. `where` and `since` are of its whereabouts; `battery` is its health in
    per cent."""

    where: Whereabouts = "unknown"
    position: str = ""
    since: str | None = None
    noted_by: str | None = None
    seen_at: str | None = None
    seen_by: str | None = None
    borrower: str = ""
    back_by: str = ""
    battery: int | None = None
    damage: str = ""
    cares: dict[str, str] | None = None

    @property
    def is_worn(self) -> bool:
        """Whether its battery is to be changed."""
        return self.battery is not None and self.battery < WORN_BATTERY


def devices(ops: Database, corner: Corner) -> list[DemoDevice]:
    """Return the planogram's devices where they belong: by the corner's own moves, each until HQ's word on it is a new one."""
    planned = planned_devices(corner.corner_id, corner.planogram)
    owner = {device.planned: device.demo_id for device in planned}
    moved = {
        (demo_id, was): position
        for demo_id, position, was, displaced in ops.execute("select demo_id, position, planned, displaced from demo_place")
        if owner.get(position) == displaced
    }
    return [replace(known, position=moved.get((known.demo_id, known.planned), known.planned)) for known in planned]


def device(ops: Database, corner: Corner, demo_id: str) -> DemoDevice:
    """Return one device of the planogram. Raises: NotFound."""
    for each in devices(ops, corner):
        if each.demo_id == demo_id:
            return each
    raise NotFound(f"no demo device {demo_id}", demo_id=demo_id)


def states(ops: Database, demo_ids: Iterable[str]) -> dict[str, DemoDeviceState]:
    """Return how each device is."""
    last: dict[str, dict[str, DemoDeviceEvent]] = {demo_id: {} for demo_id in demo_ids}
    rows = ops.execute(
        """
        select event.event_no, event.demo_id, event.position, event.kind, event.detail, event.clerk_id, event.at
        from json_each(?) as device join json_each(?) as kind
        join demo_device_event as event on event.event_no = (
          select max(event_no) from demo_device_event where demo_id = device.value and kind = kind.value
        )
        """,
        [json.dumps(list(last)), json.dumps(KINDS)],
    )
    for row in rows.fetchall():
        event = DemoDeviceEvent(*row)
        last[event.demo_id][event.kind] = event
    known = {demo_id: _state(events) for demo_id, events in last.items()}
    return {
        demo_id: replace(state, since=_missed_at(ops, demo_id)) if state.where == "missing" else state
        for demo_id, state in known.items()
    }


def history(ops: Database, demo_id: str, *, most: int = 12) -> list[DemoDeviceEvent]:
    """Return what was noted of a device last, the newest first."""
    rows = ops.execute(
        """
        select event_no, demo_id, position, kind, detail, clerk_id, at from demo_device_event
        where demo_id = ? order by event_no desc limit ?
        """,
        [demo_id, most],
    )
    return [DemoDeviceEvent(*row) for row in rows.fetchall()]


def table_faults(ops: Database, corner: Corner, *, now: datetime) -> dict[str, str]:
    """Return what is wrong with the devices of the planogram, as codes of `sync.faults` and since when, the longest."""
    zone = ZoneInfo(corner.time_zone)
    today = str(now.astimezone(zone).date())
    known = states(ops, [each.demo_id for each in planned_devices(corner.corner_id, corner.planogram)]).values()
    faults = {"demo_missing": [state.since for state in known if state.where == "missing" and state.since]}
    late = [state.back_by for state in known if state.where == "loaned" and state.back_by and state.back_by < today]
    midnights = [datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), zone) for day in late]
    faults["demo_overdue"] = [clock.to_text(midnight) for midnight in midnights]
    return {code: min(times) for code, times in faults.items() if times}


def note(
    ops: Database,
    device: DemoDevice | str,
    kind: str,
    *,
    clerk_id: str,
    now: datetime,
    position: str = "",
    detail: str = "",
    round_no: int | None = None,
) -> None:
    """Note something of a device, or of a tag that the planogram does not know, for HQ too; runs inside the caller's `write`.

    `position` is where it was seen or now belongs. Raises: Invalid for a detail that says nothing.
    """
    check_detail(kind, detail)
    known = device if isinstance(device, DemoDevice) else None
    row = {
        "demo_id": known.demo_id if known else device,
        "position": position,
        "sku_id": known.sku_id if known else None,
        "kind": kind,
        "detail": detail,
        "clerk_id": clerk_id,
        "at": clock.to_text(now),
        "round_no": round_no,
    }
    ops.table("demo_device_event").insert(row)
    if kind in JOURNALED:
        journal.note(ops, clerk_id, JOURNALED[kind], f"{row['demo_id']} {position} {detail}".strip(), now=now)
    tell(ops, row | {"planned": known.planned if known else None}, now=now)


def tell(ops: Database, said: Mapping[str, object], *, now: datetime) -> None:
    """Tell HQ of an event and how its device is after it; runs inside the caller's `write`."""
    state = states(ops, [str(said["demo_id"])])[str(said["demo_id"])]
    after = {
        "state": state.where,
        "place": state.position,
        "since": state.since,
        "seen_at": state.seen_at,
        "seen_by": state.seen_by,
        "back_by": state.back_by or None,
        "battery": state.battery,
        "damage": state.damage,
    }
    body = {name: value for name, value in said.items() if name != "round_no"}
    outbox.record(ops, "demo_device_noted", {**body, **after}, now=now)


def loan_detail(ops: Database, corner: Corner, borrower: str, back_by: str, *, now: datetime) -> str:
    """Return a loan's detail: the day it ends, in the corner's zone, and the clerk who has it. No other person is written down.

    Raises: Invalid for somebody who is no clerk of the corner, or a day that is none or past.
    """
    if active_member(ops, corner, borrower) is None:
        raise Invalid("a clerk of this corner", field="borrower")
    try:
        day = date.fromisoformat(back_by)
    except ValueError as problem:
        raise Invalid("a day", field="back_by") from problem
    if day < now.astimezone(ZoneInfo(corner.time_zone)).date():
        raise Invalid("a day to come", field="back_by")
    return f"{day} {borrower}"


def check_detail(kind: str, detail: str) -> None:
    """Check what an event says beside its kind. Raises: Invalid."""
    is_right = {
        "battery": PERCENT.fullmatch(detail) is not None,
        "damaged": detail in DAMAGES,
        "loaned": LOAN.fullmatch(detail) is not None,
        "seen": detail in ("", RESERVE),
    }.get(kind, kind in KINDS)
    if not is_right:
        raise Invalid(f"{kind}: {detail[:40]}", field="detail")


def move(ops: Database, corner: Corner, moves: Sequence[tuple[DemoDevice, str]], *, clerk_id: str, now: datetime) -> None:
    """Let devices belong where they were found; runs inside the caller's `write`."""
    owner = {each.planned: each.demo_id for each in planned_devices(corner.corner_id, corner.planogram)}
    for moved, position in moves:
        if position not in owner:
            raise NotFound(f"no place {position}", position=position)
        ops.execute("delete from demo_place where demo_id = ?", [moved.demo_id])
        if position != moved.planned:
            row = {"demo_id": moved.demo_id, "position": position, "planned": moved.planned, "displaced": owner[position]}
            ops.table("demo_place").insert(row | {"clerk_id": clerk_id, "at": clock.to_text(now)})


def _state(events: dict[str, DemoDeviceEvent]) -> DemoDeviceState:
    """Return a device's state from its last event of each kind."""
    latest = max((events[kind] for kind in WHEREABOUTS if kind in events), default=None)
    sighting = max((events[kind] for kind in ("seen", "moved", "returned") if kind in events), default=None)
    damaged, tested = events.get("damaged"), events.get("tested")
    loan = LOAN.fullmatch(latest.detail) if latest and latest.kind == "loaned" else None
    return DemoDeviceState(
        where=_where(latest),
        position=latest.position if latest else "",
        since=latest.at if latest else None,
        noted_by=latest.clerk_id if latest else None,
        seen_at=sighting.at if sighting else None,
        seen_by=sighting.clerk_id if sighting else None,
        borrower=loan[2] if loan else "",
        back_by=loan[1] if loan else "",
        battery=int(events["battery"].detail) if "battery" in events else None,
        damage=damaged.detail if damaged and not (tested and tested.event_no > damaged.event_no) else "",
        cares={kind: events[kind].at for kind in CARES if kind in events},
    )


def _missed_at(ops: Database, demo_id: str) -> str:
    """Return when a device that is missing was first missed since it was last somewhere."""
    [(at,)] = ops.execute(
        """
        select min(at) from demo_device_event where demo_id = :demo_id and kind = 'missing' and event_no > (
          select coalesce(max(event_no), 0) from demo_device_event
          where demo_id = :demo_id and kind in ('seen', 'moved', 'loaned', 'returned', 'stolen')
        )
        """,
        {"demo_id": demo_id},
    )
    return str(at)


def _where(latest: DemoDeviceEvent | None) -> Whereabouts:
    if latest is None:
        return "unknown"
    if latest.kind == "missing" or latest.kind == "loaned" or latest.kind == "stolen":
        return latest.kind  # type: ignore[return-value]  # one of the three
    return "reserve" if latest.detail == RESERVE else "present"
