"""Then and now: what a slip's line cost at the publication it was made from, and what it costs at the newest one.

Invariant: prices come from HQ's own history, never from the slip, so a stolen device cannot make a price up: it can only choose
the publication its slip names. The arithmetic is `pos.totals`, the kiosk's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypedDict, cast

from sqlalchemy import Connection

from marketplace.bodies import fit_body
from marketplace.db import row, rows
from marketplace.orders.stock import has_trial_room
from marketplace.publishing.prices import price_in_force
from marketplace.publishing.terms import NAMED, NEWEST, terms_at, terms_now
from pos.bodies import GradeBody, OptionBody, PlanBody, SellerBody, SkuBody
from pos.claims import vat_note
from pos.line_facts import Wish
from pos.offers import best_first
from pos.rows import ROWS
from pos.tokens import TokenLine
from pos.totals import Line, OptionTerms, PlanTerms, Totals, line_totals

CANDIDATES = 20
WITHOUT = 0


Basis = Literal["then", "now", "replaced", "gone", "dropped"]
"""What the customer gets of a line: the slip's terms, today's, what stands in, nothing yet, or nothing by their own choice."""


class ListingTerms(TypedDict):
    """A listing as a publication had it, at the price in force; `sku`, `seller` and `grade` are None where HQ's row is unfit."""

    listing_id: int
    seller_id: int
    sku_id: int
    grade_id: int
    price_cents: int
    shipping_cents: int
    delivery_days: int
    warranty_months: int
    vat_note: Literal["margin", "regular"]
    battery_pct: int | None
    new_battery: int
    sku: SkuBody | None
    seller: SellerBody | None
    grade: GradeBody | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedWish:
    """One line at one moment: the terms it is made of, the arithmetic's line and its totals."""

    listing: ListingTerms | None
    plan: PlanBody | None
    options: tuple[OptionBody, ...]
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
    then: PricedWish | None
    now: PricedWish | None
    basis: Basis
    instead: PricedWish | None = None

    @property
    def chosen(self) -> PricedWish | None:
        """The terms the customer gets."""
        return {"then": self.then, "now": self.now, "replaced": self.instead}.get(self.basis)

    @property
    def shown(self) -> PricedWish | None:
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
    basis: Basis
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


def compare_selection_line(connection: Connection, line_no: int, wish: Wish, *, market: str, at: str) -> Comparison:
    """Price a line of a selection by the newest publication at `at` (UTC text); "gone" where too few of its device are left."""
    asked = TokenLine(
        listing_id=wish.listing_id or 0,
        plan_id=wish.plan_id or 0,
        option_ids=tuple(wish.option_ids),
        quantity=wish.quantity,
        one_off_cents=0,
        monthly_cents=0,
    )
    today = price_wish(connection, asked, market=market, publication=None, at=at)
    is_there = not asked.listing_id or is_available(connection, asked.listing_id, asked.quantity)
    return Comparison(
        line_no=line_no, wish=asked, then=None, now=today, basis="now" if today is not None and is_there else "gone"
    )


def price_wish(connection: Connection, wish: TokenLine, *, market: str, publication: int | None, at: str) -> PricedWish | None:
    """Price a line at a publication of a market, or the newest, at a moment; None when one of its parts was not on offer then."""
    moment = _Moment(market=market, publication=publication, at=at)
    listing = _listing(connection, wish.listing_id, moment) if wish.listing_id else None
    plan: PlanBody | None = _body(connection, "plan", wish.plan_id, moment) if wish.plan_id else None
    options: list[OptionBody | None] = [_body(connection, "option", option_id, moment) for option_id in wish.option_ids]
    if (wish.listing_id and listing is None) or (wish.plan_id and plan is None):
        return None
    chosen = tuple(option for option in options if option is not None)
    return _priced(wish.quantity, listing, plan, chosen) if len(chosen) == len(options) else None


def listing_now(connection: Connection, listing_id: int, *, market: str, at: str) -> ListingTerms | None:
    """Return a listing by the newest publication at the price in force at `at` (UTC text), None where it is not on offer."""
    return _listing(connection, listing_id, _Moment(market=market, publication=None, at=at))


def all_in_cents(listing: ListingTerms) -> int:
    """Return what one unit costs delivered."""
    return listing["price_cents"] + listing["shipping_cents"]


def is_available(connection: Connection, listing_id: int, quantity: int) -> bool:
    """Tell whether this many units can be ordered now."""
    found = row(
        connection,
        """
        select seller.seller_id, seller.state from listing join seller on seller.seller_id = listing.seller_id
        where listing.listing_id = :listing_id and listing.state = 'online' and seller.suspended = 0
          and listing.quantity - listing.reserved >= :quantity
        """,
        listing_id=listing_id,
        quantity=quantity,
    )
    is_on_trial = found is not None and found["state"] == "trial"
    return found is not None and (not is_on_trial or has_trial_room(connection, found["seller_id"], quantity))


def propose(connection: Connection, wish: TokenLine, shown: PricedWish, *, market: str, at: str) -> PricedWish | None:
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
        terms = _listing(connection, candidate["listing_id"], _Moment(market=market, publication=None, at=at))
        is_same_grade = candidate["grade_id"] == shown.listing["grade_id"]
        if terms is not None and (is_same_grade or all_in_cents(terms) <= ceiling):
            return _priced(wish.quantity, terms, shown.plan, shown.options)
    return None


def _better(then: PricedWish | None, now: PricedWish | None) -> Basis:
    """Return the basis that costs less over the whole horizon; a tie keeps what the slip said."""
    if then is None:
        return "now" if now is not None else "gone"
    if now is None:
        return "then"
    cost_then = (then.totals.total_cents, then.totals.due_today_cents)
    cost_now = (now.totals.total_cents, now.totals.due_today_cents)
    return "then" if cost_then <= cost_now else "now"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """A publication of a market, None for the newest, at a time (UTC text)."""

    market: str
    publication: int | None
    at: str


def _terms(connection: Connection, table: str, key: int, moment: _Moment) -> dict[str, Any] | None:
    """Return the row of a published table at a moment, None where it was not on offer."""
    if moment.publication is None:
        return terms_now(connection, table, key, market=moment.market)
    found = terms_at(connection, table, key, market=moment.market, publication=moment.publication)
    return None if found is None or found["withdrawn"] else found


def _body(connection: Connection, table: str, key: int, moment: _Moment) -> Any:
    """Return the body of a plan or an option at a moment, None where it was not on offer or is unfit."""
    found = _terms(connection, table, key, moment)
    return fit_body(ROWS[table], found["body"]) if found else None


def _listing(connection: Connection, listing_id: int, moment: _Moment) -> ListingTerms | None:
    """Return a listing at the price in force, with the names a person needs: model, grade, seller."""
    listing = _terms(connection, "listing", listing_id, moment)
    if listing is None:
        return None
    newest = NEWEST if moment.publication is None else moment.publication
    terms = price_in_force(connection, listing, market=moment.market, publication=newest, at=moment.at)
    described = {name: fit_body(ROWS[name], terms[name]) if terms[name] else None for name in NAMED["listing"]}
    return cast(ListingTerms, {**terms, "vat_note": vat_note(terms["vat_margin"]), **described})


def _priced(quantity: int, listing: ListingTerms | None, plan: PlanBody | None, options: tuple[OptionBody, ...]) -> PricedWish:
    line = Line(
        quantity=quantity,
        device_cents=all_in_cents(listing) if listing else None,
        plan=PlanTerms.from_body(plan) if plan else None,
        options=tuple(OptionTerms.from_body(option) for option in options),
    )
    return PricedWish(listing=listing, plan=plan, options=options, line=line, totals=line_totals(line))
