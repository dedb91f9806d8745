"""Prices that start later, at HQ: which is in force, and the moment when HQ's own rows take them over.

Invariant: HQ and a kiosk that holds the same publication name the same price at the same moment, to the cent.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, text

from marketplace.db import row, rows, run_tx
from marketplace.publishing.marks import Marks
from marketplace.publishing.terms import TRACKS
from pos import clock
from sync.hq.log import SUPPLY


def start_due_prices(engine: Engine, *, now: datetime) -> int:
    """Give every listing whose announced price has started that price, and return how many; idempotent.

    The next publication then carries plain rows, and a kiosk that went by its own clock sees nothing change.
    """
    at = clock.to_text(now)
    return run_tx(engine, lambda connection: _start_due(connection, at))


def price_in_force(connection: Connection, terms: dict[str, Any], *, market: str, publication: int, at: str) -> dict[str, Any]:
    """Return a listing's `terms` as of a publication with the price that a kiosk holding it names at `at` (UTC text)."""
    started = row(
        connection,
        f"""
        select told.price_cents, told.prior_cents
        from price_start_terms told
        where told.listing_id = :listing_id and told.market = :market and told.publication <= :publication
          and told.starts_at <= :at and told.withdrawn = 0 and told.line in {TRACKS}
          and not exists (
            select 1 from price_start_terms later
            where later.seller_id = told.seller_id and later.market = told.market and later.line in {TRACKS}
              and later.price_start_id = told.price_start_id and later.publication > told.publication
              and later.publication <= :publication
          )
        order by told.starts_at desc
        limit 1
        """,
        listing_id=terms["listing_id"],
        market=market,
        publication=publication,
        at=at,
    )
    return {**terms, **(started or {})}


def _start_due(connection: Connection, at: str) -> int:
    due = rows(
        connection,
        """
        select seller_id, price_start_id, market, listing_id, price_cents, prior_cents
        from price_start
        where starts_at <= :at
        order by starts_at
        """,
        at=at,
    )
    if not due:
        return 0
    newest = {start["listing_id"]: start for start in due}
    take = "update listing set price_cents = :price_cents, prior_cents = :prior_cents"
    connection.execute(text(f"{take} where seller_id = :seller_id and listing_id = :listing_id"), list(newest.values()))
    connection.execute(text("delete from price_start where seller_id = :seller_id and price_start_id = :price_start_id"), due)
    marks = Marks(SUPPLY)
    for start in due:
        marks.add(start["market"], "price_start", start["price_start_id"])
    for start in newest.values():
        marks.add(start["market"], "listing", start["listing_id"])
    marks.write(connection)
    return len(newest)
