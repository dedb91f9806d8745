"""What the demo bank keeps of each movement, as Stripe's balance transactions tell it.

Source: docs.stripe.com/api/balance_transactions; stripe.com/fr/pricing for cards of the European Economic Area and disputes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class BankFees:
    """A share of each charge in basis points with a fixed part, and what a dispute costs, whoever wins; refunds cost nothing."""

    charge_bp: int = 150
    charge_cents: int = 25
    dispute_cents: int = 2000

    def of(self, kind: str, cents: int) -> int:
        """Return what a movement of so much costs: of a kind that balance transactions have."""
        if kind == "charge":
            return (cents * self.charge_bp + 5000) // 10000 + self.charge_cents
        return self.dispute_cents if kind == "adjustment" and cents < 0 else 0


NO_FEES = BankFees(0, 0, 0)


def movement(fees: BankFees, kind: str, source: dict[str, Any], cents: int) -> dict[str, Any]:
    """Return the facts of a balance transaction: `cents` came to the account, or left it where negative."""
    fee = fees.of(kind, cents)
    facts = {
        "type": kind,
        "source": source["id"],
        "amount": cents,
        "fee": fee,
        "net": cents - fee,
        "currency": source["currency"],
    }
    return {**facts, "exchange_rate": None, "status": "available"}
