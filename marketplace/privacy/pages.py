"""`/console/people`: all that is held of a customer as a file, and their erasure, once nothing of them runs any more."""

from __future__ import annotations

import json
from dataclasses import dataclass

from flask import Blueprint, Response, request
from werkzeug.wrappers import Response as AnyResponse

from marketplace.db import reading
from marketplace.orders.dossiers import order_of_customer
from marketplace.orders.orders import Order
from marketplace.privacy.erasures import OrderRuns, erase_person
from marketplace.privacy.persons import (
    ErasedOrder,
    OrderOfPerson,
    erased_orders,
    export_person,
    file_name,
    kept_documents,
    orders_of_person,
)
from marketplace.sellers.fulfilment import ReasonNeeded
from marketplace.web import marketplace, see_other
from pos import clock
from pos.errors import PosError
from shop.web import render_template

pages = Blueprint("people", __name__, url_prefix="/people")
MOST_REASON, MOST_ROWS = 200, 200


@dataclass(frozen=True, slots=True)
class PersonPage:
    """Whoever placed an order: all their orders, and the documents that would be kept; `problem` is why nothing was erased."""

    order: Order
    orders: list[OrderOfPerson]
    kept: list[dict[str, str]]
    problem: PosError | None


@dataclass(frozen=True, slots=True)
class ErasuresPage:
    """The log of what was erased."""

    erased: list[ErasedOrder]


@pages.get("")
def listing() -> str:
    """Show what was erased, when and why, and until when documents of it are kept."""
    with reading(marketplace().engine) as connection:
        return render_template("marketplace/privacy/erasures.html", page=ErasuresPage(erased_orders(connection, most=MOST_ROWS)))


@pages.get("/<customer_id>/<number>")
def person(customer_id: str, number: str) -> str:
    """Show all orders of the person who placed one."""
    return _person_page(customer_id, number, None)


@pages.get("/<customer_id>/<number>/export")
def export(customer_id: str, number: str) -> Response:
    """Hand out all that is held of the person who placed an order, as one JSON file."""
    at = clock.to_text(clock.now())
    with reading(marketplace().engine) as connection:
        orders = orders_of_person(connection, order_of_customer(connection, customer_id, number))
        document = export_person(connection, orders, at=at)
    response = Response(json.dumps(document, ensure_ascii=False, indent=1), content_type="application/json; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{file_name(number, at)}"'
    response.headers["Cache-Control"] = "no-store"
    return response


@pages.post("/<customer_id>/<number>/erasure")
def erasure(customer_id: str, number: str) -> AnyResponse | tuple[str, int]:
    """Erase the person who placed an order."""
    reason = " ".join(request.form.get("why", "").split())[:MOST_REASON]
    try:
        if not reason:
            raise ReasonNeeded("say why", fields={"why": "missing"})
        erase_person(marketplace().engine, customer_id, number, reason=reason, now=clock.now())
    except (ReasonNeeded, OrderRuns) as problem:
        return _person_page(customer_id, number, problem), problem.status
    return see_other("console.people.listing")


def _person_page(customer_id: str, number: str, problem: PosError | None) -> str:
    with reading(marketplace().engine) as connection:
        placed = order_of_customer(connection, customer_id, number)
        orders = orders_of_person(connection, placed)
        kept = [document for order in orders for document in kept_documents(connection, order.customer_id, order.order_id)]
    return render_template("marketplace/privacy/person.html", page=PersonPage(placed, orders, kept, problem))
