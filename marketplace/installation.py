"""One installed marketplace: its directory and what lies where in it, its database URL, its public address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from marketplace.db import SQLITE_FILE, database_url, open_engine, reading
from marketplace.schema import refuse_other
from pos.errors import Invalid, NotFound

FILE = "marketplace.json"
DIRECTORY_VARIABLE = "COMPTOIR_MARKETPLACE"
SERVER_VARIABLE = "COMPTOIR_SERVER"
"""How `serve` tells its workers the directory, and its own process, with which they end."""
REPLICAS = "replica"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """Database URL and public address, as `marketplace.json` has them; only its owner may read it, for the URL's password.

    There `database` is null for the file in the directory itself, so that a directory moved or copied opens its own.
    """

    database: str
    public_url: str


def read_installation(directory: Path) -> Installation:
    """Read the installation of `directory`. Raises: NotFound before `marketplace init`, Invalid for another file."""
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


def blobs_path(directory: Path) -> Path:
    """Return the folder of the blobs: segments, snapshots and media, each under its SHA-256."""
    return sync_path(directory) / "b"


def keys_path(directory: Path) -> Path:
    """Return the folder of HQ's private keys."""
    return directory / "keys"


def replica_path(directory: Path, market: str) -> Path:
    """Return where HQ keeps the published catalogue of a market, the same file a kiosk holds."""
    return directory / REPLICAS / f"{market}.db"


def replica_paths(directory: Path) -> Iterator[Path]:
    """Yield the published catalogues there are."""
    return (directory / REPLICAS).glob("*.db")


def present_engine(directory: Path) -> Engine:
    """Return the engine of a database that is there. Raises: NotFound where its file is gone: SQLite would make an empty one."""
    engine = open_engine(read_installation(directory).database)
    if engine.dialect.name == "sqlite" and engine.url.database and not Path(engine.url.database).exists():
        raise NotFound(f"the database {engine.url.database} is gone: put it back or mount its disk")
    return engine


def open_database(directory: Path) -> Engine:
    """Open the marketplace's database. Raises: NotFound when it vanished, Conflict when it is at another version than ours."""
    engine = present_engine(directory)
    try:
        with reading(engine) as connection:
            refuse_other(connection, directory)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def opened(directory: Path) -> Iterator[Engine]:
    """Lend the marketplace's database for one command. Raises: as `open_database`."""
    engine = open_database(directory)
    try:
        yield engine
    finally:
        engine.dispose()
