"""What HQ sees at a glance: publications, orders, slips, sellers. Each list is one query shaped for its page."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection

from marketplace.bodies import fit_body
from marketplace.db import row, rows
from marketplace.feeds.shapes import FEED_ROWS

MOST_ROWS = 200


def publications(connection: Connection) -> list[dict[str, Any]]:
    """Return each market with its newest publication and how many changes wait for the next."""
    return rows(
        connection,
        """
        select market.market,
          (select max(publication) from sync_publication where sync_publication.market = market.market) as publication,
          (select max(published_at) from sync_publication where sync_publication.market = market.market) as published_at,
          (select count(*) from sync_dirty where sync_dirty.market = market.market) as waiting
        from market order by market.market
        """,
    )


def history(connection: Connection, market: str) -> list[dict[str, Any]]:
    """Return a market's newest publications, of its own track and of trials."""
    return rows(
        connection,
        """
        select publication, line, published_at from sync_publication
        where market = :market order by publication desc limit 12
        """,
        market=market,
    )


def slips(connection: Connection) -> list[dict[str, Any]]:
    """Return the newest slips known, whether by their event, their claim or both."""
    return rows(
        connection,
        """
        select slip.corner_id, slip.number as number, slip.issued_at as issued_at, slip.difference,
          claim.order_id, claim.claimed_at, slip_void.reason as void_reason, 1 as is_received
        from slip
        left join claim on claim.corner_id = slip.corner_id and claim.key_id = slip.key_id and claim.counter = slip.counter
        left join slip_void
          on slip_void.corner_id = slip.corner_id and slip_void.key_id = slip.key_id and slip_void.counter = slip.counter
        union all
        select claim.corner_id, claim.number, claim.claimed_at, claim.difference, claim.order_id, claim.claimed_at, null, 0
        from claim
        left join slip on claim.corner_id = slip.corner_id and claim.key_id = slip.key_id and claim.counter = slip.counter
        where slip.number is null
        order by issued_at desc, number limit :most
        """,
        most=MOST_ROWS,
    )


def orders(connection: Connection) -> list[dict[str, Any]]:
    """Return the newest orders, with whether the kiosk's own event has met them."""
    found = rows(
        connection,
        """
        select customer_order.order_id, customer_order.number, customer_order.state, customer_order.currency,
          customer_order.totals, customer_order.placed_at, claim.corner_id, claim.difference as claim_difference,
          slip.number as slip_number, slip.difference, slip_void.reason as void_reason
        from customer_order
        left join claim on claim.order_id = customer_order.order_id
        left join slip on slip.corner_id = claim.corner_id and slip.key_id = claim.key_id and slip.counter = claim.counter
        left join slip_void
          on slip_void.corner_id = claim.corner_id and slip_void.key_id = claim.key_id and slip_void.counter = claim.counter
        order by customer_order.placed_at desc, customer_order.order_id desc limit :most
        """,
        most=MOST_ROWS,
    )
    for each in found:
        each["totals"] = json.loads(each["totals"])
    return found


def sellers(connection: Connection) -> list[dict[str, Any]]:
    """Return the sellers with their quality and supply, the best first."""
    found = rows(
        connection,
        """
        select seller.seller_id, seller.quality_bp, seller.suspended, seller.body,
          count(listing.listing_id) as listings,
          coalesce(sum(
            case when listing.quantity > listing.reserved then listing.quantity - listing.reserved else 0 end
          ), 0) as units
        from seller
        left join listing on listing.seller_id = seller.seller_id and listing.state = 'online'
        group by seller.seller_id, seller.quality_bp, seller.suspended, seller.body
        order by seller.suspended, seller.quality_bp desc, seller.seller_id
        """,
    )
    for each in found:
        each["body"] = fit_body(FEED_ROWS["sellers"], each["body"]) or {}
    return found


def imports(connection: Connection) -> list[dict[str, Any]]:
    """Return the last imports, good and refused, with their reports."""
    found = rows(connection, "select * from feed_import order by import_id desc limit 10")
    for each in found:
        each["report"] = json.loads(each["report"])
    return found


def counts(connection: Connection) -> dict[str, int]:
    """Return the figures of the overview."""
    found = row(
        connection,
        """
        select (select count(*) from customer_order) as orders,
          (select count(*) from slip) as slips,
          (select count(*) from inbox where state = 'dead') as dead,
          (select count(*) from inbox where state = 'new') as waiting,
          (select count(*) from slip where difference is not null) as differences,
          (select count(*) from device where quarantined_at is not null) as quarantined
        """,
    )
    return {name: int(value) for name, value in (found or {}).items()}
