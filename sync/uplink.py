"""The way up: outbox events in batches, sent again until HQ says they are stored, and counted once however often they arrive.

Nothing is deleted on sending. HQ's `ack` is the highest sequence number up to which it holds everything; if it ever falls (HQ was
restored from a backup), the events after it are sent again.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlite_utils import Database

from pos import clock, outbox
from pos.corners import read_corner
from pos.db import Store
from pos.ops import setting, store_setting
from pos.tokens import key_id
from sync.client import Client
from sync.enrolment import corner_sha256
from sync.errors import Malformed, Rejected, TooLarge, Untrusted
from sync.signatures import signer

FORMAT = "comptoir-up/1"
PATH = "/sync/v1/up"
MAX_EVENTS = 500
MAX_BATCH_BYTES = 2**20
ENVELOPE_BYTES = 2**14
EVENT_OVERHEAD_BYTES = 300
SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Event:
    """One outbox row. `body` is the JSON text exactly as it was hashed."""

    seq: int
    kind: str
    body: str
    sha256: str
    prev: str
    recorded_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a kiosk sends: events `from_seq`, `from_seq` + 1, … of one stream, and how it stands."""

    corner_id: str
    key_id: str
    stream: str
    from_seq: int
    events: tuple[Event, ...]
    heartbeat: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What one push achieved. `hq_time` is HQ's clock as text; `is_new_corner` says the corner document changed."""

    sent: int
    acked: int
    pending: int
    hq_time: str
    is_new_corner: bool


def push(ops: Store, client: Client, *, key: Ed25519PrivateKey, heartbeat: dict[str, Any], now: datetime) -> Pushed:
    """Send what HQ has not acknowledged, in as many batches as it takes; with nothing to send, the heartbeat alone.

    What was acknowledged before a failure stays acknowledged.
    Raises: Offline, Rejected (`stream_forked`: HQ holds other events under our numbers), Malformed, Untrusted.
    """
    sent = 0
    is_new_corner = has_fallen = False
    while True:
        acked = setting(ops.read(), "acked") or 0
        batch = _next_batch(ops.read(), acked, key, heartbeat)
        reply = client.post(PATH, write_batch(batch), signer=signer(key, now=now))
        ack = _accept(ops, reply, now=now)
        is_new_corner = is_new_corner or reply.get("corner") is not None
        sent += len(batch.events)
        pending, _ = outbox.depth(ops.read(), acked=ack)
        if not pending or ack == acked or (ack < acked and has_fallen):
            return Pushed(sent=sent, acked=ack, pending=pending, hq_time=str(reply["time"]), is_new_corner=is_new_corner)
        has_fallen = has_fallen or ack < acked


def write_batch(batch: Batch) -> dict[str, Any]:
    """Return the document of `batch`."""
    return {
        "format": FORMAT,
        "corner_id": batch.corner_id,
        "key_id": batch.key_id,
        "stream": batch.stream,
        "from_seq": batch.from_seq,
        "events": [
            {
                "seq": event.seq,
                "kind": event.kind,
                "body": event.body,
                "sha256": event.sha256,
                "prev": event.prev,
                "recorded_at": event.recorded_at,
            }
            for event in batch.events
        ],
        "heartbeat": batch.heartbeat,
    }


def read_batch(body: bytes) -> Batch:
    """Read a batch at HQ: its numbers have no gap and its hashes form a chain. What the events mean is judged later.

    Raises: Malformed, TooLarge.
    """
    if len(body) > MAX_BATCH_BYTES + ENVELOPE_BYTES:
        raise TooLarge(f"a batch of {len(body)} bytes")
    try:
        document = json.loads(body)
        if document["format"] != FORMAT or not isinstance(document["heartbeat"], dict):
            raise ValueError("another format, or no heartbeat")
        batch = Batch(
            corner_id=_name(document["corner_id"]),
            key_id=_name(document["key_id"]),
            stream=_name(document["stream"]),
            from_seq=_seq(document["from_seq"]),
            events=tuple(_event(each) for each in document["events"]),
            heartbeat=document["heartbeat"],
        )
    except (KeyError, TypeError, ValueError, RecursionError) as problem:
        raise Malformed(f"not a batch of events: {problem}") from problem
    if len(batch.events) > MAX_EVENTS:
        raise TooLarge(f"{len(batch.events)} events in one batch")
    _check_chain(batch)
    return batch


def reply(ack: int, time: str, corner: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return HQ's answer; `corner` is `{"sha256", "document"}` when the kiosk's differs."""
    return {"ack": ack, "time": time, "corner": corner}


def _next_batch(ops: Database, acked: int, key: Ed25519PrivateKey, heartbeat: dict[str, Any]) -> Batch:
    query = "select seq, kind, body, sha256, prev, recorded_at from outbox where seq > ? order by seq limit ?"
    events: list[Event] = []
    size = 0
    for row in ops.execute(query, [acked, MAX_EVENTS]).fetchall():
        event = Event(*row)
        # The body travels as a JSON string, so what it is as a string is what counts.
        size += len(json.dumps(event.body, ensure_ascii=False).encode()) + EVENT_OVERHEAD_BYTES
        if events and size > MAX_BATCH_BYTES:
            break
        events.append(event)
    return Batch(
        corner_id=setting(ops, "corner")["corner_id"],
        key_id=key_id(key.public_key().public_bytes_raw()).hex(),
        stream=setting(ops, "stream"),
        from_seq=acked + 1,
        events=tuple(events),
        heartbeat=heartbeat,
    )


def _accept(ops: Store, answer: dict[str, Any], *, now: datetime) -> int:
    ack, corner = answer.get("ack"), answer.get("corner")
    if type(ack) is not int or ack < 0 or not isinstance(answer.get("time"), str):
        raise Malformed("the answer carries no ack")
    with ops.write() as database:
        (last,) = database.execute("select coalesce(max(seq), 0) from outbox").fetchone()
        if ack > last:
            raise Rejected(
                f"HQ holds {ack} events, we have {last}: ops.db was restored or copied", status=409, code="stream_forked"
            )
        store_setting(database, "acked", ack)
        store_setting(database, "contacted_at", clock.to_text(now))
        if corner is not None:
            _store_corner(database, corner)
    return ack


def _store_corner(database: Database, corner: dict[str, Any]) -> None:
    try:
        document, sha256 = corner["document"], corner["sha256"]
        read_corner(document)
    except (KeyError, TypeError) as problem:
        raise Malformed("the corner document lacks a field") from problem
    if corner_sha256(document) != sha256:
        raise Untrusted("the corner document is not what was announced")
    store_setting(database, "corner", document)
    store_setting(database, "corner_sha256", sha256)


def _check_chain(batch: Batch) -> None:
    prev = None
    for seq, event in enumerate(batch.events, start=batch.from_seq):
        if event.seq != seq:
            raise Malformed(f"event {event.seq} where {seq} was due")
        if prev is not None and event.prev != prev:
            raise Malformed(f"event {seq} does not follow the one before it")
        if outbox.link(event.seq, event.kind, event.body, event.prev) != event.sha256:
            raise Malformed(f"event {seq} does not match its hash")
        prev = event.sha256


def _event(document: dict[str, Any]) -> Event:
    texts = [document[name] for name in ("kind", "body", "sha256", "prev", "recorded_at")]
    if not all(isinstance(text, str) for text in texts) or not SHA256.fullmatch(texts[2]) or not SHA256.fullmatch(texts[3]):
        raise ValueError("an event lacks a field")
    return Event(_seq(document["seq"]), *texts)


def _name(value: object) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError("a name is missing")
    return value


def _seq(value: object) -> int:
    if type(value) is not int or not 0 < value < 2**53:
        raise ValueError("a sequence number is missing")
    return value
