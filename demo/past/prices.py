"""The prices of the past: what the feed announced when the marketplace opened, and what sellers moved at their desks since.

Invariant: once every announced price has started, the marketplace holds what the feed says today.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NamedTuple

from sqlalchemy import Connection, Engine

from demo.past.sellers import MARKET, MOST_LISTINGS, DeskSeller
from demo.past.story import Story
from demo.sample import shop_price
from demo.sample_skus import Row
from marketplace.db import reading, run_tx
from marketplace.feeds.listings import FILE, amount
from marketplace.feeds.price_starts import FILE as STARTS_FILE
from marketplace.feeds.price_starts import HEADER
from marketplace.feeds.reductions import PRIOR_DAYS
from marketplace.publishing.by_itself import publish_supply
from marketplace.sellers.listings import page_of_listings
from marketplace.sellers.verdicts import SentRow, take_rows
from pos import clock
from pos.currencies import decimal, places

OPENED_DAYS, EVERY_DAYS = 62, 3
"""How long before the end the marketplace opened, and how many days lie between two moments at which announced prices start."""
MOST_LOOKED_AT = 1500
"""Of a market's listings these first ones, the most wanted, may have had other prices: a large feed is not read for hours."""
MOVED, MOVED_AT_DESK = 0.35, 0.3
"""Which share of listings had another price; on corners' tables all had, and at each look of a seller that share of its own."""
MOST_MOVES = 3
FALLS, FELL, ROSE = 0.75, (1020, 1090), (940, 985)
"""Which share of moves is downwards, and a price before a fall and before a rise, in thousandths of the one after."""
REDUCED_SINCE = (1, 7)
"""How many such moments ago, at least and at most, the reductions began that a feed announces today."""


class Move(NamedTuple):
    """A price that starts `ago` moments before the end, in cents; `prior_cents` where it is announced as a reduction."""

    ago: int
    cents: int
    prior_cents: int | None = None


def moments(opened: datetime) -> list[datetime]:
    """Return when announced prices start, the newest first: the last a day before the end, none before kiosks can know of it."""
    return [opened + timedelta(days=day) for day in range(OPENED_DAYS - 1, EVERY_DAYS, -EVERY_DAYS)]


@contextmanager
def as_opened(feed: Path, *, opened: datetime, seed: int) -> Iterator[None]:
    """Let a feed be, during the block, the one the marketplace opened with: earlier prices, and today's announced for later."""
    today, starts = feed / FILE, moments(opened)
    with TemporaryDirectory(dir=feed.parent) as folder:
        kept = today.rename(Path(folder) / FILE)
        try:
            _write_opening(feed, kept, starts, Random(seed))  # noqa: S311 - a reproducible past, no secrets
            yield
        finally:
            (feed / STARTS_FILE).unlink(missing_ok=True)
            kept.replace(today)


def move_prices(engine: Engine, directory: Path, sellers: Sequence[DeskSeller], story: Story, at: datetime) -> None:
    """Let sellers move some of the prices they ask, as they do by file or by program, and publish that."""
    for seller in sellers:
        with reading(engine) as connection:
            own = page_of_listings(connection, seller.seller_id, market=MARKET, after="", limit=MOST_LISTINGS)
        sent = []
        for line, listing in enumerate(own, start=2):
            cents = _moved(listing.supply.price_cents, "EUR", story.chance)
            if cents != listing.supply.price_cents and story.chance.random() < MOVED_AT_DESK:
                sent.append(SentRow(line, {"sku": listing.sku, "price": decimal(cents, "EUR")}))

        def work(connection: Connection, seller_id: int = seller.seller_id, sent: list[SentRow] = sent) -> None:
            take_rows(connection, seller_id, sent, market=MARKET, now=at)

        run_tx(engine, work)
    publish_supply(engine, directory)


def _write_opening(feed: Path, today: Path, starts: Sequence[datetime], chance: Random) -> None:
    shown = _on_tables(feed)
    seen: Counter[str] = Counter()
    with (
        today.open(encoding="utf-8", newline="") as held,
        (feed / FILE).open("w", encoding="utf-8", newline="") as opening,
        (feed / STARTS_FILE).open("w", encoding="utf-8", newline="") as announced,
    ):
        rows = csv.DictReader(held, delimiter=";")
        listings = csv.DictWriter(opening, rows.fieldnames or (), delimiter=";", lineterminator="\n")
        later = csv.writer(announced, delimiter=";", lineterminator="\n")
        listings.writeheader()
        later.writerow(HEADER)
        for row in rows:
            seen[row["market"]] += 1
            moves = _moves(row, len(starts), chance, is_shown=int(row["sku_id"]) in shown)
            if moves and seen[row["market"]] <= MOST_LOOKED_AT:
                first, *rest = moves
                row |= {"price": decimal(first.cents, row["currency"]), "prior_price": ""}
                later.writerows(_start(row, move, starts) for move in rest)
            listings.writerow(row)


def _on_tables(feed: Path) -> frozenset[int]:
    """Return the SKUs that lie on a corner's table."""
    corners = [json.loads(line) for line in (feed / "corners.jsonl").read_text("utf-8").splitlines()]
    return frozenset(spot["sku_id"] for corner in corners for spot in corner["planogram"])


def _moves(row: Row, most: int, chance: Random, *, is_shown: bool) -> list[Move]:
    """Return what a listing cost from the beginning on, the oldest first, today's price last; nothing where that was all."""
    if row["state"] != "online" or not (is_shown or row["prior_price"] or chance.random() < MOVED):
        return []
    cents, currency = amount(row["price"])[0], row["currency"]
    if row["prior_price"]:
        return _reduction(cents, amount(row["prior_price"])[0], currency, most, chance)
    moves, ago = [], 0
    for _ in range(1 + int(chance.random() * MOST_MOVES)):
        ago += 1 + int(chance.random() * (most / MOST_MOVES))
        before = _moved(cents, currency, chance, is_backwards=True)
        if before != cents and ago <= most:
            moves.append(Move(ago - 1, cents))
            cents = before
    return [Move(most, cents), *reversed(moves)]


def _reduction(cents: int, prior_cents: int, currency: str, most: int, chance: Random) -> list[Move]:
    """Return the moves to a price that is announced as reduced: from the lowest of the 30 days before (L112-1-1)."""
    least, latest = REDUCED_SINCE
    ago = least + int(chance.random() * (latest - least + 1))
    reduced = Move(ago, cents, prior_cents)
    before, settled = _moved(prior_cents, currency, chance, is_backwards=True), ago + PRIOR_DAYS // EVERY_DAYS + 1
    if before > prior_cents and settled < most:
        return [Move(most, before), Move(settled, prior_cents), reduced]
    return [Move(most, prior_cents), reduced]


def _moved(cents: int, currency: str, chance: Random, *, is_backwards: bool = False) -> int:
    """Return a price a little off this one, as shops write prices: the one after a move, or the one before it."""
    least, most = FELL if chance.random() < FALLS else ROSE
    share = least + int(chance.random() * (most - least + 1))
    return shop_price(cents * share // 1000 if is_backwards else cents * 1000 // share, 10 ** places(currency))


def _start(row: Row, move: Move, starts: Sequence[datetime]) -> tuple[str, ...]:
    prior = "" if move.prior_cents is None else decimal(move.prior_cents, row["currency"])
    return (row["listing_id"], clock.to_text(starts[move.ago]), decimal(move.cents, row["currency"]), prior, "0")
