"""Money that reaches our bank account, as HQ reads it there: a partner pays its statement, the provider what it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from marketplace.money.accounts import of_partner
from marketplace.money.fees import HQ
from marketplace.money.ledger import Fact, Posting, post
from pos.errors import Refused


class NothingReceived(Refused):
    """A receipt without an amount."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BankReceipt:
    """An amount on our account: from a partner, or from the provider. The id is the form's own: sent twice it counts once."""

    receipt_id: str
    source: Literal["partner", "provider"]
    partner_id: str
    currency: str
    cents: int
    at: str


def book_receipt(connection: Connection, receipt: BankReceipt) -> bool:
    """Book it in the caller's transaction; False when it was booked before. Raises: NothingReceived."""
    if receipt.cents <= 0:
        raise NothingReceived("a receipt has an amount", field="amount")
    debtor = {"partner": ("partner_receivable", of_partner(receipt.partner_id)), "provider": ("provider", "")}[receipt.source]
    kind = f"{receipt.source}_receipt"
    name = f"receipt:{receipt.receipt_id}"
    fact = Fact(owner_id=HQ, name=name, subject=name, kind=kind, currency=receipt.currency, at=receipt.at)
    return post(connection, fact, [Posting("bank", "", receipt.cents), Posting(*debtor, -receipt.cents)])
