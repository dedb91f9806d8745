"""What a customer says of units that a seller gives up: whether they may be replaced, and what becomes of one."""

from __future__ import annotations

from flask import Blueprint, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace.db import run_tx
from marketplace.orders.order_pages import order_of_address
from marketplace.orders.substitutions import consent, decide
from marketplace.orders.timeline import unit_name
from marketplace.orders.units import Actor, units_of_order
from marketplace.web import marketplace, see_other
from pos import clock
from pos.errors import NotFound

substitutions = Blueprint("substitutions", __name__)


@substitutions.post("/orders/<order_id>/consent")
def may_substitute(order_id: str) -> Response:
    """Note whether a unit that its seller gives up is replaced without asking: `substitute=yes`, else the customer is asked."""

    def work(connection: Connection) -> None:
        placed = order_of_address(connection, order_id)
        consent(connection, placed["customer_id"], order_id, may_substitute=request.form.get("substitute") == "yes")

    run_tx(marketplace().engine, work)
    return see_other("orders.page", order_id=order_id)


@substitutions.post("/orders/<order_id>/substitution")
def choice(order_id: str) -> Response:
    """Take what stands in for a unit, named as `part:line:unit`, with `answer=take`; have its money back with any other."""
    actor = Actor(by="customer", at=clock.to_text(clock.now()))

    def work(connection: Connection) -> None:
        placed = order_of_address(connection, order_id)
        units = {unit_name(unit): unit for unit in units_of_order(connection, placed["order_id"])}
        unit = units.get(request.form.get("unit", ""))
        if unit is None:
            raise NotFound("no such unit")
        decide(connection, unit, "taken" if request.form.get("answer") == "take" else "declined", actor)

    run_tx(marketplace().engine, work)
    return see_other("orders.page", order_id=order_id)
