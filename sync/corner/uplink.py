"""The way up: outbox events in batches, sent again until HQ says they are stored, and counted once however often they arrive.

Nothing is deleted on sending. HQ's `ack` is the highest sequence number up to which it holds everything; if it ever falls (HQ was
restored from a backup), the events after it are sent again.

An event that is too large for a request, or that HQ refuses when it comes alone, holds up no other: it goes as a stub, which
keeps its place in the chain, and stays whole in the outbox.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlite_utils import Database

from pos import clock, outbox, slip_claims
from pos.corners import store_corner
from pos.db import Store
from pos.errors import Invalid
from pos.ops import setting, store_setting
from pos.tokens import EPOCH, key_id
from pos.trusted_time import learn_time
from sync.corner.client import Client
from sync.errors import Malformed, Rejected, Untrusted
from sync.heartbeats import Heartbeat
from sync.messages import MAX_EVENTS, SET_ASIDE_FIELD, UP_FORMAT, UP_PATH, OutboxEvent, UplinkRequest, corner_sha256
from sync.signatures import signer, verify_reply

MAX_BATCH_BYTES = 2**20
TOO_LARGE = "too_large"
NAMES_OF_SLIP = ("number", "key_id", "counter")
FARTHEST = timedelta(minutes=2**24 - 1)
"""No slip can say a later minute than this after `EPOCH`, so HQ's clock never tells one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What one push achieved; `is_new_corner` says the corner document changed.

    `replaced_at` is when another device took this one's place at HQ; None for the corner's device of today.
    """

    sent: int
    acked: int
    pending: int
    is_new_corner: bool
    replaced_at: str | None = None


def push(
    ops: Store,
    client: Client,
    *,
    key: Ed25519PrivateKey,
    reply_key: Callable[[str], bytes | None],
    heartbeat: Heartbeat,
    now: datetime,
) -> Pushed:
    """Send what HQ has not acknowledged, in as many batches as it takes; with nothing to send, the heartbeat alone.

    An answer counts when a key that `reply_key` knows by its id signed it for this very request; it tells the time, too.
    What was acknowledged before a failure stays acknowledged.
    Raises: Offline, Rejected (`stream_forked`: HQ holds other events under our numbers), Malformed, Untrusted.
    """
    sent, most = 0, MAX_EVENTS
    is_new_corner = has_fallen = False
    stubs = {seq: event["reason"] for seq, event in outbox.set_aside(ops.read()).items()}
    while True:
        acked = setting(ops.read(), "acked") or 0
        batch = _batch(ops.read(), acked, key, heartbeat, stubs, most=most)
        try:
            answer = client.post(
                UP_PATH,
                batch,
                signer=signer(key, now=now, nonce=secrets.token_hex(8)),
                judge=lambda response, body: verify_reply(response, body, public_key=reply_key),
            )
        except Rejected as refusal:
            most = _fewer(batch["events"], refusal, stubs)
            continue
        most = MAX_EVENTS
        ack = _accept(ops, answer, stubs, now=now)
        is_new_corner = is_new_corner or answer.get("corner") is not None
        sent += len(batch["events"])
        pending, _ = outbox.depth(ops.read(), acked=ack)
        if not pending or ack == acked or (ack < acked and has_fallen):
            return Pushed(
                sent=sent,
                acked=ack,
                pending=pending,
                is_new_corner=is_new_corner,
                replaced_at=answer["replaced_at"] if clock.is_text(answer.get("replaced_at")) else None,
            )
        has_fallen = has_fallen or ack < acked


def stub_of(event: OutboxEvent, reason: str) -> OutboxEvent:
    """Return an event with its place in the chain, and in the body only why it stays at the kiosk and which slip it is of."""
    whole = json.loads(event["body"])
    names = {name: whole[name] for name in NAMES_OF_SLIP if name in whole}
    body = {SET_ASIDE_FIELD: reason, "bytes": len(event["body"].encode()), **names}
    return {**event, "body": json.dumps(body, ensure_ascii=False, separators=(",", ":"))}


def _fewer(events: list[OutboxEvent], refusal: Rejected, stubs: dict[int, str]) -> int:
    """Return how many events to send next where HQ refused these: half of them, or the one alone as a stub.

    Raises: the refusal where it is not about the events, or comes for a stub as well.
    """
    if not events or not _is_about_events(refusal) or (len(events) == 1 and events[0]["seq"] in stubs):
        raise refusal
    if len(events) == 1:
        stubs[events[0]["seq"]] = refusal.data["code"] or TOO_LARGE
    return max(1, len(events) // 2)


def _is_about_events(refusal: Rejected) -> bool:
    """Tell whether fewer events may pass: they are too many bytes for somebody on the way, or HQ itself calls them malformed."""
    answer = refusal.data
    return answer["status"] == 413 or (answer["code"] == "malformed_events" and bool(answer["is_signed"]))


def _batch(
    ops: Database, acked: int, key: Ed25519PrivateKey, heartbeat: Heartbeat, stubs: dict[int, str], *, most: int
) -> UplinkRequest:
    """Return the next request; `stubs` gains the events that can go no other way."""
    events: list[OutboxEvent] = []
    size = 0
    for waiting in _waiting(ops, acked, most=most):
        if _size(waiting) > MAX_BATCH_BYTES:
            stubs.setdefault(waiting["seq"], TOO_LARGE)
        event = stub_of(waiting, stubs[waiting["seq"]]) if waiting["seq"] in stubs else waiting
        size += _size(event)
        if events and size > MAX_BATCH_BYTES:
            break
        events.append(event)
    pending, oldest_at = outbox.depth(ops, acked=acked + len(events))
    return {
        "format": UP_FORMAT,
        "corner_id": setting(ops, "corner")["corner_id"],
        "key_id": key_id(key.public_key().public_bytes_raw()).hex(),
        "stream": setting(ops, "stream"),
        "from_seq": acked + 1,
        "events": events,
        "heartbeat": {**heartbeat, "pending": pending, "oldest_at": oldest_at, "claimed": slip_claims.heard_upto(ops)},
    }


def _waiting(ops: Database, acked: int, *, most: int) -> Iterator[OutboxEvent]:
    query = "select seq, kind, body, sha256, prev, recorded_at from outbox where seq > ? order by seq limit ?"
    for seq, kind, body, sha256, prev, recorded_at in ops.execute(query, [acked, most]):
        yield {"seq": seq, "kind": kind, "body": body, "sha256": sha256, "prev": prev, "recorded_at": recorded_at}


def _size(event: OutboxEvent) -> int:
    """Return the bytes of an event on the way: its body travels as a JSON string, character for character as it was hashed."""
    return len(json.dumps(event, ensure_ascii=False).encode())


def _accept(ops: Store, answer: dict[str, Any], stubs: Mapping[int, str], *, now: datetime) -> int:
    ack, corner = answer.get("ack"), answer.get("corner")
    if type(ack) is not int or ack < 0 or not isinstance(answer.get("time"), str):
        raise Malformed("the answer carries no ack")
    try:
        hq_time = clock.from_text(answer["time"])
        is_sane = EPOCH <= hq_time < EPOCH + FARTHEST
    except ValueError:
        is_sane = False
    if not is_sane:
        raise Malformed("the answer's time cannot be")
    with ops.write() as database:
        (last,) = database.execute("select coalesce(max(seq), 0) from outbox").fetchone()
        if ack > last:
            raise Rejected(
                f"HQ holds {ack} events, we have {last}: ops.db was restored or copied",
                status=409,
                code="stream_forked",
                is_signed=True,
            )
        store_setting(database, "acked", ack)
        store_setting(database, "hq_time", answer["time"])
        arrived = {seq: reason for seq, reason in stubs.items() if seq <= ack}
        if arrived.keys() - outbox.set_aside(database).keys():
            outbox.note_set_aside(database, arrived, now=now)
        learn_time(database, hq_time, wall=now)
    if corner is not None:
        # Apart: what HQ holds stays acknowledged whatever the document is worth.
        with ops.write() as database:
            _store_corner(database, corner)
    if "claimed" in answer:
        with ops.write() as database:
            _hear_claims(database, answer["claimed"], now=now)
    return ack


def _store_corner(database: Database, corner: dict[str, Any]) -> None:
    try:
        document, sha256 = corner["document"], corner["sha256"]
        store_corner(database, document)
    except (KeyError, TypeError, Invalid) as problem:
        raise Malformed(f"not a corner document: {problem}") from problem
    if corner_sha256(document) != sha256:
        raise Untrusted("the corner document is not what was announced")
    store_setting(database, "corner_sha256", sha256)


def _hear_claims(database: Database, news: Any, *, now: datetime) -> None:
    try:
        slip_claims.hear(database, news, now=now)
    except Invalid as problem:
        raise Malformed(f"what became of our slips is not said as it must be: {problem.detail}") from problem
