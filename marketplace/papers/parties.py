"""Who a document is from and to, as it prints them."""

from __future__ import annotations

import json
from typing import TypedDict

from sqlalchemy import Connection

from marketplace.db import row
from pos.languages import SOURCES, paper_language

FIELDS = ("siret", "vat_number", "register_number", "country", "email", "phone")


class Party(TypedDict):
    """A company with its lines of address; what is not known is empty. `mandate_at` is when it let us issue its invoices."""

    name: str
    address: str
    siret: str
    vat_number: str
    register_number: str
    country: str
    email: str
    phone: str
    mandate_at: str


class Customer(TypedDict):
    """Whom a document is for."""

    name: str
    address: str


def seller_party(connection: Connection, seller_id: int) -> Party:
    """Return a seller as it named itself when it applied; of a feed's seller what its row says."""
    found = row(
        connection,
        """
        select seller.body as seller, seller_application.body as application, seller_application.email
        from seller left join seller_application on seller_application.seller_id = seller.seller_id
        where seller.seller_id = :seller_id
        """,
        seller_id=seller_id,
    )
    said = json.loads(found["seller"]) if found else {}
    if found and found["application"]:
        said |= {**json.loads(found["application"]), "email": found["email"]}
    texts = {name: str(said.get(name) or "") for name in (*FIELDS, "legal_name", "name", "address", "city", "mandate_at")}
    return {
        "name": texts["legal_name"] or texts["name"] or str(seller_id),
        "address": texts["address"] or texts["city"],
        "siret": texts["siret"],
        "vat_number": texts["vat_number"],
        "register_number": texts["register_number"],
        "country": texts["country"],
        "email": texts["email"],
        "phone": texts["phone"],
        "mandate_at": texts["mandate_at"],
    }


def customer_of(connection: Connection, customer_id: str, order_id: str) -> Customer:
    """Return the customer of an order."""
    query = "select name, address from customer_order where customer_id = :customer_id and order_id = :order_id"
    found = row(connection, query, customer_id=customer_id, order_id=order_id) or {"name": "", "address": ""}
    return {"name": found["name"], "address": found["address"]}


def language_of(connection: Connection, customer_id: str, order_id: str) -> str:
    """Return the language of an order's documents: its own, or one of its market where paper lacks its letters."""
    found = row(
        connection,
        """
        select customer_order.language, market.body from customer_order
        left join market on market.market = customer_order.market
        where customer_order.customer_id = :customer_id and customer_order.order_id = :order_id
        """,
        customer_id=customer_id,
        order_id=order_id,
    )
    spoken = json.loads(found["body"] or "{}").get("languages", ()) if found else ()
    return paper_language(found["language"] if found else SOURCES, spoken)
