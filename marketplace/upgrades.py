"""How a database comes to this program's version of the tables: by the migrations, in one transaction, or not at all.

Alembic keeps the order of the migrations and runs their operations on SQLite and PostgreSQL alike. A second upgrade of the same
database waits for the first: for its lock on PostgreSQL, as a writer on SQLite. The caller sees to it that nobody serves.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Set
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.engine.interfaces import ReflectedColumn, ReflectedIndex
from sqlalchemy.engine.reflection import ObjectScope

from marketplace import schema
from marketplace.db import open_engine, run_tx
from marketplace.tables import metadata
from pos.db import copy_database
from pos.errors import Conflict, Unavailable

UNMARKED = ("0002", "0001")
"""Versions whose databases keep none: they were made before there were versions."""
LOCK = 0x436F6D70
WAIT_S = 30
"""As long as SQLite waits for whoever writes."""
ROOM_BYTES = 64 * 2**20

Say = Callable[[str], None]


def upgrade(engine: Engine, *, say: Say) -> str:
    """Bring a database, an empty one too, to the newest version and return that; `say` hears of each step before it is taken.

    A database that keeps no version must be one of `UNMARKED` in every detail. A SQLite file is copied first.
    Raises: Conflict for a newer or a strange database, Unavailable when it is busy or the disk has no room; it is then as it was.
    """
    file = Path(engine.url.database) if engine.dialect.name == "sqlite" and engine.url.database else None
    if file is not None and not file.exists():
        file.touch(mode=0o600)

    def work(connection: Connection) -> str:
        _wait_for_others(connection)
        steps = ScriptDirectory(str(schema.MIGRATIONS))
        newest = schema.versions()[-1]
        kept = schema.version_of(connection)
        before = kept or _recognized(connection, steps)
        schema.refuse_newer(before)
        if file is not None and before is not None and kept != newest:
            say(f"the database as it was: {_copy(file, before)}")
        if kept is None and before is not None:
            _context(connection).stamp(steps, before)
        _run(connection, steps, before, newest, say=say)
        return newest

    # Who waited for the lock then reads what the other one committed.
    is_postgres = engine.dialect.name == "postgresql"
    return run_tx(engine.execution_options(isolation_level="READ COMMITTED") if is_postgres else engine, work)


def facts_of(connection: Connection, *, scratch: str | None = None) -> dict[str, Set[str]]:
    """Return what holds of each table but Alembic's own: a line of text for each column, key, index and constraint.

    `scratch` names a schema of PostgreSQL to look in.
    """
    look, every = inspect(connection), ObjectScope.ANY
    facts: dict[str, set[str]] = {}
    for (_, table), columns in look.get_multi_columns(scratch, scope=every).items():
        facts[table] = {_column(each) for each in columns}
    for (_, table), key in look.get_multi_pk_constraint(scratch, scope=every).items():
        facts[table].add(f"primary key {key['constrained_columns']}")
    for (_, table), indexes in look.get_multi_indexes(scratch, scope=every).items():
        facts[table] |= {_index(each) for each in indexes}
    for (_, table), uniques in look.get_multi_unique_constraints(scratch, scope=every).items():
        facts[table] |= {f"unique {each['name']} {each['column_names']}" for each in uniques}
    for (_, table), keys in look.get_multi_foreign_keys(scratch, scope=every).items():
        facts[table] |= {
            f"foreign key {each['constrained_columns']} to {each['referred_table']} {each['referred_columns']}" for each in keys
        }
    for (_, table), checks in look.get_multi_check_constraints(scratch, scope=every).items():
        facts[table] |= {f"check {each['name']}: {each['sqltext']}" for each in checks}
    if connection.dialect.name == "sqlite":
        for (table,) in connection.execute(text("select name from pragma_table_list where strict and schema = 'main'")):
            facts[table].add("strict")
    return {table: lines for table, lines in facts.items() if table != schema.VERSION_TABLE}


def _column(column: ReflectedColumn) -> str:
    null = "" if column["nullable"] else " not null"
    default = "" if column["default"] is None else f" default {column['default']}"
    return f"{column['name']} {column['type']}{null}{default}"


def _index(index: ReflectedIndex) -> str:
    options = index.get("dialect_options", {})
    where = options.get("sqlite_where", options.get("postgresql_where"))
    rows = "" if where is None else f" where {where}"
    return f"{'unique ' if index['unique'] else ''}index {index['name']} {index['column_names']}{rows}"


def _wait_for_others(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"set local lock_timeout = '{WAIT_S}s'"))
        connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def _recognized(connection: Connection, steps: ScriptDirectory) -> str | None:
    """Return the version of a database that keeps none; None when it is empty."""
    if not inspect(connection).has_table("setting"):
        return None
    facts = facts_of(connection)
    for version in UNMARKED:
        meant = _facts_at(connection, steps, version)
        if all(facts.get(table) == meant[table] for table in meant):
            return version
    meant = _facts_at(connection, steps, UNMARKED[0])
    [first, *more] = sorted(f"{table}: {fact}" for table in meant for fact in meant[table] ^ facts.get(table, set()))
    raise Conflict(
        f"the database is of no version that this program knows; from {UNMARKED[0]} it differs in {first}"
        + (f" and {len(more)} more" if more else "")
    )


def _facts_at(connection: Connection, steps: ScriptDirectory, version: str) -> dict[str, Set[str]]:
    """Return the facts of a version, built aside on the same kind of database: in memory, or as temporary tables."""
    if connection.dialect.name == "sqlite":
        engine = open_engine("sqlite+pysqlite://")
        try:
            with engine.begin() as aside:
                _run(aside, steps, None, version, say=_silent)
                return facts_of(aside)
        finally:
            engine.dispose()
    with connection.begin_nested() as aside:
        connection.execute(text("set local search_path to pg_temp"))
        _run(connection, steps, None, version, say=_silent)
        scratch = connection.execute(text("select nspname from pg_namespace where oid = pg_my_temp_schema()")).scalar_one()
        facts = facts_of(connection, scratch=scratch)
        aside.rollback()
    return facts


def _run(connection: Connection, steps: ScriptDirectory, before: str | None, after: str, *, say: Say) -> None:
    context = _context(connection)
    with Operations.context(context):
        for step in reversed(list(steps.iterate_revisions(after, before or "base"))):
            say(f"{step.revision}: {step.doc}")
            step.module.upgrade()
            context.stamp(steps, step.revision)


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"target_metadata": metadata})


def _copy(file: Path, version: str) -> Path:
    """Copy a SQLite database beside itself, as it was before this transaction. Raises: Unavailable.

    The disk must have room for the copy and for a change of every row.
    """
    needed, free = 2 * file.stat().st_size + ROOM_BYTES, shutil.disk_usage(file.parent).free
    if free < needed:
        raise Unavailable(f"{free >> 20} MiB are free in {file.parent}, an upgrade needs {needed >> 20} MiB: nothing was changed")
    return copy_database(file, file.with_name(f"{file.stem}-{version}{file.suffix}"))


def _silent(_step: str) -> None:
    """Say nothing."""
