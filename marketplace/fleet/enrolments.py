"""Enrolment: a one-time code given to a corner becomes the public key of its device, at once or after a person has looked.

Invariants: a code works for one key, for ten minutes and five wrong tries, and HQ keeps only its hash. The first four symbols
name the code, the other eight are its secret (40 bits; ASVS 6.5). A key that waits for confirmation is no device: it is told
nothing of the corner, and nothing it signs is believed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Engine

from marketplace import tables
from marketplace.db import changed, execute_on, row, rows, run_tx
from marketplace.fleet import standings
from marketplace.fleet.corners import corner_document
from marketplace.fleet.revocations import highest_counter
from pos import clock
from pos.corners import CornerDocument
from pos.errors import Conflict, Invalid, NotFound, PosError, Refused
from pos.throttle import Throttle, whole_seconds
from pos.tokens import CROCKFORD, key_id
from sync.messages import fingerprint_of, plain_code

SELECTOR, SECRET = 4, 8
VALID_MINUTES = 10
MOST_TRIES = 5
RESERVE = 1000
MOST_MISSES = 100
"""Wrong tries from everybody together before every further one has to wait; they are forgotten after a day without any."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(minutes=15)


class WrongCode(Refused):
    """The code is unknown, used, expired, or was tried too often."""


class TooManyTries(PosError):
    """So many wrong codes were tried that further wrong ones have to wait; `data` carries `retry_after_s`."""

    status = 429


class DeviceRefused(PosError):
    """Somebody at HQ looked at this key's fingerprint and refused it."""

    status = 403


class KeyTaken(Conflict):
    """This key, or one with the same id, is enrolled already, or must never be again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What a device needs to know of itself: its corner document, its key's id, its event stream, its first slip counter."""

    corner: CornerDocument
    key_id: str
    stream: str
    first_counter: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingDevice:
    """All that a device is told before somebody at HQ has compared its fingerprint."""

    key_id: str
    stream: str
    expires_at: str


def start_enrolment(engine: Engine, corner_id: str, *, must_confirm: bool = False, now: datetime) -> str:
    """Return a new code for a corner, written in groups of four; with `must_confirm`, its device waits for a person at HQ.

    Raises: NotFound.
    """
    code = "".join(secrets.choice(CROCKFORD) for _ in range(SELECTOR + SECRET))

    def work(connection: Connection) -> None:
        if row(connection, "select 1 as one from corner where corner_id = :corner_id", corner_id=corner_id) is None:
            raise NotFound(f"no corner {corner_id}", corner_id=corner_id)
        values = {
            "corner_id": corner_id,
            "selector": code[:SELECTOR],
            "secret_sha256": _hash(code[SELECTOR:]),
            "created_at": clock.to_text(now),
            "expires_at": clock.to_text(now + timedelta(minutes=VALID_MINUTES)),
            "must_confirm": int(must_confirm),
            "tries": 0,
            "used_at": None,
            "used_by": None,
        }
        changed(connection, "delete from enrolment_code where selector = :selector", selector=code[:SELECTOR])
        connection.execute(tables.enrolment_code.insert(), values)

    run_tx(engine, work)
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def enrol_device(
    engine: Engine, code: str, public_key: str, *, slip_prefix: str, now: datetime, root: str = ""
) -> Enrolment | WaitingDevice:
    """Turn a code and a raw public key in hexadecimal into an enrolled device, or one that waits to be confirmed.

    A wrong try is counted and stays counted. The same code with the same key answers the same again while it lasts, since
    the first answer may have been lost on its way. `root` is the text the device will pin.
    Raises: Invalid, WrongCode, TooManyTries, DeviceRefused, KeyTaken.
    """
    raw_key = _read_key(public_key)
    plain = _read_code(code)
    used = run_tx(engine, lambda connection: _use_code(connection, plain, key_id(raw_key).hex(), now))
    if isinstance(used, timedelta):
        if used:
            raise TooManyTries("too many wrong codes were tried", retry_after_s=whole_seconds(used))
        raise WrongCode("the code is unknown, used, expired, or was tried too often")
    fingerprint = partial(fingerprint_of, raw_key, root=root, code=plain)
    return run_tx(engine, lambda connection: _enrol(connection, used, raw_key, fingerprint, slip_prefix, now))


def confirm_device(engine: Engine, wanted_id: str, *, now: datetime) -> dict[str, Any]:
    """Make a waiting key the corner's device and return its request; again does nothing more.

    Its code then lives on for that key alone, so that a kiosk that asks late still gets its answer. Raises: NotFound, KeyTaken.
    """

    def work(connection: Connection) -> dict[str, Any]:
        request = _decide(connection, wanted_id, "confirmed", now)
        changed(
            connection,
            "update enrolment_code set expires_at = :until where corner_id = :corner_id and selector = :selector",
            until=clock.to_text(now + timedelta(minutes=VALID_MINUTES)),
            corner_id=request["corner_id"],
            selector=request["selector"],
        )
        _admit(connection, request, clock.to_text(now))
        return request

    return run_tx(engine, work)


def refuse_device(engine: Engine, wanted_id: str, *, now: datetime) -> dict[str, Any]:
    """Refuse a waiting key for good and return its request. Raises: NotFound."""
    return run_tx(engine, lambda connection: _decide(connection, wanted_id, "refused", now))


def requests(connection: Connection, *, now: datetime) -> list[dict[str, Any]]:
    """Return the keys that wait to be confirmed and whose code still lives, the newest first."""
    found = rows(
        connection,
        """
        select device_request.corner_id, key_id, fingerprint, asked_at, expires_at, corner.body
        from device_request join corner on corner.corner_id = device_request.corner_id
        where state = 'waiting' and expires_at > :now
        order by asked_at desc, key_id
        """,
        now=clock.to_text(now),
    )
    return [{**each, "body": json.loads(each["body"])} for each in found]


def _decide(connection: Connection, wanted_id: str, state: str, now: datetime) -> dict[str, Any]:
    """Settle a request that waits; one settled in the same way before stays as it was."""
    text = clock.to_text(now)
    changed(
        connection,
        """
        update device_request set state = :state, decided_at = :now
        where key_id = :key_id and state = 'waiting' and expires_at > :now
        """,
        state=state,
        now=text,
        key_id=wanted_id,
    )
    found = row(
        connection,
        "select * from device_request where key_id = :key_id and state = :state order by asked_at desc",
        key_id=wanted_id,
        state=state,
    )
    if found is None:
        raise NotFound(f"no device waits under the key {wanted_id}", key_id=wanted_id)
    return found


def _use_code(connection: Connection, plain: str, key: str, now: datetime) -> dict[str, Any] | timedelta:
    """Return the code's row, bound to this key; count a wrong try instead, and return how long it should have waited.

    Once too many tries were wrong, a wrong one learns nothing more than that it has to wait; a right one goes through.
    """
    text = clock.to_text(now)
    known_code = row(
        connection,
        """
        select * from enrolment_code
        where selector = :selector and (used_by is null or used_by = :key) and expires_at > :now and tries < :most
        """,
        selector=plain[:SELECTOR],
        key=key,
        now=text,
        most=MOST_TRIES,
    )
    if known_code is not None and hmac.compare_digest(known_code["secret_sha256"], _hash(plain[SELECTOR:])):
        changed(
            connection,
            """
            update enrolment_code set used_at = coalesce(used_at, :now), used_by = :key
            where corner_id = :corner_id and selector = :selector
            """,
            now=text,
            key=key,
            corner_id=known_code["corner_id"],
            selector=known_code["selector"],
        )
        return known_code
    if known_code is not None:
        changed(
            connection,
            "update enrolment_code set tries = tries + 1 where corner_id = :corner_id and selector = :selector",
            corner_id=known_code["corner_id"],
            selector=known_code["selector"],
        )
    misses = Throttle(
        table="console_failure", key="name", free_tries=MOST_MISSES, first_wait=FIRST_PAUSE, longest_wait=LONGEST_PAUSE
    )
    return misses.claim(execute_on(connection), "enrolment", now=now)


def _enrol(
    connection: Connection,
    code: dict[str, Any],
    raw_key: bytes,
    fingerprint: Callable[..., str],
    slip_prefix: str,
    now: datetime,
) -> Enrolment | WaitingDevice:
    """Find or make the key's request, and answer according to what was decided on it."""
    text = clock.to_text(now)
    request = _request(connection, code, raw_key, fingerprint, text)
    if request["state"] == "refused":
        raise DeviceRefused("this device was refused at HQ", key_id=request["key_id"])
    if request["state"] == "waiting":
        return WaitingDevice(key_id=request["key_id"], stream=request["stream"], expires_at=request["expires_at"])
    device = _admit(connection, request, text)
    document = corner_document(connection, request["corner_id"], slip_prefix=slip_prefix)
    return Enrolment(
        corner=document, key_id=device["key_id"], stream=device["stream"], first_counter=int(device["first_counter"])
    )


def _request(
    connection: Connection, code: dict[str, Any], raw_key: bytes, fingerprint: Callable[..., str], now: str
) -> dict[str, Any]:
    name = key_id(raw_key).hex()
    _check_free(connection, name, code["corner_id"], raw_key)
    found = row(
        connection,
        "select * from device_request where corner_id = :corner_id and key_id = :key_id and selector = :selector",
        corner_id=code["corner_id"],
        key_id=name,
        selector=code["selector"],
    )
    if found is not None:
        return found
    # A key asks for one place at a time; a code newer than the last one asks anew, whatever became of that.
    changed(connection, "delete from device_request where key_id = :key_id", key_id=name)
    stream = secrets.token_hex(8)
    values = {
        "corner_id": code["corner_id"],
        "key_id": name,
        "public_key": raw_key,
        "selector": code["selector"],
        "stream": stream,
        "fingerprint": fingerprint(stream=stream),
        "asked_at": now,
        "expires_at": code["expires_at"],
        "state": "waiting" if code["must_confirm"] else "confirmed",
        "decided_at": None if code["must_confirm"] else now,
    }
    connection.execute(tables.device_request.insert(), values)
    return values


def _admit(connection: Connection, request: dict[str, Any], now: str) -> dict[str, Any]:
    """Make the key of a confirmed request its corner's device; the devices before it are superseded. Idempotent."""
    key = {"corner_id": request["corner_id"], "key_id": request["key_id"]}
    _check_free(connection, request["key_id"], request["corner_id"], bytes(request["public_key"]))
    known = row(connection, "select * from device where corner_id = :corner_id and key_id = :key_id", **key)
    if known is not None and known["stream"] == request["stream"]:
        return known
    changed(
        connection,
        "update device set superseded_at = :now where corner_id = :corner_id and key_id <> :key_id and superseded_at is null",
        **key,
        now=now,
    )
    if known is not None:
        # The answer to an earlier code never arrived, so nothing was sent in the stream it named.
        changed(
            connection,
            """
            update device set stream = :stream, acked = 0, superseded_at = null
            where corner_id = :corner_id and key_id = :key_id
            """,
            **key,
            stream=request["stream"],
        )
        return {**known, "stream": request["stream"]}
    values = {
        **key,
        "public_key": bytes(request["public_key"]),
        "stream": request["stream"],
        "enrolled_at": now,
        "first_counter": _first_counter(connection, request["corner_id"]),
        "acked": 0,
    }
    connection.execute(tables.device.insert(), values)
    standings.enrol(connection, request["corner_id"], key_id=values["key_id"], now=now)
    return values


def _check_free(connection: Connection, name: str, corner_id: str, raw_key: bytes) -> None:
    """Raise KeyTaken where another corner or key has this id, or where this one was revoked or told two stories."""
    known = row(connection, "select corner_id, public_key, quarantined_at from device where key_id = :key_id", key_id=name)
    if known is not None and (known["corner_id"] != corner_id or bytes(known["public_key"]) != raw_key):
        raise KeyTaken("a device with this key id is enrolled already")
    if known is not None and known["quarantined_at"] is not None:
        raise KeyTaken("this key told two stories under one number: enrol with a new one")
    if row(connection, "select 1 as one from revocation where key_id = :key_id", key_id=name) is not None:
        raise KeyTaken("this key was revoked")


def _first_counter(connection: Connection, corner_id: str) -> int:
    """Return where a new device of the corner counts from: far above every slip seen, since some may not have arrived."""
    devices = rows(connection, "select corner_id, key_id from device where corner_id = :corner_id", corner_id=corner_id)
    last = max((highest_counter(connection, **device) for device in devices), default=0)
    return last + RESERVE if last else 1


def _read_code(code: str) -> str:
    plain = plain_code(code)
    if len(plain) != SELECTOR + SECRET or set(plain) - set(CROCKFORD):
        raise WrongCode("a code has 12 letters and digits")
    return plain


def _read_key(public_key: str) -> bytes:
    try:
        raw_key = bytes.fromhex(public_key)
        Ed25519PublicKey.from_public_bytes(raw_key)
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid("public_key is not a raw Ed25519 key in hexadecimal") from None
    return raw_key


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
