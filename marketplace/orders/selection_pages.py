"""`/selections/<id>/order`: a selection becomes an order and leads to its payment. GET reads, one POST orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, request
from werkzeug.wrappers import Response

from marketplace.db import execute_on, reading
from marketplace.money.payment_pages import lead_to_payment
from marketplace.money.provider import NoProvider, pages_origin
from marketplace.orders.acquisitions import AcquisitionMissing
from marketplace.orders.contacts import InvalidContact
from marketplace.orders.forms import seen_cents
from marketplace.orders.order_lines import OrderLine, order_line
from marketplace.orders.placing import TotalRose, order_selection
from marketplace.orders.pricing import OrderMarket, Pricing, price_selection
from marketplace.orders.sales_tax import TaxQuote, TaxUnknown, quote_tax, tax_rows, zip_of
from marketplace.orders.stock import LinesGone
from marketplace.web import marketplace, markets, may_lead_to, see_other
from pos import clock
from pos.errors import NotEligible, PosError
from pos.line_facts import Wish
from pos.selections import wishes_of
from shop import door
from shop.web import render_template

pages = Blueprint("selection_orders", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionOrderPage:
    """A selection about to be ordered, with what was typed into the form so far and why nothing was ordered yet.

    `wishes` are its lines by number; `origin` is where the payment provider's pages stand, None before one is set up.
    """

    selection_id: str
    pricing: Pricing
    wishes: Mapping[int, Wish]
    form: Mapping[str, str]
    problem: PosError | None
    origin: str | None
    tax: TaxQuote | None

    @property
    def lines(self) -> list[OrderLine]:
        """The lines as they would be ordered now."""
        return [order_line(line, self.pricing.laws) for line in self.pricing.lines]

    @property
    def fields(self) -> Mapping[str, str]:
        """Each field that is not as it should be, with its code."""
        return self.problem.data.get("fields", {}) if self.problem is not None else {}

    @property
    def moved(self) -> dict[int, tuple[int, int]]:
        """What a unit cost when its line was chosen and what it costs now, where that differs."""
        now = {line["line_no"]: line["now"]["device_cents"] for line in self.lines if line["now"] is not None}
        then = {line_no: wish.seen_cents for line_no, wish in self.wishes.items()}
        pairs = {
            line_no: (was, cents) for line_no, cents in now.items() if (was := then[line_no]) is not None and cents is not None
        }
        return {line_no: pair for line_no, pair in pairs.items() if pair[0] != pair[1]}

    @property
    def is_payable(self) -> bool:
        """Whether what it costs here can be paid here."""
        return self.origin is not None or not (self.pricing.collected_cents or (self.tax and self.tax.cents))


@pages.get("/selections/<selection_id>/order")
def form(selection_id: str) -> Response:
    """Show what a selection costs now and ask where to deliver it; an empty one has nothing to order."""
    wishes = _wishes(selection_id)
    if not wishes:
        return see_other("selections.selection", selection_id=selection_id)
    return _page(selection_id, wishes, {}, None)


@pages.post("/selections/<selection_id>/order")
def place(selection_id: str) -> Response:
    """Order the selection, once, and lead to the payment; with `look`, only show the form again with what was typed so far."""
    wishes = _wishes(selection_id)
    if "look" in request.form:
        return _page(selection_id, wishes, request.form, None)
    try:
        order_id = order_selection(
            marketplace().engine,
            selection_id,
            wishes,
            request.form,
            market=_market(),
            zone=door.visitor().time_zone,
            language=door.visitor().language,
            seen_cents=seen_cents(request.form),
            now=clock.now(),
            partner_id=door.visitor().partner_id,
        )
    except (InvalidContact, AcquisitionMissing, LinesGone, TotalRose, NotEligible, NoProvider, TaxUnknown) as problem:
        return _page(selection_id, wishes, request.form, problem)
    try:
        return lead_to_payment(order_id)
    except PosError:
        # The order stands: its page says how, and pays it once the provider answers.
        return see_other("orders.page", order_id=order_id)


def _wishes(selection_id: str) -> list[tuple[int, Wish]]:
    """Return the lines of a selection. Raises: NotFound."""
    with reading(marketplace().engine) as connection:
        return wishes_of(execute_on(connection), selection_id)


def _market() -> OrderMarket:
    market, currency = door.current().market(), door.visitor().currency
    facts = markets().facts(market)
    return {"market": market, "currency": currency, "tax_included": facts.tax_included, "post_codes": facts.post_codes}


def _page(selection_id: str, wishes: Sequence[tuple[int, Wish]], typed: Mapping[str, str], problem: PosError | None) -> Response:
    with reading(marketplace().engine) as connection:
        pricing = price_selection(connection, _market(), wishes, now=clock.now(), zone=door.visitor().time_zone)
        origin = pages_origin(connection)
        rates = tax_rows(connection, _market()["market"], door.today())
    zip_code = zip_of(typed.get("address", "")) or zip_of(typed.get("zip", "") or request.args.get("zip", ""))
    tax = quote_tax(pricing, rates, zip_code)
    page = SelectionOrderPage(
        selection_id=selection_id, pricing=pricing, wishes=dict(wishes), form=typed, problem=problem, origin=origin, tax=tax
    )
    response = may_lead_to(origin, render_template("marketplace/orders/selection.html", page=page))
    response.status_code = problem.status if problem is not None else 200
    return response
