"""What must exist in a corner and never reached HQ: slips by their counters, events by their numbers.

A slip is known of before its event arrives: its customer ordered with it, a later one arrived, or the kiosk said how far it has
counted. An event is known of when a later one of its stream arrived. What still waits in the kiosk's outbox shows here too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection

from marketplace.db import rows
from marketplace.fleet.revocations import highest_counter, revocation

MOST_CORNERS = 200
MOST_UNJUDGED = 5000

Range = tuple[int, int]


def gaps(connection: Connection, corner_id: str) -> list[dict[str, Any]]:
    """Return a corner's gaps by device, the newest first; a device without any is left out.

    `slips` are ranges of counters, first and last; `events` maps a stream to ranges of missing numbers; `pending` is how many
    events the device said it has still to send.
    """
    devices = rows(
        connection,
        """
        select corner_id, key_id, first_counter, seen_at, superseded_at, heartbeat from device
        where corner_id = :corner_id order by enrolled_at desc, key_id
        """,
        corner_id=corner_id,
    )
    arrived = _unjudged(connection, corner_id) if devices else set()
    gaps_by_key = []
    for device in devices:
        key_id = device["key_id"]
        slips = _missing_slips(connection, device, {counter for key, counter in arrived if key == key_id})
        events = _missing_events(connection, corner_id, key_id)
        if slips or events:
            pending = json.loads(device["heartbeat"] or "{}").get("pending")
            said = {"seen_at": device["seen_at"], "pending": pending if type(pending) is int else None}
            gaps_by_key.append({"key_id": key_id, "slips": slips, "events": events, **said})
    return gaps_by_key


def all_gaps(connection: Connection) -> list[dict[str, Any]]:
    """Return the corners with gaps, by number, at most `MOST_CORNERS`: each with `corner_no`, `name` and its `gaps`."""
    suspects = rows(
        connection,
        """
        select corner.corner_id, corner.corner_no, corner.body from corner
        where corner.corner_id in (
          select device.corner_id from device
          left join (select corner_id, key_id, count(*) as n, max(counter) as last from slip group by corner_id, key_id) as held
            on held.corner_id = device.corner_id and held.key_id = device.key_id
          left join (select corner_id, key_id, max(counter) as last from claim group by corner_id, key_id) as claimed
            on claimed.corner_id = device.corner_id and claimed.key_id = device.key_id
          where coalesce(held.n, 0) < coalesce(device.next_counter, 0) - device.first_counter
            or coalesce(held.n, 0) < coalesce(held.last, 0) - device.first_counter + 1
            or coalesce(held.n, 0) < coalesce(claimed.last, 0) - device.first_counter + 1
          union
          select corner_id from inbox group by corner_id, key_id, stream having count(*) < max(seq)
        )
        order by corner.corner_no
        """,
    )
    lacking: list[dict[str, Any]] = []
    for suspect in suspects:
        if len(lacking) < MOST_CORNERS and (missing := gaps(connection, suspect["corner_id"])):
            name = json.loads(suspect["body"])["name"]
            lacking.append({"corner_id": suspect["corner_id"], "corner_no": suspect["corner_no"], "name": name, "gaps": missing})
    return lacking


def spans(ranges: Iterable[Range]) -> str:
    """Return ranges as people write them: `7, 1041–1043`."""
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in ranges)


def sentences(gap: dict[str, Any]) -> list[str]:
    """Return what a device's gap says, for a terminal."""
    said = []
    if gap["slips"]:
        is_one = len(gap["slips"]) == 1 and gap["slips"][0][0] == gap["slips"][0][1]
        said.append(f"{'slip' if is_one else 'slips'} {spans(gap['slips'])} {'exists' if is_one else 'exist'} but never arrived")
    said += [f"events {spans(missing)} of stream {stream} never arrived" for stream, missing in gap["events"].items()]
    if gap["pending"]:
        said.append(f"{gap['pending']} events wait at the kiosk, last heard of {gap['seen_at']}")
    return said


def _missing_slips(connection: Connection, device: dict[str, Any], arrived: set[int]) -> list[Range]:
    key = {"corner_id": device["corner_id"], "key_id": device["key_id"]}
    last = highest_counter(connection, **key)
    withdrawn = revocation(connection, **key)
    if withdrawn is not None:
        last = min(last, withdrawn["from_counter"] - 1)
    first = device["first_counter"]
    table = "(select counter as number from slip where corner_id = :corner_id and key_id = :key_id)"
    missing = _holes(connection, table, first, last, **key)
    return list(_without(missing, sorted(arrived)))


def _missing_events(connection: Connection, corner_id: str, key_id: str) -> dict[str, list[Range]]:
    key = {"corner_id": corner_id, "key_id": key_id}
    streams = rows(
        connection,
        """
        select stream, max(seq) as last from inbox where corner_id = :corner_id and key_id = :key_id
        group by stream having count(*) < max(seq) order by stream
        """,
        **key,
    )
    table = "(select seq as number from inbox where corner_id = :corner_id and key_id = :key_id and stream = :stream)"
    return {each["stream"]: _holes(connection, table, 1, each["last"], **key, stream=each["stream"]) for each in streams}


def _holes(connection: Connection, table: str, first: int, last: int, **values: Any) -> list[Range]:
    """Return the ranges between `first` and `last` that a column of numbers lacks."""
    found = rows(
        connection,
        f"""
        select before + 1 as low, number - 1 as high from (
          select number, coalesce(lag(number) over (order by number), cast(:first as bigint) - 1) as before
          from (
            select number from {table} as held where number between :first and :last
            union all select cast(:last as bigint) + 1
          ) as bounded
        ) as steps
        where number > before + 1 order by number
        """,
        **values,
        first=first,
        last=max(first - 1, last),
    )
    return [(each["low"], each["high"]) for each in found]


def _without(ranges: Iterable[Range], numbers: list[int]) -> Iterable[Range]:
    """Yield the ranges cut at `numbers`, which are sorted."""
    for first, last in ranges:
        low = first
        for number in numbers:
            if low <= number <= last:
                if low < number:
                    yield low, number - 1
                low = number + 1
        if low <= last:
            yield low, last


def _unjudged(connection: Connection, corner_id: str) -> set[tuple[str, int]]:
    """Return (key, counter) of the slips whose events have arrived but made no slip: not judged yet, or dead letters."""
    found = rows(
        connection,
        """
        select body from inbox where corner_id = :corner_id and kind = 'slip_issued' and state <> 'judged'
        order by key_id, stream, seq limit :most
        """,
        corner_id=corner_id,
        most=MOST_UNJUDGED,
    )
    return {slip for each in found if (slip := _slip_of(each["body"])) is not None}


def _slip_of(body: str) -> tuple[str, int] | None:
    try:
        said = json.loads(body)
        key_id, counter = said["key_id"], said["counter"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (key_id, counter) if isinstance(key_id, str) and type(counter) is int else None
