"""A seller's listings as a file of the form it may send: taken away, changed in a spreadsheet, sent back.

Invariant: the file, sent back as it is, changes nothing but a price that waits to be confirmed, which is dropped.
"""

from __future__ import annotations

from sqlalchemy import Connection

from marketplace.sellers.api_listings import ListingAnswer, listing_answers
from marketplace.sellers.listings import page_of_listings
from marketplace.sellers.trade import SellingRules
from pos.csv_files import plain

COLUMNS = (
    *("sku", "product", "grade", "price", "quantity", "min_price", "max_price", "warranty_delay", "shipping_price"),
    *("shipping_delay", "vat_type", "battery", "new_battery", "comment", "paused"),
)
MOST_ROWS = 100_000


def listing_table(connection: Connection, seller_id: int, market: str, trade: SellingRules) -> list[list[str]]:
    """Return a seller's listings of a market below a header of `COLUMNS`, no cell of which a spreadsheet works out."""
    listings = page_of_listings(connection, seller_id, market=market, after="", limit=MOST_ROWS)
    return [list(COLUMNS), *(_row(answer) for answer in listing_answers(connection, listings, trade))]


def _row(answer: ListingAnswer) -> list[str]:
    said = answer.model_dump() | {"paused": answer.state == "paused"}
    cells = (said[name] for name in COLUMNS)
    return [plain("" if cell is None else str(int(cell) if isinstance(cell, bool) else cell)) for cell in cells]
