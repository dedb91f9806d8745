"""What payments, units and disputes say to the ledger, each in the transaction that makes the fact.

Invariants: a customer's money is held until the unit it is for ships, then it is the seller's less our fee; a refund takes back
what was booked, in proportion, and the last one takes what is left of it; nothing is reckoned again from prices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from marketplace.db import rows
from marketplace.money.accounts import of_order, of_partner, of_seller, of_unit
from marketplace.money.days import DELAY_DAYS, later, market_day
from marketplace.money.fees import Fee, FeeFacts, fee_on
from marketplace.money.ledger import Fact, Posting, post
from pos.errors import Refused

SALE, REFUND, RELEASE = "sale", "refund", "release"
"""Kinds of entries of a unit: it shipped, it was refunded after that, it was refunded before."""


class MoreThanCollected(Refused):
    """A refund of more than what is left of what the customer paid for this unit; `data` carries `left_cents`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderMoney:
    """An amount that moved for an order: `reference` is the payment's, refund's or dispute's own id."""

    customer_id: str
    order_id: str
    reference: str
    currency: str
    cents: int
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSale:
    """One unit as its order froze it: what its seller is owed for it, what of that the customer paid us, and the tax on top.

    The rest of what is owed is the partner's. `placed_at` is when the order was placed: the rules of fees of that day hold.
    """

    seller_id: int
    part_id: str
    line_no: int
    unit_no: int
    order_id: str
    market: str
    currency: str
    category_id: str
    owed_cents: int
    collected_cents: int
    tax_cents: int
    partner_id: str | None
    placed_at: str

    @property
    def subject(self) -> str:
        """The unit's name in the ledger."""
        return of_unit(self.part_id, self.line_no, self.unit_no)


@dataclass(frozen=True, slots=True)
class SaleShares:
    """How a sale was booked: what customer and partner bring, what of it is fee and VAT on the fee, and the tax on top."""

    collected_cents: int
    partner_cents: int
    fee_cents: int
    vat_cents: int
    tax_cents: int = 0

    @property
    def owed_cents(self) -> int:
        """The whole price."""
        return self.collected_cents + self.partner_cents

    @property
    def paid_cents(self) -> int:
        """What the customer paid, tax included."""
        return self.collected_cents + self.tax_cents

    def reversed_at(self, refunded_cents: int) -> SaleShares:
        """Return what of the shares is taken back once so much of what the customer paid is refunded, all refunds together.

        Tax follows in proportion to it and the fee to the price, rounded down; the partner owes until the unit is refunded whole.
        """
        if refunded_cents == self.paid_cents:
            return self
        tax = self.tax_cents * refunded_cents // self.paid_cents
        fee, vat = (part * (refunded_cents - tax) // self.owed_cents for part in (self.fee_cents, self.vat_cents))
        return SaleShares(refunded_cents - tax, 0, fee, vat, tax)


NOTHING = SaleShares(0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class _UnitBooks:
    """What the ledger holds of a unit: its facts, refunds before and after it shipped, its sale and the sale's due day."""

    facts: frozenset[str]
    released_cents: int
    refunded_cents: int
    refunds: int
    sale: SaleShares | None
    due_on: str


def post_received(connection: Connection, payment: OrderMoney) -> bool:
    """Book a customer's money as it is captured: the provider has it, and we hold it for them."""
    lines = [Posting("provider", "", payment.cents), Posting("customer_money", of_order(payment.order_id), -payment.cents)]
    return post(connection, _order_fact(payment, "payment"), lines)


def post_unused(connection: Connection, refund: OrderMoney) -> bool:
    """Book that money goes back which no unit waits for: it came late, or more of it came than was asked."""
    party = of_order(refund.order_id)
    lines = [Posting("customer_money", party, refund.cents), Posting("refunds_due", party, -refund.cents)]
    return post(connection, _order_fact(refund, "unused"), lines)


def post_returned_before(connection: Connection, refund: OrderMoney) -> bool:
    """Book that so much of what a unit gives back went back earlier, by hand at the provider, when it was booked as unused."""
    party = of_order(refund.order_id)
    lines = [Posting("refunds_due", party, refund.cents), Posting("customer_money", party, -refund.cents)]
    return post(connection, _order_fact(refund, "returned_before"), lines)


def post_refund_paid(connection: Connection, refund: OrderMoney) -> bool:
    """Book that the provider paid a refund out."""
    lines = [Posting("refunds_due", of_order(refund.order_id), refund.cents), Posting("provider", "", -refund.cents)]
    return post(connection, _order_fact(refund, "refund_paid"), lines)


def post_refund_bounced(connection: Connection, refund: OrderMoney) -> bool:
    """Book that a refund which was paid out did not arrive: the provider has the money again, and we owe it still."""
    lines = [Posting("provider", "", refund.cents), Posting("refunds_due", of_order(refund.order_id), -refund.cents)]
    return post(connection, _order_fact(refund, "refund_bounced"), lines)


def post_provider_fee(connection: Connection, fee: OrderMoney) -> bool:
    """Book what the provider kept of a payment, refund or dispute, or gave back where negative; `reference` is its movement's."""
    lines = [Posting("provider_fees", "", fee.cents), Posting("provider", "", -fee.cents)]
    return post(connection, _order_fact(fee, "provider_fee"), lines)


def post_dispute(connection: Connection, dispute: OrderMoney, outcome: Literal["opened", "won", "lost"]) -> bool:
    """Book a disputed payment: the provider takes the money at once, and gives it back when we win.

    A lost one is our loss until HQ charges it to a seller by an adjustment with its reason.
    """
    from_to = {
        "opened": (Posting("provider", "", -dispute.cents), Posting("disputes", of_order(dispute.order_id), dispute.cents)),
        "won": (Posting("disputes", of_order(dispute.order_id), -dispute.cents), Posting("provider", "", dispute.cents)),
        "lost": (Posting("disputes", of_order(dispute.order_id), -dispute.cents), Posting("dispute_losses", "", dispute.cents)),
    }
    return post(connection, _order_fact(dispute, f"dispute_{outcome}"), from_to[outcome])


def booked_of_dispute(connection: Connection, dispute: OrderMoney) -> set[str]:
    """Return what was booked of a dispute, by its reference: opened, won, lost."""
    outcomes = ("opened", "won", "lost")
    facts = {f"fact_{outcome}": _order_fact(dispute, f"dispute_{outcome}").name for outcome in outcomes}
    query = "select kind from entry where owner_id = :owner_id and fact in (:fact_opened, :fact_won, :fact_lost)"
    return {entry["kind"].removeprefix("dispute_") for entry in rows(connection, query, owner_id=dispute.customer_id, **facts)}


def post_shipped(connection: Connection, unit: UnitSale, *, at: str) -> Fee | None:
    """Book the sale of a unit that ships and return its fee; None when it was booked before, or was refunded whole."""
    books = _books(connection, unit)
    agreed = SaleShares(unit.collected_cents, unit.owed_cents - unit.collected_cents, 0, 0, unit.tax_cents)
    if books.refunds and books.released_cents == agreed.paid_cents:
        return None
    released = agreed.reversed_at(books.released_cents) if books.refunds else NOTHING
    owed = unit.owed_cents - released.collected_cents
    day = market_day(connection, unit.market, unit.placed_at)
    facts = FeeFacts(
        seller_id=unit.seller_id,
        category_id=unit.category_id,
        market=unit.market,
        currency=unit.currency,
        price_cents=owed,
        day=day,
    )
    fee = fee_on(connection, facts)
    due_on = later(market_day(connection, unit.market, at), DELAY_DAYS)
    collected, tax = unit.collected_cents - released.collected_cents, unit.tax_cents - released.tax_cents
    lines = sale_lines(unit, SaleShares(collected, agreed.partner_cents, fee.cents, fee.vat_cents, tax), due_on=due_on)
    return fee if post(connection, _unit_fact(unit, SALE, "shipped", at), lines) else None


def post_refunded(connection: Connection, unit: UnitSale, *, refund_id: str, cents: int, at: str) -> bool:
    """Book that a customer gets back so much for a unit, before or after it shipped; False when it was booked before.

    A unit the customer paid nothing for is taken back whole with a refund of nothing. Raises: MoreThanCollected.
    """
    books = _books(connection, unit)
    fact = _unit_fact(unit, REFUND if books.sale else RELEASE, f"refund:{refund_id}", at)
    if fact.name in books.facts:
        return False
    before = books.refunded_cents if books.sale else books.released_cents
    left = (books.sale.paid_cents if books.sale else unit.collected_cents + unit.tax_cents) - before
    if not 0 <= cents <= left or (not cents and (left or books.refunds)):
        raise MoreThanCollected(f"{left} is left of this unit, not {cents}", left_cents=left)
    if books.sale is None:
        party = of_order(unit.order_id)
        return post(connection, fact, [Posting("customer_money", party, cents), Posting("refunds_due", party, -cents)])
    due_on = max(later(market_day(connection, unit.market, at), 1), books.due_on)
    return post(connection, fact, _reversal(unit, books.sale, before=before, after=before + cents, due_on=due_on))


def sale_lines(unit: UnitSale, shares: SaleShares, *, due_on: str) -> list[Posting]:
    """Return the postings of a sale: the customer's money and the partner's debt become the seller's, less fee and VAT."""
    seller = of_seller(unit.seller_id)
    payable = shares.owed_cents - shares.fee_cents - shares.vat_cents
    return [
        Posting("customer_money", of_order(unit.order_id), shares.paid_cents),
        Posting("partner_receivable", of_partner(unit.partner_id or ""), shares.partner_cents),
        Posting("seller_payable", seller, -payable, due_on),
        Posting("commission", seller, -shares.fee_cents, due_on),
        Posting("fee_vat", seller, -shares.vat_cents, due_on),
        Posting("sales_tax", unit.market, -shares.tax_cents),
    ]


def _reversal(unit: UnitSale, sale: SaleShares, *, before: int, after: int, due_on: str) -> list[Posting]:
    was, now = sale.reversed_at(before) if before else NOTHING, sale.reversed_at(after)
    taken = SaleShares(
        now.collected_cents - was.collected_cents,
        now.partner_cents - was.partner_cents,
        now.fee_cents - was.fee_cents,
        now.vat_cents - was.vat_cents,
        now.tax_cents - was.tax_cents,
    )
    accounts = {"customer_money": "refunds_due"}
    return [
        Posting(accounts.get(line.account, line.account), line.party, -line.cents, line.due_on)
        for line in sale_lines(unit, taken, due_on=due_on)
    ]


def _books(connection: Connection, unit: UnitSale) -> _UnitBooks:
    found = rows(
        connection,
        """
        select entry.kind, entry.fact, posting.account, posting.amount_cents as cents, posting.due_on
        from entry
        join posting on posting.owner_id = entry.owner_id and posting.entry_id = entry.entry_id
        where entry.owner_id = :owner_id and entry.subject = :subject
        """,
        owner_id=of_seller(unit.seller_id),
        subject=unit.subject,
    )
    booked: dict[tuple[str, str], int] = {}
    for line in found:
        name = (line["kind"], line["account"])
        booked[name] = booked.get(name, 0) + line["cents"]
    paid, partner, fee, vat, tax = (
        abs(booked.get((SALE, account), 0))
        for account in ("customer_money", "partner_receivable", "commission", "fee_vat", "sales_tax")
    )
    is_sold = any(line["kind"] == SALE for line in found)
    return _UnitBooks(
        facts=frozenset(line["fact"] for line in found),
        released_cents=-booked.get((RELEASE, "refunds_due"), 0),
        refunded_cents=-booked.get((REFUND, "refunds_due"), 0),
        refunds=len({line["fact"] for line in found if line["kind"] != SALE}),
        sale=SaleShares(paid - tax, partner, fee, vat, tax) if is_sold else None,
        due_on=max((line["due_on"] for line in found if line["kind"] == SALE and line["due_on"]), default=""),
    )


def _order_fact(money: OrderMoney, kind: str) -> Fact:
    return Fact(
        owner_id=money.customer_id,
        name=f"{kind}:{money.reference}",
        subject=of_order(money.order_id),
        kind=kind,
        currency=money.currency,
        at=money.at,
    )


def _unit_fact(unit: UnitSale, kind: str, what: str, at: str) -> Fact:
    owner_id, name = of_seller(unit.seller_id), f"{unit.subject}:{what}"
    return Fact(owner_id=owner_id, name=name, subject=unit.subject, kind=kind, currency=unit.currency, at=at)
