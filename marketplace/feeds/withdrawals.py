"""What an import would take off sale: a feed that was cut short says by its silence that nearly everything is gone.

Invariant: more than a share of what a market has on sale goes only when somebody said that it is meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, text

from marketplace.feeds.content import Content
from marketplace.feeds.listings import FILE, FIRST_SELLERS_ID
from marketplace.feeds.problems import Problems
from marketplace.publishing.withdrawals import is_too_much

SHOWN = 5
CONFIRM = "confirm it with --confirm-withdrawals where that is meant"
CONTENT = {"plans": ("plan", "plans"), "options": ("option", "options"), "corners": ("corner", "corners")}
"""Other files whose rows are offers, or places where offers are made: each one's table and what its rows are called."""


def judge_withdrawals(connection: Connection, content: Content, on_sale: Mapping[int, str], problems: Problems) -> None:
    """Note each market of which the feed takes away too much; `on_sale` has the market of each listing that stays on sale."""
    offers = text(
        """
        select listing.listing_id, listing.market from listing
        join seller on seller.seller_id = listing.seller_id
        where listing.state = 'online' and listing.quantity > 0 and seller.suspended = 0
          and seller.source = 'feed' and listing.listing_id < :sellers
        """
    ).execution_options(yield_per=5000)
    _judge(FILE, "offers", connection.execute(offers, {"sellers": FIRST_SELLERS_ID}), on_sale, problems)
    for file, (table, words) in CONTENT.items():
        present = connection.execute(text(f"select {table}_id, market from {table} order by {table}_id"))
        kept = {key: row["market"] for key, row in content.rows[file].items()}
        _judge(f"{file}.jsonl", words, present, kept, problems)


def _judge(file: str, words: str, present: Iterable[Any], kept: Mapping[Any, str], problems: Problems) -> None:
    before: dict[str, int] = {}
    gone: dict[str, list[Any]] = {}
    for key, market in present:
        before[market] = before.get(market, 0) + 1
        if kept.get(key) != market:
            gone.setdefault(market, []).append(key)
    for market, keys in sorted(gone.items()):
        if is_too_much(gone=len(keys), before=before[market]):
            some = ", ".join(str(key) for key in keys[:SHOWN]) + (", …" if len(keys) > SHOWN else "")
            reason = f"{len(keys):,} of {before[market]:,} {words} in {market} would be gone ({some}): {CONFIRM}"
            problems.add(file, 0, "withdrawals", reason)
