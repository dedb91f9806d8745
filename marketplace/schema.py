"""Which version of the tables a database has, and whether this program may work on it: only ever its own.

A version is the number of a file in `migrations/versions`; the database keeps its own in Alembic's table. Alembic takes half a
second to load: it is loaded only where a database is made or upgraded (`marketplace.upgrades`).
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from pos.errors import Conflict, NotFound

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "alembic_version"


def versions() -> list[str]:
    """Return the versions this program knows, the oldest first."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def version_of(connection: Connection) -> str | None:
    """Return the version of a database; None where it keeps none: it is empty, or older than versions."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.execute(text(f"select version_num from {VERSION_TABLE}")).scalar_one_or_none()


def refuse_newer(version: str | None) -> None:
    """Raise Conflict for a version that this program does not know."""
    known = versions()
    if version is not None and version not in known:
        raise Conflict(f"the database is at version {version}, this program knows up to {known[-1]}: start the newer comptoir")


def refuse_empty(connection: Connection, directory: Path) -> None:
    """Raise NotFound for a database without any table of ours: it vanished, or another one answers in its place."""
    if version_of(connection) is None and not inspect(connection).has_table("setting"):
        raise NotFound(f"the database of {directory} is empty: put back or mount the one that belongs there")


def refuse_other(connection: Connection, directory: Path) -> None:
    """Raise Conflict when the database of `directory` is at another version than this program's, and say what to do.

    Raises: NotFound as `refuse_empty`.
    """
    refuse_empty(connection, directory)
    version = version_of(connection)
    refuse_newer(version)
    if version != (newest := versions()[-1]):
        raise Conflict(
            f"the database is at version {version or 'none'}, this program needs {newest}: "
            f"stop every server and run `comptoir marketplace upgrade --dir {directory}`"
        )
