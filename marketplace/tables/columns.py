"""How a table of the central database is declared, in `marketplace.tables` and in the migrations that lead there.

Invariant: the owner key leads every primary, unique and foreign key; only `reference` tables, small ones that HQ alone writes and
every shard holds whole, are exempt. No sequences, no triggers, money BIGINT.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

OWNER_KEYS = ("corner_id", "seller_id", "customer_id", "selection_id", "owner_id")
"""`owner_id` is text: whose fact a row is that customers, sellers and HQ have alike."""

NAMING = {
    "ck": "%(constraint_name)s",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
}
"""Names by which a migration finds a constraint on either database: PostgreSQL's own; a check must be given one."""

metadata = MetaData(naming_convention=NAMING)
Whole = BigInteger().with_variant(Integer, "sqlite")  # STRICT tables know INTEGER, not BIGINT; both hold 64 bits.

Part = (
    Column[object] | Column[str] | Column[int] | Column[bytes] | CheckConstraint | ForeignKeyConstraint | UniqueConstraint | Index
)


def owned(name: str, *parts: Part) -> Table:
    """Declare a table whose keys an owner leads."""
    return Table(name, metadata, *parts, sqlite_strict=True)


def reference(name: str, *parts: Part) -> Table:
    """Declare a small table that HQ alone writes."""
    return Table(name, metadata, *parts, sqlite_strict=True, info={"is_reference": True})


def key(name: str, kind: type[Text] | BigInteger | Integer = Text) -> Column[object]:
    """Declare a column of the primary key."""
    return Column(name, kind, primary_key=True, nullable=False, autoincrement=False)


def text(name: str) -> Column[str]:
    """Declare a column of text."""
    return Column(name, Text, nullable=False)


def maybe_text(name: str) -> Column[str]:
    """Declare a column of text or null."""
    return Column(name, Text, nullable=True)


def whole(name: str) -> Column[int]:
    """Declare a column of whole numbers of 64 bits."""
    return Column(name, Whole, nullable=False)


def maybe_whole(name: str) -> Column[int]:
    """Declare a column of whole numbers of 64 bits, or null."""
    return Column(name, Whole, nullable=True)


def since(name: str, value: int) -> Column[int]:
    """Declare a column of whole numbers that came later: rows from before have `value`."""
    return Column(name, Whole, nullable=False, server_default=str(value))
