"""Every route of sellers and customers, walked with somebody else's ids: nothing is shown, nothing is changed."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from marketplace import tables
from marketplace.db import reading, run_tx
from marketplace.money.identity import store_identity
from marketplace.orders.shipments import Shipment
from marketplace.orders.units import Actor, accept, deliver, ship, units_of_order
from marketplace.papers.fee_invoices import issue_fee_invoices
from pos import clock
from tests.marketplace.hq import IPHONE_13, LAST_IPHONE_12, Hq
from tests.marketplace.money.paying import money_arrives
from tests.marketplace.papers.issuing import US
from tests.marketplace.sellers.desks import desk, names_of, paid_part, units_of
from tests.marketplace.sellers.selling import Seller

MINE, THEIRS = 1, 2
SECRET = "s3cr3t"
OWN = {"order_id"}
"""What of a customer's address is their own: the rest of it, and what they send, is another's."""
FORM = {"role": "reader", "reason": "stock", "carrier": "Colissimo", "tracking": "6A12345678901", "imei_1": "490154203237518"}


@pytest.fixture
def part(hq: Hq) -> dict[str, Any]:
    """A part of an order whose unit its customer has and sends back, with its seller's people at the desk."""
    made = paid_part(hq, LAST_IPHONE_12, seller_id=THEIRS)
    sent = Shipment(carrier="Colissimo", tracking="6A12345678901", imeis={1: "011415009346880"}, serials={})
    seller = Actor(by=f"seller:{THEIRS}", at=clock.to_text(clock.now()))
    for step in (accept, lambda connection, units, by: ship(connection, units, sent, by), deliver):
        with reading(hq.engine) as connection:
            units = units_of_order(connection, made["order_id"])
        run_tx(hq.engine, lambda connection, step=step, units=units: step(connection, units, seller))  # type: ignore[misc]
    assert hq.client.post(f"/orders/{made['order_id']}/withdrawal", data={"unit": names_of(hq, made)}).status_code == 303
    desk(hq, THEIRS)
    return made


def ids(hq: Hq, part: dict[str, Any]) -> dict[str, str]:
    """What the parts of addresses are, as the other seller knows them. A new kind of part is added here, so that it is walked."""
    [user] = hq.rows("select user_id from seller_user where seller_id = :seller_id", seller_id=THEIRS)
    theirs = Seller(hq, THEIRS)
    run_tx(hq.engine, lambda connection: store_identity(connection, US))
    run_tx(
        hq.engine, lambda connection: issue_fee_invoices(connection, THEIRS, "EUR", until="2100-01-06", at="2100-01-06T12:00:00Z")
    )
    return {
        "fee_invoice_no": str(
            hq.rows("select invoice_no from fee_invoice where seller_id = :seller_id", seller_id=THEIRS)[0]["invoice_no"]
        ),
        "part_id": part["part_id"],
        "user_id": user["user_id"],
        "number": hq.rows("select number from invoice where seller_id = :seller_id", seller_id=THEIRS)[0]["number"],
        "line": "1",
        "line_no": "1",
        "unit_no": "1",
        "order_id": part["part_id"],
        "case_name": f"{names_of(hq, part)[0]}:1",
        "withdrawal_no": "1",
        "listing_id": str(theirs.put("B-1").json["listing_id"]),  # type: ignore[index]
        "key_id": hq.rows("select key_id from api_key where seller_id = :seller_id", seller_id=THEIRS)[0]["key_id"],
        "import_id": theirs.ask("POST", "/imports", data=b"sku\nA", content_type="text/csv").json["import_id"],  # type: ignore[index]
    }


def rows_of(hq: Hq, column: str, owner: Any) -> dict[str, list[dict[str, Any]]]:
    """Everything an owner has."""
    owned = [table.name for table in tables.metadata.sorted_tables if column in table.columns]
    return {name: hq.rows(f"select * from {name} where {column} = :owner", owner=owner) for name in owned}


def rules(hq: Hq, prefix: str) -> list[Rule]:
    """The routes below a prefix that name something of somebody."""
    named = [rule for rule in hq.app.url_map.iter_rules() if rule.rule.startswith(prefix) and rule.arguments - {"day"}]
    return [rule for rule in named if not rule.rule.startswith("/seller/password/")]


def walk(browser: FlaskClient, rule: Rule, values: dict[str, str], form: dict[str, Any]) -> list[TestResponse]:
    """Ask a route by each of its methods."""
    address = rule.build({name: values[name] for name in rule.arguments})
    assert address is not None
    methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    return [browser.open(address[1], method=method, data=form if method != "GET" else None) for method in methods]


def test_no_route_of_the_desk_opens_what_is_another_seller_s(hq: Hq, part: dict[str, Any]) -> None:
    browser, values = desk(hq, MINE), ids(hq, part)
    hq.work()
    before, form = rows_of(hq, "seller_id", THEIRS), {**FORM, "unit": names_of(hq, part)}
    walked = rules(hq, "/seller/")
    assert len(walked) > 8
    for rule in walked:
        for answer in walk(browser, rule, values, form):
            assert answer.status_code == 404, (rule.rule, answer.status_code)
    assert rows_of(hq, "seller_id", THEIRS) == before


def test_no_form_of_the_desk_reaches_another_seller_s_units(hq: Hq, part: dict[str, Any]) -> None:
    own = paid_part(hq, IPHONE_13, seller_id=MINE, counter=2)
    browser, before = desk(hq, MINE), rows_of(hq, "seller_id", THEIRS)
    form = {**FORM, "unit": names_of(hq, part)}
    for rule in rules(hq, "/seller/orders/<part_id>/"):
        # Noting that nothing is to be answered takes no form: it does nothing where nothing waits.
        allowed = (303,) if rule.rule.endswith("/messages/closing") else (404, 422)
        for answer in walk(browser, rule, {"part_id": own["part_id"]}, form):
            assert answer.status_code in allowed, (rule.rule, answer.status_code)
    browser.post("/seller/acceptances", data=form)
    assert rows_of(hq, "seller_id", THEIRS) == before


def test_no_address_of_the_api_opens_what_is_another_seller_s(hq: Hq, part: dict[str, Any]) -> None:
    theirs, mine = Seller(hq, THEIRS), Seller(hq, MINE)
    theirs.put("A-1")
    before = rows_of(hq, "seller_id", THEIRS)
    paths = mine.ask("GET", "/openapi.json").json["paths"]  # type: ignore[index]
    values = {"sku": "A-1", "order_id": part["part_id"], "line": "1", "import_id": part["part_id"]}
    for path, methods in paths.items():
        if "{" in path:
            address = path.removeprefix("/api/v1").format(**values)
            for method in methods:
                answer = mine.ask(method.upper(), address, json=None if method == "get" else {})
                assert answer.status_code in (404, 422), (method, path, answer.status_code)
    assert rows_of(hq, "seller_id", THEIRS) == before


def test_no_act_on_an_order_reaches_another_customer_s(hq: Hq, part: dict[str, Any]) -> None:
    order_id = hq.claim(hq.digits(IPHONE_13, counter=2), email="other@example.org").location.rpartition("/")[2]
    assert money_arrives(hq, order_id) == "paid"
    units, values = names_of(hq, part), {**ids(hq, part), "order_id": order_id}
    before = rows_of(hq, "customer_id", part["customer_id"])
    [unit] = units_of(hq, part)
    form = {
        "unit": units,
        "units": units,
        "part": part["part_id"],
        "part_id": part["part_id"],
        "text": "?",
        "why": "?",
        "kind": "legal",
    }
    form |= {"reason": "mind", "fault": "?", "choice": "refund", "seller_id": str(unit["seller_id"])}
    for rule in rules(hq, "/orders/<order_id>/"):
        for answer in walk(hq.client, rule, values, form):
            assert answer.status_code != 500, (rule.rule, answer.status_code)
    assert rows_of(hq, "customer_id", part["customer_id"]) == before


def test_an_order_s_address_is_a_secret_of_128_bits(hq: Hq, part: dict[str, Any]) -> None:
    for wrong in (part["part_id"], "0" * 32, SECRET):
        assert hq.client.get(f"/orders/{wrong}").status_code == 404
