"""`prices.csv` of a feed: prices that sellers announce for later, judged before anything is written.

Invariant: what is kept starts later than now, and early enough that a kiosk without network knows it in time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypedDict

from sqlalchemy import Connection, text

from marketplace import tables
from marketplace.db import rows
from marketplace.feeds.listings import NOT_AN_AMOUNT, Supply, amount, one_of, whole
from marketplace.feeds.problems import NotInOrder, Problems
from marketplace.feeds.reductions import NO_HISTORY, PRIOR_DAYS, Goods, PublishedPrices, published_prices, with_past
from marketplace.feeds.text_files import read_table
from marketplace.publishing.marks import Marks
from pos import clock
from pos.currencies import decimal, places
from pos.shapes import MOST_ID

FILE = "prices.csv"
SHIPPED_AHEAD = timedelta(hours=72)
"""How long before its start a price is with the kiosks, unless it is urgent (DESIGN §7)."""


class KeptStart(TypedDict):
    """An announced price as HQ keeps it: a row of `price_start`."""

    seller_id: int
    price_start_id: str
    market: str
    listing_id: int
    starts_at: str
    price_cents: int
    prior_cents: int | None


def moment(text: str) -> str:
    """Read a UTC time on a whole minute, which is as exactly as a slip tells when it was issued. Raises: NotInOrder."""
    if not clock.is_text(text) or not text.endswith(":00Z"):
        raise NotInOrder("not a UTC time on a whole minute, as 2026-12-01T23:00:00Z")
    return text


def above_zero(text: str) -> tuple[int, int]:
    """Read a price in minor units, and its decimals: only its listing tells the currency. Raises: NotInOrder."""
    cents, decimals = amount(text)
    if cents == 0:
        raise NotInOrder("a price is above zero")
    return cents, decimals


READERS: dict[str, Callable[[str], Any]] = {
    "listing_id": lambda text: whole(text, 1, MOST_ID),
    "starts_at": moment,
    "price": above_zero,
    "prior_price": lambda text: above_zero(text) if text else None,
    "urgent": one_of(**{"0": 0, "1": 1}),
}
HEADER = list(READERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceStart:
    """One line of the file; `decimals` are those each amount is written with, by column."""

    line: int
    listing_id: int
    starts_at: str
    price_cents: int
    prior_cents: int | None
    is_urgent: bool
    decimals: dict[str, int]

    @property
    def price_start_id(self) -> str:
        """The key under which it is published."""
        return f"{self.listing_id}@{self.starts_at}"


@dataclass(slots=True)
class Announced:
    """The price starts of a feed by listing, the feed's own rows of those listings, and what was left out, in words."""

    starts: dict[int, list[PriceStart]] = field(default_factory=dict)
    listings: dict[int, Supply] = field(default_factory=dict)
    kept: list[KeptStart] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def meet(self, batch: Iterable[tuple[int, Supply]]) -> None:
        """Remember those rows of `listings.csv` that prices are announced for."""
        if self.starts:
            self.listings.update((row.listing_id, row) for _, row in batch if row.listing_id in self.starts)


def read_price_starts(directory: Path, problems: Problems) -> Announced:
    """Read `prices.csv`, which a feed may leave out; what is wrong with a line goes to `problems`."""
    announced = Announced()
    path = directory / FILE
    if not os.path.lexists(path):
        return announced
    seen: dict[str, int] = {}
    for line, record in read_table(path, HEADER, problems):
        start = _read(record, line, problems)
        if start is None:
            continue
        first = seen.setdefault(start.price_start_id, start.line)
        if first != start.line:
            problems.add(FILE, start.line, "starts_at", f"already on line {first}")
        announced.starts.setdefault(start.listing_id, []).append(start)
    return announced


def judge_price_starts(
    connection: Connection, announced: Announced, currencies: Mapping[str, str], problems: Problems, *, now: datetime
) -> None:
    """Hold every announced price against its listing, the clock and the past, and keep what is in order.

    `currencies` are those of the feed's markets.
    """
    known = {each["price_start_id"]: (each["price_cents"], each["prior_cents"]) for each in stored_starts(connection)}
    past, markets = _past_of(connection, announced, now), with_past(connection, currencies)
    for listing_id, starts in announced.starts.items():
        listing = announced.listings.get(listing_id)
        if listing is None:
            problems.add(FILE, starts[0].line, "listing_id", f"no listing {listing_id} in listings.csv")
            continue
        currency = currencies[listing.market]
        prices = [(clock.to_text(now), listing.price_cents, listing.prior_cents)]
        for start in sorted(starts, key=lambda each: each.starts_at):
            _judge_decimals(start, currency, problems)
            if start.starts_at <= clock.to_text(now):
                _judge_started(start, listing, currency, announced, problems)
                continue
            _judge_lead(start, known, problems, now)
            before = past.get((start.starts_at, listing_id))
            if start.prior_cents is not None and before is None and listing.market in markets:
                problems.add(FILE, start.line, "prior_price", NO_HISTORY)
            else:
                _judge_reduction(start, prices, before, currency, problems)
            prices.append((start.starts_at, start.price_cents, start.prior_cents))
            announced.kept.append(
                {
                    "seller_id": listing.seller_id,
                    "price_start_id": start.price_start_id,
                    "market": listing.market,
                    "listing_id": listing_id,
                    "starts_at": start.starts_at,
                    "price_cents": start.price_cents,
                    "prior_cents": start.prior_cents,
                }
            )


def store_price_starts(connection: Connection, announced: Announced, marks: Marks) -> tuple[int, int, int]:
    """Bring HQ's announced prices to what the feed says; return how many were added, changed and removed."""
    wanted = {each["price_start_id"]: each for each in announced.kept}
    present = {each["price_start_id"]: each for each in stored_starts(connection)}
    gone = [each for key, each in present.items() if wanted.get(key) != each]
    put = [each for key, each in wanted.items() if present.get(key) != each]
    if gone:
        connection.execute(
            text("delete from price_start where seller_id = :seller_id and price_start_id = :price_start_id"), gone
        )
    if put:
        connection.execute(tables.price_start.insert(), put)
    for each in (*gone, *put):
        marks.add(each["market"], "price_start", each["price_start_id"])
    changed = sum(each["price_start_id"] in present for each in put)
    return len(put) - changed, changed, len(gone) - changed


def _read(record: list[str], line: int, problems: Problems) -> PriceStart | None:
    values: dict[str, Any] = {}
    for (column, read), said in zip(READERS.items(), record, strict=True):
        try:
            values[column] = read(said)
        except NotInOrder as problem:
            problems.add(FILE, line, column, str(problem))
    if len(values) != len(HEADER):
        return None
    amounts = {column: values[column] for column in ("price", "prior_price") if values[column] is not None}
    return PriceStart(
        line=line,
        listing_id=values["listing_id"],
        starts_at=values["starts_at"],
        price_cents=amounts["price"][0],
        prior_cents=amounts["prior_price"][0] if "prior_price" in amounts else None,
        is_urgent=bool(values["urgent"]),
        decimals={column: decimals for column, (_, decimals) in amounts.items()},
    )


def _judge_decimals(start: PriceStart, currency: str, problems: Problems) -> None:
    for column, written in start.decimals.items():
        if written != places(currency):
            problems.add(FILE, start.line, column, NOT_AN_AMOUNT[places(currency)])


def _judge_started(start: PriceStart, listing: Supply, currency: str, announced: Announced, problems: Problems) -> None:
    """A price that has started is an ordinary price: the line is left out where `listings.csv` says the same."""
    if start.price_cents == listing.price_cents:
        announced.notes.append(f"{FILE}:{start.line}: started already, and is the listing's price: left out")
    else:
        problems.add(FILE, start.line, "starts_at", f"past, and listings.csv says {decimal(listing.price_cents, currency)}")


def _judge_lead(start: PriceStart, known: Mapping[str, tuple[int, int | None]], problems: Problems, now: datetime) -> None:
    is_known = known.get(start.price_start_id) == (start.price_cents, start.prior_cents)
    if not is_known and not start.is_urgent and clock.from_text(start.starts_at) - now < SHIPPED_AHEAD:
        problems.add(
            FILE, start.line, "starts_at", "less than 72 hours ahead: kiosks may not know in time (urgent 1 accepts that)"
        )


def _judge_reduction(
    start: PriceStart,
    prices: list[tuple[str, int, int | None]],
    past: PublishedPrices | None,
    currency: str,
    problems: Problems,
) -> None:
    """Judge the prior price by the 30 days before the start: what was published, and what the feed puts in force until then."""
    if start.prior_cents is None:
        return
    if start.prior_cents <= start.price_cents:
        problems.add(FILE, start.line, "prior_price", "not above the price: no reduction to announce")
        return
    since = _period_start(start)
    ends = [*(at for at, _, _ in prices[1:]), start.starts_at]
    lowest = [cents for (_, cents, _), end in zip(prices, ends, strict=True) if end > since]
    _, running_cents, running_prior_cents = prices[-1]
    before = PublishedPrices(
        running=((running_cents, running_prior_cents),),
        lowest_cents=min([*lowest, past.lowest_cents] if past else lowest),
    )
    if not before.justify(price_cents=start.price_cents, prior_cents=start.prior_cents):
        reason = f"above {decimal(before.lowest_cents, currency)}, the lowest price of the {PRIOR_DAYS} days before (L112-1-1)"
        problems.add(FILE, start.line, "prior_price", reason)


def _past_of(connection: Connection, announced: Announced, now: datetime) -> dict[tuple[str, int], PublishedPrices]:
    """Return the published past of the listings with a prior price, by start and listing; one query for each moment."""
    asked: dict[str, list[PriceStart]] = {}
    for start in (start for starts in announced.starts.values() for start in starts):
        if start.prior_cents is not None and start.listing_id in announced.listings:
            asked.setdefault(start.starts_at, []).append(start)
    past_of_start: dict[tuple[str, int], PublishedPrices] = {}
    for starts_at, starts in asked.items():
        goods = {start.listing_id: Goods.of(announced.listings[start.listing_id]) for start in starts}
        past = published_prices(connection, goods.values(), since=_period_start(starts[0]), until=clock.to_text(now))
        past_of_start.update({(starts_at, listing_id): past[of] for listing_id, of in goods.items() if of in past})
    return past_of_start


def _period_start(start: PriceStart) -> str:
    return clock.to_text(clock.from_text(start.starts_at) - timedelta(days=PRIOR_DAYS))


def stored_starts(connection: Connection) -> list[KeptStart]:
    """Return the prices that HQ's feed announced and that have not started."""
    columns = ", ".join(f"price_start.{column.name}" for column in tables.price_start.columns)
    joined = "join seller on seller.seller_id = price_start.seller_id and seller.source = 'feed'"
    found: Any = rows(connection, f"select {columns} from price_start {joined}")
    return found  # type: ignore[no-any-return]  # the columns of the table are those of the type
