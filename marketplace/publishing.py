"""From HQ's rows to what the fleet holds: the rows of each published table, and a publication with its history of terms.

Invariant: the history never lags behind a head that moved; what a crash left out is made good before the next publication.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, text

from marketplace.db import reading, rows
from marketplace.prices import start_due_prices
from marketplace.terms import record_terms
from pos import clock
from pos.catalog import TABLES
from sync.publisher import Published, publish

BATCH = 5000
COLUMNS = {table.name: table.columns for table in TABLES}
SCOPED = frozenset({"law", "partner", "plan", "option", "price_start"})
"""Tables whose rows belong to one market; the others are the same everywhere."""

Row = tuple[Any, ...]


def replica_path(directory: Path, market: str) -> Path:
    """Return where HQ keeps the published catalogue of a market, the same file a kiosk holds."""
    return directory / "replica" / f"{market}.db"


def sync_path(directory: Path) -> Path:
    """Return the folder of static files of the protocol: `head/` and `b/`."""
    return directory / "sync"


def markets(engine: Engine) -> list[str]:
    """Return the markets of the imported feed, in order of their names."""
    with reading(engine) as connection:
        return [each["market"] for each in rows(connection, "select market from market order by market")]


def publish_market(engine: Engine, directory: Path, market: str) -> Published | None:
    """Publish what changed in one market, announced prices that have started included; None when nothing did.

    Raises: Busy when another process is publishing.
    """
    start_due_prices(engine, now=clock.now())
    replica = replica_path(directory, market)
    if replica.exists():
        record_terms(engine, replica, market, touched=None)
    published = publish(
        engine,
        replica,
        sync_path(directory),
        market,
        current_rows=current_rows(market),
        facts=_facts(engine, market),
        now=clock.now(),
    )
    if published is not None:
        record_terms(engine, replica, market, touched=published.changed)
    return published


def publish_all(engine: Engine, directory: Path) -> dict[str, Published | None]:
    """Publish every market in turn."""
    return {market: publish_market(engine, directory, market) for market in markets(engine)}


def current_rows(market: str) -> Callable[[Connection, str, Iterable[Any] | None], Iterator[Row]]:
    """Return the reader of a market's current rows: all of a table's, or those of the keys given that exist now."""

    def read(connection: Connection, table: str, keys: Iterable[Any] | None) -> Iterator[Row]:
        query = _query(table)
        if keys is None:
            streamed = text(f"{query} order by {COLUMNS[table][0]}").execution_options(yield_per=BATCH)
            yield from (tuple(each) for each in connection.execute(streamed, {"market": market}))
            return
        iterator = iter(keys)
        narrowed = text(f"{query} and {COLUMNS[table][0]} in :keys").bindparams(bindparam("keys", expanding=True))
        while batch := list(islice(iterator, BATCH)):
            yield from (tuple(each) for each in connection.execute(narrowed, {"market": market, "keys": batch}))

    return read


def _facts(engine: Engine, market: str) -> dict[str, str]:
    with reading(engine) as connection:
        (found,) = rows(connection, "select body from market where market = :market", market=market)
    return {"currency": json.loads(found["body"])["currency"]}


def _query(table: str) -> str:
    """Return the query of a published table; a listing that is not online is published nowhere."""
    if table == "stock":
        available = "case when quantity > reserved then quantity - reserved else 0 end"
        return f"select listing_id, {available} as quantity from listing where market = :market and state = 'online'"
    scope = "market = :market" if table in SCOPED or table == "listing" else "cast(:market as text) is not null"
    online = " and state = 'online'" if table == "listing" else ""
    return f"select {', '.join(COLUMNS[table])} from {table} where {scope}{online}"
