"""`POST /orders/<id>/messages`: what a customer writes to the seller of a part; the order's page shows it."""

from __future__ import annotations

from flask import Blueprint, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace.db import run_tx
from marketplace.orders.messages import write_message
from marketplace.orders.order_pages import order_of_address
from marketplace.orders.units import Actor
from marketplace.web import marketplace, see_other
from pos import clock

messages = Blueprint("messages", __name__)


@messages.post("/orders/<order_id>/messages")
def message(order_id: str) -> Response:
    """Write to the seller of the part that the form names."""
    part_id, text = request.form.get("part", ""), request.form.get("text", "")
    actor = Actor(by="customer", at=clock.to_text(clock.now()))

    def work(connection: Connection) -> None:
        placed = order_of_address(connection, order_id)
        write_message(connection, part_id, text, actor, order_id=placed["order_id"])

    run_tx(marketplace().engine, work)
    return see_other("orders.page", order_id=order_id, _anchor="messages")
