"""Then and now: what a slip's line cost at the publication it was made from, and what it costs at the newest one.

Invariant: prices come from HQ's own history, never from the slip, so a stolen device cannot make a price up: it can only choose
the publication its slip names. The arithmetic is `pos.totals`, the kiosk's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from marketplace.bodies import fit_body
from marketplace.db import row, rows
from marketplace.publishing.prices import price_in_force
from marketplace.publishing.terms import NEWEST, terms_at, terms_now
from pos.claims import vat_note
from pos.offers import best_first
from pos.rows import ROWS
from pos.tokens import TokenLine
from pos.totals import Line, OptionTerms, PlanTerms, Totals, line_totals

CANDIDATES = 20
WITHOUT = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Priced:
    """One line at one moment: the terms it is made of, the arithmetic's line and its totals."""

    listing: dict[str, Any] | None
    plan: dict[str, Any] | None
    options: tuple[dict[str, Any], ...]
    line: Line
    totals: Totals


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A slip's line then and now. `basis` is what the customer gets: "then", "now" or "replaced".

    "gone" is a line that cannot be had, "dropped" one the customer goes without; `instead` is what we propose for a device that
    is gone, priced today.
    """

    line_no: int
    wish: TokenLine
    then: Priced | None
    now: Priced | None
    basis: str
    instead: Priced | None = None

    @property
    def chosen(self) -> Priced | None:
        """The terms the customer gets."""
        return {"then": self.then, "now": self.now, "replaced": self.instead}.get(self.basis)

    @property
    def shown(self) -> Priced | None:
        """The terms a page describes, also when the device is gone."""
        return self.chosen or self.then or self.now

    @property
    def differs_from_print(self) -> bool:
        """Tell whether the slip's own amounts are not those of HQ's history, which somebody must look at."""
        if self.then is None:
            return True
        printed = (self.wish.one_off_cents, self.wish.monthly_cents)
        return printed != (self.then.totals.due_today_cents, self.then.totals.monthly_now_cents)


def compare_line(
    connection: Connection,
    line_no: int,
    wish: TokenLine,
    *,
    publication: int,
    issued_at: str,
    now: str,
    is_valid: bool,
    market: str,
    replace: int | None,
) -> Comparison:
    """Price a line then and now and keep the better for the customer while the slip is valid, today's price after.

    Then is what its publication said at `issued_at`, now what the newest says at `now` (UTC texts).
    `replace` is the listing the customer accepted for a device that is gone, 0 to go without; it counts only if it is what
    we propose.
    """
    then = price_wish(connection, wish, market=market, publication=publication, at=issued_at)
    today = price_wish(connection, wish, market=market, publication=None, at=now)
    instead = None
    if wish.listing_id and not is_available(connection, wish.listing_id, wish.quantity):
        shown = then or today
        instead = propose(connection, wish, shown, market=market, at=now) if shown is not None else None
        is_accepted = instead is not None and instead.listing is not None and instead.listing["listing_id"] == replace
        basis = "replaced" if is_accepted else "gone"
    else:
        basis = _better(then if is_valid else None, today)
    if basis == "gone" and replace == WITHOUT:
        basis = "dropped"
    return Comparison(line_no=line_no, wish=wish, then=then, now=today, basis=basis, instead=instead)


def price_wish(connection: Connection, wish: TokenLine, *, market: str, publication: int | None, at: str) -> Priced | None:
    """Price a line at a publication of a market, or the newest, at a moment; None when one of its parts was not on offer then."""

    def terms(table: str, key: int) -> dict[str, Any] | None:
        return _terms(connection, table, key, market=market, publication=publication, at=at)

    listing = terms("listing", wish.listing_id) if wish.listing_id else None
    plan = terms("plan", wish.plan_id) if wish.plan_id else None
    options = [terms("option", option_id) for option_id in wish.option_ids]
    if (wish.listing_id and listing is None) or (wish.plan_id and plan is None):
        return None
    chosen = tuple(option for option in options if option is not None)
    return _priced(wish.quantity, listing, plan, chosen) if len(chosen) == len(options) else None


def all_in_cents(listing: Mapping[str, Any]) -> int:
    """Return what one unit costs delivered."""
    return int(listing["price_cents"] + listing["shipping_cents"])


def is_available(connection: Connection, listing_id: int, quantity: int) -> bool:
    """Tell whether this many units can be ordered now."""
    found = row(
        connection,
        """
        select 1 as one from listing join seller on seller.seller_id = listing.seller_id
        where listing.listing_id = :listing_id and listing.state = 'online' and seller.suspended = 0
          and listing.quantity - listing.reserved >= :quantity
        """,
        listing_id=listing_id,
        quantity=quantity,
    )
    return found is not None


def propose(connection: Connection, wish: TokenLine, shown: Priced, *, market: str, at: str) -> Priced | None:
    """Return the offer that wins the same SKU and grade today, else a better grade that costs no more."""
    if shown.listing is None:
        return None
    ceiling = all_in_cents(shown.listing)
    candidates = rows(
        connection,
        f"""
        select listing.listing_id, listing.grade_id
        from listing
        join seller on seller.seller_id = listing.seller_id and seller.suspended = 0
        join grade on grade.grade_id = listing.grade_id
        join grade wanted on wanted.grade_id = :grade_id
        where listing.sku_id = :sku_id and listing.market = :market and listing.state = 'online'
          and listing.quantity - listing.reserved >= :quantity and grade.rank >= wanted.rank
        order by case when grade.grade_id = wanted.grade_id then 0 else 1 end, {best_first("listing.price_cents")}
        limit :most
        """,
        grade_id=shown.listing["grade_id"],
        sku_id=shown.listing["sku_id"],
        market=market,
        quantity=wish.quantity,
        most=CANDIDATES,
    )
    for candidate in candidates:
        terms = _terms(connection, "listing", candidate["listing_id"], market=market, publication=None, at=at)
        is_same_grade = candidate["grade_id"] == shown.listing["grade_id"]
        if terms is not None and (is_same_grade or all_in_cents(terms) <= ceiling):
            return _priced(wish.quantity, terms, shown.plan, shown.options)
    return None


def _better(then: Priced | None, now: Priced | None) -> str:
    """Return the basis that costs less over the whole horizon; a tie keeps what the slip said."""
    if then is None:
        return "now" if now is not None else "gone"
    if now is None:
        return "then"
    cost_then = (then.totals.total_cents, then.totals.due_today_cents)
    cost_now = (now.totals.total_cents, now.totals.due_today_cents)
    return "then" if cost_then <= cost_now else "now"


def _terms(
    connection: Connection, table: str, key: int, *, market: str, publication: int | None, at: str
) -> dict[str, Any] | None:
    if publication is None:
        found = terms_now(connection, table, key, market=market)
    else:
        found = terms_at(connection, table, key, market=market, publication=publication)
        found = None if found is None or found["withdrawn"] else found
    if found is None:
        return None
    if table != "listing":
        return fit_body(ROWS[table], found["body"])
    newest = NEWEST if publication is None else publication
    return _described(connection, price_in_force(connection, found, market=market, publication=newest, at=at))


def _described(connection: Connection, terms: dict[str, Any]) -> dict[str, Any]:
    """Return a listing's terms with the names a person needs: model, grade, seller."""
    names = row(
        connection,
        """
        select sku.body as sku, seller.body as seller, grade.body as grade
        from sku, seller, grade
        where sku.sku_id = :sku_id and seller.seller_id = :seller_id and grade.grade_id = :grade_id
        """,
        sku_id=terms["sku_id"],
        seller_id=terms["seller_id"],
        grade_id=terms["grade_id"],
    )
    bodies = {name: fit_body(ROWS[name], body) or {} for name, body in (names or {}).items()}
    return {**terms, "vat_note": vat_note(terms["vat_margin"]), "sku": {}, "seller": {}, "grade": {}, **bodies}


def _priced(
    quantity: int, listing: dict[str, Any] | None, plan: dict[str, Any] | None, options: tuple[dict[str, Any], ...]
) -> Priced:
    line = Line(
        quantity=quantity,
        device_cents=all_in_cents(listing) if listing else None,
        plan=PlanTerms.from_body(plan) if plan else None,
        options=tuple(OptionTerms.from_body(option) for option in options),
    )
    return Priced(listing=listing, plan=plan, options=options, line=line, totals=line_totals(line))
