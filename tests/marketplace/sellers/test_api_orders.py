"""A seller's program and its orders: it polls what changed, moves units, and learns of the customer where the parcel goes."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.marketplace.hq import CONTACT, IPHONE_13, LAST_IPHONE_12, Hq
from tests.marketplace.sellers.desks import paid_part, units_of
from tests.marketplace.sellers.selling import Seller
from tests.marketplace.sellers.test_order_pages import IMEI, OTHER_IMEI, TWO_IPHONES

SENT = {"carrier": "Colissimo", "tracking": "6A12345678901"}
DEVICES = [{"unit": 1, "imei": IMEI}, {"unit": 2, "imei": OTHER_IMEI}]


@pytest.fixture
def seller(hq: Hq) -> Seller:
    return Seller(hq, 1, "orders")


def post(seller: Seller, part: dict[str, Any], what: str, line: int = 1, **body: Any) -> TestResponse:
    return seller.ask("POST", f"/orders/{part['part_id']}/lines/{line}/{what}", json=body)


def states(answer: TestResponse) -> list[str]:
    assert answer.json is not None, answer.text
    return [unit["state"] for line in answer.json["lines"] for unit in line["units"]]


def test_a_paid_order_is_told_with_all_that_shipping_needs(hq: Hq, seller: Seller) -> None:
    part = paid_part(hq, TWO_IPHONES)
    told = seller.ask("GET", "/orders").json
    assert told is not None
    [order] = told["orders"]
    assert order["lines"][0] | {"units": 2} == {
        "line": 1, "sku": None, "product": "IPHONE-13-128-BLUE", "title": "Apple iPhone 13 128 Go bleu", "grade": "GOOD",
        "price": "369.00", "vat_type": "MARGINAL", "units": 2,
    }  # fmt: skip
    assert (order["order_id"], order["number"], order["parcel"]) == (part["part_id"], part["number"], None)
    accepted = post(seller, part, "acceptance")
    assert accepted.json is not None
    assert accepted.json["parcel"] == {"name": CONTACT["name"], "address": CONTACT["address"]}
    answers = accepted.text + seller.ask("GET", "/orders").text
    [placed] = hq.rows("select customer_id, order_id, email from customer_order")
    assert not [secret for secret in placed.values() if secret in answers]


def test_a_program_polls_what_changed_and_misses_nothing(hq: Hq, seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = [paid_part(hq, IPHONE_13, counter=counter) for counter in (1, 2, 3)]
    monkeypatch.setattr("marketplace.sellers.api_orders.PAGE", 2)
    told, cursor, more = [], "", True
    while more:
        answer = seller.ask("GET", f"/orders?cursor={cursor}").json
        assert answer is not None
        told += [order["number"] for order in answer["orders"]]
        cursor, more = answer["cursor"], answer["more"]
    assert told == [part["number"] for part in parts]
    assert seller.ask("GET", f"/orders?cursor={cursor}").json == {"orders": [], "cursor": cursor, "more": False}

    post(seller, parts[0], "acceptance")
    changed = seller.ask("GET", f"/orders?cursor={cursor}").json
    assert changed is not None
    assert [order["number"] for order in changed["orders"]] == [parts[0]["number"]]


def test_units_go_their_way_one_by_one_or_all_that_can(hq: Hq, seller: Seller) -> None:
    part = paid_part(hq, TWO_IPHONES)
    assert states(post(seller, part, "acceptance", units=[2])) == ["to_accept", "accepted"]
    assert states(seller.ask("POST", f"/orders/{part['part_id']}/lines/1/acceptance")) == ["accepted", "accepted"]
    assert states(post(seller, part, "cancellation", units=[1], reason="defect")) == ["cancelled", "accepted"]
    assert states(post(seller, part, "shipment", **SENT, devices=DEVICES)) == ["cancelled", "shipped"]
    assert post(seller, part, "acceptance").status_code == 409
    refunded = post(seller, part, "refund", reason="late", amount="20.50")
    assert refunded.json is not None
    assert refunded.json["lines"][0]["units"][1] | {"since": ""} == {
        "unit": 2, "state": "shipped", "since": "", "refunded": "20.50", "imei": OTHER_IMEI, "serial": None, **SENT,
    }  # fmt: skip
    assert post(seller, part, "refund", reason="late", amount="348.51").status_code == 422
    assert states(seller.ask("GET", f"/orders/{part['part_id']}")) == ["cancelled", "shipped"]
    steps = hq.rows("select by, why from unit_step where state = 'cancelled'")
    assert [(step["by"], step["why"]) for step in steps] == [(f"seller:{seller.key.split('_')[2]}", "defect")]


def test_a_write_sent_again_is_not_done_again(hq: Hq, seller: Seller) -> None:
    part = paid_part(hq, IPHONE_13)
    post(seller, part, "acceptance")
    post(seller, part, "shipment", **SENT, devices=DEVICES[:1])
    path, body = f"/orders/{part['part_id']}/lines/1/refund", {"reason": "late", "amount": "10.00"}
    answers = [seller.ask("POST", path, json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert answers[0].json == answers[1].json
    assert [unit["refunded_cents"] for unit in units_of(hq, part)] == [1000]
    assert seller.ask("POST", path, json={**body, "amount": "11.00"}, headers={"Idempotency-Key": "k"}).status_code == 422


@pytest.mark.parametrize(
    ("what", "body", "field"),
    [
        ("acceptance", {"units": []}, "units"),
        ("acceptance", {"units": ["1"]}, "units.0"),
        ("acceptance", {"unit": 1}, "unit"),
        ("cancellation", {}, "reason"),
        ("cancellation", {"reason": "because"}, "reason"),
        ("shipment", {}, "carrier"),
        ("shipment", {**SENT, "devices": [{"unit": 1, "imei": "1"}]}, "imei_1"),
        ("refund", {"reason": "late", "amount": "ten"}, "amount"),
    ],
)
def test_a_body_that_cannot_be_is_refused_with_its_field(
    hq: Hq, seller: Seller, what: str, body: dict[str, Any], field: str
) -> None:
    part = paid_part(hq, IPHONE_13)
    if what == "shipment":
        post(seller, part, "acceptance")
    before = hq.rows("select * from unit")
    answer = post(seller, part, what, **body)
    assert answer.json is not None
    assert (answer.status_code, field in answer.json["fields"]) == (422, True), answer.text
    odd = seller.ask("POST", f"/orders/{part['part_id']}/lines/1/{what}", data="{", content_type="application/json")
    assert odd.status_code == 422
    assert hq.rows("select * from unit") == before


def test_another_seller_s_order_and_another_scope_s_key_reach_nothing(hq: Hq, seller: Seller) -> None:
    part, other = paid_part(hq, IPHONE_13), Seller(hq, 2, "orders")
    paid_part(hq, LAST_IPHONE_12, seller_id=2, counter=2)
    bodies: dict[str, dict[str, Any]] = {
        "acceptance": {}, "shipment": SENT, "cancellation": {"reason": "stock"}, "refund": {"reason": "late"},
    }  # fmt: skip
    for what, body in bodies.items():
        assert post(other, part, what, **body).status_code == 404
        assert post(seller, part, what, line=2, **body).status_code == 404
        assert post(seller, part, what, units=[9], **body).status_code == 404
        assert post(Seller(hq, 1, "listings"), part, what, **body).status_code == 403
    assert other.ask("GET", f"/orders/{part['part_id']}").status_code == 404
    assert other.ask("GET", "/orders/%00").status_code == 404
    assert part["number"] not in other.ask("GET", "/orders").text
    assert [unit["state"] for unit in units_of(hq, part)] == ["to_accept"]
