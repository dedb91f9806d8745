"""Units on their way from a shelf to a customer: `reserved` counts those ordered here, of the `quantity` its seller states.

Invariant: every change is one conditional update, in the transaction of what it follows, and leaves a mark for the publisher.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from marketplace.db import changed, row
from marketplace.publishing.marks import Marks
from marketplace.sellers.quality_rules import rules_of
from pos import clock
from pos.errors import Conflict
from sync.hq.log import SUPPLY

RESERVE = """
    update listing set reserved = reserved + :quantity
    where seller_id = :seller_id and listing_id = :listing_id and state = 'online' and quantity - reserved >= :quantity
"""
RESERVE_AT_ONCE = f"""{RESERVE}
      and not exists (select 1 from seller where seller.seller_id = :seller_id and seller.state = 'trial')
"""
RELEASE = """
    update listing set reserved = reserved - :quantity
    where seller_id = :seller_id and listing_id = :listing_id and reserved >= :quantity
"""
TAKE_OUT = """
    update listing
    set reserved = reserved - :quantity, quantity = case when quantity > :quantity then quantity - :quantity else 0 end
    where seller_id = :seller_id and listing_id = :listing_id and reserved >= :quantity
"""


class LinesGone(Conflict):
    """A device can no longer be had; nothing was ordered. `data["lines"]` are the numbers of its lines."""


def reserve(connection: Connection, market: str, lines: Iterable[Mapping[str, Any]]) -> None:
    """Take the units of order lines out of what others can order, all or none; of a seller on trial so many as its rules allow.

    Raises: LinesGone.
    """
    lines = list(lines)
    gone = [
        line["line_no"]
        for line in lines
        if not (_change(connection, RESERVE_AT_ONCE, line) or _reserve_on_trial(connection, line))
    ]
    if gone:
        raise LinesGone(lines=gone)
    _mark(connection, market, lines)


def release(connection: Connection, market: str, lines: Iterable[Mapping[str, Any]]) -> None:
    """Give reserved units back to the shelf."""
    lines = list(lines)
    for line in lines:
        _change(connection, RELEASE, line)
    _mark(connection, market, lines)


def take_out(connection: Connection, market: str, lines: Iterable[Mapping[str, Any]]) -> None:
    """Count reserved units as gone: shipped, or never there. What is left to order does not change by it."""
    lines = list(lines)
    for line in lines:
        _change(connection, TAKE_OUT, line)
    _mark(connection, market, lines)


def has_trial_room(connection: Connection, seller_id: int, quantity: int) -> bool:
    """Tell whether a seller on trial may have so many more units ordered and not shipped."""
    query = "select coalesce(sum(reserved), 0) as open from listing where seller_id = :seller_id"
    ordered = row(connection, query, seller_id=seller_id)
    most = rules_of(connection, clock.to_text(clock.now())[:10]).trial_units
    return (int(ordered["open"]) if ordered else 0) + quantity <= most


def _reserve_on_trial(connection: Connection, line: Mapping[str, Any]) -> bool:
    # Writing the seller's row makes two orders of one seller on trial count one after the other.
    on_trial = "update seller set state = state where seller_id = :seller_id and state = 'trial'"
    is_on_trial = changed(connection, on_trial, seller_id=line["seller_id"])
    return bool(
        is_on_trial and has_trial_room(connection, line["seller_id"], line["quantity"]) and _change(connection, RESERVE, line)
    )


def _change(connection: Connection, statement: str, line: Mapping[str, Any]) -> bool:
    values = {name: line[name] for name in ("seller_id", "listing_id", "quantity")}
    return changed(connection, statement, **values) == 1


def _mark(connection: Connection, market: str, lines: Iterable[Mapping[str, Any]]) -> None:
    marks = Marks(SUPPLY)
    for line in lines:
        marks.add(market, "stock", line["listing_id"])
    marks.write(connection)
