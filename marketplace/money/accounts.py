"""The chart of accounts: which there are, what each holds, and which must come back to zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Side = Literal["asset", "liability", "income", "expense"]


@dataclass(frozen=True, slots=True)
class Account:
    """An account; a clearing account holds nothing once what passed through it is over, party by party."""

    side: Side
    is_clearing: bool = False


ACCOUNTS: dict[str, Account] = {
    "provider": Account("asset"),
    "bank": Account("asset"),
    "partner_receivable": Account("asset"),
    "customer_money": Account("liability", is_clearing=True),
    "refunds_due": Account("liability", is_clearing=True),
    "disputes": Account("asset", is_clearing=True),
    "payout_transit": Account("liability", is_clearing=True),
    "seller_payable": Account("liability"),
    "seller_reserve": Account("liability"),
    "fee_vat": Account("liability"),
    "sales_tax": Account("liability"),
    "commission": Account("income"),
    "provider_fees": Account("expense"),
    "dispute_losses": Account("expense"),
    "adjustments": Account("expense"),
}
"""By name; the sentence of each stands in `templates/marketplace/money/words.html`. There is no account for rounding: the last
part of an amount is what is left of it."""
CLEARING = tuple(name for name, account in ACCOUNTS.items() if account.is_clearing)


def of_seller(seller_id: int) -> str:
    """Return the name under which a seller stands in the ledger, as owner and as party."""
    return f"seller:{seller_id}"


def seller_in(party: str) -> int:
    """Return the number of the seller that a party is."""
    return int(party.partition(":")[2])


def of_order(order_id: str) -> str:
    """Return the name of the party whose money is held until an order's units ship."""
    return f"order:{order_id}"


def of_unit(part_id: str, line_no: int, unit_no: int) -> str:
    """Return the name of a unit, the subject of what is booked of it."""
    return f"unit:{part_id}/{line_no}/{unit_no}"


def of_partner(partner_id: str) -> str:
    """Return the name of the partner who owes what its plans take off a device."""
    return f"partner:{partner_id}"
