"""Published rows that no page could show: kept as HQ published them, left out of everything that pages read, and told of.

Pages read `shown_<table>`: the table without what `left_out` names. A row is judged in the transaction that brings it in, by
`pos.rows` or, where it is all numbers and there are many, by a condition; the change that mends it brings it back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from pos import clock
from pos.currencies import MOST_CENTS

KEYS = {
    "law": "law_id",
    "partner": "partner_id",
    "grade": "grade_id",
    "category": "category_id",
    "seller": "seller_id",
    "sku": "sku_id",
    "media": "media_id",
    "plan": "plan_id",
    "option": "option_id",
    "listing": "listing_id",
    "price_start": "price_start_id",
}
"""The key of each table whose rows are judged; a quantity in stock is whole and not below zero by the table's own rule."""

IN_ORDER = {
    "listing": f"""
      price_cents between 1 and {MOST_CENTS} and shipping_cents between 0 and {MOST_CENTS}
      and coalesce(prior_cents, 1) between 1 and {MOST_CENTS} and delivery_days between 0 and 366
      and warranty_months between 0 and 1200 and coalesce(battery_pct, 1) between 0 and 100
    """,
    "price_start": f"""
      price_cents between 1 and {MOST_CENTS} and coalesce(prior_cents, 1) between 1 and {MOST_CENTS}
      and starts_at is strftime('%Y-%m-%dT%H:%M:%SZ', starts_at)
    """,
}
"""What holds of a row all of whose values are numbers or a time."""

SCHEMA = (
    "".join(f"drop view if exists shown_{name};\n" for name in KEYS)
    + """drop table if exists left_out;
create table left_out (name text not null, key any not null, reason text not null, since text not null,
  primary key (name, key)) strict, without rowid;
"""
    + "".join(
        f"create view shown_{name} as select * from {name} where {key} not in (select key from left_out where name = '{name}');\n"
        for name, key in KEYS.items()
    )
)
"""What is left out, and what pages read instead of the tables; made anew over what an earlier edition had."""

FAULT = "rows_left_out"
MOST_EXAMPLES = 5
LONGEST_REASON = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """How many rows are left out, since when, and some of them as `table key: reason`."""

    rows: int
    since: str | None
    examples: tuple[str, ...]

    @property
    def fault(self) -> dict[str, str]:
        """The fault this is, by code, and since when; nothing where every row can be shown."""
        return {FAULT: self.since} if self.since is not None else {}


def judge(database: Database, touched: Mapping[str, set[Any]] | None, *, now: datetime) -> set[str]:
    """Judge the rows of the keys `touched`, None for every row, and return the tables of which other rows are left out now.

    Runs inside the transaction that changed the rows.
    """
    changed = set()
    for name, key in KEYS.items():
        keys = None if touched is None else touched.get(name, set())
        if keys is not None and not keys:
            continue
        some = "" if keys is None else f"where {key} in (select value from json_each(:keys))"
        given = {} if keys is None else {"keys": json.dumps(sorted(keys))}
        wrong = dict(
            _wrong_numbers(database, name, key, some, given) if name in IN_ORDER else _wrong(database, name, some, given)
        )
        known = f"select key, reason from left_out where name = '{name}'"
        known += "" if keys is None else " and key in (select value from json_each(:keys))"
        before = dict(database.execute(known, given).fetchall())
        mended = [(name, each) for each in before if each not in wrong]
        fresh = [(name, each, reason, clock.to_text(now)) for each, reason in wrong.items() if before.get(each) != reason]
        database.conn.executemany("delete from left_out where name = ? and key = ?", mended)
        database.conn.executemany("insert or replace into left_out (name, key, reason, since) values (?, ?, ?, ?)", fresh)
        if mended or before.keys() != wrong.keys():
            changed.add(name)
    return changed


def left_out(database: Database) -> LeftOut:
    """Return what is left out of this catalogue."""
    rows, since = database.execute("select count(*), min(since) from left_out").fetchone()
    oldest = database.execute("select name, key, reason from left_out order by since, name, key limit ?", [MOST_EXAMPLES])
    return LeftOut(rows=rows, since=since, examples=tuple(f"{name} {key}: {reason}" for name, key, reason in oldest))


def _wrong(database: Database, name: str, some: str, given: dict[str, str]) -> Iterator[tuple[Any, str]]:
    from pos.rows import wrong_in_row  # noqa: PLC0415 - pydantic costs 0.1 s and 19 MB that a kiosk does not need to start

    rows = database.execute(f"select * from {name} {some}", given)
    columns = [column[0] for column in rows.description]
    for row in rows:
        if reason := wrong_in_row(name, columns, row):
            yield row[0], reason[:LONGEST_REASON]


def _wrong_numbers(database: Database, name: str, key: str, some: str, given: dict[str, str]) -> Iterator[tuple[Any, str]]:
    where = f"{some} and" if some else "where"
    yield from database.execute(
        f"select {key}, 'a number or time out of range' from {name} {where} not ({IN_ORDER[name]})", given
    )
