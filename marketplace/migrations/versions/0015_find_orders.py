"""Find orders by number, by the words of a name, by a claim and by a serial number."""

from __future__ import annotations

import re
import unicodedata

from alembic import op
from sqlalchemy import Index, text

from marketplace.tables.columns import key

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the words of names, filled from the orders there are, and the indexes of HQ's search."""
    word = op.create_table(
        "order_name",
        key("customer_id"),
        key("order_id"),
        key("word"),
        Index("order_name_by_word", "word"),
        sqlite_strict=True,
    )
    op.create_index("claim_by_order", "claim", ["order_id"])
    op.create_index("customer_order_by_number", "customer_order", ["number"])
    op.create_index("unit_by_serial", "unit", ["serial"])
    placed = op.get_bind().execute(text("select customer_id, order_id, name from customer_order")).fetchall()
    op.bulk_insert(
        word,
        [
            {"customer_id": customer_id, "order_id": order_id, "word": each}
            for customer_id, order_id, name in placed
            for each in _words(name)
        ],
    )


def _words(name: str) -> list[str]:
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", name.casefold()) if not unicodedata.combining(sign))
    return list(dict.fromkeys(re.findall(r"\w+", plain)))
