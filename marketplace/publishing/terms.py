"""What was published and since when: the prices and conditions a slip was made from, whatever happened since.

Invariant: for every publication of a market, the newest row at or before it, of HQ's track or of its own trial's, is what its
corners were given. The history is made from the published replica, so it can be made again after any crash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, bindparam, text
from sqlite_utils import Database

from marketplace import tables
from marketplace.db import row, rows, run_tx
from pos.db import connect

BATCH = 5000
HISTORIES = {
    "listing": tables.listing_terms,
    "price_start": tables.price_start_terms,
    "plan": tables.plan_terms,
    "option": tables.option_terms,
}
"""The published tables whose terms a slip rests on, and where their history stands."""
NEWEST = 2**31 - 1
"""Stands for the newest publication of a market."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stand:
    """The publication a replica stands at."""

    market: str
    track: str
    publication: int
    published_at: str

    def to_row(self) -> dict[str, Any]:
        """Return it as columns of the histories, where the track is `line`."""
        return {"market": self.market, "line": self.track, "publication": self.publication, "published_at": self.published_at}


NAMED = {"listing": ("sku", "seller", "grade")}
"""The tables whose rows say what somebody reads of a history's row; their bodies come with it, as they are today."""
TRACKS = "('', (select line from sync_publication where market = :market and publication = :publication))"
"""Whose rows a publication of a market is made of: everybody's, and its own trial's where it is one."""


def terms_at(connection: Connection, table: str, key: int, *, market: str, publication: int) -> dict[str, Any] | None:
    """Return the terms of a "listing", "plan" or "option" as of a market's publication, or None when not published by then.

    `withdrawn` tells that it had been taken back by then. A listing has the bodies of its `sku`, `seller` and `grade` (JSON).
    """
    history, named = HISTORIES[table].name, NAMED.get(table, ())
    bodies = "".join(f", {name}.body as {name}" for name in named)
    joins = "".join(f" left join {name} on {name}.{name}_id = {history}.{name}_id" for name in named)
    return row(
        connection,
        f"""
        select {history}.*{bodies} from {history}{joins}
        where {history}.market = :market and {history}.{table}_id = :key and {history}.publication <= :publication
          and {history}.line in {TRACKS}
        order by {history}.publication desc limit 1
        """,
        market=market,
        key=key,
        publication=publication,
    )


def terms_now(connection: Connection, table: str, key: int, *, market: str) -> dict[str, Any] | None:
    """Return the terms a market published last, or None when it never published any or took them back."""
    terms = terms_at(connection, table, key, market=market, publication=NEWEST)
    return terms if terms is not None and not terms["withdrawn"] else None


def record_terms(engine: Engine, replica: Path, market: str, touched: Mapping[str, Set[Any]] | None) -> None:
    """Add what `replica` holds differently from the history, at the replica's own publication.

    `touched` names the keys to look at by table; without it, or when an earlier publication was missed, everything is compared.
    Idempotent.
    """
    database = connect(replica, durable=False)
    try:
        stand = _stand(database, market)
        if stand.publication:
            run_tx(engine, lambda connection: _record(connection, database, stand, touched))
    finally:
        database.close()


def recorded_publication(connection: Connection, market: str, *, track: str = "") -> int:
    """Return the newest publication of a market's track whose terms are in the history, 0 before the first."""
    query = "select publication from terms_mark where market = :market and line = :track"
    mark = row(connection, query, market=market, track=track)
    return int(mark["publication"]) if mark else 0


def _record(connection: Connection, replica: Database, stand: _Stand, touched: Mapping[str, Set[Any]] | None) -> None:
    recorded = recorded_publication(connection, stand.market, track=stand.track)
    if recorded >= stand.publication:
        return
    if recorded < _previous(connection, stand):
        # The touched keys are those since the previous publication, whose own terms are missing: compare everything.
        touched = None
    for table in HISTORIES:
        keys = None if touched is None else touched.get(table, set())
        for batch in _batches(_keys(connection, replica, stand.market, table, keys)):
            _record_batch(connection, replica, stand, table, batch)
    connection.execute(
        text(
            """
            insert into terms_mark (market, line, publication, published_at) values (:market, :line, :publication, :published_at)
            on conflict (market, line) do update set publication = excluded.publication, published_at = excluded.published_at
            """
        ),
        stand.to_row(),
    )


def _previous(connection: Connection, stand: _Stand) -> int:
    """Return the publication of this track before this one, 0 before the first."""
    query = """
        select max(publication) as previous from sync_publication
        where market = :market and line = :track and publication < :publication
    """
    before = row(connection, query, market=stand.market, track=stand.track, publication=stand.publication)
    return int(before["previous"] or 0) if before else 0


def _keys(connection: Connection, replica: Database, market: str, table: str, keys: Set[Any] | None) -> Iterable[Any]:
    if keys is not None:
        return sorted(keys)
    published = {key for (key,) in replica.execute(f"select {table}_id from {table}")}
    query = f"select distinct {table}_id as key from {HISTORIES[table].name} where market = :market"
    known = rows(connection, query, market=market)
    return sorted(published | {terms["key"] for terms in known})


def _record_batch(connection: Connection, replica: Database, stand: _Stand, table: str, keys: list[Any]) -> None:
    history, columns = HISTORIES[table], _columns(HISTORIES[table])
    latest = _latest(connection, history, table, stand, keys)
    holders = ", ".join("?" for _ in keys)
    shared = [name for name in columns if name != "market"]
    held = replica.execute(f"select {', '.join(shared)} from {table} where {table}_id in ({holders})", keys)
    terms = (dict(zip(shared, values, strict=True)) for values in held)
    published = {each[f"{table}_id"]: each for each in terms}
    fresh = []
    for key in keys:
        before, after = latest.get(key), published.get(key)
        if after is not None:
            values = {**after, "market": stand.market, "withdrawn": 0}
        elif before is not None and not before["withdrawn"]:
            # What was taken back keeps its last terms: slips made from it before are still repriced by them.
            values = {**{name: before[name] for name in shared}, "market": stand.market, "withdrawn": 1}
        else:
            continue
        if before is None or any(before[name] != value for name, value in values.items()):
            fresh.append({**values, **stand.to_row()})
    if fresh:
        connection.execute(history.insert(), fresh)


def _latest(connection: Connection, history: Table, table: str, stand: _Stand, keys: list[Any]) -> dict[Any, dict[str, Any]]:
    query = text(
        f"""
        select * from {history.name}
        where market = :market and {table}_id in :keys and line in ('', :track) order by publication
        """
    ).bindparams(bindparam("keys", expanding=True))
    recorded = connection.execute(query, {"market": stand.market, "track": stand.track, "keys": keys}).mappings()
    return {terms[f"{table}_id"]: dict(terms) for terms in recorded}


def _columns(history: Table) -> list[str]:
    apart = ("publication", "line", "published_at", "withdrawn")
    return [column.name for column in history.columns if column.name not in apart]


def _stand(replica: Database, market: str) -> _Stand:
    facts = dict(replica.execute("select name, value from catalog_fact").fetchall())
    return _Stand(
        market=market,
        track=facts.get("line", ""),
        publication=int(facts.get("publication", 0)),
        published_at=facts.get("published_at", ""),
    )


def _batches(keys: Iterable[Any]) -> Iterator[list[Any]]:
    iterator = iter(keys)
    while batch := list(islice(iterator, BATCH)):
        yield batch
