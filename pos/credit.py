"""What the law wants said as soon as a device instalment is shown: the representative example of L312-6.

Invariant: deposit + every instalment = cash price, to the cent, so the rate really is 0 %.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TypedDict, cast

from pos.laws import CreditLaw
from pos.totals import instalments


class CreditFacts(TypedDict):
    """`CreditNotice` as the JSON object frozen in slips and orders."""

    cash_price_cents: int
    deposit_cents: int
    credit_cents: int
    rate_bp: int
    months: int
    instalment_cents: int
    last_instalment_cents: int
    total_due_cents: int
    sentence: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNotice:
    """The figures of one unit's credit: fixed rate (TAEG) in basis points, always 0; `sentence` by language.

    `total_due_cents` is what is owed to the lender, the deposit not included.
    """

    cash_price_cents: int
    deposit_cents: int
    credit_cents: int
    rate_bp: int
    months: int
    instalment_cents: int
    last_instalment_cents: int
    total_due_cents: int
    sentence: dict[str, str]

    def to_facts(self) -> CreditFacts:
        """Return the notice as the JSON object frozen in a slip."""
        return cast(CreditFacts, asdict(self))


def credit_notice(device_cents: int, deposit_cents: int, months: int, *, law_body: CreditLaw) -> CreditNotice | None:
    """Return the notice for a device of this price after discount (`pos.totals.device_price_cents`).

    None when nothing is lent: no instalments, or a deposit that covers the device. `law_body` is that of the
    `credit_notice` law in force. Sources: L312-5, L312-6 (ordonnance 2025-880: free credit too).
    """
    credit_cents = device_cents - deposit_cents
    if months == 0 or credit_cents <= 0:
        return None
    parts = instalments(credit_cents, months)
    return CreditNotice(
        cash_price_cents=device_cents,
        deposit_cents=deposit_cents,
        credit_cents=credit_cents,
        rate_bp=0,
        months=months,
        instalment_cents=parts[0],
        last_instalment_cents=parts[-1],
        total_due_cents=sum(parts),
        sentence=dict(law_body["sentence"]),
    )
