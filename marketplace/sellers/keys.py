"""A seller's API keys: made once, shown once, stored as a hash; each says what it may do and until when.

A key is `cpt_<seller>_<key id>_<32 random bytes>`: it names its own row, and whose it is stands in every query.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from marketplace import tables
from marketplace.db import changed, row, rows
from pos import clock
from pos.errors import Invalid, NotFound, PosError

SCOPES = ("listings", "orders", "money")
"""What a key may be for: the seller's supply, its orders, what it is owed."""
LONGEST = timedelta(days=730)
USUAL = timedelta(days=365)
NOTED_EVERY = timedelta(minutes=1)
MOST_KEYS = 20
MOST_NAME = 80
TEXT = re.compile(r"cpt_([1-9]\d{0,9})_([0-9a-f]{8})_([A-Za-z0-9_-]{43})", re.ASCII)


class UnknownKey(PosError):
    """No valid key came with the request: none, an unknown one, one that is over or was revoked."""

    status = 401


class NotInScope(PosError):
    """The key is good, and not for this."""

    status = 403


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key as its seller sees it; the secret itself is stored nowhere."""

    seller_id: int
    key_id: str
    name: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str
    used_at: str | None
    revoked_at: str | None


def make_key(
    connection: Connection, seller_id: int, *, name: str, scopes: Collection[str], now: datetime, valid: timedelta = USUAL
) -> str:
    """Store a new key of a seller in the caller's transaction and return its text, which is shown this once.

    Raises: NotFound without such a seller, Invalid.
    """
    if row(connection, "select 1 as one from seller where seller_id = :seller_id", seller_id=seller_id) is None:
        raise NotFound(f"no seller {seller_id}")
    if not name.strip() or len(name) > MOST_NAME or not name.isprintable():
        raise Invalid(f"a key's name has 1 to {MOST_NAME} characters", field="name")
    if not scopes or not set(scopes) <= set(SCOPES):
        raise Invalid(f"a key is for some of {', '.join(SCOPES)}", field="scopes")
    if not timedelta() < valid <= LONGEST:
        raise Invalid(f"a key is valid for 1 to {LONGEST.days} days", field="days")
    if len(keys_of(connection, seller_id)) >= MOST_KEYS:
        raise Invalid(f"a seller has at most {MOST_KEYS} keys: revoke one first", field="name")
    key_id = secrets.token_hex(4)
    text = f"cpt_{seller_id}_{key_id}_{secrets.token_urlsafe(32)}"
    values = {
        "seller_id": seller_id,
        "key_id": key_id,
        "name": name.strip(),
        "sha256": _digest(text),
        "scopes": " ".join(scope for scope in SCOPES if scope in scopes),
        "created_at": clock.to_text(now),
        "expires_at": clock.to_text(now + valid),
        "full_at_us": 0,
    }
    connection.execute(tables.api_key.insert(), values)
    return text


def known_key(connection: Connection, text: str, *, now: datetime) -> ApiKey:
    """Return the key of this text. Raises: UnknownKey, the same for every reason."""
    match = TEXT.fullmatch(text)
    stored = match and row(
        connection,
        """
        select api_key.* from api_key join seller on seller.seller_id = api_key.seller_id and seller.state <> 'closed'
        where api_key.seller_id = :seller_id and api_key.key_id = :key_id
        """,
        seller_id=int(match[1]),
        key_id=match[2],
    )
    if not stored or not hmac.compare_digest(stored["sha256"], _digest(text)):
        raise UnknownKey("no such key")
    if stored["revoked_at"] is not None or stored["expires_at"] <= clock.to_text(now):
        raise UnknownKey("no such key")
    return _key(stored)


def note_use(connection: Connection, key: ApiKey, *, now: datetime) -> None:
    """Note when a key was last used, to the minute, in the caller's transaction."""
    if key.used_at is None or now - clock.from_text(key.used_at) >= NOTED_EVERY:
        changed(
            connection,
            "update api_key set used_at = :now where seller_id = :seller_id and key_id = :key_id",
            now=clock.to_text(now),
            seller_id=key.seller_id,
            key_id=key.key_id,
        )


def keys_of(connection: Connection, seller_id: int) -> list[ApiKey]:
    """Return a seller's keys that were not revoked, the newest first."""
    stored = rows(
        connection,
        "select * from api_key where seller_id = :seller_id and revoked_at is null order by created_at desc, key_id",
        seller_id=seller_id,
    )
    return [_key(each) for each in stored]


def revoke_key(connection: Connection, seller_id: int, key_id: str, *, now: datetime) -> None:
    """End a key for good, in the caller's transaction. Raises: NotFound."""
    ended = changed(
        connection,
        "update api_key set revoked_at = :now where seller_id = :seller_id and key_id = :key_id and revoked_at is null",
        now=clock.to_text(now),
        seller_id=seller_id,
        key_id=key_id,
    )
    if not ended:
        raise NotFound(f"no key {key_id}")


def _key(stored: dict[str, str]) -> ApiKey:
    facts = {name: stored[name] for name in ("key_id", "name", "created_at", "expires_at", "used_at", "revoked_at")}
    return ApiKey(seller_id=int(stored["seller_id"]), scopes=tuple(stored["scopes"].split()), **facts)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
