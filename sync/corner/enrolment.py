"""How a kiosk becomes a corner's: a one-time code and the public half of a key made here, against the corner document.

The private half never leaves `device.key`. The key is on disk before the code is spent, so that a lost answer is asked for again
with the same code and key, which HQ answers in the same way. Where HQ wants to look first, the kiosk shows the key's fingerprint
and asks again until a person at HQ has compared it; nothing of the corner is told before that.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pos import clock
from pos.corners import CornerDocument, read_corner, store_corner
from pos.db import Store
from pos.errors import Invalid
from pos.ops import store_setting
from pos.slip_claims import HEARD
from pos.tokens import key_id
from pos.trusted_time import learn_time
from sync.blobs import sync_directory
from sync.corner.client import Client
from sync.corner.trust import pin_root
from sync.errors import Malformed, NotConfirmed, Offline, Rejected, Untrusted
from sync.heartbeats import TOLD
from sync.locks import LOCK_FILE, hold
from sync.messages import ENROLMENT_FORMAT, ENROLMENT_PATH, corner_sha256, fingerprint_of

KEY_FILE = "device.key"
LONGEST_WAIT_S = 1200
ASKED_EVERY_S = 2.0

Show = Callable[[str], None]


def enrol(
    directory: Path,
    ops: Store,
    client: Client,
    code: str,
    *,
    now: Callable[[], datetime],
    show: Show = lambda _fingerprint: None,
    wait: bool = True,
    sleep: Callable[[float], None] = time.sleep,
) -> CornerDocument:
    """Spend the one-time `code` and store what HQ answers; return the corner document.

    Every enrolment makes a new key and a new stream, and the catalogue is fetched anew; the records stay. Until HQ has answered,
    a kiosk in service keeps the key it signs with; cut short after that, the same code finishes it. `show` gets the fingerprint
    as soon as HQ knows the key. Where a person at HQ must confirm it, this asks again while the code lives, or with `wait` off
    raises at once; the same code goes on from there.
    Raises: NotConfirmed (nobody at HQ has decided yet), Rejected (the code is wrong, spent or late, or HQ refused the key),
    Busy (a round is running), Offline, Malformed, Untrusted.
    """
    path = directory / f"{KEY_FILE}.new"
    with hold(directory / LOCK_FILE):
        public_key = _key_at(path).public_key().public_bytes_raw()
        answer = _ask(path, client, code, public_key)
        fingerprint = _shown(ops, answer, public_key, code, show, now())
        if not is_waiting(answer):
            return _store(directory, ops, client, answer, public_key, now())
    if not wait:
        raise NotConfirmed("HQ has not confirmed this device yet: run the same command again", fingerprint=fingerprint)
    # A kiosk in service syncs on under its old key meanwhile: the lock is taken again only to change over.
    answer = _confirmed(path, client, code, public_key, answer, sleep)
    with hold(directory / LOCK_FILE):
        return _store(directory, ops, client, answer, public_key, now())


def is_waiting(answer: dict[str, Any]) -> bool:
    """Tell whether HQ knows the key and has not yet decided on it."""
    return answer.get("state") == "waiting"


def _ask(path: Path, client: Client, code: str, public_key: bytes) -> dict[str, Any]:
    try:
        return client.post(ENROLMENT_PATH, {"format": ENROLMENT_FORMAT, "code": code, "public_key": public_key.hex()})
    except Rejected as refusal:
        if refusal.data.get("code") == "device_refused":
            # A key HQ has refused is never offered again.
            path.unlink(missing_ok=True)
        raise


def _shown(ops: Store, answer: dict[str, Any], public_key: bytes, code: str, show: Show, now: datetime) -> str:
    """Work out the fingerprint from what both sides hold, show it, and keep it for the kiosk's first page."""
    root, stream = answer.get("root", ""), answer.get("stream")
    if not isinstance(root, str) or not isinstance(stream, str):
        raise Malformed("the answer to the enrolment lacks a field")
    fingerprint = fingerprint_of(public_key, root=root, code=code, stream=stream)
    if is_waiting(answer):
        with ops.write() as database:
            shown = {"fingerprint": fingerprint, "key_id": key_id(public_key).hex(), "ends_at": _ends_at(answer, now)}
            store_setting(database, "enrolment", shown)
    show(fingerprint)
    return fingerprint


def _ends_at(answer: dict[str, Any], now: datetime) -> str | None:
    """Return when the code runs out by this kiosk's own clock, which may be years off; None where HQ does not say."""
    told = answer.get("time"), answer.get("expires_at")
    if not all(clock.is_text(moment) for moment in told):
        return None
    start, end = (clock.from_text(str(moment)) for moment in told)
    return clock.to_text(now + (end - start))


def _confirmed(
    path: Path,
    client: Client,
    code: str,
    public_key: bytes,
    waiting: dict[str, Any],
    sleep: Callable[[float], None],
) -> dict[str, Any]:
    """Ask until HQ has decided; HQ ends it when the code is over, and a count of our own if HQ never does.

    A root or a stream that changes while one waits would not be what the fingerprint on the screen speaks of.
    """
    answer, asked = waiting, 0
    while is_waiting(answer):
        if asked * ASKED_EVERY_S > LONGEST_WAIT_S:
            raise NotConfirmed("nobody at HQ confirmed this device while the code was good: ask for a new code")
        sleep(ASKED_EVERY_S)
        asked += 1
        try:
            answer = _ask(path, client, code, public_key)
        except Offline:
            continue
        if (answer.get("root", ""), answer.get("stream")) != (waiting.get("root", ""), waiting["stream"]):
            raise Untrusted("the answer speaks of another root or stream than the fingerprint shown")
    return answer


def _store(
    directory: Path, ops: Store, client: Client, answer: dict[str, Any], public_key: bytes, now: datetime
) -> CornerDocument:
    """Become the corner's: what HQ said is committed before the new key takes the old one's place."""
    document = _checked(answer, key_id(public_key).hex())
    with ops.write() as database:
        for name in ("corner_sha256", "key_id", "stream", "first_counter"):
            store_setting(database, name, answer[name])
        store_corner(database, answer["corner"])
        store_setting(database, "marketplace_url", client.base_url)
        store_setting(database, "acked", 0)
        store_setting(database, HEARD, None)
        store_setting(database, "sync_faults", {})
        store_setting(database, "enrolment", None)
        store_setting(database, TOLD, None)
        pin_root(database, answer["root"])
        learn_time(database, clock.from_text(answer["time"]), wall=now)
    for name in ("catalog.db", "catalog.db-wal", "catalog.db-shm"):
        (directory / name).unlink(missing_ok=True)
    (directory / f"{KEY_FILE}.new").replace(directory / KEY_FILE)
    sync_directory(directory)
    return document


def _key_at(path: Path) -> Ed25519PrivateKey:
    if path.exists() and path.stat().st_size == 32:
        return Ed25519PrivateKey.from_private_bytes(path.read_bytes())
    key = Ed25519PrivateKey.generate()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, key.private_bytes_raw())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    sync_directory(path.parent)
    return key


def _checked(answer: dict[str, Any], own_key_id: str) -> CornerDocument:
    try:
        document: CornerDocument = answer["corner"]
        read_corner(answer["corner"])
        texts = [answer[name] for name in ("corner_sha256", "key_id", "stream", "root", "time")]
        first_counter = answer["first_counter"]
        clock.from_text(answer["time"])
    except (KeyError, TypeError, ValueError, Invalid) as problem:
        raise Malformed(f"the answer to the enrolment lacks a field: {problem}") from problem
    if not all(isinstance(text, str) for text in texts) or type(first_counter) is not int or not 0 < first_counter < 2**40:
        raise Malformed("the answer to the enrolment lacks a field")
    if answer["key_id"] != own_key_id or corner_sha256(document) != answer["corner_sha256"]:
        raise Untrusted("the answer to the enrolment speaks of another key or corner document")
    return document
