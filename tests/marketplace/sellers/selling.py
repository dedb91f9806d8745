"""A seller's program in front of the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from werkzeug.test import TestResponse

from marketplace.db import run_tx
from marketplace.sellers.keys import SCOPES, make_key
from pos import clock
from tests.marketplace.hq import Hq

EAN = "4006381333931"
LISTING: dict[str, Any] = {
    "ean": EAN, "grade": "GOOD", "price": "359.00", "quantity": 4, "warranty_delay": 24, "shipping_delay": 48,
    "shipping_price": "4.90", "vat_type": "MARGINAL", "battery": 91,
}  # fmt: skip


def key_of(hq: Hq, seller_id: int = 1, *scopes: str, days: int = 30) -> str:
    """Make a key."""
    return run_tx(
        hq.engine,
        lambda connection: make_key(
            connection, seller_id, name="test", scopes=scopes or SCOPES, now=clock.now(), valid=timedelta(days=days)
        ),
    )


class Seller:
    """One seller's program with its key."""

    def __init__(self, hq: Hq, seller_id: int = 1, *scopes: str) -> None:
        self.hq, self.seller_id = hq, seller_id
        self.key = key_of(hq, seller_id, *scopes)

    def ask(self, method: str, path: str, **asked: Any) -> TestResponse:
        """Ask the API; `headers` are added to the key's."""
        headers = {"Authorization": f"Bearer {self.key}", **asked.pop("headers", {})}
        return self.hq.client.open(f"/api/v1{path}", method=method, headers=headers, **asked)

    def put(self, sku: str = "A-1", *, headers: dict[str, str] | None = None, **changes: Any) -> TestResponse:
        """Put a good listing with fields changed, left out where they are None."""
        body = {name: value for name, value in {**LISTING, **changes}.items() if value is not None}
        return self.ask("PUT", f"/listings/{sku}", json=body, headers=headers or {})

    def patch(self, sku: str = "A-1", **body: Any) -> TestResponse:
        """Change some fields."""
        return self.ask("PATCH", f"/listings/{sku}", json=body)

    def on_sale(self) -> list[dict[str, Any]]:
        """Return this seller's own rows on sale."""
        query = "select * from listing where seller_id = :seller_id and listing_id >= 100000000 order by listing_id"
        return self.hq.rows(query, seller_id=self.seller_id)
