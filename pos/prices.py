"""Which announced prices are in force: each starts at its own moment, by trusted time, with or without a network.

Invariant: `price_now` holds the newest started price of each listing as of one moment, and that moment never runs backwards by
itself. The rows of `listing` stay what HQ hashed: the price in force is derived from them and from `price_start`.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlite_utils import Database

from pos import clock, offers

MOST_AHEAD = timedelta(minutes=5)
"""How far a clock may have run ahead of HQ's before prices it started too early are taken back (reference/sync.md §3.10)."""

# SQLite takes the other columns of a group from the row that holds the maximum.
STARTED = """
  select listing_id, max(starts_at) as starts_at, price_cents, prior_cents
  from shown_price_start
  where starts_at <= :at
  group by listing_id
"""
HELD = "select listing_id, starts_at, price_cents, prior_cents from price_now"


def activate(database: Database, now: datetime, *, is_verified: bool = False) -> int:
    """Put in force what has started by `now`, with exactly the offers and shelf rows it moves; return how many listings moved.

    Runs inside the caller's `write`; doing it twice is as good as once. `now` is trusted time; an earlier one than last time
    changes nothing, unless it `is_verified` (HQ's own time, just heard) and tells that the clock ran far ahead.
    """
    moved = settle(database, now, is_verified=is_verified)
    if moved:
        offers.refresh(database, pairs=offers.pairs_of(database, moved), now=now)
    return len(moved)


def settle(database: Database, now: datetime, *, is_verified: bool = False) -> set[int]:
    """Bring `price_now` to `now` and return the listings whose price moved; finding their offers again is the caller's."""
    since = in_force_since(database)
    is_ahead = since is not None and is_verified and since - now > MOST_AHEAD
    at = {"at": clock.to_text(now if since is None or is_ahead else max(now, since))}
    ended = database.execute(f"{HELD} except select * from ({STARTED})", at).fetchall()
    started = database.execute(f"select * from ({STARTED}) except {HELD}", at).fetchall()
    database.conn.executemany("delete from price_now where listing_id = ?", [(listing_id,) for listing_id, *_ in ended])
    database.conn.executemany(
        "insert into price_now (listing_id, starts_at, price_cents, prior_cents) values (?, ?, ?, ?)", started
    )
    return {listing_id for listing_id, *_ in (*ended, *started)}


def in_force_since(database: Database) -> datetime | None:
    """Return the newest start that is in force, which no slip may be older than; None while none is."""
    (text,) = database.execute("select max(starts_at) from price_now").fetchone()
    return clock.from_text(text) if text else None


def next_start(database: Database) -> datetime | None:
    """Return when the next announced price starts, which may be past while nobody put it in force; None when none is known."""
    (text,) = database.execute(
        "select min(starts_at) from shown_price_start where starts_at > (select coalesce(max(starts_at), '') from price_now)"
    ).fetchone()
    return clock.from_text(text) if text else None
