"""What an offer cost before: the prices in force since a moment that is named, step by step, and the lowest of the last 30 days.

A kiosk remembers what it applied: `offer_past` says until when which price of a SKU and grade was proposed. HQ does not publish
it; a catalogue without it (HQ's own, or one not upgraded yet) remembers nothing. The marketplace reads what it published
(`marketplace.publishing.price_past`). Nothing here is a claim of a reduction: those rest on `pos.claims` alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlite_utils import Database

from pos import clock

LOW_DAYS = 30
KEPT = timedelta(days=180)
SCHEMA = """
create table if not exists offer_past (sku_id integer not null, grade_id integer not null, until_at text not null,
  listing_id integer, all_in_cents integer, primary key (sku_id, grade_id, until_at)) strict, without rowid
"""
"""`all_in_cents` was proposed until `until_at`, nothing where it is null. The row of SKU 0 says since when there is a record."""
FIRST = "insert or ignore into offer_past (sku_id, grade_id, until_at) values (0, 0, ?)"
PUT = "insert or ignore into offer_past (sku_id, grade_id, until_at, listing_id, all_in_cents) values (?, ?, ?, ?, ?)"

OfferRow = tuple[int, int, int, int]
"""A row of `offer`: SKU, grade, listing, all-in cents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceStep:
    """From `since_at` (UTC text) on this was the all-in price; None while nothing was offered."""

    since_at: str
    all_in_cents: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePast:
    """The steps, the oldest first, the last in force at `until_at`; `of` a grade whoever proposed it, or of one seller."""

    of: Literal["grade", "seller"]
    steps: tuple[PriceStep, ...]
    until_at: str

    @property
    def since_at(self) -> str:
        """Since when this is known."""
        return self.steps[0].since_at

    @property
    def low_since_at(self) -> str:
        """From when on the lowest is looked for: 30 days ago, or when the record begins."""
        month_ago = clock.to_text(clock.from_text(self.until_at) - timedelta(days=LOW_DAYS))
        return max(self.since_at, month_ago)

    @property
    def is_low_whole(self) -> bool:
        """Tell whether the record covers the 30 days."""
        return self.low_since_at > self.since_at

    @property
    def low_cents(self) -> int | None:
        """The lowest price in force since `low_since_at`; None where nothing was offered."""
        ends = [*(step.since_at for step in self.steps[1:]), self.until_at]
        lived = [step for step, end in zip(self.steps, ends, strict=True) if end > self.low_since_at or step is self.steps[-1]]
        return min((step.all_in_cents for step in lived if step.all_in_cents is not None), default=None)


def past_of(steps: Iterable[tuple[str, int | None]], *, of: Literal["grade", "seller"], now: datetime) -> PricePast | None:
    """Return the past made of (since, cents) in their order, equal neighbours being one step; None where there is none."""
    told: list[PriceStep] = []
    for since_at, cents in steps:
        if told and told[-1].since_at == since_at:
            told.pop()
        if not told or told[-1].all_in_cents != cents:
            told.append(PriceStep(since_at=since_at, all_in_cents=cents))
    while len(told) > 1 and told[0].all_in_cents is None:
        told.pop(0)
    return PricePast(of=of, steps=tuple(told), until_at=clock.to_text(now)) if told else None


def remembered_past(database: Database, *, sku_id: int, grade_id: int, now_cents: int | None, now: datetime) -> PricePast | None:
    """Return what this catalogue proposed for a SKU and grade, at `now_cents` now; None where nothing is remembered."""
    if not is_remembering(database):
        return None
    rows = database.execute(
        """
        select sku_id, until_at, all_in_cents from offer_past where sku_id = 0 or (sku_id = ? and grade_id = ?)
        order by sku_id, until_at
        """,
        [sku_id, grade_id],
    ).fetchall()
    begun = [until_at for sku, until_at, _ in rows if sku == 0]
    if not begun:
        return None
    since_at, steps = begun[0], []
    for sku, until_at, cents in rows:
        if sku:
            steps.append((since_at, cents))
            since_at = max(since_at, until_at)
    return past_of([*steps, (since_at, now_cents)], of="grade", now=now)


def is_remembering(database: Database) -> bool:
    """Tell whether this catalogue remembers prices."""
    return bool(database.execute("select 1 from sqlite_master where name = 'offer_past'").fetchone())


def begin(database: Database, *, now: datetime) -> None:
    """Let a catalogue remember prices from now on; nothing where it does already. Runs inside the caller's `write`."""
    if not is_remembering(database):
        database.execute(SCHEMA)
        database.execute(FIRST, [clock.to_text(now)])


def remember(database: Database, before: Collection[OfferRow], after: Collection[OfferRow], *, now: datetime) -> None:
    """Note what was proposed until `now` in the place of what is; both are rows of the same SKUs and grades."""
    was, is_now = ({row[:2]: row[2:] for row in rows} for rows in (before, after))
    moved = [pair for pair in was.keys() | is_now.keys() if was.get(pair) != is_now.get(pair)]
    until_at, oldest = clock.to_text(now), clock.to_text(now - KEPT)
    database.conn.executemany(PUT, [(*pair, until_at, *was.get(pair, (None, None))) for pair in moved])
    forget = "delete from offer_past where sku_id = ? and grade_id = ? and until_at < ?"
    database.conn.executemany(forget, [(*pair, oldest) for pair in moved])


def remember_all(database: Database, *, now: datetime) -> None:
    """Note everything that is proposed as proposed until `now`; `forget_unmoved` follows when all was found anew.

    In SQL alone: the rows of a large market would cost a kiosk its memory.
    """
    database.execute(
        "insert or ignore into offer_past select sku_id, grade_id, ?, listing_id, all_in_cents from offer", [clock.to_text(now)]
    )


def forget_unmoved(database: Database, *, now: datetime) -> None:
    """Take back what `remember_all` noted of offers that stayed as they were, and note those that came."""
    until_at = clock.to_text(now)
    noted = "select 1 from offer_past where sku_id = offer.sku_id and grade_id = offer.grade_id and until_at = :now"
    database.execute(
        f"""
        insert into offer_past select sku_id, grade_id, :now, null, null from offer
        where not exists ({noted}) and exists (select 1 from offer_past where sku_id > 0 and until_at = :now)
        """,
        {"now": until_at},
    )
    database.execute(
        """
        delete from offer_past where until_at = :now and exists (
          select 1 from offer where offer.sku_id = offer_past.sku_id and offer.grade_id = offer_past.grade_id
            and offer.listing_id = offer_past.listing_id and offer.all_in_cents = offer_past.all_in_cents
        )
        """,
        {"now": until_at},
    )
    database.execute("delete from offer_past where sku_id > 0 and until_at < ?", [clock.to_text(now - KEPT)])
