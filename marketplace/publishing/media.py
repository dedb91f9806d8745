"""The media of the catalogue: kept as blobs under their SHA-256, published only while the blob is there.

Invariant: a row whose blob is missing is not published, and importing its file again publishes it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy import Connection
from sqlite_utils import Database

from marketplace.db import rows
from pos.catalog import TABLES
from sync.blobs import BlobFolder
from sync.hq.business import CurrentRows
from sync.roots import Row, Value

BLOBS = "b"
[MEDIA_COLUMNS] = (table.columns for table in TABLES if table.name == "media")

LOG = logging.getLogger(__name__)


def has_blob(static: Path, sha256: str) -> bool:
    """Tell whether the blob of a medium is in `static`, the folder served as `/sync/v1/`."""
    return (static / BLOBS / sha256).exists()


def store_blob(static: Path, content: bytes) -> None:
    """Store a medium durably."""
    BlobFolder(static / BLOBS).store(content)


def present_only(current_rows: CurrentRows, static: Path) -> CurrentRows:
    """Return a reader of current rows that leaves out media whose blob is not below `static`."""

    def read(connection: Connection, table: str, keys: list[Value] | None) -> Iterable[Row]:
        rows = current_rows(connection, table, keys)
        return rows if table != "media" else _with_blob(rows, static)

    return read


def _with_blob(media: Iterable[Row], static: Path) -> Iterator[Row]:
    for row in media:
        medium = dict(zip(MEDIA_COLUMNS, row, strict=True))
        if has_blob(static, str(medium["sha256"])):
            yield row
        else:
            LOG.warning("medium %(media_id)s is not published: its blob %(sha256)s is missing, import the feed again", medium)


def media_blobs(connection: Connection | Database) -> set[str]:
    """Return the SHA-256 of every blob that the `media` table of the marketplace, or of a replica, names."""
    if isinstance(connection, Database):
        return {sha256 for (sha256,) in connection.execute("select distinct sha256 from media")}
    return {each["sha256"] for each in rows(connection, "select distinct sha256 from media")}
