"""Our own invoices to sellers for our fees, and credit notes where more was taken back than charged (CGI art. 289).

Invariants: our series has no gaps and runs in the order of issue; a seller has one document a period of payouts and currency, of
what the ledger booked, never reckoned again; one that was issued is never changed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypedDict, cast

from sqlalchemy import Connection

from marketplace import tables
from marketplace.bodies import compact
from marketplace.db import row, rows
from marketplace.money.accounts import of_seller
from marketplace.money.days import later, next_payout_day, period_before
from marketplace.money.fees import HQ, FeeVat, fee_vat, home_vat_bp
from marketplace.money.identity import our_identity
from marketplace.orders.parts import next_number
from marketplace.papers.parties import Party, seller_party
from pos import clock
from pos.errors import NotFound

SERIES = "fee_invoice"
OURS = 0
"""Whose our series is among those of sellers, who are counted from 1."""
MOST_SHOWN = 300
Kind = Literal["invoice", "credit_note"]
SALE = "sale"


class FeeLine(TypedDict):
    """What was charged for sales, or taken back by refunds: how many units, our fee and the VAT on it as booked."""

    kind: str
    units: int
    fee_cents: int
    vat_cents: int


class AdjustedLine(TypedDict):
    """What HQ took from the seller by hand, or gave it where negative: no VAT is on it."""

    at: str
    reason: str
    cents: int


class CorrectedInvoice(TypedDict):
    """An invoice some of whose fees were taken back."""

    number: str
    issued_at: str


class FeeInvoiceFacts(TypedDict):
    """All that a fee invoice prints: what fell due after one day and until another. Amounts are in our favour where positive."""

    kind: Kind
    number: str
    issued_at: str
    zone: str
    currency: str
    after: str
    day: str
    us: Party
    seller: Party
    lines: list[FeeLine]
    fee_cents: int
    vat: FeeVat
    without_vat_cents: int
    rate_bp: int
    vat_cents: int
    adjustments: list[AdjustedLine]
    corrects: list[CorrectedInvoice]


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeInvoice:
    """A fee invoice or its credit note as it was issued."""

    invoice_no: int
    number: str
    kind: Kind
    seller_id: int
    day: str
    issued_at: str
    language: str
    facts: FeeInvoiceFacts

    @property
    def total_cents(self) -> int:
        """Our fees with VAT, negative on a credit note."""
        return self.facts["fee_cents"] + self.facts["vat_cents"]


def issue_fee_invoices(connection: Connection, seller_id: int, currency: str, *, until: str, at: str) -> int:
    """Issue a seller's missing fee invoices up to a day of payouts, one a period, in the caller's transaction; return how many.

    None without our identity: they are issued, in order, once it is set.
    """
    us = our_identity(connection)
    if us is None:
        return 0
    last = row(
        connection,
        "select max(day) as day from fee_invoice where owner_id = :hq and seller_id = :seller_id and currency = :currency",
        hq=HQ,
        seller_id=seller_id,
        currency=currency,
    )
    booked = rows(
        connection,
        """
        select due_on, kind, account, has_vat, count(*) as units, cast(-sum(amount_cents) as bigint) as cents
        from (
          select posting.due_on, entry.kind, posting.account, posting.amount_cents,
            case when exists (
              select 1 from entry same
              join posting vat on vat.owner_id = same.owner_id and vat.entry_id = same.entry_id
              where same.owner_id = entry.owner_id and same.subject = entry.subject and vat.account = 'fee_vat'
                and vat.amount_cents <> 0
            ) then 1 else 0 end as has_vat
          from posting
          join entry on entry.owner_id = posting.owner_id and entry.entry_id = posting.entry_id
          where posting.account in ('commission', 'fee_vat', 'adjustments') and posting.currency = :currency
            and posting.party = :party and posting.due_on > :after and posting.due_on <= :until
        ) due
        group by due_on, kind, account, has_vat
        order by due_on
        """,
        **{"currency": currency, "party": of_seller(seller_id), "until": until, "after": (last or {}).get("day") or ""},
    )
    periods: dict[str, list[dict[str, Any]]] = {}
    for line in booked:
        periods.setdefault(next_payout_day(later(line["due_on"], -1)), []).append(line)
    for day, lines in periods.items():
        facts = _facts(connection, seller_id, us, currency=currency, day=day, booked=lines)
        _issue(connection, seller_id, facts, at=at)
    return len(periods)


def newest_fee_invoices(connection: Connection, seller_id: int | None = None) -> list[FeeInvoice]:
    """Return the newest fee invoices, of one seller or of all."""
    return _stored(connection, f"order by invoice_no desc limit {MOST_SHOWN}", **_of(seller_id))


def fee_invoice_of(connection: Connection, invoice_no: int, seller_id: int | None = None) -> FeeInvoice:
    """Return a fee invoice by its number in our series. Raises: NotFound, also for another than the seller asked for."""
    found = _stored(connection, "", invoice_no=invoice_no, **_of(seller_id))
    if not found:
        raise NotFound("no such invoice")
    return found[0]


def _of(seller_id: int | None) -> dict[str, int]:
    return {} if seller_id is None else {"seller_id": seller_id}


def _stored(connection: Connection, end: str, **only: object) -> list[FeeInvoice]:
    conditions = " ".join(f"and {name} = :{name}" for name in only)
    query = f"""
        select invoice_no, number, kind, seller_id, day, issued_at, language, body
        from fee_invoice where owner_id = :hq {conditions} {end}
    """
    found = rows(connection, query, hq=HQ, **only)
    return [FeeInvoice(facts=cast(FeeInvoiceFacts, json.loads(stored.pop("body"))), **stored) for stored in found]


def _facts(
    connection: Connection, seller_id: int, us: Party, *, currency: str, day: str, booked: list[dict[str, Any]]
) -> FeeInvoiceFacts:
    """Return a period's document, without its number and moment, from its sums by due day, kind, account and whether with VAT.

    VAT is as it was booked: the seller may have another number, or country, by now. That says whose it is where none was.
    """
    lines = [
        _line(kind, booked) for kind in sorted({each["kind"] for each in booked if each["account"] == "commission"}, reverse=True)
    ]
    fee_cents, vat_cents = sum(line["fee_cents"] for line in lines), sum(line["vat_cents"] for line in lines)
    is_credit = fee_cents + vat_cents < 0
    without_vat = sum(each["cents"] for each in booked if each["account"] == "commission" and not each["has_vat"])
    after, vat = period_before(day), fee_vat(connection, seller_id) if without_vat else "regular"
    return {
        "kind": "credit_note" if is_credit else "invoice",
        "number": "",
        "issued_at": "",
        "zone": clock.HOME_ZONE,
        "currency": currency,
        "after": after,
        "day": day,
        "us": us,
        "seller": seller_party(connection, seller_id),
        "lines": lines,
        "fee_cents": fee_cents,
        "vat": vat,
        "without_vat_cents": without_vat,
        "rate_bp": home_vat_bp(day) if vat_cents else 0,
        "vat_cents": vat_cents,
        "adjustments": _adjusted(connection, seller_id, currency, after=after, day=day),
        "corrects": _corrected(connection, seller_id, currency, after=after, day=day) if is_credit else [],
    }


def _line(kind: str, booked: list[dict[str, Any]]) -> FeeLine:
    of_kind = [each for each in booked if each["kind"] == kind]
    fees = [each for each in of_kind if each["account"] == "commission"]
    return {
        "kind": kind,
        "units": sum(each["units"] for each in fees),
        "fee_cents": sum(each["cents"] for each in fees),
        "vat_cents": sum(each["cents"] for each in of_kind if each["account"] == "fee_vat"),
    }


def _adjusted(connection: Connection, seller_id: int, currency: str, *, after: str, day: str) -> list[AdjustedLine]:
    found = rows(
        connection,
        """
        select adjustment.at, adjustment.reason, -posting.amount_cents as cents
        from posting
        join entry on entry.owner_id = posting.owner_id and entry.entry_id = posting.entry_id
        join adjustment on adjustment.seller_id = :seller_id and entry.subject = 'adjustment:' || adjustment.adjustment_id
        where posting.account = 'adjustments' and posting.currency = :currency and posting.party = :party
          and posting.due_on > :after and posting.due_on <= :day
        order by adjustment.at, adjustment.adjustment_id
        """,
        **{"seller_id": seller_id, "currency": currency, "party": of_seller(seller_id), "after": after, "day": day},
    )
    return [AdjustedLine(at=line["at"], reason=line["reason"], cents=line["cents"]) for line in found]


def _corrected(connection: Connection, seller_id: int, currency: str, *, after: str, day: str) -> list[CorrectedInvoice]:
    """Return the invoices that charged the fees which a period took back."""
    seller = of_seller(seller_id)
    charged = rows(
        connection,
        """
        select distinct charge.due_on
        from posting
        join entry on entry.owner_id = posting.owner_id and entry.entry_id = posting.entry_id
        join entry sale on sale.owner_id = entry.owner_id and sale.subject = entry.subject and sale.kind = :sale
        join posting charge
          on charge.owner_id = sale.owner_id and charge.entry_id = sale.entry_id and charge.account = 'commission'
        where posting.account = 'commission' and posting.currency = :currency and posting.party = :seller
          and posting.due_on > :after and posting.due_on <= :day and entry.kind <> :sale
        """,
        **{"sale": SALE, "currency": currency, "seller": seller, "after": after, "day": day},
    )
    periods = {next_payout_day(later(line["due_on"], -1)) for line in charged}
    query = """
        select day, number, issued_at from fee_invoice
        where owner_id = :hq and seller_id = :seller_id and currency = :currency order by invoice_no
    """
    found = rows(connection, query, hq=HQ, seller_id=seller_id, currency=currency)
    return [CorrectedInvoice(number=each["number"], issued_at=each["issued_at"]) for each in found if each["day"] in periods]


def _issue(connection: Connection, seller_id: int, facts: FeeInvoiceFacts, *, at: str) -> None:
    """Write a document under the next number of our series."""
    invoice_no = next_number(connection, OURS, SERIES)
    number = f"C-{invoice_no:06}"
    query = "select language from seller_application where seller_id = :seller_id"
    applied = row(connection, query, seller_id=seller_id)
    values = {
        "owner_id": HQ,
        "invoice_no": invoice_no,
        "number": number,
        "kind": facts["kind"],
        "seller_id": seller_id,
        "currency": facts["currency"],
        "day": facts["day"],
        "issued_at": at,
        "fee_cents": facts["fee_cents"],
        "vat_cents": facts["vat_cents"],
        "language": applied["language"] if applied else "fr",
        "body": compact({**facts, "number": number, "issued_at": at}),
    }
    connection.execute(tables.fee_invoice.insert(), values)
