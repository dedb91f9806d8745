"""What is published without a hand: the changes of sellers, orders and timers, within seconds, whatever HQ prepares meanwhile.

Invariant: HQ's own edits and a market's first publication wait for a person, and an open trial keeps what it tries; so do prices
that jump and offers that vanish in numbers no seller's day has, until somebody looked at them (the console names them).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, bindparam, text
from sqlite_utils import Database

from marketplace.db import reading, rows, run_tx
from marketplace.installation import replica_path
from marketplace.publishing.prices import start_due_prices
from marketplace.publishing.publications import BATCH, markets, publish_market
from marketplace.publishing.trials import JUDGED_PRICES, JUMPED_SHARE
from marketplace.publishing.withdrawals import LEAST, is_too_much
from pos import clock
from pos.db import Store
from sync.changes import JUMP
from sync.errors import Busy
from sync.hq.log import HELD, SUPPLY, Mark, hold_marks, waiting_marks
from sync.hq.publisher import Published

MANY = 500
"""Where more changes than these wait, what sold out goes ahead in a publication of its own: it is small and quickly made."""
SUPPLIED = ("listing", "stock")
CURRENT = """
    select listing_id, price_cents, case when quantity > reserved then quantity - reserved else 0 end as quantity,
      case when state = 'online' and quantity > 0 then 1 else 0 end as offered
    from listing where market = :market and listing_id in :ids
"""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBack:
    """How many prices and how many offers of a seller wait for somebody to look at them."""

    seller_id: int
    name: str
    prices: int
    offers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Standing:
    """A listing by its price, the units to be had, and whether its seller offers it; cents."""

    price_cents: int
    quantity: int
    is_offered: bool


def publish_supply(engine: Engine, directory: Path) -> list[Published]:
    """Publish in every market what goes by itself; what another publisher is at comes next time. Idempotent."""
    start_due_prices(engine, now=clock.now())
    published = []
    for market in markets(engine):
        with reading(engine) as connection:
            marks = waiting_marks(connection, market, origins=(SUPPLY,))
            held = [mark for mark in waiting_marks(connection, market, origins=(HELD,)) if mark[0] == "listing"]
        if (marks or held) and replica_path(directory, market).exists():
            try:
                published += _publish(engine, directory, market, marks, held)
            except Busy as problem:
                logger.info("supply of %s is published later: %s", market, problem)
    return published


def release(engine: Engine, directory: Path, market: str) -> Published | None:
    """Publish to everybody what was held back: somebody looked at it. Raises: Busy."""
    with reading(engine) as connection:
        marks = waiting_marks(connection, market, origins=(HELD,))
    return publish_market(engine, directory, market, only=marks) if marks else None


def held_back(connection: Connection, market: str) -> list[HeldBack]:
    """Return by seller what was kept from being published by itself."""
    held = rows(
        connection,
        """
        select seller.seller_id, seller.body,
          count(distinct case when mark.table_name = 'listing' then mark.row_key end) as prices,
          count(distinct case when mark.table_name = 'stock' then mark.row_key end) as offers
        from sync_dirty mark
        join listing on cast(listing.listing_id as text) = mark.row_key
        join seller on seller.seller_id = listing.seller_id
        where mark.market = :market and mark.origin = 'held' and mark.table_name in ('listing', 'stock')
        group by seller.seller_id, seller.body order by seller.seller_id
        """,
        market=market,
    )
    return [HeldBack(name=json.loads(seller.pop("body"))["name"], **seller) for seller in held]


def _publish(engine: Engine, directory: Path, market: str, marks: Collection[Mark], held: Collection[Mark]) -> list[Published]:
    """Publish what is no mistake of `marks`, and the listings `held` whose price and offer are near the published ones again."""
    ids = {int(key) for table, key, _ in (*marks, *held) if table in SUPPLIED}
    before = _published(replica_path(directory, market), ids)
    with reading(engine) as connection:
        after = _current(connection, market, ids)
    still = _jumped(before, after) | _gone(before, after)
    mistakes = _mistakes(marks, before, after, replica_path(directory, market))
    if mistakes:
        run_tx(engine, lambda connection: hold_marks(connection, market, mistakes))
        logger.warning("%d changes of %s wait for somebody to look at them", len(mistakes), market)
    rest = [mark for mark in marks if mark not in mistakes] + [mark for mark in held if int(mark[1]) not in still]
    left = {listing_id for listing_id, standing in after.items() if standing.quantity}
    sold_out = [mark for mark in rest if mark[0] == "stock" and int(mark[1]) not in left]
    batches = [sold_out, rest] if sold_out and len(rest) > MANY else [rest]
    made = (publish_market(engine, directory, market, only=batch) for batch in batches if batch)
    return [published for published in made if published is not None]


def _published(replica: Path, ids: Collection[int]) -> dict[int, _Standing]:
    """Return how listings stand in the published catalogue."""
    query = """
        select listing_id, price_cents, coalesce(quantity, 0) from json_each(?)
        join listing on listing.listing_id = json_each.value left join stock using (listing_id)
    """
    with _catalogue(replica) as catalogue:
        stored = catalogue.execute(query, [json.dumps(sorted(ids))]).fetchall()
    return {key: _Standing(price_cents=cents, quantity=units, is_offered=units > 0) for key, cents, units in stored}


def _current(connection: Connection, market: str, ids: Collection[int]) -> dict[int, _Standing]:
    """Return how listings stand in HQ's database."""
    query, every = text(CURRENT).bindparams(bindparam("ids", expanding=True)), sorted(ids)
    standings = {}
    for start in range(0, len(every), BATCH):
        for key, cents, units, offered in connection.execute(query, {"market": market, "ids": every[start : start + BATCH]}):
            standings[key] = _Standing(price_cents=cents, quantity=units, is_offered=bool(offered))
    return standings


def _mistakes(
    marks: Collection[Mark], before: Mapping[int, _Standing], after: Mapping[int, _Standing], replica: Path
) -> set[Mark]:
    """Return the marks of prices that jump, and of offers that vanish, where there are too many of them (`trials`)."""
    ids = {int(key) for table, key, _ in marks if table in SUPPLIED}
    moves = {key for key in ids & before.keys() & after.keys() if before[key].price_cents != after[key].price_cents}
    jumped, gone = _jumped(before, after) & ids, _gone(before, after) & ids
    if len(moves) < JUDGED_PRICES or len(jumped) * JUMPED_SHARE < len(moves):
        jumped = set()
    if len(gone) < LEAST or not is_too_much(gone=len(gone), before=_offers(replica)):
        gone = set()
    return {mark for mark in marks if mark[0] in SUPPLIED and int(mark[1]) in (gone | jumped if mark[0] == "listing" else gone)}


def _jumped(before: Mapping[int, _Standing], after: Mapping[int, _Standing]) -> set[int]:
    """Return the listings whose price is less than half, or more than twice, the published one."""
    moves = {key: (before[key].price_cents, after[key].price_cents) for key in before.keys() & after.keys()}
    return {key for key, (was, now) in moves.items() if now * JUMP < was or now > was * JUMP}


def _gone(before: Mapping[int, _Standing], after: Mapping[int, _Standing]) -> set[int]:
    """Return the listings that are published as offered and are no more."""
    return {key for key, standing in before.items() if standing.is_offered and not (key in after and after[key].is_offered)}


def _offers(replica: Path) -> int:
    """Return how many offers the published catalogue has."""
    with _catalogue(replica) as catalogue:
        [counted] = catalogue.execute("select count(*) from stock where quantity > 0").fetchone()
    return int(counted)


@contextmanager
def _catalogue(replica: Path) -> Iterator[Database]:
    with closing(Store(replica, durable=False)) as store:
        yield store.read()
