"""How a marketplace is set up, and brought from an earlier version to this one."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from sqlalchemy import Connection, Engine

from marketplace import sessions
from marketplace.db import database_url, open_engine, reading, run_tx
from marketplace.installation import FILE, keys_path, present_engine, sync_path
from marketplace.schema import refuse_empty
from marketplace.settings import store_setting
from marketplace.upgrades import Say, upgrade
from pos import clock
from pos.errors import Conflict
from pos.privacy import take_over
from pos.tokens import CROCKFORD
from sync.hq.repository import ROOT_KEYS, THRESHOLD, create
from sync.locks import hold_directory

PASSWORD_LETTERS = 20


def create_installation(
    directory: Path, *, database: str | None, public_url: str, root_keys: int = ROOT_KEYS, threshold: int = THRESHOLD
) -> str:
    """Make a new marketplace in `directory` and return the console's password, which is kept only as argon2id.

    Its keys are made with it: `threshold` of `root_keys` root keys decide which others count.
    Raises: Conflict when one is there already, Invalid for a threshold or a database that cannot be.
    """
    if (directory / FILE).exists():
        raise Conflict(f"a marketplace is already set up in {directory}")
    engine = open_engine(database or database_url(directory))
    take_over(directory)
    with suppress(Conflict):
        # What an earlier attempt made before it was cut short is good.
        create(sync_path(directory), keys_path(directory), threshold=threshold, root_keys=root_keys, now=clock.now())
    upgrade(engine, say=lambda _step: None)
    password = "".join(CROCKFORD[byte % 32] for byte in os.urandom(PASSWORD_LETTERS)).lower()
    store_secrets(engine, password)
    engine.dispose()
    descriptor = os.open(directory / FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as target:
        json.dump({"database": database, "public_url": public_url}, target, indent=2)
        target.flush()
        os.fsync(target.fileno())
    return password


def store_secrets(engine: Engine, password: str) -> None:
    """Store the console's password, hashed, and a new key for its cookies: every open session ends."""
    hashed = sessions.HASHER.hash(password)
    secret = os.urandom(32).hex()

    def work(connection: Connection) -> None:
        store_setting(connection, "console_password", hashed)
        store_setting(connection, "secret_key", secret)
        sessions.end_all(connection)

    run_tx(engine, work)


def upgrade_installation(directory: Path, *, say: Say) -> str:
    """Bring the database of a marketplace to this program's version, and return that; `say` hears of each step.

    Raises: NotFound before `marketplace init` and for a database that vanished, Busy while it is served or upgraded, and what
    `upgrade` raises.
    """
    with hold_directory(directory, doing="upgrading it"):
        engine = present_engine(directory)
        try:
            with reading(engine) as connection:
                refuse_empty(connection, directory)
            return upgrade(engine, say=say)
        finally:
            engine.dispose()
