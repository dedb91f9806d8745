"""Withdrawing a device: from one counter on nothing it signs counts any more, and what it signed before stays good.

Invariant: a revocation is one row, made once; it never reaches back below slips HQ has seen unless a person says so.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, TypedDict, cast

from sqlalchemy import Connection, Engine

from marketplace.db import changed, row, rows, run_tx
from pos import clock
from pos.errors import Invalid, NotFound, PosError

DELIVERS_DAYS = 90
"""How long a device that another has replaced may still bring what its records hold."""
MOST_COUNTER = 2**40
SLIP_CHANGES = "slip_state"
"""The corner's counter that numbers what befalls its slips (`marketplace.orders.slip_states`)."""
ROOM = 100_000
"""So many slips a kiosk may have issued that HQ has no event of: years of a busy corner without a line."""


class Sender(TypedDict):
    """A device as its row has it, and when it was withdrawn; `heartbeat` is JSON of a `sync.heartbeats.Heartbeat`.

    `newest_claim` is the number of the last change that befell a slip of its corner.
    """

    corner_id: str
    key_id: str
    public_key: bytes
    stream: str
    enrolled_at: str
    first_counter: int
    next_counter: int | None
    acked: int
    superseded_at: str | None
    quarantined_at: str | None
    seen_at: str | None
    heartbeat: str | None
    revoked_at: str | None
    newest_claim: int | None


class Revoked(PosError):
    """This key was withdrawn, or its time to deliver after being replaced is over: nothing more is taken from it."""

    status = 403


def revoke_device(engine: Engine, key_id: str, *, from_counter: int | None = None, now: datetime) -> dict[str, Any]:
    """Withdraw a device and return its revocation; one revoked before keeps the row it has.

    Without `from_counter` every slip HQ has heard of stays good, and the first after the highest of them is the first refused.
    Raises: NotFound, Invalid.
    """
    if from_counter is not None and not 1 <= from_counter < MOST_COUNTER:
        raise Invalid("a slip's counter is a whole number from 1", field="from_counter")

    def work(connection: Connection) -> dict[str, Any]:
        device = row(connection, "select corner_id, key_id from device where key_id = :key_id", key_id=key_id)
        if device is None:
            raise NotFound(f"no device has the key {key_id}", key_id=key_id)
        cut_off = from_counter if from_counter is not None else highest_counter(connection, **device) + 1
        changed(
            connection,
            """
            insert into revocation (corner_id, key_id, from_counter, revoked_at)
            values (:corner_id, :key_id, :from_counter, :revoked_at) on conflict (corner_id, key_id) do nothing
            """,
            **device,
            from_counter=cut_off,
            revoked_at=clock.to_text(now),
        )
        return revocation(connection, **device) or {}

    return run_tx(engine, work)


def revocation(connection: Connection, corner_id: str, key_id: str) -> dict[str, Any] | None:
    """Return the revocation of a key, or None while it is good."""
    return row(
        connection,
        "select * from revocation where corner_id = :corner_id and key_id = :key_id",
        corner_id=corner_id,
        key_id=key_id,
    )


def sender(connection: Connection, key_id: str) -> Sender | None:
    """Return the device of a key, and as `revoked_at` whether it was withdrawn; None for an unknown key."""
    found = row(
        connection,
        """
        select device.*, revocation.revoked_at, corner_counter.value as newest_claim
        from device
        left join revocation on revocation.corner_id = device.corner_id and revocation.key_id = device.key_id
        left join corner_counter on corner_counter.corner_id = device.corner_id and corner_counter.name = :counter
        where device.key_id = :key_id
        """,
        key_id=key_id,
        counter=SLIP_CHANGES,
    )
    return cast("Sender | None", found)


def check_admitted(device: Sender, *, now: datetime) -> None:
    """Let a `sender` deliver that is neither revoked nor replaced for long. Raises: Revoked."""
    if device["revoked_at"] is not None:
        raise Revoked("this kiosk's key was withdrawn at HQ: enrol it again", key_id=device["key_id"])
    since = device["superseded_at"]
    if since is not None and now > clock.from_text(since) + timedelta(days=DELIVERS_DAYS):
        raise Revoked(f"another device took this one's place more than {DELIVERS_DAYS} days ago", key_id=device["key_id"])


def highest_possible(first_counter: int, *, events: int) -> int:
    """Return the highest counter a key can have come to, which counts from `first_counter` by one and tells each in an event.

    What a key says of itself never moves this bound, so that no key can use up a corner's numbers (docs/protocol.md §9).
    """
    return min(MOST_COUNTER - 1, first_counter + events + ROOM)


def highest_counter(connection: Connection, corner_id: str, key_id: str) -> int:
    """Return the highest slip counter of a key that HQ has heard of: by event, order or heartbeat; 0 for none."""
    found = rows(
        connection,
        """
        select max(counter) as last from slip where corner_id = :corner_id and key_id = :key_id
        union all select max(counter) from claim where corner_id = :corner_id and key_id = :key_id
        union all
        select
          case when next_counter > first_counter + acked + :room then first_counter + acked + :room else next_counter end - 1
        from device where corner_id = :corner_id and key_id = :key_id and next_counter is not null
        """,
        room=ROOM,
        corner_id=corner_id,
        key_id=key_id,
    )
    return max((int(each["last"]) for each in found if each["last"] is not None), default=0)


def device(connection: Connection, key_id: str) -> dict[str, Any]:
    """Return a device with its corner's body. Raises: NotFound."""
    query = """
        select device.corner_id, device.key_id, device.first_counter, device.seen_at, corner.body
        from device join corner on corner.corner_id = device.corner_id where device.key_id = :key_id
    """
    found = row(connection, query, key_id=key_id)
    if found is None:
        raise NotFound(f"no device has the key {key_id}", key_id=key_id)
    return {**found, "body": json.loads(found["body"])}


def devices(connection: Connection, *, now: datetime) -> list[dict[str, Any]]:
    """Return every device with its fingerprint and how it stands: `active`, `superseded`, `expired`, `quarantined` or `revoked`.

    A superseded one carries `delivers_until`.
    """
    known = rows(
        connection,
        """
        select device.corner_id, device.key_id, device.enrolled_at, device.seen_at, device.superseded_at, device.quarantined_at,
          corner.body, device_request.fingerprint, revocation.from_counter, revocation.revoked_at
        from device
        join corner on corner.corner_id = device.corner_id
        left join device_request on device_request.corner_id = device.corner_id and device_request.key_id = device.key_id
        left join revocation on revocation.corner_id = device.corner_id and revocation.key_id = device.key_id
        order by corner.corner_no, device.enrolled_at desc, device.key_id
        """,
    )
    for device in known:
        device["body"] = json.loads(device["body"])
        until = clock.from_text(device["superseded_at"]) + timedelta(days=DELIVERS_DAYS) if device["superseded_at"] else None
        device["delivers_until"] = clock.to_text(until) if until else None
        device["state"] = _state(device, until, now)
    return known


def _state(device: dict[str, Any], until: datetime | None, now: datetime) -> str:
    if device["revoked_at"]:
        return "revoked"
    if device["quarantined_at"]:
        return "quarantined"
    if until is None:
        return "active"
    return "superseded" if now <= until else "expired"
