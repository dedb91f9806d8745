"""What we charge a seller for a sale: dated rules, several on one sale, and the VAT on them.

Invariant: a rule that has begun is never changed; the fee of a unit is reckoned once, when its sale posts, by the rules of the
moment its order was placed. Fees are no part of how offers are ranked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection
from stdnum.eu import vat as eu_vat

from marketplace.db import changed, row, rows
from pos.errors import Refused

HQ = "hq"
COMMISSION = "commission"
DEFAULT_BP = 1000
"""The commission where no rule of that name holds: ten per cent."""
FEE_VAT = (("2014-01-01", 2000),)
"""France's normal rate of VAT by the day it starts, in basis points (CGI art. 278): that of our fee."""
HOME_COUNTRY = "FR"
FeeVat = Literal["regular", "reverse", "outside"]
"""France's, that which the seller accounts for in its own member state, or none."""
EU = frozenset("AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split())


class RuleBegun(Refused):
    """A rule of fees starts tomorrow at the earliest: what holds today is not changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeRule:
    """A share and a fixed part, no less and no more than its bounds, for the sales it is about; None means any.

    It holds from `valid_from` until the day before `valid_to`. Fixed parts and bounds count in `currency` alone.
    """

    rule_id: str
    name: str
    seller_id: int | None
    category_id: str | None
    market: str | None
    currency: str
    rate_bp: int
    fixed_cents: int
    least_cents: int | None
    most_cents: int | None
    valid_from: str
    valid_to: str | None

    def holds(self, sale: FeeFacts) -> bool:
        """Tell whether the rule is about this sale."""
        return (
            self.valid_from <= sale.day
            and (self.valid_to is None or sale.day < self.valid_to)
            and self.currency == sale.currency
            and self.seller_id in (None, sale.seller_id)
            and self.category_id in (None, sale.category_id)
            and self.market in (None, sale.market)
        )

    def rank(self) -> tuple[int, str, str]:
        """Return how near the rule is to a sale: its seller counts four, its category two, its market one; then the newest."""
        nearness = 4 * (self.seller_id is not None) + 2 * (self.category_id is not None) + (self.market is not None)
        return nearness, self.valid_from, self.rule_id

    def cents(self, price_cents: int) -> int:
        """Return the fee on a price, rounded half up."""
        cents = share(price_cents, self.rate_bp) + self.fixed_cents
        cents = max(cents, self.least_cents) if self.least_cents is not None else cents
        return min(cents, self.most_cents) if self.most_cents is not None else cents


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeFacts:
    """What a fee depends on: whose sale, of what, where, and the day the order was placed there (`YYYY-MM-DD`)."""

    seller_id: int
    category_id: str
    market: str
    currency: str
    price_cents: int
    day: str


@dataclass(frozen=True, slots=True)
class Fee:
    """The fee of one unit by the name of each rule, before VAT, and its VAT."""

    parts: tuple[tuple[str, int], ...]
    vat_bp: int

    @property
    def cents(self) -> int:
        """The fee before VAT."""
        return sum(cents for _, cents in self.parts)

    @property
    def vat_cents(self) -> int:
        """The VAT on it, rounded half up."""
        return share(self.cents, self.vat_bp)


def share(cents: int, rate_bp: int) -> int:
    """Return a share of an amount, rounded half up to the minor unit."""
    return (cents * rate_bp + 5000) // 10000


def fee_of(rules: Iterable[FeeRule], sale: FeeFacts, *, vat_bp: int) -> Fee:
    """Return the fee of a sale: of each name the nearest rule, all names together (`FeeRule.rank`)."""
    winners: dict[str, FeeRule] = {}
    for rule in rules:
        if rule.holds(sale) and (rule.name not in winners or rule.rank() > winners[rule.name].rank()):
            winners[rule.name] = rule
    parts = {name: rule.cents(sale.price_cents) for name, rule in winners.items()}
    parts.setdefault(COMMISSION, share(sale.price_cents, DEFAULT_BP))
    return Fee(tuple(sorted(parts.items())), vat_bp)


def fee_on(connection: Connection, sale: FeeFacts) -> Fee:
    """Return the fee of a sale by the rules and the seller as they stand."""
    return fee_of(rules(connection), sale, vat_bp=vat_bp_of(connection, sale.seller_id, day=sale.day))


def vat_bp_of(connection: Connection, seller_id: int, *, day: str) -> int:
    """Return the rate of VAT on what we charge a seller."""
    return home_vat_bp(day) if fee_vat(connection, seller_id) == "regular" else 0


def fee_vat(connection: Connection, seller_id: int) -> FeeVat:
    """Return whose VAT is on what we charge a seller, by its country and VAT number.

    France's for a French seller, and for one of another member state that has no VAT number but ours; with one that of its own
    state, which it accounts for itself (directive 2006/112/EC art. 44 and 196); none outside the Union (CGI art. 259).
    """
    seller = row(
        connection,
        """
        select coalesce(seller_application.body, seller.body) as body
        from seller
        left join seller_application on seller_application.seller_id = seller.seller_id
        where seller.seller_id = :seller_id
        """,
        seller_id=seller_id,
    )
    company = json.loads(seller["body"]) if seller else {}
    country, number = str(company.get("country") or HOME_COUNTRY).upper(), str(company.get("vat_number") or "")
    if country not in EU:
        return "outside"
    is_elsewhere = country != HOME_COUNTRY and eu_vat.is_valid(number) and eu_vat.compact(number)[:2] != HOME_COUNTRY
    return "reverse" if is_elsewhere else "regular"


def home_vat_bp(day: str) -> int:
    """Return the normal rate of VAT in France on a day."""
    return next(rate_bp for start, rate_bp in reversed(FEE_VAT) if start <= day or start == FEE_VAT[0][0])


def rules(connection: Connection) -> list[FeeRule]:
    """Return every rule, those to come and those that are over too, the newest first."""
    found = rows(
        connection,
        """
        select rule_id, name, seller_id, category_id, market, currency, rate_bp, fixed_cents, least_cents, most_cents,
          valid_from, valid_to
        from fee_rule where owner_id = :hq
        order by valid_from desc, rule_id desc
        """,
        hq=HQ,
    )
    return [FeeRule(**rule) for rule in found]


def add_rule(connection: Connection, rule: FeeRule, *, today: str, at: str) -> bool:
    """Write a rule that starts tomorrow or later; False when it is written already. Raises: Refused, RuleBegun."""
    if rule.valid_from <= today:
        raise RuleBegun("a rule starts tomorrow at the earliest", field="valid_from")
    bounds = (rule.least_cents, rule.most_cents)
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", rule.name) or not 0 <= rule.rate_bp <= 10000:
        raise Refused("a rule has a name and a share of at most 100 %", field="rate")
    if None not in bounds and (rule.least_cents or 0) > (rule.most_cents or 0):
        raise Refused("the least is more than the most", field="least")
    if rule.valid_to is not None and rule.valid_to <= rule.valid_from:
        raise Refused("a rule ends after it starts", field="valid_to")
    values = {name: getattr(rule, name) for name in rule.__slots__}
    return bool(
        changed(
            connection,
            """
            insert into fee_rule (owner_id, rule_id, name, seller_id, category_id, market, currency, rate_bp, fixed_cents,
              least_cents, most_cents, valid_from, valid_to, made_at)
            values (:hq, :rule_id, :name, :seller_id, :category_id, :market, :currency, :rate_bp, :fixed_cents,
              :least_cents, :most_cents, :valid_from, :valid_to, :at)
            on conflict (owner_id, rule_id) do nothing
            """,
            **values,
            hq=HQ,
            at=at,
        )
    )
