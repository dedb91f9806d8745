"""A seller's cases as its desk shows them: the device, its order's number, what the customer wrote; nothing that names them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import cast

from sqlalchemy import Connection

from marketplace.db import rows
from marketplace.orders.cases import OPEN, UnitCase, case_name
from marketplace.orders.order_lines import OrderedListing, agreed_listing
from marketplace.orders.units import Unit, refundable_cents

MOST = 100
CASES = """
    select unit_case.*, unit.collected_cents, unit.tax_cents, unit.refunded_cents, unit.moved_cents, unit.currency, unit.agreed,
      unit.imei, unit.serial, part.number, customer_order.facts
    from unit_case
    join unit on unit.seller_id = unit_case.seller_id and unit.part_id = unit_case.part_id
      and unit.line_no = unit_case.line_no and unit.unit_no = unit_case.unit_no
    join part on part.seller_id = unit_case.seller_id and part.part_id = unit_case.part_id
    join customer_order on customer_order.customer_id = unit_case.customer_id
      and customer_order.order_id = unit_case.order_id
    where unit_case.seller_id = :seller_id
    order by case when unit_case.state in ('asked', 'granted', 'sent', 'received') then 0 else 1 end,
      coalesce(unit_case.due_at, '9999'), unit_case.since desc limit :most
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerCase:
    """A case with its device; `left_cents` is what of the customer's money can still go back."""

    case: UnitCase
    listing: OrderedListing
    number: str
    device_id: str
    currency: str
    left_cents: int

    @property
    def name(self) -> str:
        """How a form names it."""
        return case_name(self.case)

    @property
    def is_open(self) -> bool:
        """Whether it is not settled yet."""
        return self.case["state"] in OPEN

    @property
    def part_id(self) -> str:
        """The seller's part it is of."""
        return self.case["part_id"]


def cases_of_seller(connection: Connection, seller_id: int) -> list[SellerCase]:
    """Return a seller's cases: the open ones, the most pressing first, then those that ended, the newest first."""
    return [_shown(stored) for stored in rows(connection, CASES, seller_id=seller_id, most=MOST)]


def _shown(stored: dict[str, object]) -> SellerCase:
    case, unit = cast(UnitCase, stored), cast(Unit, stored)
    return SellerCase(
        case=case,
        listing=agreed_listing(json.loads(str(stored["facts"]))["lines"], unit),
        number=str(stored["number"]),
        device_id=unit["imei"] or unit["serial"] or "",
        currency=unit["currency"],
        left_cents=refundable_cents(unit),
    )
