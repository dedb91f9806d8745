"""The corners' tables of demo devices as HQ knows them: what is planned, and how each device was by its corner's last word.

Invariant: a row is the last that a corner told of a device, whichever order its devices' streams come in; HQ reckons nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from marketplace.db import changed, row, rows
from pos import clock
from pos.errors import NotFound
from pos.planogram import planned_devices

ROUNDS_KEPT = timedelta(days=90)
ROUNDS_SHOWN = 14
STATES = ("missing", "stolen", "loaned", "reserve", "unknown", "present")
"""How a device may be, what asks for most first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDevice:
    """A device of a corner: its place by HQ's planogram ("" where that knows none), its model, and what the corner told last."""

    demo_id: str
    planned: str
    model: str
    told: dict[str, Any]

    @property
    def is_moved(self) -> bool:
        """Whether the corner found it elsewhere than planned."""
        return self.told["state"] == "present" and self.told["place"] not in ("", self.planned)


def take_note(connection: Connection, event: dict[str, Any], body: dict[str, Any]) -> None:
    """Keep how a device is after an event, unless a later one is known, in the caller's transaction.

    Of one stream the later event is, whatever its kiosk's clock said; of two, as when a corner was enrolled anew, the later time.
    """
    values = {
        **{name: body.get(name) for name in ("demo_id", "sku_id", "state", "since", "seen_at", "seen_by", "back_by", "battery")},
        **{name: body.get(name) or "" for name in ("place", "damage")},
        **{name: event[name] for name in ("corner_id", "stream", "seq")},
        "noted_at": body["at"],
    }
    changed(connection, _NOTE, **values)


def take_round(connection: Connection, event: dict[str, Any], body: dict[str, Any]) -> None:
    """Keep how a round ended, once, and let go of old ones, in the caller's transaction: old by our clock, not the kiosk's."""
    corner_id = event["corner_id"]
    names = ("begun_at", "begun_by", "kind", "ended_at", "ended_by", "right", "elsewhere", "missing", "unseen", "away")
    changed(connection, _ROUND, corner_id=corner_id, **{name: body[name] for name in names})
    oldest = clock.to_text(clock.from_text(event["received_at"]) - ROUNDS_KEPT)
    sweep = "delete from demo_round where corner_id = :corner_id and begun_at < :oldest"
    changed(connection, sweep, corner_id=corner_id, oldest=oldest)


def devices(connection: Connection, corner_id: str) -> list[KnownDevice]:
    """Return a corner's devices in the planogram's order, then tags it does not know that were seen there. Raises: NotFound."""
    stored = row(connection, "select body from corner where corner_id = :corner_id", corner_id=corner_id)
    if stored is None:
        raise NotFound(f"no corner {corner_id}", corner_id=corner_id)
    noted = rows(connection, "select * from demo_device where corner_id = :corner_id order by noted_at", corner_id=corner_id)
    told = {each["demo_id"]: each for each in noted}
    planned = planned_devices(corner_id, json.loads(stored["body"])["planogram"])
    models = _models(connection, [each.sku_id for each in planned])
    known = [
        KnownDevice(
            demo_id=device.demo_id,
            planned=device.planned,
            model=models.get(device.sku_id, str(device.sku_id)),
            told=told.pop(device.demo_id, UNTOLD),
        )
        for device in planned
    ]
    strangers = [each for each in told.values() if each["sku_id"] is None and each["state"] == "present"]
    return known + [KnownDevice(demo_id=each["demo_id"], planned="", model="", told=each) for each in strangers]


def rounds(connection: Connection, corner_id: str) -> list[dict[str, Any]]:
    """Return the corner's newest rounds."""
    return rows(
        connection,
        f"select * from demo_round where corner_id = :corner_id order by begun_at desc limit {ROUNDS_SHOWN}",
        corner_id=corner_id,
    )


def _models(connection: Connection, sku_ids: list[int]) -> dict[int, str]:
    wanted = {f"sku_{number}": sku_id for number, sku_id in enumerate(sku_ids)}
    if not wanted:
        return {}
    places = ", ".join(f":{name}" for name in wanted)
    found = rows(connection, f"select sku_id, model from sku where sku_id in ({places})", **wanted)
    return {each["sku_id"]: each["model"] for each in found}


UNTOLD: dict[str, Any] = {
    **{"state": "unknown", "place": "", "damage": ""},
    **dict.fromkeys(("since", "seen_at", "seen_by", "back_by", "battery", "noted_at")),
}
"""Of a device of which its corner said nothing yet."""
_NOTE = """
insert into demo_device
  (corner_id, demo_id, sku_id, state, place, since, seen_at, seen_by, back_by, battery, damage, noted_at, stream, seq)
values
  (:corner_id, :demo_id, :sku_id, :state, :place, :since, :seen_at, :seen_by, :back_by, :battery, :damage, :noted_at,
  :stream, :seq)
on conflict (corner_id, demo_id) do update
set sku_id = excluded.sku_id, state = excluded.state, place = excluded.place, since = excluded.since,
  seen_at = excluded.seen_at, seen_by = excluded.seen_by, back_by = excluded.back_by, battery = excluded.battery,
  damage = excluded.damage, noted_at = excluded.noted_at, stream = excluded.stream, seq = excluded.seq
where (demo_device.stream = excluded.stream and demo_device.seq < excluded.seq)
  or (coalesce(demo_device.stream, '') <> excluded.stream and demo_device.noted_at <= excluded.noted_at)
"""
_ROUND = """
insert into demo_round (corner_id, begun_at, begun_by, kind, ended_at, ended_by, in_place, elsewhere, missing, unseen, away)
values (:corner_id, :begun_at, :begun_by, :kind, :ended_at, :ended_by, :right, :elsewhere, :missing, :unseen, :away)
on conflict (corner_id, begun_at) do nothing
"""
