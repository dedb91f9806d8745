"""The PINs that clerks choose at the counter, and the one-time codes that let them choose.

A PIN is kept as the Argon2id hash of HMAC-SHA256 under a key derived from `device.key`: ops.db alone, copied, lets nobody guess.
A PIN holds for the entry of the corner's list it was chosen under, and on this device: a reset or another key ends it.
"""

from __future__ import annotations

import hmac
import secrets
import threading
from contextlib import suppress
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlite_utils import Database

from pos import clock
from pos.errors import WeakPin
from pos.slips import load_device
from pos.team import TeamMember

PIN_DIGITS, CODE_DIGITS = 6, 12
HASHER = PasswordHasher(time_cost=6, memory_cost=32_768, parallelism=1)
"""Six passes over 32 MiB: a kiosk is to take between 80 and 250 ms for a PIN (`python -m bench pins`, docs/performance.md)."""
CODE_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""For codes, whose twelve random digits nobody guesses: the least OWASP's password storage cheat sheet asks for."""
_ONE_AT_A_TIME = threading.Lock()
"""Eight threads that hash at once would hold 256 MiB: more than the kiosk may."""


class PinKey(NamedTuple):
    """The device's own share of every PIN, and the id of the key it was derived from."""

    key_id: str
    secret: bytes


class ChosenPin(NamedTuple):
    """What is kept of a PIN: the entry of the list it was chosen under, by its reset and its code, and the key it is bound to."""

    clerk_id: str
    reset_no: int
    code_hash: str
    key_id: str
    hash: str


def pin_key(directory: Path) -> PinKey:
    """Derive the key of PINs from `device.key` (RFC 5869). Raises: as `load_device`."""
    device = load_device(directory)
    hkdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"comptoir-pin/1")
    return PinKey(device.key_id, hkdf.derive(device.private_key.private_bytes_raw()))


def new_code() -> tuple[str, str]:
    """Return a one-time code of twelve random digits, and the hash that is kept of it."""
    code = "".join(secrets.choice("0123456789") for _ in range(CODE_DIGITS))
    return code, CODE_HASHER.hash(code)


def chosen_pin(member: TeamMember, pin: str, *, key: PinKey, hasher: PasswordHasher = HASHER) -> ChosenPin:
    """Return what is kept of a PIN for somebody as the list has them now; outside of a transaction, since it takes its time.

    Raises: WeakPin.
    """
    check_strength(pin)
    with _ONE_AT_A_TIME:
        hashed = hasher.hash(_bound(key, member["clerk_id"], pin))
    return ChosenPin(member["clerk_id"], member["reset_no"], _entry(member), key.key_id, hashed)


def keep_pin(ops: Database, chosen: ChosenPin, *, now: datetime) -> None:
    """Keep a PIN in the place of the one before; runs inside the caller's `write`."""
    columns = "clerk_id, reset_no, code_hash, key_id, hash, set_at"
    values = [*chosen, clock.to_text(now)]
    ops.execute(f"insert or replace into clerk_secret ({columns}) values (?, ?, ?, ?, ?, ?)", values)


def is_pin(ops: Database, member: TeamMember, pin: str, directory: Path) -> bool:
    """Tell whether this is the PIN somebody chose here, or the one an older HQ sent while they chose none."""
    kept = _secret(ops, member)
    if kept is None:
        return bool(member["pin_hash"]) and _verify(HASHER, member["pin_hash"], pin)
    key = pin_key(directory)
    return kept[0] == key.key_id and _verify(HASHER, kept[1], _bound(key, member["clerk_id"], pin))


def has_pin(ops: Database, member: TeamMember) -> bool:
    """Tell whether somebody has a PIN under their entry of the list as it is now: after a reset, not until they chose another."""
    return bool(member["pin_hash"]) or _secret(ops, member) is not None


def is_code(ops: Database, member: TeamMember, code: str, directory: Path) -> bool:
    """Tell whether this is somebody's one-time code, with which no PIN was chosen on this device yet."""
    kept = _secret(ops, member)
    if not member["code_hash"] or (kept is not None and kept[0] == pin_key(directory).key_id):
        return False
    return _verify(CODE_HASHER, member["code_hash"], code)


def check_strength(pin: str) -> None:
    """Refuse a PIN that somebody who knows its owner, or nothing, would try first.

    Raises: WeakPin with the `reason`: "form" (not six digits), "same", "repeated", "run", "date".
    """
    if not (pin.isascii() and pin.isdigit() and len(pin) == PIN_DIGITS):
        raise WeakPin(reason="form")
    if len(set(pin)) == 1:
        raise WeakPin(reason="same")
    if pin in (pin[:3] * 2, pin[:2] * 3):
        raise WeakPin(reason="repeated")
    if {(int(after) - int(before)) % 10 for before, after in pairwise(pin)} in ({1}, {9}):
        raise WeakPin(reason="run")
    if _is_date(pin):
        raise WeakPin(reason="date")


def _is_date(pin: str) -> bool:
    """Tell whether these digits read as a day (120385, 031285, 850312) or as a month of a year (198503)."""
    for first, second, third in ((pin[:2], pin[2:4], pin[4:]), (pin[2:4], pin[:2], pin[4:]), (pin[4:], pin[2:4], pin[:2])):
        with suppress(ValueError):
            # A leap year, so that every day of a year counts.
            datetime(2000, int(second), int(first))  # noqa: DTZ001 - a day of any year, and of no place
            return bool(third)
    return 1930 <= int(pin[:4]) <= 2029 and 1 <= int(pin[4:]) <= 12


def _secret(ops: Database, member: TeamMember) -> tuple[str, str] | None:
    """Return the key's id and the hash of the PIN chosen under this very entry of the list."""
    query = "select key_id, hash from clerk_secret where clerk_id = ? and reset_no = ? and code_hash = ?"
    row: tuple[str, str] | None = ops.execute(query, [member["clerk_id"], member["reset_no"], _entry(member)]).fetchone()
    return row


def _entry(member: TeamMember) -> str:
    """Return what tells one entry of somebody from the next: no two resets have the same hash."""
    return member["code_hash"] or member["pin_hash"]


def _bound(key: PinKey, clerk_id: str, pin: str) -> bytes:
    return hmac.digest(key.secret, f"{clerk_id}\0{pin}".encode(), "sha256")


def _verify(hasher: PasswordHasher, kept: str, secret: str | bytes) -> bool:
    with _ONE_AT_A_TIME:
        try:
            return hasher.verify(kept, secret)
        except (VerificationError, InvalidHashError):
            return False
