"""HQ finds any order, sees its whole life, and acts on its units with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import TestResponse

from marketplace.db import reading
from marketplace.orders.finding import find_orders
from marketplace.orders.units import accept, ship
from tests.marketplace.hq import IPHONE_13, LAST_IPHONE_12, Hq, words
from tests.marketplace.money.books import assert_adds_up
from tests.marketplace.orders.test_units import IMEI, act, paid, shipment, units
from tests.marketplace.test_console import log_in

TABLES = ("customer_order", "unit", "order_name", "claim", "slip", "slip_void")


def found(hq: Hq, typed: str) -> list[str]:
    with reading(hq.engine) as connection:
        return [order["number"] for order in find_orders(connection, typed)]


def address(placed: dict[str, Any], what: str = "") -> str:
    customer_id, number = placed["customer_id"], placed["number"]
    return {
        "": f"/console/orders/{customer_id}/{number}",
        "cancellation": f"/console/orders/{customer_id}/{number}/cancellation",
        "delivery": f"/console/orders/{customer_id}/{number}/delivery",
        "return": f"/console/orders/{customer_id}/{number}/return",
        "refund": f"/console/orders/{customer_id}/{number}/refund",
    }[what]


def names(hq: Hq) -> list[str]:
    return [f"{unit['part_id']}:{unit['line_no']}:{unit['unit_no']}" for unit in units(hq)]


def sent(hq: Hq) -> dict[str, Any]:
    """Place an order of one phone, pay it and ship it."""
    placed = paid(hq, IPHONE_13)
    act(hq, accept)
    act(hq, ship, shipment(IMEI))
    return placed


def post(hq: Hq, placed: dict[str, Any], what: str, **form: str) -> TestResponse:
    return hq.client.post(address(placed, what), data={"unit": names(hq), **form})


def test_an_order_is_found_by_whatever_of_it_somebody_has(hq: Hq) -> None:
    placed = sent(hq)
    hq.write("update unit set serial = 'C39XK2'")
    hq.claim(hq.digits(LAST_IPHONE_12, counter=2), name="Zoë d’Arc", email="zoe@example.org")
    number, [other] = placed["number"], [n["number"] for n in hq.rows("select number from claim where counter = 2")]

    for typed in (number.lower(), f"{number}-1", "Camille@Example.org", "roux", "ROU cam", f"{IMEI[:2]} {IMEI[2:]}", "c39xk2"):
        assert found(hq, typed) == [number], typed
    for typed in ("zoe", "ZOË Arc", "zoe@example.org", other):
        assert found(hq, typed) == [other], typed
    for typed in ("camille arc", "camille@example", "amille", "490154203237519", "%", "_", "' or 1=1", "x" * 300):
        assert found(hq, typed) == [], typed


@pytest.mark.parametrize("kind", ["sqlite"])  # PostgreSQL reads a table of two rows whole, whatever its indexes.
def test_no_search_reads_a_whole_table(hq: Hq) -> None:
    asked: list[str] = []
    with reading(hq.engine) as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_trace_callback(asked.append)
        for typed in ("camille roux", "1K3-0001-H", "camille@example.org"):
            find_orders(connection, typed)
        driver.set_trace_callback(None)
        asked.remove("begin")
        plans = [step[-1] for sql in asked for step in driver.execute(f"explain query plan {sql}")]
    scans = [plan for plan in plans if plan.startswith("SCAN") and plan.split()[1] in TABLES]
    assert len(asked) == 3
    assert scans == []


def test_the_page_of_an_order_tells_its_whole_life_and_never_its_secret(hq: Hq) -> None:
    placed = sent(hq)
    log_in(hq)
    listed, page = words(hq.client.get("/console/orders?q=roux")), words(hq.client.get(address(placed)))
    for said in (placed["number"], "Camille Roux", "camille@example.org", "44000 Nantes", IMEI, "6A12345678901"):
        assert said in page
    for said in ("payé", "accepté", "expédié", "vente expédiée", "paiement reçu", "order_placed"):
        assert said in page
    assert placed["order_id"] not in page + listed
    assert hq.client.get(address({**placed, "customer_id": "x"})).status_code == 404


def test_hq_cancels_what_was_not_shipped_and_says_why(hq: Hq) -> None:
    placed = paid(hq, IPHONE_13)
    log_in(hq)
    assert post(hq, placed, "cancellation", why="asked for on the telephone").status_code == 303
    assert hq.rows("select state, refunded_cents from unit") == [{"state": "cancelled", "refunded_cents": 36900}]
    [step] = hq.rows("select by, why from unit_step where state = 'cancelled'")
    assert step == {"by": "hq", "why": "asked for on the telephone"}
    assert "asked for on the telephone" in hq.client.get(address(placed)).text


def test_hq_notes_an_arrival_then_a_return_and_refunds_in_part_then_in_full(hq: Hq) -> None:
    placed = sent(hq)
    log_in(hq)
    for what, form in (
        ("delivery", {"why": "carrier's letter"}),
        ("return", {"why": "parcel at the seller's"}),
        ("refund", {"why": "scratch", "amount": "19,00 €"}),
        ("refund", {"why": "the rest"}),
    ):
        assert post(hq, placed, what, **form).status_code == 303, what
    steps = hq.rows("select state, by, why, cents from unit_step where step_no > 3 order by step_no")
    assert [(step["state"], step["by"], step["cents"]) for step in steps] == [
        ("delivered", "hq", None),
        ("returned", "hq", None),
        ("refunded", "hq", 1900),
        ("refunded", "hq", 35000),
    ]
    assert [refund["reason"] for refund in hq.rows("select reason from refund order by amount_cents")] == ["scratch", "the rest"]
    with reading(hq.engine) as connection:
        assert_adds_up(connection)


@pytest.mark.parametrize(
    ("what", "form", "said"),
    [
        ("cancellation", {"why": "late"}, "n’en est plus là"),
        ("return", {"why": "  "}, "dites pourquoi"),
        ("return", {"why": "back", "unit": ""}, "cochez au moins un appareil"),
        ("refund", {"why": "scratch", "amount": "369,01"}, "plus que ce qui reste"),
        ("refund", {"why": "scratch", "amount": "much"}, "n’est pas un montant"),
        ("refund", {"why": "scratch", "amount": "0"}, "plus que ce qui reste"),
    ],
)
def test_what_cannot_be_done_changes_nothing_and_is_said(hq: Hq, what: str, form: dict[str, str], said: str) -> None:
    placed = sent(hq)
    log_in(hq)
    before = hq.rows("select * from unit"), hq.rows("select * from unit_step"), hq.rows("select * from refund")
    data: dict[str, Any] = {"unit": names(hq), **form}
    answer = hq.client.post(address(placed, what), data={**data, "unit": [] if "unit" in form else data["unit"]})
    assert (answer.status_code in (409, 422), said in words(answer)) == (True, True)
    assert (hq.rows("select * from unit"), hq.rows("select * from unit_step"), hq.rows("select * from refund")) == before


def test_hq_acts_on_no_unit_of_another_order(hq: Hq) -> None:
    first = sent(hq)
    paid(hq, IPHONE_13, counter=2)
    log_in(hq)
    assert post(hq, first, "cancellation", why="mixed up").status_code == 404
    assert [unit["state"] for unit in hq.rows("select state from unit order by since")].count("cancelled") == 0


def test_hq_s_pages_of_an_order_are_for_hq_alone(hq: Hq) -> None:
    placed = sent(hq)
    stranger = hq.app.test_client()
    assert stranger.get(address(placed)).status_code == 303
    assert stranger.post(address(placed, "delivery"), data={"unit": names(hq), "why": "x"}).status_code == 303
    assert hq.rows("select state from unit") == [{"state": "shipped"}]


def test_the_ledger_s_pages_name_an_order_by_its_number(hq: Hq) -> None:
    placed = paid(hq, IPHONE_13)
    log_in(hq)
    for page in ("/console/money/clearing", "/console/money/accounts/customer_money"):
        shown = words(hq.client.get(page))
        assert placed["number"] in shown, page
        assert f"order:{placed['order_id']}" not in shown, page
