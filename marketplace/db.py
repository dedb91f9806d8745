"""How the central database is opened, read and written, on SQLite and on PostgreSQL alike.

Invariant: every write goes through `run_tx`, which may run its function again; a function given to it is idempotent.
"""

from __future__ import annotations

import math
import random
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import URL, Connection, Engine, Table, TextClause, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from pos import clock
from pos.db import sqlite3  # type: ignore[attr-defined]
from pos.errors import Invalid, Unavailable
from pos.throttle import Execute
from sync.hq.log import RETRIED_STATES

T = TypeVar("T")

TRIES = 8
LONGEST_S = 45
"""No further try after so long: SQLite alone waits 30 seconds for whoever writes."""
CONNECT_S = 5
TRUSTED_S = 0.5
"""A connection used so lately is lent without asking whether its server still answers: asking is a round trip each time."""
CHANGED_AT_ONCE = 500
"""Rows a sweep deletes or changes in one transaction, so that it never holds SQLite's writer for long."""
DISK_FULL = "53100"
LOCK_TIMEOUT = "55P03"
SQLITE_FILE = "marketplace.db"
READS_ONLY = "comptoir_reads_only"
USED = "comptoir_used"
"""The mark on a connection of the pool: when it was given back, by the monotonic clock."""
PRAGMAS = (
    "journal_mode=wal",
    "synchronous=full",
    "foreign_keys=on",
    "trusted_schema=off",
    "cell_size_check=on",
    "mmap_size=0",
    "journal_size_limit=67108864",
)
"""As `pos.db.connect` sets them: reference/scale.md §2.4."""


def database_url(directory: Path) -> str:
    """Return the URL of the default database, a file in `directory`, whatever characters that is named with."""
    return URL.create("sqlite+pysqlite", database=str(directory.absolute() / SQLITE_FILE)).render_as_string()


def open_engine(url: str) -> Engine:
    """Open the database at `url`, SQLite or PostgreSQL; `marketplace.upgrades` makes its tables. Raises: Invalid.

    What its errors say goes to the log, so they leave out the values of a statement: names, addresses, secrets of orders.
    """
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise Invalid("not the URL of a database: postgresql://USER:PASSWORD@HOST/NAME") from None
    if address.drivername in ("postgresql", "postgresql+psycopg"):
        address = address.set(drivername="postgresql+psycopg")
        options = {"isolation_level": "REPEATABLE READ", "connect_args": {"connect_timeout": CONNECT_S}}
        engine = create_engine(address, hide_parameters=True, pool_size=8, max_overflow=8, **options)
        event.listen(engine, "checkin", _note_use)
        event.listen(engine, "checkout", partial(_ask_idle, engine))
        return engine
    if address.get_backend_name() != "sqlite":
        raise Invalid(f"{address.drivername} is no database we know: SQLite and PostgreSQL")
    connecting = {"check_same_thread": False, "timeout": 30}
    engine = create_engine(address, module=sqlite3, connect_args=connecting, pool_size=8, hide_parameters=True)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def run_tx(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction and return its answer; run it again when the database asks for that.

    Raises: Unavailable when it still cannot be done after several tries, or the disk is full; nothing of it is kept then.
    """
    began = time.monotonic()
    for attempt in range(TRIES):
        try:
            with engine.begin() as connection:
                return work(connection)
        except DBAPIError as problem:
            if _is_full(problem):
                raise Unavailable("the disk of the database is full") from problem
            if not _may_retry(problem):
                raise
            if time.monotonic() - began > LONGEST_S:
                break
            time.sleep(random.uniform(0, 0.02 * 2**attempt))  # noqa: S311 - full jitter between writers, not a secret
    raise Unavailable("the database is busy")


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Lend a connection that sees one state of the database and takes no writer's lock."""
    with engine.connect() as connection:
        connection.execution_options(**{READS_ONLY: True})
        yield connection


@lru_cache(maxsize=1024)
def statement(sql: str) -> TextClause:
    """Return SQL as SQLAlchemy runs it, made once: reading its text costs as much as running it."""
    return text(sql)


def rows(connection: Connection, sql: str, **values: Any) -> list[dict[str, Any]]:
    """Return the rows of a query as dictionaries."""
    found = connection.execute(statement(sql), values)
    names = tuple(found.keys())
    return [dict(zip(names, row, strict=True)) for row in found]


def row(connection: Connection, sql: str, **values: Any) -> dict[str, Any] | None:
    """Return the first row of a query, or None."""
    found = connection.execute(statement(sql), values)
    names, first = tuple(found.keys()), found.first()
    return dict(zip(names, first, strict=True)) if first is not None else None


def changed(connection: Connection, sql: str, **values: Any) -> int:
    """Run one writing statement and return how many rows it changed."""
    return connection.execute(statement(sql), values).rowcount


def change_in_chunks(engine: Engine, change: Callable[[Connection], int]) -> int:
    """Run a `change` of at most `CHANGED_AT_ONCE` rows in transactions of its own until none is left; return how many rows."""
    total = 0
    while found := run_tx(engine, change):
        total += found
    return total


def upsert(table: Table, *, skip: tuple[str, ...] = ()) -> TextClause:
    """Return the statement that inserts a row or updates it, leaving the columns of `skip` as they are."""
    names = [column.name for column in table.columns]
    keys = [column.name for column in table.primary_key.columns]
    updates = ", ".join(f"{name} = excluded.{name}" for name in names if name not in keys and name not in skip)
    values = ", ".join(f":{name}" for name in names)
    return text(
        f"insert into {table.name} ({', '.join(names)}) values ({values}) on conflict ({', '.join(keys)}) do update set {updates}"
    )


def execute_on(connection: Connection) -> Execute:
    """Return how `pos.throttle` runs its statements here."""
    return lambda sql, values: connection.execute(statement(sql), values)


def new_id() -> str:
    """Return a UUIDv7 as text: unique, and sorted by time to the second (RFC 9562 §5.7)."""
    milliseconds = int(clock.now().timestamp() * 1000)
    value = milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return str(UUID(int=value))


def _set_up_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None
    for pragma in PRAGMAS:
        connection.execute(f"pragma {pragma}").fetchall()


def _begin_sqlite(connection: Connection) -> None:
    # A deferred transaction that turns to writing can be refused at once, whatever the timeout: writers lock first.
    is_read = connection.get_execution_options().get(READS_ONLY)
    connection.connection.cursor().execute("begin" if is_read else "begin immediate")


def _note_use(_connection: object, entry: ConnectionPoolEntry) -> None:
    entry.info[USED] = time.monotonic()


def _ask_idle(engine: Engine, connection: Any, entry: ConnectionPoolEntry, _proxy: object) -> None:
    """Have the pool open a connection anew that lay idle and whose server is gone, as `pool_pre_ping` does for every loan."""
    if time.monotonic() - entry.info.get(USED, math.inf) <= TRUSTED_S:
        return
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as problem:
        raise InvalidatePoolError("the server closed an idle connection") from problem


def _may_retry(problem: DBAPIError) -> bool:
    state = getattr(problem.orig, "sqlstate", None)
    is_asked_for = state in RETRIED_STATES or state == LOCK_TIMEOUT or "database is locked" in str(problem.orig)
    return problem.connection_invalidated or is_asked_for


def _is_full(problem: DBAPIError) -> bool:
    return getattr(problem.orig, "sqlstate", None) == DISK_FULL or "disk is full" in str(problem.orig)
