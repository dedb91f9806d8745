"""From HQ's rows to what the fleet holds: the rows of each published table, and a publication with its history of terms.

Invariant: no publication is made while the terms of an earlier one are missing from the history; whoever publishes calls
`make_up_terms` before and `keep_terms` after.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, Engine, bindparam, text

from marketplace.db import reading, row, rows
from marketplace.installation import keys_path, replica_path, replica_paths, sync_path
from marketplace.publishing.media import media_blobs, present_only
from marketplace.publishing.prices import start_due_prices
from marketplace.publishing.releases import release_blobs
from marketplace.publishing.terms import record_terms
from pos import clock
from pos.catalog import TABLES
from pos.db import connect
from pos.errors import NotFound
from sync.hq.business import CurrentRows
from sync.hq.garbage import sweep_blobs
from sync.hq.log import Mark, last_number
from sync.hq.publisher import Place, Published, publish
from sync.hq.repository import sweep
from sync.hq.trials import try_out
from sync.roots import Row, Value

BATCH = 5000
COLUMNS = {table.name: table.columns for table in TABLES}
SCOPED = frozenset({"law", "partner", "plan", "option", "price_start"})
"""Tables whose rows belong to one market; the others are the same everywhere."""

MOST_FORGOTTEN = 10_000
"""How many publications a restored HQ may have forgotten; a kiosk that reports more than that is not believed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestPublication:
    """A market's newest publication, of whichever track, None before the first.

    `waiting` marks are for the next one that a person makes, `held` among them were kept from going by themselves.
    """

    market: str
    publication: int | None
    published_at: str | None
    waiting: int
    held: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PastPublication:
    """A publication of HQ's own track (`track` is empty) or of a trial's."""

    publication: int
    track: str
    published_at: str


def markets(engine: Engine) -> list[str]:
    """Return the markets of the imported feed, in order of their names."""
    with reading(engine) as connection:
        return [each["market"] for each in rows(connection, "select market from market order by market")]


def place_of(engine: Engine, directory: Path, market: str) -> Place:
    """Return where a market is published. Raises: NotFound."""
    return Place(
        engine=engine,
        market=market,
        replica=replica_path(directory, market),
        static=sync_path(directory),
        keys=keys_path(directory),
        current_rows=present_only(current_rows(market), sync_path(directory)),
        facts=_facts(engine, market),
    )


def newest(connection: Connection) -> list[NewestPublication]:
    """Return each market with its newest publication and how many changes wait for the next."""
    markets = rows(
        connection,
        """
        select market.market,
          (select max(publication) from sync_publication where sync_publication.market = market.market) as publication,
          (select max(published_at) from sync_publication where sync_publication.market = market.market) as published_at,
          (select count(*) from sync_dirty where sync_dirty.market = market.market and origin <> 'supply') as waiting,
          (select count(*) from sync_dirty where sync_dirty.market = market.market and origin = 'held') as held
        from market order by market.market
        """,
    )
    return [NewestPublication(**market) for market in markets]


def history(connection: Connection, market: str) -> list[PastPublication]:
    """Return a market's newest publications, of its own track and of trials."""
    publications = rows(
        connection,
        """
        select publication, line as track, published_at from sync_publication
        where market = :market order by publication desc limit 12
        """,
        market=market,
    )
    return [PastPublication(**publication) for publication in publications]


def publish_market(
    engine: Engine,
    directory: Path,
    market: str,
    *,
    shares: Mapping[str, int] | None = None,
    only: Collection[Mark] | None = None,
) -> Published | None:
    """Publish what changed in one market to everybody, or to the `shares` of each ring as a trial; None when nothing did.

    Announced prices that have started are included, but where it is to be `only` what these marks stand for.
    Raises: Busy when another process is publishing.
    """
    start_due_prices(engine, now=clock.now())
    place = place_of(engine, directory, market)
    at_least = _highest_seen(engine, market)
    make_up_terms(place)
    if shares is None:
        published = publish(place, now=clock.now(), at_least=at_least, only=only)
    else:
        published = try_out(place, shares=shares, now=clock.now(), at_least=at_least, only=only)
    keep_terms(place, published)
    return published


def publish_all(engine: Engine, directory: Path, *, shares: Mapping[str, int] | None = None) -> dict[str, Published | None]:
    """Publish every market in turn."""
    return {market: publish_market(engine, directory, market, shares=shares) for market in markets(engine)}


def make_up_terms(place: Place) -> None:
    """Record the terms that a crash after the last publication left out: they are told from HQ's replica. Idempotent."""
    if place.replica.exists():
        record_terms(place.engine, place.replica, place.market, touched=None)


def keep_terms(place: Place, published: Published | None) -> None:
    """Record the terms of what was just published, on HQ's track and on a trial's."""
    if published is None:
        return
    record_terms(place.engine, place.replica, place.market, touched=published.changed)
    if published.trial is not None:
        record_terms(place.engine, place.trial_replica, place.market, touched=published.trial_changed)


def sweep_files(engine: Engine, directory: Path) -> tuple[int, int]:
    """Delete files of the protocol that nobody can ask for any more; return how many files and bytes. Idempotent."""
    static, now = sync_path(directory), clock.now()
    with reading(engine) as connection:
        media = media_blobs(connection) | release_blobs(connection, directory)
    for replica in replica_paths(directory):
        database = connect(replica, durable=False)
        try:
            media |= media_blobs(database)
        finally:
            database.close()
    files, size = sweep_blobs(static, keep=media, now=now)
    return files + sweep(static, now=now), size


def current_rows(market: str) -> CurrentRows:
    """Return the reader of a market's current rows: all of a table's, or those of the keys given that exist now."""

    def read(connection: Connection, table: str, keys: list[Value] | None) -> Iterator[Row]:
        query = _query(table)
        if keys is None:
            streamed = text(f"{query} order by {COLUMNS[table][0]}").execution_options(yield_per=BATCH)
            yield from map(tuple, connection.execute(streamed, {"market": market}))
            return
        iterator = iter(keys)
        narrowed = text(f"{query} and {COLUMNS[table][0]} in :keys").bindparams(bindparam("keys", expanding=True))
        while batch := list(islice(iterator, BATCH)):
            yield from map(tuple, connection.execute(narrowed, {"market": market, "keys": batch}))

    return read


def _highest_seen(engine: Engine, market: str) -> int:
    """Return the highest publication that any kiosk of the market reports: a restored HQ counts on above it."""
    with reading(engine) as connection:
        [highest] = rows(
            connection,
            "select coalesce(max(publication), 0) as seen from standing where market = :market and publication <= :most",
            market=market,
            most=last_number(connection, market) + MOST_FORGOTTEN,
        )
    return int(highest["seen"])


def _facts(engine: Engine, market: str) -> dict[str, str]:
    with reading(engine) as connection:
        imported = row(connection, "select body from market where market = :market", market=market)
    if imported is None:
        raise NotFound(f"no market {market}")
    return {"currency": json.loads(imported["body"])["currency"]}


def _query(table: str) -> str:
    """Return the query of a published table; a listing that is not online is published nowhere."""
    if table == "stock":
        available = "case when quantity > reserved then quantity - reserved else 0 end"
        return f"select listing_id, {available} as quantity from listing where market = :market and state = 'online'"
    scope = "market = :market" if table in SCOPED or table == "listing" else "cast(:market as text) is not null"
    online = " and state = 'online'" if table == "listing" else ""
    return f"select {', '.join(COLUMNS[table])} from {table} where {scope}{online}"
