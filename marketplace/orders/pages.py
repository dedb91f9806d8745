"""`/k/<digits>` and `/orders/<id>`: what a customer's phone opens. GET reads, one POST claims."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, request
from werkzeug.wrappers import Response

from marketplace.db import reading
from marketplace.orders.acquisitions import AcquisitionMissing
from marketplace.orders.order_lines import OrderLine, order_line
from marketplace.orders.orders import (
    InvalidContact,
    LinesGone,
    Order,
    SlipUnknown,
    TotalRose,
    claim_slip,
    masked_email,
    masked_name,
    order,
)
from marketplace.orders.slips import Reading, Waiting, Withdrawn, read_slip
from marketplace.web import marketplace, see_other
from pos import clock
from pos.errors import Conflict, NotEligible, NotFound, PosError, SlipAlreadyVoided, SlipWithdrawn
from shop.web import render_template

pages = Blueprint("slips", __name__)
ORDER_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
SMALL = re.compile(r"[0-9]{1,12}", re.ASCII)


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


@dataclass(frozen=True, slots=True)
class OrderPage:
    """An order with its frozen facts, for whoever holds its address: name and e-mail only as their owner recognises them."""

    order: Order
    name: str
    email: str


@pages.get("/k/<digits>")
def slip(digits: str) -> Response | str | tuple[str, int]:
    """Show a slip; a slip that was ordered leads to its order."""
    with reading(marketplace().engine) as connection:
        read = read_slip(connection, digits, now=clock.now())
    if not isinstance(read, Reading):
        return _no_slip(read)
    if read.order_id is not None:
        return see_other("slips.order_page", order_id=read.order_id)
    return _slip_page(read, {}, {}, None)


@pages.post("/k/<digits>/claim")
def claim(digits: str) -> Response | tuple[str, int]:
    """Order what the slip says, once; with `look`, only show the form again, in another language, with what was typed so far."""
    form = request.form
    replace = _replacements(form.getlist("replace"))
    if "look" in form:
        return _again(digits, form, replace, {}, None)
    seen = form.get("seen_cents", "")
    seen_cents = int(seen) if SMALL.fullmatch(seen) else None
    try:
        order_id = claim_slip(marketplace().engine, digits, form, replace=replace, seen_cents=seen_cents, now=clock.now())
    except (InvalidContact, AcquisitionMissing) as problem:
        return _again(digits, form, replace, problem.data["fields"], problem)
    except (LinesGone, TotalRose, NotEligible, SlipAlreadyVoided, SlipUnknown, SlipWithdrawn) as problem:
        return _again(digits, form, replace, {}, problem)
    return see_other("slips.order_page", order_id=order_id)


@pages.get("/orders/<order_id>")
def order_page(order_id: str) -> str:
    """Show an order to whoever holds its address: name and e-mail masked, nothing of the delivery address.

    It is one text as somebody typed it: no rule tells its town from its street everywhere.
    """
    if not ORDER_ID.fullmatch(order_id):
        raise NotFound("no such order")
    with reading(marketplace().engine) as connection:
        placed = order(connection, order_id)
    page = OrderPage(placed, name=masked_name(placed["name"]), email=masked_email(placed["email"]))
    return render_template("marketplace/orders/order.html", page=page)


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
    page = SlipPage(slip=slip, lines=lines, form=form, fields=fields, problem=problem)
    return render_template("marketplace/orders/slip.html", page=page)


def _replacements(values: list[str]) -> dict[int, int]:
    """Read `<line number>:<listing id>` pairs; anything else is no acceptance of anything."""
    pairs = [value.split(":") for value in values[:20]]
    return {int(pair[0]): int(pair[1]) for pair in pairs if len(pair) == 2 and all(SMALL.fullmatch(part) for part in pair)}
