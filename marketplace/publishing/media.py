"""The media of the catalogue: kept as blobs under their SHA-256, published only while the blob is there.

Invariant: a row whose blob is missing is not published, and importing its file again publishes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection
from sqlite_utils import Database

from marketplace.db import rows
from pos.catalog import TABLES
from sync.blobs import BlobFolder

BLOBS = "b"
SHA256_AT = next(table for table in TABLES if table.name == "media").columns.index("sha256")

LOG = logging.getLogger(__name__)
CurrentRows = Callable[[Connection, str, Iterable[Any] | None], Iterator[tuple[Any, ...]]]


def has_blob(static: Path, sha256: str) -> bool:
    """Tell whether the blob of a medium is in `static`, the folder served as `/sync/v1/`."""
    return (static / BLOBS / sha256).exists()


def store_blob(static: Path, content: bytes) -> None:
    """Store a medium durably."""
    BlobFolder(static / BLOBS).store(content)


def present_only(current_rows: CurrentRows, static: Path) -> CurrentRows:
    """Return a reader of current rows that leaves out media whose blob is not below `static`."""

    def read(connection: Connection, table: str, keys: Iterable[Any] | None) -> Iterator[tuple[Any, ...]]:
        for row in current_rows(connection, table, keys):
            if table == "media" and not has_blob(static, row[SHA256_AT]):
                LOG.warning("medium %s is not published: its blob %s is missing, import the feed again", row[0], row[SHA256_AT])
                continue
            yield row

    return read


def media_blobs(connection: Connection | Database) -> set[str]:
    """Return the SHA-256 of every blob that the `media` table of the marketplace, or of a replica, names."""
    if isinstance(connection, Database):
        return {sha256 for (sha256,) in connection.execute("select distinct sha256 from media")}
    return {each["sha256"] for each in rows(connection, "select distinct sha256 from media")}
