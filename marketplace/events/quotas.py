"""How much a key may send in an hour and in a day: more than any corner has to tell, too little to fill HQ's disk.

Invariant: a batch is counted when it is stored; one that goes beyond the quota is neither, and stays with its kiosk.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from marketplace.db import changed, row
from marketplace.events.messages import SentEvent
from marketplace.fleet.revocations import Sender
from pos import clock
from pos.errors import PosError

EVENTS_AN_HOUR, BYTES_AN_HOUR = 20_000, 64 * 2**20
EVENTS_A_DAY, BYTES_A_DAY = 100_000, 256 * 2**20
"""A corner records some hundred events a day, of 3 kB: one that was away for weeks, or is enrolled again after a year, is through
within a day."""
DAY = timedelta(days=1)
PAUSE_S = 300


class TooManyEvents(PosError):
    """This key has used up what it may send; nothing of the batch was stored. `data` carries `retry_after_s`."""

    status = 429


def spend(connection: Connection, device: Sender, events: list[SentEvent], *, now: datetime) -> bool:
    """Count new `events` towards the quota of the device's key and tell whether it allows them; if not, nothing is counted."""
    if not events:
        return True
    key = {"corner_id": device["corner_id"], "key_id": device["key_id"]}
    hour, oldest = clock.to_text(now)[:13], clock.to_text(now - DAY)[:13]
    size = sum(len(event.body.encode()) for event in events)
    used = row(
        connection,
        """
        select sum(events) as day_events, sum(bytes) as day_bytes,
          sum(case when hour = :hour then events else 0 end) as hour_events,
          sum(case when hour = :hour then bytes else 0 end) as hour_bytes
        from sent where corner_id = :corner_id and key_id = :key_id and hour > :oldest
        """,
        **key,
        hour=hour,
        oldest=oldest,
    )
    day_events, day_bytes, hour_events, hour_bytes = (int(value or 0) for value in (used or {}).values())
    is_within_hour = hour_events + len(events) <= EVENTS_AN_HOUR and hour_bytes + size <= BYTES_AN_HOUR
    if not is_within_hour or day_events + len(events) > EVENTS_A_DAY or day_bytes + size > BYTES_A_DAY:
        return False
    changed(
        connection, "delete from sent where corner_id = :corner_id and key_id = :key_id and hour <= :oldest", **key, oldest=oldest
    )
    changed(
        connection,
        """
        insert into sent (corner_id, key_id, hour, events, bytes) values (:corner_id, :key_id, :hour, :events, :bytes)
        on conflict (corner_id, key_id, hour) do update
        set events = sent.events + excluded.events, bytes = sent.bytes + excluded.bytes
        """,
        **key,
        hour=hour,
        events=len(events),
        bytes=size,
    )
    return True
