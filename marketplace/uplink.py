"""`/sync/v1/…`: enrolment, and the events corners send; files are served in front. What the bytes mean: docs/protocol.md."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any

from flask import Blueprint, Response, jsonify, request

from marketplace.corners import corner_document
from marketplace.db import reading, row
from marketplace.enrolments import enrol_device
from marketplace.inbox import MalformedEvents, judge, read_events, store_events
from marketplace.publishing import keys_path, sync_path
from marketplace.web import marketplace
from pos import clock
from sync.enrolment import corner_sha256
from sync.errors import Untrusted
from sync.keys import REPLY, read_key
from sync.repository import is_renewal_due, newest_root, renew
from sync.signatures import sign_reply, verify
from sync.uplink import FORMAT, reply

sync = Blueprint("sync", __name__, url_prefix="/sync/v1")
logger = logging.getLogger(__name__)


@sync.post("/enrolments")
def enrolments() -> tuple[Response, int]:
    """Turn a one-time code and a public key into an enrolled device."""
    here, document = marketplace(), _document()
    code, public_key = document.get("code"), document.get("public_key")
    if not isinstance(code, str) or not isinstance(public_key, str):
        raise MalformedEvents("code and public_key are texts")
    prefix = f"{here.public_url}/k/"
    enrolled = enrol_device(here.engine, code, public_key, slip_prefix=prefix, now=clock.now())
    answer = {
        "corner": enrolled.corner,
        "corner_sha256": corner_sha256(enrolled.corner),
        "first_counter": enrolled.first_counter,
        "key_id": enrolled.key_id,
        "stream": enrolled.stream,
        "root": newest_root(sync_path(here.directory)),
        "time": clock.to_text(clock.now()),
    }
    return jsonify(answer), 201


@sync.post("/up")
def up() -> Response:
    """Store a batch of events, answer what is held, then judge; judging badly never spoils the answer."""
    here, now = marketplace(), clock.now()
    device = _signed_device()
    document = _document()
    if document.get("format") != FORMAT:
        raise MalformedEvents(f"format is {FORMAT}")
    if (document.get("corner_id"), document.get("stream")) != (device["corner_id"], device["stream"]):
        raise Untrusted("corner_id or stream is not this key's")
    said = document.get("heartbeat")
    heartbeat = said if isinstance(said, dict) else {}
    acked = store_events(here.engine, device, read_events(document), heartbeat=heartbeat, now=now)
    try:
        judge(here.engine)
        _keep_fresh(now=now)
    except Exception:
        logger.exception("judging and renewing come later")
    with reading(here.engine) as connection:
        corner = corner_document(connection, device["corner_id"], slip_prefix=f"{here.public_url}/k/")
    sha256 = corner_sha256(corner)
    newer = {"sha256": sha256, "document": corner} if heartbeat.get("corner_sha256") != sha256 else None
    return _signed(reply(acked, clock.to_text(now), newer), now=now)


def _signed(document: dict[str, Any], *, now: datetime) -> Response:
    """Return the answer, signed for this request alone."""
    here = marketplace()
    response = jsonify(document)
    response.headers.update(
        sign_reply(
            read_key(keys_path(here.directory) / REPLY),
            status=response.status_code,
            headers=dict(response.headers.items()),
            body=response.get_data(),
            request_headers=dict(request.headers.items()),
            now=now,
        )
    )
    return response


def _keep_fresh(*, now: datetime) -> None:
    """Sign anew what nears its expiry: as long as any kiosk calls, nothing runs out while nothing is published."""
    here = marketplace()
    if is_renewal_due(sync_path(here.directory), now=now):
        renew(sync_path(here.directory), keys_path(here.directory), now=now)


def _document() -> dict[str, Any]:
    try:
        document = json.loads(request.get_data(cache=True))
    except (ValueError, RecursionError):
        raise MalformedEvents("the body is not JSON") from None
    if not isinstance(document, dict):
        raise MalformedEvents("the body is not a JSON object")
    return document


def _signed_device() -> dict[str, Any]:
    """Return the device whose key signed this request. Raises: Untrusted."""
    found: dict[str, dict[str, Any]] = {}

    def public_key(key_id: str) -> bytes | None:
        with reading(marketplace().engine) as connection:
            device = row(connection, "select * from device where key_id = :key_id", key_id=key_id)
        if device is None:
            return None
        found[key_id] = device
        return bytes(device["public_key"])

    headers = {name.lower(): value for name, value in request.headers.items()}
    key_id = verify(request.method, request.url, headers, request.get_data(cache=True), public_key=public_key)
    return found[key_id]
