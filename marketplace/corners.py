"""The corners of the fleet: the private document each one receives."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection

from marketplace.db import row
from pos.errors import NotFound


def corner_document(connection: Connection, corner_id: str, *, slip_prefix: str) -> dict[str, Any]:
    """Return the private document of a corner: its row, its partner's, its market's currency and taxes, where slips lead.

    Raises: NotFound.
    """
    found = row(
        connection,
        """
        select corner.body as corner, partner.body as partner, market.body as market
        from corner
        join market on market.market = corner.market
        left join partner on partner.partner_id = :partner_id
        where corner.corner_id = :corner_id
        """,
        corner_id=corner_id,
        partner_id=_partner_id(connection, corner_id),
    )
    if found is None:
        raise NotFound(f"no corner {corner_id}", corner_id=corner_id)
    market = json.loads(found["market"])
    return {
        **json.loads(found["corner"]),
        "partner": json.loads(found["partner"] or "{}"),
        "currency": market["currency"],
        "tax_included": market["tax_included"],
        "slip_prefix": slip_prefix,
    }


def _partner_id(connection: Connection, corner_id: str) -> str:
    found = row(connection, "select body from corner where corner_id = :corner_id", corner_id=corner_id)
    return str(json.loads(found["body"])["partner_id"]) if found else ""
