"""A unit and its order as the tests of money know them, and what the ledger then says."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from marketplace.db import rows
from marketplace.money.ledger import differences, open_parties, trial_balance
from marketplace.money.sales import OrderMoney, UnitSale

PLACED, PAID, SHIPPED, RETURNED = "2026-11-02T09:00:00Z", "2026-11-02T09:05:00Z", "2026-11-03T10:00:00Z", "2026-11-09T10:00:00Z"
LATER = "2100-01-01T00:00:00Z"


def unit(**changes: Any) -> UnitSale:
    facts = {
        "seller_id": 1,
        "part_id": "p1",
        "line_no": 1,
        "unit_no": 1,
        "order_id": "order-1",
        "market": "fr",
        "currency": "EUR",
        "category_id": "phones",
        "owed_cents": 36900,
        "collected_cents": 36900,
        "tax_cents": 0,
        "partner_id": None,
        "placed_at": PLACED,
    }
    return UnitSale(**{**facts, **changes})


def money(reference: str, cents: int, *, order_id: str = "order-1", currency: str = "EUR", at: str = PAID) -> OrderMoney:
    return OrderMoney(customer_id="customer-1", order_id=order_id, reference=reference, currency=currency, cents=cents, at=at)


def balances(connection: Connection, *, until: str = LATER) -> dict[str, int]:
    """What each account holds, those at zero left out."""
    return {balance.account: balance.cents for balance in trial_balance(connection, until=until) if balance.cents}


def assert_adds_up(connection: Connection) -> None:
    """No entry differs, each currency sums to zero, and no account holds what its parties do not."""
    assert differences(connection) == []
    sums = rows(connection, "select currency, sum(amount_cents) as cents from posting group by currency")
    assert [each for each in sums if each["cents"]] == []


def open_accounts(connection: Connection) -> set[str]:
    return {party.account for party in open_parties(connection)}
