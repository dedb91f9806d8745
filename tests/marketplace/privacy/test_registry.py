"""Every text column of every table is declared: whose it is and what becomes of it, or that it tells of nobody."""

from __future__ import annotations

import pytest
from sqlalchemy import LargeBinary, Table, Text

from marketplace.privacy.registry import PERSONAL, PLAIN, ROWS
from marketplace.tables import metadata


@pytest.mark.parametrize("table", metadata.tables.values(), ids=lambda table: table.name)
def test_every_text_column_is_declared_once(table: Table) -> None:
    """A new column fails here until marketplace/privacy/registry.py says whose it is."""
    texts = sorted(column.name for column in table.columns if isinstance(column.type, Text | LargeBinary))
    assert sorted([*PERSONAL.get(table.name, {}), *PLAIN.get(table.name, "").split()]) == texts


def test_no_table_is_declared_that_is_not_there() -> None:
    assert {*PERSONAL, *PLAIN, *ROWS} == set(metadata.tables)


def test_what_is_kept_says_why_and_what_is_a_customer_s_can_be_found() -> None:
    for table, columns in PERSONAL.items():
        for name, column in columns.items():
            place = f"{table}.{name}"
            assert bool(column.why) == (column.way == "kept" or column.kept_years > 0), place
            assert bool(column.fields) == (column.way == "scrubbed"), place
            assert column.whose != "customer" or column.way == "kept" or table in ROWS, place
            assert column.whose == "customer" or column.way == "kept", place


def test_every_table_of_customers_says_how_an_order_s_rows_are_found() -> None:
    keyed = {table.name for table in metadata.tables.values() if {"customer_id", "order_id"} <= set(table.columns.keys())}
    assert keyed <= set(ROWS)
