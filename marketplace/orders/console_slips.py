"""`/console/slips`: the newest slips, and whether what kiosk and customer sent has met."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from sqlalchemy import Connection

from marketplace.db import reading, rows
from marketplace.web import marketplace
from shop.web import render_template

MOST_ROWS = 200

slips = Blueprint("slips", __name__, url_prefix="/slips")


@slips.get("", endpoint="listing")
def slips_page() -> str:
    """Show the newest slips and whether they met an order."""
    with reading(marketplace().engine) as connection:
        return render_template("marketplace/orders/console_slips.html", slips=newest_slips(connection))


def newest_slips(connection: Connection) -> list[dict[str, Any]]:
    """Return the newest slips known, whether by their event, their claim or both."""
    return rows(
        connection,
        """
        select slip.corner_id, standing.name as corner, slip.number as number, slip.issued_at as issued_at, slip.difference,
          claim.order_id, claim.claimed_at, slip_void.reason as void_reason, 1 as is_received
        from slip
        left join standing on standing.corner_id = slip.corner_id
        left join claim on claim.corner_id = slip.corner_id and claim.key_id = slip.key_id and claim.counter = slip.counter
        left join slip_void
          on slip_void.corner_id = slip.corner_id and slip_void.key_id = slip.key_id and slip_void.counter = slip.counter
        union all
        select claim.corner_id, standing.name, claim.number, claim.claimed_at, claim.difference, claim.order_id, claim.claimed_at,
          null, 0
        from claim
        left join standing on standing.corner_id = claim.corner_id
        left join slip on claim.corner_id = slip.corner_id and claim.key_id = slip.key_id and claim.counter = slip.counter
        where slip.number is null
        order by issued_at desc, number limit :most
        """,
        most=MOST_ROWS,
    )
