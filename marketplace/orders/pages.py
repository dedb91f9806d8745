"""`/k/<digits>`: what a customer's phone opens. GET reads, one POST claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, request
from werkzeug.wrappers import Response

from marketplace.db import reading
from marketplace.orders.acquisitions import AcquisitionMissing
from marketplace.orders.contacts import InvalidContact, masked_name
from marketplace.orders.forms import SMALL, seen_cents
from marketplace.orders.order_lines import OrderLine, order_line
from marketplace.orders.orders import Order, order
from marketplace.orders.placing import SlipUnknown, SlipUsed, TotalRose, claim_slip
from marketplace.orders.sales_tax import TaxQuote, TaxUnknown, quote_tax, tax_rows, zip_of
from marketplace.orders.slips import Reading, Waiting, Withdrawn, read_slip
from marketplace.orders.stock import LinesGone
from marketplace.web import marketplace, see_other
from pos import clock
from pos.errors import Conflict, NotEligible, PosError, SlipAlreadyVoided, SlipWithdrawn
from shop import door
from shop.web import render_template

pages = Blueprint("slips", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlipPage:
    """A slip as the customer may order it, with what was typed into the form so far and why nothing was ordered yet.

    `fields` maps each field that is not as it should be to a code.
    """

    slip: Reading
    lines: list[OrderLine]
    form: Mapping[str, str]
    fields: Mapping[str, str]
    problem: PosError | None
    tax: TaxQuote | None

    @property
    def currency(self) -> str:
        """The currency of the slip's market."""
        return str(self.slip.market["currency"])

    @property
    def can_act(self) -> bool:
        """Tell whether an order can come of the slip, by an acceptance of something else if need be."""
        return self.slip.is_orderable or len(self.lines) > 1 or any(line["instead"] for line in self.lines)

    @property
    def saved_cents(self) -> int:
        """How much less than on the slip it costs, where all of it can be had."""
        then = self.slip.totals_then
        if then is None or not (self.slip.is_valid and self.slip.is_orderable):
            return 0
        return max(0, then.total_cents - self.slip.totals.total_cents)


@pages.get("/k/<digits>")
def slip(digits: str) -> str | tuple[str, int]:
    """Show a slip; of a slip that was ordered only how far the order is, since whoever finds the paper may look."""
    with reading(marketplace().engine) as connection:
        read = read_slip(connection, digits, now=clock.now())
        placed = order(connection, read.order_id) if isinstance(read, Reading) and read.order_id is not None else None
    if not isinstance(read, Reading):
        return _no_slip(read)
    return _slip_page(read, request.args, {}, None) if placed is None else _used_slip(placed, 200)


@pages.post("/k/<digits>/claim")
def claim(digits: str) -> Response | tuple[str, int]:
    """Order what the slip says, once; with `look`, only show the form again, in another language, with what was typed so far."""
    form = request.form
    replace = _replacements(form.getlist("replace"))
    if "look" in form:
        return _again(digits, form, replace, {}, None)
    try:
        order_id = claim_slip(
            marketplace().engine,
            digits,
            form,
            language=door.visitor().language,
            replace=replace,
            seen_cents=seen_cents(form),
            now=clock.now(),
        )
    except (InvalidContact, AcquisitionMissing) as problem:
        return _again(digits, form, replace, problem.data["fields"], problem)
    except (LinesGone, TotalRose, TaxUnknown, NotEligible, SlipAlreadyVoided, SlipUnknown, SlipWithdrawn) as problem:
        return _again(digits, form, replace, {}, problem)
    except SlipUsed as problem:
        with reading(marketplace().engine) as connection:
            return _used_slip(order(connection, problem.order_id), problem.status)
    return see_other("orders.page", order_id=order_id)


def _used_slip(placed: Order, status: int) -> tuple[str, int]:
    """Say how far the order of a slip is to somebody who may not be its customer."""
    return render_template("marketplace/orders/used.html", order=placed, initials=masked_name(placed["name"])), status


def _no_slip(unread: Waiting | Withdrawn) -> tuple[str, int]:
    """Say that the slip's device is not known yet, or that it was withdrawn before it made this slip."""
    if isinstance(unread, Withdrawn):
        return render_template("marketplace/orders/withdrawn.html", slip=unread), 410
    return render_template("marketplace/orders/waiting.html", slip=unread), 202


def _again(
    digits: str, form: Mapping[str, str], replace: Mapping[int, int], fields: Mapping[str, str], problem: PosError | None
) -> tuple[str, int]:
    """Show the slip again with what was typed kept, and why nothing was ordered if somebody tried."""
    with reading(marketplace().engine) as connection:
        shown = read_slip(connection, digits, now=clock.now(), replace=replace)
    if not isinstance(shown, Reading):
        return _no_slip(shown)
    text = _slip_page(shown, form, fields, problem)
    return text, 200 if problem is None else 409 if isinstance(problem, Conflict) else 422


def _slip_page(slip: Reading, form: Mapping[str, str], fields: Mapping[str, str], problem: PosError | None) -> str:
    lines = [order_line(line, slip.laws) for line in slip.lines]
    with reading(marketplace().engine) as connection:
        rates = tax_rows(connection, slip.market["market"], clock.local_day(clock.now(), slip.corner["time_zone"]))
    tax = quote_tax(slip, rates, zip_of(form.get("address", "")) or zip_of(form.get("zip", "")))
    page = SlipPage(slip=slip, lines=lines, form=form, fields=fields, problem=problem, tax=tax)
    return render_template("marketplace/orders/slip.html", page=page)


def _replacements(values: list[str]) -> dict[int, int]:
    """Read `<line number>:<listing id>` pairs; anything else is no acceptance of anything."""
    pairs = [value.split(":") for value in values[:20]]
    return {int(pair[0]): int(pair[1]) for pair in pairs if len(pair) == 2 and all(SMALL.fullmatch(part) for part in pair)}
