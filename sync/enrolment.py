"""How a kiosk becomes a corner's: a one-time code and the public half of a key made here, against the corner document.

The private half never leaves `device.key`. The key is on disk before the code is spent, so that a lost answer is asked for again
with the same code and key, which HQ answers in the same way.
"""

from __future__ import annotations

import hashlib
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pos import clock
from pos.corners import read_corner
from pos.db import Store
from pos.ops import store_setting
from pos.tokens import key_id
from pos.trusted_time import learn_time
from sync.blobs import sync_directory
from sync.client import Client
from sync.errors import Malformed, Untrusted
from sync.locks import LOCK_FILE, hold
from sync.trust import pin_root

FORMAT = "comptoir-enrolment/1"
PATH = "/sync/v1/enrolments"
KEY_FILE = "device.key"


def enrol(directory: Path, ops: Store, client: Client, code: str, *, now: datetime) -> dict[str, Any]:
    """Spend the one-time `code` and store what HQ answers; return the corner document.

    Every enrolment makes a new key and a new stream, and the catalogue is fetched anew; the records stay. Until HQ has answered,
    a kiosk in service keeps the key it signs with; cut short after that, the same code finishes it.
    Raises: Rejected (the code is wrong, spent or late), Busy (a round is running), Offline, Malformed, Untrusted.
    """
    with hold(directory / LOCK_FILE):
        path = directory / f"{KEY_FILE}.new"
        key = _key_at(path)
        public_key = key.public_key().public_bytes_raw()
        answer = client.post(PATH, {"format": FORMAT, "code": code, "public_key": public_key.hex()})
        document = _checked(answer, key_id(public_key).hex())
        with ops.write() as database:
            for name in ("corner_sha256", "key_id", "stream", "first_counter"):
                store_setting(database, name, answer[name])
            store_setting(database, "corner", document)
            store_setting(database, "marketplace_url", client.base_url)
            store_setting(database, "acked", 0)
            pin_root(database, answer["root"])
            learn_time(database, clock.from_text(answer["time"]), wall=now)
        for name in ("catalog.db", "catalog.db-wal", "catalog.db-shm"):
            (directory / name).unlink(missing_ok=True)
        path.replace(directory / KEY_FILE)
        sync_directory(directory)
    return document


def corner_sha256(document: dict[str, Any]) -> str:
    """Return what names a version of a corner document: SHA-256 of it as compact JSON with sorted names."""
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


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


def _checked(answer: dict[str, Any], own_key_id: str) -> dict[str, Any]:
    try:
        document: dict[str, Any] = answer["corner"]
        read_corner(document)
        texts = [answer[name] for name in ("corner_sha256", "key_id", "stream", "root", "time")]
        first_counter = answer["first_counter"]
        clock.from_text(answer["time"])
    except (KeyError, TypeError, ValueError) as problem:
        raise Malformed("the answer to the enrolment lacks a field") from problem
    if not all(isinstance(text, str) for text in texts) or type(first_counter) is not int or not 0 < first_counter < 2**40:
        raise Malformed("the answer to the enrolment lacks a field")
    if answer["key_id"] != own_key_id or corner_sha256(document) != answer["corner_sha256"]:
        raise Untrusted("the answer to the enrolment speaks of another key or corner document")
    return document
