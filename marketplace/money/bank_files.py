"""The file a bank makes transfers from: ISO 20022 pain.001.001.03, checked against its schema, the same bytes however often made.

A bank refuses a second file with the same message id, so one that is sent twice by mistake pays once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.money.payouts import SEPA_CURRENCY, Payout
from pos import clock

SCHEMA = "pain.001.001.03"
OUTSIDE = re.compile(r"[^A-Za-z0-9/?:().,'+ -]")
"""What SEPA's character set leaves out (EPC217-08)."""


@dataclass(frozen=True, slots=True)
class BankAccount:
    """The account payouts are made from; `bic` may be empty within the Union."""

    holder: str
    iban: str
    bic: str


def transfer_file(account: BankAccount, payouts: Sequence[Payout], *, file_id: str) -> bytes:
    """Return the file that transfers these payouts, all of them in euros. Raises: ValidationError of sepaxml."""
    from sepaxml import SepaTransfer  # noqa: PLC0415 - it brings a reader of schemas that only this needs
    from sepaxml.validation import try_valid_xml  # noqa: PLC0415 - as above

    sent_at = min(payout.sent_at or payout.planned_at for payout in payouts)
    config = {"name": sepa_text(account.holder, 70), "IBAN": account.iban, "batch": True, "currency": SEPA_CURRENCY}
    transfer = SepaTransfer(config | ({"BIC": account.bic} if account.bic else {}), schema=SCHEMA, clean=False)
    for payout in payouts:
        transfer.add_payment(
            {
                "name": sepa_text(payout.holder, 70),
                "IBAN": payout.iban,
                "amount": payout.amount_cents,
                "execution_date": clock.from_text(sent_at).date(),
                "description": sepa_text(f"Comptoir {payout.day}", 140),
                "endtoend_id": f"{payout.payout_id}-{payout.seller_id}"[:35],
            }
        )
    # The library names files and batches by chance and by its own clock.
    named = {"MsgId": file_id.replace("-", "")[:35], "PmtInfId": file_id.replace("-", "")[:35], "CreDtTm": sent_at.rstrip("Z")}
    exported: bytes = transfer.export(validate=False)
    text = exported.decode()
    for tag, value in named.items():
        text = re.sub(rf"<{tag}>[^<]*</{tag}>", f"<{tag}>{value}</{tag}>", text)
    document = text.encode()
    try_valid_xml(document, SCHEMA)
    return document


def sepa_text(text: str, longest: int) -> str:
    """Return a name in the letters every SEPA bank takes, never empty and never led or ended by a slash."""
    from text_unidecode import unidecode  # noqa: PLC0415 - as above

    return " ".join(OUTSIDE.sub(" ", unidecode(text)).split())[:longest].strip("/ ") or "NOTPROVIDED"
