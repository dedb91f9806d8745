"""`/orders/<id>/claims`: claiming for a device under the law's guarantee or its seller's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace.db import reading, run_tx
from marketplace.orders.cases import CaseIncomplete, cases_of_order
from marketplace.orders.claims import Claim, Claimable, claimables, make_claim
from marketplace.orders.order_pages import order_of_address, zone_of
from marketplace.orders.orders import Order
from marketplace.orders.timeline import parts_of_order
from marketplace.orders.units import Actor
from marketplace.web import marketplace, see_other
from pos import clock
from pos.errors import PosError
from shop.web import render_template

claims = Blueprint("claims", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimPage:
    """The devices a guarantee covers at a moment, and what was typed, with why nothing was claimed the last time."""

    order: Order
    devices: list[Claimable]
    at: str
    form: Mapping[str, str]
    problem: PosError | None


@claims.get("/orders/<order_id>/claims")
def claiming(order_id: str) -> str:
    """Show what can be claimed for, and until when."""
    return _page(order_id, {}, None)


@claims.post("/orders/<order_id>/claims")
def claim(order_id: str) -> Response | tuple[str, int]:
    """Claim for one device."""
    form = request.form
    wanted = Claim(**{name: form.get(name, "") for name in ("unit", "ground", "wish", "said")})
    actor = Actor(by="customer", at=clock.to_text(clock.now()))

    def work(connection: Connection) -> None:
        placed = order_of_address(connection, order_id)
        parts = parts_of_order(connection, placed)
        make_claim(connection, placed, parts, wanted, zone=zone_of(placed), actor=actor)

    try:
        run_tx(marketplace().engine, work)
    except CaseIncomplete as problem:
        return _page(order_id, form, problem), problem.status
    return see_other("orders.page", order_id=order_id)


def _page(order_id: str, form: Mapping[str, str], problem: PosError | None) -> str:
    with reading(marketplace().engine) as connection:
        placed = order_of_address(connection, order_id)
        cases = cases_of_order(connection, placed["order_id"])
        devices = claimables(connection, placed, parts_of_order(connection, placed), cases, zone_of(placed))
    page = ClaimPage(order=placed, devices=devices, at=clock.to_text(clock.now()), form=form, problem=problem)
    return render_template("marketplace/orders/claim.html", page=page)
