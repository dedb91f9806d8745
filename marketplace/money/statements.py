"""A seller's statement from one payout day to the next: what was carried, every line that fell due, what remains."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from marketplace.db import row, rows
from marketplace.money.accounts import of_partner, of_seller
from marketplace.money.days import period_before
from marketplace.money.payouts import payable_on
from pos.csv_files import csv_text, plain
from pos.currencies import decimal


@dataclass(frozen=True, slots=True)
class StatementLine:
    """An entry in the seller's favour, or against it where negative: price less fee less VAT on the fee is `net_cents`.

    `number` and `part_id` are the seller's order that the entry is of, empty where it is of none.
    """

    at: str
    kind: str
    subject: str
    reason: str
    fee_cents: int
    vat_cents: int
    net_cents: int
    number: str = ""
    part_id: str = ""

    @property
    def price_cents(self) -> int:
        """What the line is about, before our fee."""
        return self.net_cents + self.fee_cents + self.vat_cents


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A period that ends with a day of payouts; `opening_cents` and all lines sum to `closing_cents`, which is carried on."""

    seller_id: int
    currency: str
    after: str
    day: str
    opening_cents: int
    lines: list[StatementLine]
    closing_cents: int


@dataclass(frozen=True, slots=True)
class PartnerStatement:
    """What a partner owes for the plans of one month: `opening_cents` and all lines sum to `closing_cents`."""

    partner_id: str
    currency: str
    month: str
    opening_cents: int
    lines: list[StatementLine]
    closing_cents: int


def statement_of(connection: Connection, seller_id: int, currency: str, day: str) -> Statement:
    """Return a seller's statement of the period that ends with `day`, a day of payouts."""
    after = period_before(day)
    found = rows(
        connection,
        """
        select entry.at, entry.kind, entry.subject, coalesce(max(adjustment.reason), '') as reason,
          coalesce(max(part.number), '') as number, coalesce(max(part.part_id), '') as part_id,
          cast(-sum(case when line.account = 'commission' then line.amount_cents else 0 end) as bigint) as fee_cents,
          cast(-sum(case when line.account = 'fee_vat' then line.amount_cents else 0 end) as bigint) as vat_cents,
          cast(-sum(case when line.account = 'seller_payable' then line.amount_cents else 0 end) as bigint) as net_cents
        from posting
        join entry on entry.owner_id = posting.owner_id and entry.entry_id = posting.entry_id
        join posting line on line.owner_id = entry.owner_id and line.entry_id = entry.entry_id
        left join adjustment
          on adjustment.seller_id = :seller_id and entry.subject = 'adjustment:' || adjustment.adjustment_id
        left join part on part.seller_id = :seller_id and entry.subject like 'unit:%'
          and part.part_id = substr(entry.subject, 6, 36)
        where posting.account = 'seller_payable' and posting.currency = :currency and posting.party = :party
          and posting.due_on > :after and posting.due_on <= :day
        group by entry.owner_id, entry.entry_id, entry.at, entry.kind, entry.subject
        order by entry.at, entry.entry_id
        """,
        **{"seller_id": seller_id, "currency": currency, "party": of_seller(seller_id), "after": after, "day": day},
    )
    lines = [StatementLine(**line) for line in found]
    opening = payable_on(connection, seller_id, currency, after)
    closing = opening + sum(line.net_cents for line in lines)
    return Statement(
        seller_id=seller_id,
        currency=currency,
        after=after,
        day=day,
        opening_cents=opening,
        lines=lines,
        closing_cents=closing,
    )


def first_due_on(connection: Connection, seller_id: int, currency: str) -> str:
    """Return the day on which something of a seller first fell due in a currency; after every day where nothing ever did."""
    query = """
        select min(due_on) as day from posting
        where account = 'seller_payable' and currency = :currency and party = :party
    """
    first = row(connection, query, currency=currency, party=of_seller(seller_id))
    return str(first["day"]) if first and first["day"] else "9999-12-31"


def partner_statement(connection: Connection, partner_id: str, currency: str, month: str) -> PartnerStatement:
    """Return what a partner owes from the sales, returns and payments of a month (`YYYY-MM`, in UTC)."""
    party = of_partner(partner_id)
    found = rows(
        connection,
        """
        select posting.at, entry.kind, entry.subject, '' as reason, 0 as fee_cents, 0 as vat_cents,
          posting.amount_cents as net_cents
        from posting
        join entry on entry.owner_id = posting.owner_id and entry.entry_id = posting.entry_id
        where posting.account = 'partner_receivable' and posting.currency = :currency and posting.party = :party
          and posting.at < :until
        order by posting.at, posting.entry_id
        """,
        **{"currency": currency, "party": party, "until": f"{month}-99"},
    )
    before = sum(line["net_cents"] for line in found if line["at"] < month)
    lines = [StatementLine(**line) for line in found if line["at"] >= month]
    return PartnerStatement(partner_id, currency, month, before, lines, before + sum(line.net_cents for line in lines))


def statement_csv(currency: str, lines: Iterable[StatementLine]) -> str:
    """Return the lines of a statement as CSV, amounts in the currency's own decimals, texts never a formula."""
    header = ("date", "kind", "order", "reference", "reason", "price", "fee", "fee_vat", "net", "currency")
    table = [
        (
            *(plain(text) for text in (line.at, line.kind, line.number, line.subject, line.reason)),
            *(decimal_text(cents, currency) for cents in (line.price_cents, line.fee_cents, line.vat_cents, line.net_cents)),
            currency,
        )
        for line in lines
    ]
    return csv_text([header, *table])


def decimal_text(cents: int, currency: str) -> str:
    """Return an amount with the sign before it: `-12.50`."""
    return f"{'-' if cents < 0 else ''}{decimal(abs(cents), currency)}"
