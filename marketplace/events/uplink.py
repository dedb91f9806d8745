"""`/sync/v1/…`: enrolment, and the events corners send; files are served in front. What the bytes mean: docs/protocol.md.

Invariant: a request of the fleet gets no more than its own few places in this process; whoever finds none is sent away before
its signature is checked or its events are read, so that the shop goes on.
"""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Blueprint, Response, current_app, jsonify, request
from sqlalchemy import Connection

from marketplace.db import reading
from marketplace.events.heartbeats import quiet_heartbeats_of
from marketplace.events.inbox import MalformedEvents, StreamForked, read_events, store_events
from marketplace.events.messages import EnrolmentRequest, Message, Uplink, read
from marketplace.fleet.corners import corner_document
from marketplace.fleet.enrolments import WaitingDevice, enrol_device
from marketplace.fleet.revocations import Revoked, Sender, check_admitted, sender
from marketplace.installation import keys_path, sync_path
from marketplace.orders.slip_states import claim_news
from marketplace.web import Marketplace, marketplace
from pos import clock
from pos.corners import CornerDocument
from pos.errors import Invalid, NotFound
from pos.slip_claims import ClaimNews
from sync.documents import read_json
from sync.errors import Malformed, Untrusted
from sync.heartbeats import Heartbeat, read_heartbeat
from sync.hq.keys import REPLY, read_key
from sync.hq.trusted_roots import newest_root
from sync.messages import CornerNews, UplinkReply, corner_sha256, uplink_reply
from sync.signatures import sign_reply, verify

S = TypeVar("S", bound=Message)

sync = Blueprint("sync", __name__, url_prefix="/sync/v1")


@sync.post("/enrolments")
def enrolments() -> tuple[Response, int]:
    """Turn a one-time code and a public key into an enrolled device, or one that HQ has yet to confirm."""
    hq = marketplace()
    with hq.enrolment_room.admitted():
        return _enrol(hq)


@sync.post("/up")
def up() -> Response:
    """Store a batch of events and answer what is held; what they mean is judged later, elsewhere."""
    hq = marketplace()
    with hq.uplink_room.admitted():
        now = clock.now()
        with reading(hq.engine) as connection:
            device = _signed_device(connection)
            corner = _corner(connection, device["corner_id"])
        try:
            check_admitted(device, now=now)
            return _up(hq, device, corner, now=now)
        except (Revoked, StreamForked, MalformedEvents) as refusal:
            # A kiosk issues no more slips at this word, or keeps an event back, so it must be able to tell that it is ours.
            answer = {"code": refusal.code, "detail": refusal.detail, "status": refusal.status}
            return _signed(answer, status=refusal.status, now=now)


def _enrol(hq: Marketplace) -> tuple[Response, int]:
    asked = _message(EnrolmentRequest)
    prefix = f"{hq.public_url}/k/"
    root = newest_root(sync_path(hq.directory))
    enrolled = enrol_device(hq.engine, asked.code, asked.public_key, slip_prefix=prefix, now=clock.now(), root=root)
    if isinstance(enrolled, WaitingDevice):
        told = {"state": "waiting", "root": root, "key_id": enrolled.key_id, "stream": enrolled.stream}
        return jsonify({**told, "expires_at": enrolled.expires_at, "time": clock.to_text(clock.now())}), 202
    answer = {
        "corner": enrolled.corner,
        "corner_sha256": corner_sha256(enrolled.corner),
        "first_counter": enrolled.first_counter,
        "key_id": enrolled.key_id,
        "stream": enrolled.stream,
        "root": root,
        "time": clock.to_text(clock.now()),
    }
    return jsonify(answer), 201


def _up(hq: Marketplace, device: Sender, corner: CornerDocument | None, *, now: datetime) -> Response:
    message = _message(Uplink)
    if (message.corner_id, message.stream) != (device["corner_id"], device["stream"]):
        raise Untrusted("corner_id or stream is not this key's")
    heartbeat = read_heartbeat(message.heartbeat)
    events = read_events(message.events)
    if not events and corner is not None and quiet_heartbeats_of(current_app).take(device, heartbeat, now=now):
        acked = int(device["acked"])
    else:
        acked = store_events(hq.engine, device, events, heartbeat=heartbeat, now=now)
    if events:
        hq.news.set()
    if corner is None:
        raise NotFound(f"the corner {device['corner_id']} left the feed; what its kiosk delivered is stored")
    sha256 = corner_sha256(corner)
    newer: CornerNews | None = {"sha256": sha256, "document": corner} if heartbeat["corner_sha256"] != sha256 else None
    claimed = _claimed(hq, device, heartbeat)
    return _signed(uplink_reply(acked, clock.to_text(now), newer, replaced_at=device["superseded_at"], claimed=claimed), now=now)


def _claimed(hq: Marketplace, device: Sender, heartbeat: Heartbeat) -> ClaimNews | None:
    """Return what became of the corner's slips since its kiosk last heard; None for one that does not ask, or was replaced."""
    if heartbeat["claimed"] is None or device["superseded_at"] is not None:
        return None
    with reading(hq.engine) as connection:
        return claim_news(connection, device["corner_id"], after=heartbeat["claimed"], newest=device["newest_claim"])


def _signed(document: UplinkReply | dict[str, Any], *, now: datetime, status: int = 200) -> Response:
    """Return the answer, signed for this request alone."""
    hq = marketplace()
    response = jsonify(document)
    response.status_code = status
    response.headers.update(
        sign_reply(
            _reply_key(keys_path(hq.directory) / REPLY),
            status=response.status_code,
            headers=dict(response.headers.items()),
            body=response.get_data(),
            request_headers=dict(request.headers.items()),
            now=now,
        )
    )
    return response


def _reply_key(path: Path) -> Ed25519PrivateKey:
    """Return the key HQ answers with, read anew when the file is another. Raises: NotFound, Invalid."""
    try:
        file = path.stat()
    except FileNotFoundError:
        return read_key(path)
    return _read_key(path, (file.st_ino, file.st_mtime_ns))


@lru_cache(maxsize=1)
def _read_key(path: Path, _version: object) -> Ed25519PrivateKey:
    return read_key(path)


def _corner(connection: Connection, corner_id: str) -> CornerDocument | None:
    """Return a corner's document, or None for one that left the feed: its kiosk may still deliver what it has."""
    try:
        return corner_document(connection, corner_id, slip_prefix=f"{marketplace().public_url}/k/")
    except NotFound:
        return None


def _message(shape: type[S]) -> S:
    """Return the request's body in its shape. Raises: MalformedEvents."""
    try:
        return read(shape, read_json(request.get_data(cache=True)))
    except (Malformed, Invalid) as problem:
        raise MalformedEvents(problem.detail) from problem


def _signed_device(connection: Connection) -> Sender:
    """Return the device whose key signed this request. Raises: Untrusted."""
    devices: dict[str, Sender] = {}

    def public_key(key_id: str) -> bytes | None:
        device = sender(connection, key_id)
        if device is None:
            return None
        devices[key_id] = device
        return bytes(device["public_key"])

    headers = {name.lower(): value for name, value in request.headers.items()}
    key_id = verify(request.method, request.url, headers, request.get_data(cache=True), public_key=public_key)
    return devices[key_id]
