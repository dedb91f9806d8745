from __future__ import annotations

import pytest
from sqlalchemy import ForeignKeyConstraint, PrimaryKeyConstraint, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateTable

from marketplace.tables import OWNER_KEYS, metadata
from sync.hq.log import sync_metadata

REFERENCE = {table.name for table in metadata.tables.values() if table.info.get("is_reference")}
OWNED = [table for table in metadata.tables.values() if table.name not in REFERENCE]


@pytest.mark.parametrize("table", OWNED, ids=lambda table: table.name)
def test_the_owner_key_leads_every_key(table: Table) -> None:
    keys = [
        each for each in table.constraints if isinstance(each, PrimaryKeyConstraint | UniqueConstraint | ForeignKeyConstraint)
    ]
    unique_indexes = [index for index in table.indexes if index.unique]
    assert keys
    for key in [*keys, *unique_indexes]:
        first = next(iter(key.columns)).name
        assert first in OWNER_KEYS, f"{table.name}: {first} leads {key}"


def test_reference_tables_are_few() -> None:
    assert len(REFERENCE) <= 15
    assert set(sync_metadata.tables) == {"sync_dirty", "sync_publication", "sync_trial", "sync_held"}


@pytest.mark.parametrize("table", metadata.tables.values(), ids=lambda table: table.name)
def test_money_is_64_bits_and_sqlite_is_strict(table: Table) -> None:
    in_postgres = str(CreateTable(table).compile(dialect=postgresql.dialect()))
    for column in table.columns:
        if column.name.endswith("_cents"):
            assert f"{column.name} BIGINT" in in_postgres
    assert "SERIAL" not in in_postgres
    assert str(CreateTable(table).compile(dialect=sqlite.dialect())).rstrip().endswith("STRICT")
