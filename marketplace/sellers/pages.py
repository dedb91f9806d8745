"""`/console/sellers`: every seller with its quality and its supply."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from sqlalchemy import Connection

from marketplace.bodies import fit_body
from marketplace.db import reading, rows
from marketplace.feeds.shapes import FEED_ROWS
from marketplace.web import marketplace
from shop.web import render_template

pages = Blueprint("sellers", __name__, url_prefix="/sellers")


@pages.get("")
def listing() -> str:
    """Show the sellers with their quality."""
    with reading(marketplace().engine) as connection:
        return render_template("marketplace/sellers/sellers.html", sellers=sellers(connection))


def sellers(connection: Connection) -> list[dict[str, Any]]:
    """Return the sellers with their quality and supply, the best first, those suspended last."""
    every = rows(
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
    return [{**seller, "body": fit_body(FEED_ROWS["sellers"], seller["body"]) or {}} for seller in every]
