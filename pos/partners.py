"""A partner's own view of the shop, as HQ publishes it: its name, its colour, its categories, its plans. A new one is a row."""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database

from pos.bodies import read_body
from pos.db import remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerShop:
    """What a partner's visitors see: `color` is `#rrggbb`, None for the shop's own; of `categories`, () are all."""

    partner_id: str
    name: str
    color: str | None
    categories: tuple[str, ...]
    has_plans: bool


@remembered
def partner_shop(database: Database, partner_id: str) -> PartnerShop | None:
    """Return a partner of this market, None where it has none of this id."""
    row = database.execute(
        """
        select body, exists (select 1 from shown_plan as plan where plan.partner_id = partner.partner_id)
        from shown_partner as partner where partner_id = ?
        """,
        [partner_id],
    ).fetchone()
    if row is None:
        return None
    body = read_body(row[0])
    return PartnerShop(
        partner_id=partner_id,
        name=body["name"],
        color=body.get("color"),
        categories=tuple(body.get("categories") or ()),
        has_plans=bool(row[1]),
    )
