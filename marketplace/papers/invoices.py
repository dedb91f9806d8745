"""Invoices in the sellers' names, and the credit notes that correct them (CGI art. 289 and annexe II art. 242 nonies A).

Invariants: a seller's invoices and credit notes are each a series without gaps; one is issued in the transaction of the shipment
or refund it follows, once, and never changed; an invoice says that VAT is on the margin or states VAT, never both (297 E).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict, cast

from sqlalchemy import Connection

from marketplace import tables
from marketplace.bodies import compact
from marketplace.db import row, rows
from marketplace.money.refunds import RefundedUnit
from marketplace.money.sales import SaleShares
from marketplace.orders.order_lines import agreed_listing
from marketplace.orders.orders import Order, order
from marketplace.orders.parts import next_number
from marketplace.orders.pricing import market_laws
from marketplace.papers.parties import Customer, Party, customer_of, language_of, seller_party
from marketplace.running.mail import PaperName
from pos import clock
from pos.bodies import Names
from pos.errors import NotFound
from pos.laws import Laws

Kind = Literal["invoice", "credit_note"]
Scheme = Literal["margin", "regular", "exempt", "none"]
"""VAT on the margin, stated, none of a small company (CGI 293 B), or none where a market's tax comes on top of the price."""
LETTERS: dict[Kind, str] = {"invoice": "F", "credit_note": "A"}
MOST_SHOWN = 100

OF_ORDER = "customer_id = :customer_id and order_id = :order_id"
OF_PART = "seller_id = :seller_id and part_id = :part_id"


class InvoicedUnit(TypedDict):
    """One unit on an invoice; its price holds what the partner pays of it."""

    line_no: int
    unit_no: int
    title: str
    storage_gb: int | None
    color: Names | None
    grade: Names | None
    imei: str | None
    serial: str | None
    price_cents: int


class VatShown(TypedDict):
    """What is stated of VAT; cents and rate are 0 but for the scheme `regular`.

    Of a scheme that states none, `words` are those that the market's law wants and `source` its article; invoices of the first
    versions all named France's.
    """

    scheme: Scheme
    rate_bp: int
    net_cents: int
    vat_cents: int
    words: NotRequired[str]
    source: NotRequired[str]


class Corrected(TypedDict):
    """The invoice that a credit note corrects."""

    number: str
    issued_at: str


class InvoiceFacts(TypedDict):
    """All that an invoice or credit note prints. `price_cents` less `partner_cents` plus `tax_cents` is `paid_cents`."""

    kind: Kind
    number: str
    issued_at: str
    supplied_at: str
    zone: str
    currency: str
    order_number: str
    part_number: str
    ordered_at: str
    seller: Party
    customer: Customer
    units: list[InvoicedUnit]
    price_cents: int
    partner: str
    partner_cents: int
    tax_cents: int
    paid_cents: int
    vat: VatShown
    legal_months: int | None
    legal_source: NotRequired[str]
    corrects: Corrected | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """An invoice or credit note as it was issued."""

    seller_id: int
    kind: Kind
    invoice_no: int
    number: str
    issued_at: str
    language: str
    facts: InvoiceFacts

    @property
    def place(self) -> str:
        """Where it stands among its seller's, by time."""
        return f"{self.issued_at} {self.number}"


def issue_invoices(connection: Connection, units: Iterable[RefundedUnit], *, at: str) -> dict[str, list[PaperName]]:
    """Issue the invoices of units that shipped just now, one by scheme, in the caller's transaction; return them by part."""
    shipped = [_unit(connection, unit) for unit in units]
    groups: dict[tuple[int, str, int], list[dict[str, Any]]] = {}
    for unit in shipped:
        groups.setdefault((unit["seller_id"], unit["part_id"], unit["vat_margin"]), []).append(unit)
    issued: dict[str, list[PaperName]] = {}
    for (seller_id, part_id, _), of_part in groups.items():
        number = _issue_invoice(connection, of_part, at)
        issued.setdefault(part_id, []).append({"kind": "invoice", "owner": str(seller_id), "name": number})
    return issued


def issue_credit_note(connection: Connection, unit: RefundedUnit, *, cents: int, at: str) -> bool:
    """Correct the invoice of a unit by a refund of so much that was noted just now; False for one that was not invoiced.

    With 0 cents it corrects a unit whole that cost its customer nothing.
    """
    stored = _unit(connection, unit)
    corrected = _invoice_of(connection, stored)
    if corrected is None:
        return False
    taken, partner_cents = _taken_back(stored, cents)
    before = corrected.facts
    base_cents = taken.collected_cents + partner_cents
    named = next(each for each in before["units"] if (each["line_no"], each["unit_no"]) == (unit["line_no"], unit["unit_no"]))
    facts: InvoiceFacts = {
        **before,
        "kind": "credit_note",
        "number": "",
        "issued_at": at,
        "units": [{**named, "price_cents": base_cents}],
        "price_cents": base_cents,
        "partner_cents": partner_cents,
        "tax_cents": taken.tax_cents,
        "paid_cents": cents,
        "vat": _vat_taken_back(connection, stored, corrected, base_cents),
        "corrects": {"number": corrected.number, "issued_at": corrected.issued_at},
    }
    fact = f"credit:{_name(stored)}:{stored['refunded_cents']}"
    _insert(connection, stored, "credit_note", facts, fact=fact, language=corrected.language)
    return True


def invoices_of_order(connection: Connection, customer_id: str, order_id: str) -> list[Invoice]:
    """Return the invoices and credit notes of an order, in the order they were issued."""
    return _invoices(
        connection, f"{OF_ORDER} order by issued_at, kind desc, invoice_no", customer_id=customer_id, order_id=order_id
    )


def invoices_of_part(connection: Connection, seller_id: int, part_id: str) -> list[Invoice]:
    """Return the invoices and credit notes of a seller's part."""
    return _invoices(connection, f"{OF_PART} order by issued_at, kind desc, invoice_no", seller_id=seller_id, part_id=part_id)


def newest_invoices(connection: Connection, seller_id: int, *, before: str) -> list[Invoice]:
    """Return a seller's newest invoices and credit notes, those that stand before a `place`."""
    before_it = "seller_id = :seller_id and issued_at || ' ' || number < :before"
    condition = f"{before_it} order by issued_at desc, number desc limit {MOST_SHOWN}"
    return _invoices(connection, condition, seller_id=seller_id, before=before)


def invoice_of_seller(connection: Connection, seller_id: int, number: str) -> Invoice:
    """Return a seller's invoice or credit note by its number. Raises: NotFound, also for another seller's."""
    return _only(_invoices(connection, "seller_id = :seller_id and number = :number", seller_id=seller_id, number=number))


def invoice_of_order(connection: Connection, customer_id: str, order_id: str, number: str) -> Invoice:
    """Return an invoice or credit note of an order by its number. Raises: NotFound, also for another order's."""
    found = _invoices(connection, f"{OF_ORDER} and number = :number", customer_id=customer_id, order_id=order_id, number=number)
    return _only(found)


def vat_in(cents: int, rate_bp: int) -> int:
    """Return the VAT within an amount, rounded half up."""
    return (2 * cents * rate_bp + 10000 + rate_bp) // (2 * (10000 + rate_bp))


def _issue_invoice(connection: Connection, units: Sequence[dict[str, Any]], at: str) -> str:
    first = units[0]
    placed = order(connection, first["order_id"])
    seller = seller_party(connection, first["seller_id"])
    price, collected, tax = (sum(unit[name] for unit in units) for name in ("owed_cents", "collected_cents", "tax_cents"))
    part = row(connection, f"select number from part where {OF_PART}", seller_id=first["seller_id"], part_id=first["part_id"])
    laws = market_laws(connection, placed["market"], placed["placed_at"][:10])
    facts: InvoiceFacts = {
        "kind": "invoice",
        "number": "",
        "issued_at": at,
        "supplied_at": at,
        "zone": placed["facts"].get("time_zone") or clock.HOME_ZONE,
        "currency": first["currency"],
        "order_number": placed["number"],
        "part_number": part["number"] if part else "",
        "ordered_at": placed["placed_at"],
        "seller": seller,
        "customer": customer_of(connection, first["customer_id"], first["order_id"]),
        "units": [_invoiced(placed, unit) for unit in units],
        "price_cents": price,
        "partner": _partner_name(connection, first["partner_id"]),
        "partner_cents": price - collected,
        "tax_cents": tax,
        "paid_cents": collected + tax,
        "vat": _vat(placed, seller, first, price, laws),
        "legal_months": placed["facts"]["guarantees"]["legal_months"],
        "legal_source": laws["legal_guarantee"].get("source", "") if "legal_guarantee" in laws else "",
        "corrects": None,
    }
    language = language_of(connection, first["customer_id"], first["order_id"])
    fact = f"shipped:{_name(first)}"
    return _insert(connection, first, "invoice", facts, fact=fact, language=language)


def _insert(connection: Connection, unit: dict[str, Any], kind: Kind, facts: InvoiceFacts, *, fact: str, language: str) -> str:
    """Write a document under the next number of its series, and return that."""
    seller_id = unit["seller_id"]
    invoice_no = next_number(connection, seller_id, kind)
    number = f"{seller_id}-{LETTERS[kind]}-{invoice_no:06}"
    values = {
        "seller_id": seller_id,
        "kind": kind,
        "invoice_no": invoice_no,
        "number": number,
        "fact": fact,
        "customer_id": unit["customer_id"],
        "order_id": unit["order_id"],
        "part_id": unit["part_id"],
        "issued_at": facts["issued_at"],
        "currency": facts["currency"],
        "total_cents": facts["price_cents"] + facts["tax_cents"],
        "language": language,
        "body": compact({**facts, "number": number}),
    }
    connection.execute(tables.invoice.insert(), values)
    return number


def _vat(placed: Order, seller: Party, unit: dict[str, Any], cents: int, laws: Laws) -> VatShown:
    """Return the VAT of an invoice: the market's rate wherever the seller is, since goods are taxed where consumers receive them.

    Source: directive 2006/112/EC art. 33. That small sellers may tax at home (art. 59c) is not offered here.
    """
    law = laws.get("vat")
    unstated: VatShown = {"scheme": "none", "rate_bp": 0, "net_cents": 0, "vat_cents": 0}
    if law is None or not placed["facts"]["tax_included"]:
        return unstated
    if unit["vat_margin"]:
        words, source = law.get("margin_words") or "", law.get("margin_source") or ""
        return {**unstated, "scheme": "margin", "words": words, "source": source}
    if seller["mandate_at"] and not seller["vat_number"]:
        return {**unstated, "scheme": "exempt", "source": law.get("small_source") or ""}
    rate_bp = law["standard_bp"]
    vat_cents = vat_in(cents, rate_bp)
    return {"scheme": "regular", "rate_bp": rate_bp, "net_cents": cents - vat_cents, "vat_cents": vat_cents}


def _taken_back(unit: dict[str, Any], cents: int) -> tuple[SaleShares, int]:
    """Return the shares of the sale that a refund of so much takes back, as the ledger does, and the partner's of them."""
    whole = SaleShares(
        collected_cents=unit["collected_cents"],
        partner_cents=unit["owed_cents"] - unit["collected_cents"],
        fee_cents=0,
        vat_cents=0,
        tax_cents=unit["tax_cents"],
    )
    if not whole.paid_cents:
        return whole, whole.partner_cents
    after, before = whole.reversed_at(unit["refunded_cents"]), whole.reversed_at(unit["refunded_cents"] - cents)
    tax_cents = after.tax_cents - before.tax_cents
    taken = SaleShares(cents - tax_cents, 0, 0, 0, tax_cents)
    return taken, after.partner_cents - before.partner_cents


def _vat_taken_back(connection: Connection, unit: dict[str, Any], corrected: Invoice, cents: int) -> VatShown:
    """Return the VAT of a credit note: all of an invoice's credit notes together never differ from it by a rounded cent."""
    vat = corrected.facts["vat"]
    if vat["scheme"] != "regular":
        return vat
    earlier = [
        each
        for each in invoices_of_part(connection, unit["seller_id"], unit["part_id"])
        if each.facts["corrects"] and each.facts["corrects"]["number"] == corrected.number
    ]
    credited = sum(each.facts["price_cents"] for each in earlier)
    vat_cents = vat_in(credited + cents, vat["rate_bp"]) - sum(each.facts["vat"]["vat_cents"] for each in earlier)
    return {**vat, "net_cents": cents - vat_cents, "vat_cents": vat_cents}


def _invoice_of(connection: Connection, unit: dict[str, Any]) -> Invoice | None:
    place = (unit["line_no"], unit["unit_no"])
    return next(
        (
            each
            for each in invoices_of_part(connection, unit["seller_id"], unit["part_id"])
            if each.kind == "invoice" and place in [(one["line_no"], one["unit_no"]) for one in each.facts["units"]]
        ),
        None,
    )


def _invoiced(placed: Order, unit: dict[str, Any]) -> InvoicedUnit:
    listing = agreed_listing(placed["facts"]["lines"], {"line_no": unit["line_no"], "agreed": unit["agreed"]})
    return {
        "line_no": unit["line_no"],
        "unit_no": unit["unit_no"],
        "title": listing["title"],
        "storage_gb": listing["storage_gb"],
        "color": listing["color"],
        "grade": listing["grade"],
        "imei": unit["imei"],
        "serial": unit["serial"],
        "price_cents": unit["owed_cents"],
    }


def _partner_name(connection: Connection, partner_id: str | None) -> str:
    found = row(connection, "select body from partner where partner_id = :partner_id", partner_id=partner_id or "")
    return str(json.loads(found["body"]).get("name") or partner_id) if found else partner_id or ""


def _unit(connection: Connection, unit: RefundedUnit) -> dict[str, Any]:
    query = f"select * from unit where {OF_PART} and line_no = :line_no and unit_no = :unit_no"
    place = {"line_no": unit["line_no"], "unit_no": unit["unit_no"]}
    found = row(connection, query, seller_id=unit["seller_id"], part_id=unit["part_id"], **place)
    if found is None:
        raise NotFound("no such unit")
    return found


def _name(unit: dict[str, Any]) -> str:
    return f"{unit['part_id']}/{unit['line_no']}/{unit['unit_no']}"


def _invoices(connection: Connection, condition: str, **values: object) -> list[Invoice]:
    query = f"select seller_id, kind, invoice_no, number, issued_at, language, body from invoice where {condition}"
    found = rows(connection, query, **values)
    return [Invoice(facts=cast(InvoiceFacts, json.loads(stored.pop("body"))), **stored) for stored in found]


def _only(found: list[Invoice]) -> Invoice:
    if not found:
        raise NotFound("no such invoice")
    return found[0]
