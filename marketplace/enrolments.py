"""Enrolment: a one-time code given to a corner becomes the public key of its device.

Invariant: a code works once, for ten minutes and five tries, and HQ keeps only its hash. The first four symbols name the code,
the other eight are its secret (40 bits; ASVS 6.5).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, Engine

from marketplace import standings, tables
from marketplace.corners import corner_document
from marketplace.db import changed, row, run_tx
from pos import clock
from pos.errors import Conflict, Invalid, NotFound, Refused
from pos.tokens import CROCKFORD, key_id

SELECTOR, SECRET = 4, 8
VALID_MINUTES = 10
MOST_TRIES = 5
RESERVE = 1000


class WrongCode(Refused):
    """The code is unknown, used, expired, or was tried too often."""


class KeyTaken(Conflict):
    """This key, or one with the same id, is enrolled already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """What a device needs to know of itself: its corner document, its key's id, its event stream, its first slip counter."""

    corner: dict[str, Any]
    key_id: str
    stream: str
    first_counter: int


def start_enrolment(engine: Engine, corner_id: str, *, now: datetime) -> str:
    """Return a new code for a corner, written in groups of four. Raises: NotFound."""
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
            "tries": 0,
            "used_at": None,
            "used_by": None,
        }
        changed(connection, "delete from enrolment_code where selector = :selector", selector=code[:SELECTOR])
        connection.execute(tables.enrolment_code.insert(), values)

    run_tx(engine, work)
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def enrol_device(engine: Engine, code: str, public_key: str, *, slip_prefix: str, now: datetime) -> Enrolment:
    """Turn a code and a raw public key in hexadecimal into an enrolled device.

    A wrong try is counted and stays counted. The same code with the same key answers the same again while it lasts, since
    the first answer may have been lost on its way. Raises: Invalid, WrongCode, KeyTaken.
    """
    raw_key = _read_key(public_key)
    plain = _read_code(code)
    corner_id = run_tx(engine, lambda connection: _use_code(connection, plain, key_id(raw_key).hex(), clock.to_text(now)))
    if corner_id is None:
        raise WrongCode("the code is unknown, used, expired, or was tried too often")
    return run_tx(engine, lambda connection: _enrol(connection, corner_id, raw_key, slip_prefix, clock.to_text(now)))


def _use_code(connection: Connection, plain: str, key: str, now: str) -> str | None:
    """Count the try, then use the code up if it is right: the count is committed either way."""
    found = row(
        connection,
        """
        select * from enrolment_code
        where selector = :selector and (used_by is null or used_by = :key) and expires_at > :now and tries < :most
        """,
        selector=plain[:SELECTOR],
        key=key,
        now=now,
        most=MOST_TRIES,
    )
    if found is None:
        return None
    is_right = hmac.compare_digest(found["secret_sha256"], _hash(plain[SELECTOR:]))
    changed(
        connection,
        """
        update enrolment_code set tries = tries + 1, used_at = coalesce(used_at, :used_at), used_by = coalesce(used_by, :used_by)
        where corner_id = :corner_id and selector = :selector
        """,
        used_at=now if is_right else None,
        used_by=key if is_right else None,
        corner_id=found["corner_id"],
        selector=found["selector"],
    )
    return str(found["corner_id"]) if is_right else None


def _enrol(connection: Connection, corner_id: str, raw_key: bytes, slip_prefix: str, now: str) -> Enrolment:
    name = key_id(raw_key).hex()
    known = row(connection, "select corner_id, public_key, stream from device where key_id = :key_id", key_id=name)
    if known is not None and (known["corner_id"] != corner_id or bytes(known["public_key"]) != raw_key):
        raise KeyTaken("a device with this key id is enrolled already")
    stream = known["stream"] if known is not None else secrets.token_hex(8)
    if known is None:
        values = {
            "corner_id": corner_id,
            "key_id": name,
            "public_key": raw_key,
            "stream": stream,
            "enrolled_at": now,
            "acked": 0,
        }
        connection.execute(tables.device.insert(), values)
        standings.enrol(connection, corner_id, key_id=name, now=now)
    document = corner_document(connection, corner_id, slip_prefix=slip_prefix)
    return Enrolment(corner=document, key_id=name, stream=stream, first_counter=_first_counter(connection, corner_id))


def _first_counter(connection: Connection, corner_id: str) -> int:
    """Return where a new device of the corner counts from: far above every slip seen, since some may not have arrived."""
    counters = [
        row(connection, f"select max(counter) as last from {table} where corner_id = :corner_id", corner_id=corner_id)
        for table in ("slip", "claim")
    ]
    last = max((found["last"] or 0 for found in counters if found is not None), default=0)
    return last + RESERVE if last else 1


def _read_code(code: str) -> str:
    plain = re.sub(r"[\s-]", "", code).upper().translate(str.maketrans("OIL", "011"))
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
