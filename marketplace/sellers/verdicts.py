"""What becomes of the rows a seller sends: each is judged by itself and stored whole, or refused and its old listing left alone.

Invariant: a price that falls by nine tenths or rises tenfold is held until its seller confirms it; the old one stays on sale
meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection

from marketplace.feeds.content import wrong_words
from marketplace.feeds.listings import Supply
from marketplace.sellers.fields import SHOWN, FieldProblem, WrongField, ean_13, fold_sku, problem, read_fields, seller_sku
from marketplace.sellers.listings import OwnListing, own_listings, store_listings
from marketplace.sellers.trade import Products, SellingRules, read_products, selling_rules, title_key

JUMP = 10
"""A price that falls to a tenth, or rises to ten times, is more likely a slipped decimal point than a wish."""
NEEDED = ("grade", "price", "quantity", "warranty_delay", "shipping_delay", "vat_type")
"""Beside the product; a listing that is there keeps what a row does not say."""
OUTCOMES = ("added", "changed", "unchanged", "held", "refused")


class SentRow(NamedTuple):
    """A row as a seller sent it: the line it stands on, and the texts of the fields it says."""

    line: int
    fields: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a row, one of `OUTCOMES`; `listing` as it stands now, None where there is none."""

    line: int
    sku: str
    outcome: str
    problems: tuple[FieldProblem, ...] = ()
    listing: OwnListing | None = None


def take_rows(
    connection: Connection,
    seller_id: int,
    sent: Sequence[SentRow],
    *,
    market: str,
    now: datetime,
    trade: SellingRules | None = None,
    products: Products | None = None,
    lines: dict[tuple[str, str], int] | None = None,
) -> list[Verdict]:
    """Judge and store rows in the caller's write transaction, in a number of statements that does not grow with them.

    `market` is that of a row which names none; `trade` and `products` are looked up where they are not given; `lines` has the
    line on which each SKU stood before, and is brought along.
    """
    trade, lines = trade or selling_rules(connection), {} if lines is None else lines
    keys = [(row.fields.get("market", "").strip().casefold() or market, fold_sku(row.fields.get("sku", ""))) for row in sent]
    stored = own_listings(connection, seller_id, keys)
    judge = _Judge(trade=trade, products=products or products_of(connection, sent), seller_id=seller_id)
    verdicts = [
        judge.judge(row, key[0], stored.get(key), first_line=lines.setdefault(key, row.line))
        for row, key in zip(sent, keys, strict=True)
    ]
    wanted = [verdict.listing for verdict in verdicts if verdict.listing is not None and verdict.outcome != "refused"]
    kept = {listing.key: listing for listing in store_listings(connection, wanted, stored, now=now)}
    return [replace(each, listing=kept.get(each.listing.key, each.listing) if each.listing else None) for each in verdicts]


def products_of(connection: Connection, sent: Sequence[SentRow]) -> Products:
    """Return the SKUs that rows name; titles are looked up where a row has nothing better."""
    names: set[str] = set()
    has_titles = False
    for row in sent:
        ean, code = row.fields.get("ean", "").strip(), row.fields.get("product", "").strip()
        try:
            names |= {code} if code else set()
            names |= {ean_13(ean)} if ean else set()
        except WrongField:
            continue
        has_titles |= not (ean or code) and bool(row.fields.get("title", "").strip())
    return read_products(connection, names, has_titles=has_titles)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    trade: SellingRules
    products: Products
    seller_id: int

    def judge(self, row: SentRow, market: str, stored: OwnListing | None, *, first_line: int) -> Verdict:
        """Return what a row makes of a listing, with every reason to refuse it."""
        fields = row.fields
        try:
            sku = seller_sku(fields.get("sku", ""))
        except WrongField as wrong:
            return _refused(row, [problem("sku", fields.get("sku", ""), wrong)], stored)
        if first_line != row.line:
            twice = WrongField("sku_twice", f"already on line {first_line}")
            return _refused(row, [problem("sku", sku, twice)], stored)
        currency = self.trade.currencies.get(market)
        if currency is None:
            unknown = WrongField("unknown_market", f"not a market: {', '.join(self.trade.currencies)}")
            return _refused(row, [problem("market", market, unknown)], stored)
        values, problems = read_fields(fields, currency=currency)
        wrongs = {each.field for each in problems}
        reasons = [
            *self._needed(fields, stored),
            *self._wrong_product(values, stored),
            *self._wrong_grade(values, stored),
            *self._wrong_terms(values, stored, market, currency),
        ]
        problems += [problem(name, fields.get(name, ""), wrong) for name, wrong in reasons if name not in wrongs]
        if problems:
            return _refused(row, problems, stored)
        return self._verdict(row, sku, market, values, stored)

    def _needed(self, fields: Mapping[str, str], stored: OwnListing | None) -> Iterable[tuple[str, WrongField]]:
        if stored is None:
            for name in NEEDED:
                if name not in fields:
                    yield name, WrongField("missing", "a new listing needs it")

    def _wrong_product(self, values: dict[str, Any], stored: OwnListing | None) -> Iterable[tuple[str, WrongField]]:
        """Find the SKU that a row names and put it into `values`; yield what speaks against it."""
        named = {
            "ean": self.products.by_ean.get(values["ean"]) if values.get("ean") else 0,
            "product": self.products.by_code.get(values["product"].casefold()) if values.get("product") else 0,
        }
        if not any(values.get(name) for name in named) and values.get("title"):
            named = {"title": self.products.by_title.get(title_key(values["title"]))}
        known = {sku_id for sku_id in named.values() if sku_id}
        for name, sku_id in named.items():
            if sku_id is None:
                yield name, WrongField("unknown_product", "no product of our catalogue")
        if len(known) > 1:
            yield "ean", WrongField("two_products", "the EAN and our code name two products")
        elif known and stored is not None and known != {stored.supply.sku_id}:
            yield (
                next(iter(named)),
                WrongField("product_changed", "this SKU names another product: give this one a SKU of its own"),
            )
        elif known:
            values["sku_id"] = known.pop()
        elif stored is None and None not in named.values():
            yield "ean", WrongField("missing", "a new listing names its product by ean, product or title")

    def _wrong_grade(self, values: dict[str, Any], stored: OwnListing | None) -> Iterable[tuple[str, WrongField]]:
        if "grade" not in values:
            return
        grade = self.trade.grades.get(values["grade"])
        if grade is None:
            codes = dict.fromkeys(each.code for each in self.trade.grades.values())
            yield "grade", WrongField("unknown_grade", f"none of {', '.join(codes)}")
        elif stored is not None and grade.grade_id != stored.supply.grade_id:
            yield "grade", WrongField("grade_changed", "this SKU is of another grade: give this one a SKU of its own")
        else:
            values["grade_id"] = grade.grade_id

    def _wrong_terms(
        self, values: dict[str, Any], stored: OwnListing | None, market: str, currency: str
    ) -> Iterable[tuple[str, WrongField]]:
        if values.get("currency", currency) != currency:
            yield "currency", WrongField("wrong_currency", f"not the market's {currency}")
        if values.get("comment") and (words := wrong_words(values["comment"], self.trade.words.get(market, ()))):
            yield "comment", WrongField("forbidden_words", f"forbidden wording: {words}")
        least = values.get("min_price", stored.min_cents if stored else None)
        most = values.get("max_price", stored.max_cents if stored else None)
        price = values.get("price", stored.supply.price_cents if stored else None)
        if least and most and least > most:
            yield "min_price", WrongField("limits_crossed", "above max_price")
        elif least and price and price < least:
            yield "price", WrongField("below_min_price", "below this listing's min_price")
        grade_id = values.get("grade_id", stored.supply.grade_id if stored else None)
        floor = next((grade.battery_min_pct for grade in self.trade.grades.values() if grade.grade_id == grade_id), 0)
        if (values.get("battery") or floor) < floor:
            yield "battery", WrongField("battery_too_low", f"under the floor of this grade, {floor} %")

    def _verdict(self, row: SentRow, sku: str, market: str, values: dict[str, Any], stored: OwnListing | None) -> Verdict:
        """Return the listing that a good row leads to, a jumped price held."""
        after = _changed_listing(self.seller_id, sku, market, values, stored)
        problems: tuple[FieldProblem, ...] = ()
        outcome = "added" if stored is None else "unchanged" if after == stored else "changed"
        if after.held_cents is not None and ("price" in values or stored is None):
            wrong = WrongField("price_jumped", "held until confirmed; the old price stays on sale")
            outcome, problems = "held", (problem("price", row.fields.get("price", ""), wrong),)
        return Verdict(line=row.line, sku=sku, outcome=outcome, problems=problems, listing=after)


def is_jump(before_cents: int, after_cents: int) -> bool:
    """Tell whether a price fell by nine tenths or more, or rose tenfold or more."""
    return after_cents * JUMP <= before_cents or after_cents >= before_cents * JUMP


def _changed_listing(seller_id: int, sku: str, market: str, values: Mapping[str, Any], stored: OwnListing | None) -> OwnListing:
    before = stored or _new_listing(seller_id, sku, market, values)
    price, held = before.supply.price_cents, before.held_cents
    if "price" in values:
        price, held = values["price"], None
    elif values.get("confirm_price") and held is not None:
        price, held = held, None
    if stored is not None and is_jump(stored.supply.price_cents, price) and not values.get("confirm_price"):
        price, held = stored.supply.price_cents, price
    least, most = values.get("min_price", before.min_cents), values.get("max_price", before.max_cents)
    paused = values.get("paused", before.paused)
    is_online = not paused and (most is None or price <= most)
    supply = before.supply
    supply = supply._replace(
        price_cents=price,
        shipping_cents=values.get("shipping_price", supply.shipping_cents),
        delivery_days=values.get("shipping_delay", supply.delivery_days),
        warranty_months=values.get("warranty_delay", supply.warranty_months),
        vat_margin=values.get("vat_type", supply.vat_margin),
        battery_pct=values.get("battery", supply.battery_pct),
        new_battery=values.get("new_battery", supply.new_battery),
        comment=values.get("comment", supply.comment),
        quantity=values.get("quantity", supply.quantity),
        state="online" if is_online else "offline",
    )
    return replace(before, supply=supply, min_cents=least, max_cents=most, held_cents=held, paused=paused)


def _new_listing(seller_id: int, sku: str, market: str, values: Mapping[str, Any]) -> OwnListing:
    """Return a listing that has no id yet (0), and nothing but its product, its grade and its price."""
    facts: dict[str, Any] = dict.fromkeys(Supply._fields, 0)
    facts |= {"seller_id": seller_id, "market": market, "sku_id": values["sku_id"], "grade_id": values["grade_id"]}
    facts |= {"price_cents": values["price"], "battery_pct": None, "prior_cents": None, "comment": "", "state": "online"}
    supply = Supply(**facts)
    return OwnListing(sku=sku, supply=supply, min_cents=None, max_cents=None, held_cents=None, paused=0)


def _refused(row: SentRow, problems: list[FieldProblem], stored: OwnListing | None) -> Verdict:
    sku = row.fields.get("sku", "").strip()[:SHOWN]
    return Verdict(line=row.line, sku=sku, outcome="refused", problems=tuple(problems), listing=stored)
