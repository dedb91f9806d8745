"""One installed marketplace: its directory and what lies where in it, its database URL, its public address."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from argon2 import PasswordHasher
from sqlalchemy import Connection, Engine

from marketplace.db import SQLITE_FILE, create_tables, database_url, open_engine, run_tx
from marketplace.sessions import end_all
from marketplace.settings import store_setting
from pos import clock
from pos.errors import Conflict, Invalid, NotFound
from pos.privacy import take_over
from pos.tokens import CROCKFORD
from sync.hq.repository import ROOT_KEYS, THRESHOLD, create

FILE = "marketplace.json"
DIRECTORY_VARIABLE = "COMPTOIR_MARKETPLACE"
"""How `serve` tells its workers the directory."""
REPLICAS = "replica"
PASSWORD_LETTERS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Database URL and public address, as `marketplace.json` has them; only its owner may read it, for the URL's password.

    There `database` is null for the file in the directory itself, so that a directory moved or copied opens its own.
    """

    database: str
    public_url: str


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
    create_tables(engine)
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
    hashed = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1).hash(password)
    secret = os.urandom(32).hex()

    def work(connection: Connection) -> None:
        store_setting(connection, "console_password", hashed)
        store_setting(connection, "secret_key", secret)
        end_all(connection)

    run_tx(engine, work)


def read_installation(directory: Path) -> Installation:
    """Read the installation of `directory`. Raises: NotFound before `create_installation`, Invalid for another file."""
    try:
        said = json.loads((directory / FILE).read_text(encoding="utf-8"))
        database, public_url = said["database"], said["public_url"]
    except FileNotFoundError:
        raise NotFound(f"no marketplace in {directory}: run `comptoir marketplace init` first") from None
    except (ValueError, KeyError, TypeError) as problem:
        raise Invalid(f"{directory / FILE} does not say where the marketplace stands") from problem
    is_own = database is None or (database.startswith("sqlite") and (directory / SQLITE_FILE).exists())
    return Installation(database=database_url(directory) if is_own else database, public_url=public_url)


def sync_path(directory: Path) -> Path:
    """Return the folder of static files of the protocol: `metadata/`, `targets/` and `b/`."""
    return directory / "sync"


def keys_path(directory: Path) -> Path:
    """Return the folder of HQ's private keys."""
    return directory / "keys"


def replica_path(directory: Path, market: str) -> Path:
    """Return where HQ keeps the published catalogue of a market, the same file a kiosk holds."""
    return directory / REPLICAS / f"{market}.db"


def replica_paths(directory: Path) -> Iterator[Path]:
    """Yield the published catalogues there are."""
    return (directory / REPLICAS).glob("*.db")


@contextmanager
def opened(directory: Path) -> Iterator[Engine]:
    """Lend the marketplace's database for one command."""
    engine = open_engine(read_installation(directory).database)
    try:
        create_tables(engine)
        yield engine
    finally:
        engine.dispose()
