"""The sheet that goes on a parcel sent back: to whom, from whom, and which device of which order."""

from __future__ import annotations

from typing import TypedDict

from sqlalchemy import Connection

from marketplace.db import row
from marketplace.orders.cases import UnitCase, unit_of_case
from marketplace.orders.order_lines import OrderedListing, agreed_listing
from marketplace.orders.orders import order
from marketplace.papers.parties import Customer, Party, customer_of, seller_party
from marketplace.sellers.companies import COUNTRIES
from pos import clock
from pos.errors import NotFound

SENT_BACK = ("granted", "sent")


class LabelFacts(TypedDict):
    """All that a label prints; `country` is the seller's as it names itself."""

    number: str
    part_number: str
    opened_at: str
    zone: str
    seller: Party
    country: str
    customer: Customer
    device: OrderedListing
    imei: str | None
    serial: str | None


def label_of(connection: Connection, case: UnitCase) -> LabelFacts:
    """Return the label of a case whose device is to be sent back, or is on its way. Raises: NotFound for another."""
    if case["state"] not in SENT_BACK:
        raise NotFound("nothing is to be sent back")
    placed, unit = order(connection, case["order_id"]), unit_of_case(connection, case)
    query = "select number from part where seller_id = :seller_id and part_id = :part_id"
    part = row(connection, query, seller_id=case["seller_id"], part_id=case["part_id"]) or {"number": ""}
    number, seller = part["number"], seller_party(connection, case["seller_id"])
    return {
        "number": f"{number}/{case['line_no']}.{case['unit_no']}.{case['case_no']}",
        "part_number": number,
        "opened_at": case["opened_at"],
        "zone": placed["facts"].get("time_zone") or clock.HOME_ZONE,
        "seller": seller,
        "country": COUNTRIES.get(seller["country"], seller["country"]),
        "customer": customer_of(connection, case["customer_id"], case["order_id"]),
        "device": agreed_listing(placed["facts"]["lines"], unit),
        "imei": unit["imei"],
        "serial": unit["serial"],
    }
