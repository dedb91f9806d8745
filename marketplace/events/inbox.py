"""Events from the corners: stored first, exactly as sent, and judged later.

Judging goes on beside the requests (`marketplace.running.judging`): neither a slow nor a poisonous event delays an answer.
Invariants: an event is stored once for ever by (corner, key, stream, seq); the same seq with another hash is a cloned disk and
quarantines its stream; an event that cannot be judged becomes a dead letter and never holds up the next.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import InterfaceError, OperationalError

from marketplace import tables
from marketplace.db import changed, reading, row, rows, run_tx
from marketplace.events.messages import BODIES, SentEvent, Stub, read
from marketplace.events.quotas import PAUSE_S, TooManyEvents, spend
from marketplace.fleet import demo_tables, standings
from marketplace.fleet.day_reports import keep_day
from marketplace.fleet.revocations import ROOM, Sender, highest_possible, revocation
from marketplace.fleet.teams import take_change
from marketplace.orders.repricing import price_wish
from marketplace.orders.slips import issued_at
from pos import clock, tokens
from pos.errors import Conflict, Invalid, PosError, Unavailable
from pos.outbox import CHAIN_START, link
from pos.selections import check_token
from pos.slip_facts import VALIDITY_HOURS
from pos.totals import Line, Totals, selection_totals
from sync.documents import read_json, storable_text
from sync.heartbeats import Heartbeat
from sync.messages import SET_ASIDE_FIELD

JUDGED_AT_ONCE = 500
JUDGED_TOGETHER = 50
KEY = ("corner_id", "key_id", "stream", "seq")
logger = logging.getLogger(__name__)

Event = dict[str, Any]
"""A row of the inbox."""


class MalformedEvents(Invalid):
    """The envelope of the batch does not follow docs/protocol.md; nothing of it was stored."""


class LeftAtKiosk(Invalid):
    """The event is too large for the way up, or was refused here: its kiosk keeps it and sent its place in the chain."""


class StreamForked(Conflict):
    """This stream told two stories under one number: a disk was cloned or restored. The device must be enrolled again."""


def read_events(events: list[Any]) -> list[SentEvent]:
    """Return the events of a batch, bodies as the very text that was hashed. Raises: MalformedEvents."""
    try:
        return [read(SentEvent, event) for event in events]
    except Invalid as problem:
        raise MalformedEvents(problem.detail) from problem


def store_events(engine: Engine, device: Sender, events: list[SentEvent], *, heartbeat: Heartbeat, now: datetime) -> int:
    """Store what is new, note what the device says of itself, and return the highest seq up to which nothing is missing.

    Events over the key's quota stay with the kiosk; its heartbeat counts all the same.
    Raises: StreamForked, after committing the quarantine, TooManyEvents.
    """

    def work(connection: Connection) -> tuple[int, bool] | None:
        acked = (
            None if _is_fork(connection, device, events) else _note(connection, device, heartbeat, events=len(events), now=now)
        )
        if acked is None:
            _quarantine(connection, device, clock.to_text(now))
            return None
        is_within = spend(connection, device, [event for event in events if event.seq > acked], now=now)
        if events and is_within:
            _insert(connection, device, events, clock.to_text(now))
            acked = _advance(connection, device, acked)
        standings.note(connection, device, heartbeat, now=now)
        return acked, is_within

    done = run_tx(engine, work)
    if done is None:
        raise StreamForked("one number, two events: enrol this device again", stream=device["stream"])
    acked, is_within = done
    if not is_within:
        raise TooManyEvents("this key has sent more than its hour or day allows", retry_after_s=PAUSE_S)
    return acked


def judge(engine: Engine) -> int:
    """Judge every stored event that is new, a few in a transaction; return how many were judged.

    A failure of the database leaves those events for the next call and goes on with the others; any other failure marks the
    event as dead.
    """
    done = 0
    after: Event | None = dict.fromkeys(KEY, "") | {"seq": 0}
    while after is not None:
        with reading(engine) as connection:
            waiting = rows(
                connection,
                """
                select * from inbox
                where state = 'new' and (corner_id, key_id, stream, seq) > (:corner_id, :key_id, :stream, :seq)
                order by corner_id, key_id, stream, seq limit :most
                """,
                **{name: after[name] for name in KEY},
                most=JUDGED_AT_ONCE,
            )
        for start in range(0, len(waiting), JUDGED_TOGETHER):
            done += _judge_together(engine, waiting[start : start + JUDGED_TOGETHER])
        after = waiting[-1] if waiting else None
    return done


def _judge_together(engine: Engine, some: list[Event]) -> int:
    if _judged(engine, some):
        return len(some)
    # One of them may be what the database cannot bear: alone it holds up nobody else.
    return sum(_judged(engine, [event]) for event in some) if len(some) > 1 else 0


def _judged(engine: Engine, some: list[Event]) -> bool:
    try:
        run_tx(engine, lambda connection: _judge_some(connection, some))
    except (OperationalError, InterfaceError, Unavailable):
        logger.exception("events from %s of %s stay for later", some[0]["seq"], some[0]["corner_id"])
        return False
    return True


def _judge_some(connection: Connection, some: list[Event]) -> None:
    """Judge events and store each one's verdict; each that may change something has a savepoint, so a failure undoes it alone."""
    verdicts = []
    for event in some:
        state, reason = "judged", ""
        try:
            with nullcontext() if JUDGES.get(event["kind"]) is _judge_nothing else connection.begin_nested():
                _judge(connection, event)
        except (OperationalError, InterfaceError, Unavailable):
            raise
        except Exception as problem:
            # What a refusal means stands in the letter; of a failure nobody foresaw the way there is wanted too.
            traceback = None if isinstance(problem, PosError) else problem
            logger.warning("event %s of %s is a dead letter: %r", event["seq"], event["corner_id"], problem, exc_info=traceback)
            state, reason = "dead", storable_text(f"{type(problem).__name__}: {problem}")[:500]
        verdicts.append({**{name: event[name] for name in KEY}, "state": state, "reason": reason})
    connection.execute(
        text(
            """
            update inbox set state = :state, reason = :reason
            where corner_id = :corner_id and key_id = :key_id and stream = :stream and seq = :seq
            """
        ),
        verdicts,
    )


def _is_fork(connection: Connection, device: Sender, events: list[SentEvent]) -> bool:
    """Tell whether an event contradicts the one stored under its seq, or the one its `prev` speaks of."""
    if not events:
        return False
    first, last = min(event.seq for event in events), max(event.seq for event in events)
    found = rows(
        connection,
        """
        select seq, sha256 from inbox
        where corner_id = :corner_id and key_id = :key_id and stream = :stream and seq between :first and :last
        """,
        **_key(device),
        stream=device["stream"],
        first=first - 1,
        last=last,
    )
    known = {0: CHAIN_START} | {stored["seq"]: stored["sha256"] for stored in found}
    for event in sorted(events, key=lambda event: event.seq):
        if known.setdefault(event.seq, event.sha256) != event.sha256:
            return True
        if known.get(event.seq - 1, event.prev) != event.prev:
            return True
    return False


def _insert(connection: Connection, device: Sender, events: list[SentEvent], now: str) -> None:
    owner = {**_key(device), "stream": device["stream"], "received_at": now, "state": "new", "reason": "", "note": ""}
    columns = [column.name for column in tables.inbox.columns]
    connection.execute(
        text(
            f"insert into inbox ({', '.join(columns)}) values ({', '.join(f':{name}' for name in columns)}) "
            "on conflict (corner_id, key_id, stream, seq) do nothing"
        ),
        [{**event.model_dump(), **owner, "recorded_at": event.recorded_at or now} for event in events],
    )


def _advance(connection: Connection, device: Sender, acked: int) -> int:
    """Store and return the highest seq up to which nothing is missing; `acked` is what it was."""
    found = rows(
        connection,
        """
        select seq from inbox
        where corner_id = :corner_id and key_id = :key_id and stream = :stream and seq > :acked
        order by seq
        """,
        **_key(device),
        stream=device["stream"],
        acked=acked,
    )
    for each in found:
        if each["seq"] != acked + 1:
            break
        acked += 1
    sql = "update device set acked = :acked where corner_id = :corner_id and key_id = :key_id"
    changed(connection, sql, **_key(device), acked=acked)
    return acked


def _quarantine(connection: Connection, device: Sender, now: str) -> None:
    """Quarantine a device: nothing more is taken from it. The time of the first quarantine is kept."""
    changed(
        connection,
        """
        update device set quarantined_at = coalesce(quarantined_at, :now)
        where corner_id = :corner_id and key_id = :key_id
        """,
        **_key(device),
        now=now,
    )
    standings.quarantine(connection, device)


def _note(connection: Connection, device: Sender, heartbeat: Heartbeat, *, events: int, now: datetime) -> int | None:
    """Store a device's heartbeat and return the seq acknowledged so far; None for a device in quarantine.

    `next_counter` only grows: an old heartbeat sent again changes nothing, nor does a counter that the device cannot have
    reached with the `events` it brings.
    """
    device_row = row(
        connection,
        """
        update device
        set seen_at = :seen_at, heartbeat = :heartbeat,
          next_counter = case
            when :counter > coalesce(next_counter, 0) and :counter <= first_counter + acked + :unheard then :counter
            else next_counter
          end
        where corner_id = :corner_id and key_id = :key_id and quarantined_at is null
        returning acked
        """,
        **_key(device),
        seen_at=clock.to_text(now),
        heartbeat=json.dumps(heartbeat, ensure_ascii=False),
        counter=heartbeat["next_counter"],
        unheard=events + ROOM,
    )
    return None if device_row is None else int(device_row["acked"])


def _judge(connection: Connection, event: Event) -> None:
    body = read_json(event["body"])
    if link(event["seq"], event["kind"], event["body"], event["prev"]) != event["sha256"]:
        if isinstance(body, dict) and SET_ASIDE_FIELD in body:
            stub = read(Stub, body)
            raise LeftAtKiosk(f"{stub.set_aside}: its kiosk keeps the {stub.size:,} bytes of it")
        raise Invalid("the event is not what its hash says")
    judge_of_kind = JUDGES[event["kind"]]
    read(BODIES[event["kind"]], body)
    judge_of_kind(connection, event, body)


def _judge_slip(connection: Connection, event: Event, body: dict[str, Any]) -> None:
    """Keep the slip, and what differs between its frozen totals and HQ's own at the publication it was made from."""
    data = tokens.from_digits(body["digits"])
    token = tokens.decode(data)
    check_token(token)
    # A corner enrolled again tells its whole story anew, slips of its earlier key included.
    device = row(
        connection,
        """
        select device.key_id, device.public_key, device.first_counter, corner.market, sync_publication.published_at
        from device join corner on corner.corner_id = device.corner_id
        left join sync_publication
          on sync_publication.market = corner.market and sync_publication.publication = :publication
        where device.corner_id = :corner_id and device.key_id = :key_id
        """,
        corner_id=event["corner_id"],
        key_id=token.key_id.hex(),
        publication=token.publication,
    )
    if device is None or not tokens.verify(data, bytes(device["public_key"])):
        raise Invalid("the slip is not signed by a device of this corner")
    if token.counter > highest_possible(device["first_counter"], events=event["seq"]):
        raise Invalid("the device cannot have counted so far")
    if (token.counter, tokens.slip_number(token.corner_no, token.counter)) != (body["counter"], body["number"]):
        raise Invalid("the slip's number is not its token's")
    withdrawn = revocation(connection, event["corner_id"], device["key_id"])
    if withdrawn is not None and token.counter >= withdrawn["from_counter"]:
        raise Invalid(f"the slip's key is withdrawn from counter {withdrawn['from_counter']}")
    at = issued_at(token, device["published_at"], now=clock.from_text(event["received_at"]))
    values = {
        "corner_id": event["corner_id"],
        "key_id": device["key_id"],
        "counter": token.counter,
        "number": body["number"],
        "digits": body["digits"],
        "facts": json.dumps(body["facts"], ensure_ascii=False),
        "issued_at": clock.to_text(token.issued_at),
        "valid_until": clock.to_text(token.issued_at + timedelta(hours=min(token.validity_hours, VALIDITY_HOURS))),
        "received_at": event["received_at"],
        "difference": _difference(connection, token, device["market"], body["facts"], at=clock.to_text(at)),
    }
    _insert_once(connection, "slip", values)
    kept = row(
        connection,
        "select digits from slip where corner_id = :corner_id and key_id = :key_id and counter = :counter",
        **{name: values[name] for name in ("corner_id", "key_id", "counter")},
    )
    if kept is None or kept["digits"] != body["digits"]:
        # Records put back from a copy count again from there until the kiosk is enrolled anew: a person has to know.
        raise Conflict("another slip has this key and counter")


def _difference(connection: Connection, token: tokens.Token, market: str, facts: dict[str, Any], *, at: str) -> str | None:
    """Return what differs from a slip issued `at` (UTC text), as JSON, or None when kiosk and HQ agree to the cent."""
    printed = Totals.from_facts(facts["totals"])
    summed = selection_totals(Line.from_slip(line) for line in facts["lines"])
    priced = [price_wish(connection, wish, market=market, publication=token.publication, at=at) for wish in token.lines]
    ours = selection_totals(each.line for each in priced if each is not None) if None not in priced else None
    if printed == summed == ours:
        return None
    return json.dumps({"said": printed.to_facts(), "summed": summed.to_facts(), "ours": ours.to_facts() if ours else None})


def _judge_void(connection: Connection, event: Event, body: dict[str, Any]) -> None:
    """Void a slip of the corner itself, whichever of its devices issued it, whether or not the slip has arrived."""
    values = {name: body[name] for name in ("key_id", "counter", "reason", "voided_at")}
    _insert_once(connection, "slip_void", {"corner_id": event["corner_id"], **values})


def _judge_clerk(connection: Connection, event: Event, body: dict[str, Any]) -> None:
    """Take what the corner's manager changed of its people into HQ's own list."""
    take_change(connection, event["corner_id"], body)


def _judge_demo_device(connection: Connection, event: Event, body: dict[str, Any]) -> None:
    """Keep how a demo device of the corner is."""
    demo_tables.take_note(connection, event, body)


def _judge_demo_round(connection: Connection, event: Event, body: dict[str, Any]) -> None:
    """Keep how a round of the corner's table ended."""
    demo_tables.take_round(connection, event, body)


def _judge_nothing(connection: Connection, event: Event, body: dict[str, Any]) -> None:
    """Kept in the inbox as it is: it changes nothing at HQ."""


JUDGES: dict[str, Callable[[Connection, Event, dict[str, Any]], None]] = {
    "slip_issued": _judge_slip,
    "slip_voided": _judge_void,
    "slip_printed": _judge_nothing,
    "demo_checked": _judge_nothing,
    "counter_act": _judge_nothing,
    "label_confirmed": _judge_nothing,
    "demo_device_noted": _judge_demo_device,
    "demo_round_ended": _judge_demo_round,
    "clerk_changed": _judge_clerk,
    "day_report": keep_day,
}


def _insert_once(connection: Connection, table: str, values: dict[str, Any]) -> None:
    columns = ", ".join(values)
    holders = ", ".join(f":{name}" for name in values)
    changed(
        connection,
        f"insert into {table} ({columns}) values ({holders}) on conflict (corner_id, key_id, counter) do nothing",
        **values,
    )


def _key(device: Sender) -> dict[str, Any]:
    return {"corner_id": device["corner_id"], "key_id": device["key_id"]}
