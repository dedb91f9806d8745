"""A seller's own money: at the desk for owners, over the API for programs with the scope."""

from __future__ import annotations

import pytest
import time_machine

from marketplace.db import reading, run_tx
from marketplace.money.payouts import plan_payouts
from marketplace.orders.shipments import Shipment
from marketplace.orders.units import Actor, accept, ship
from marketplace.sellers.fulfilment import units_of_part
from pos import clock
from tests.marketplace.hq import IPHONE_13, Hq, words
from tests.marketplace.sellers.desks import desk, paid_part
from tests.marketplace.sellers.selling import Seller

SHIPPED, PAID_OUT = "2026-12-01T09:00:00Z", "2026-12-16T12:00:00Z"
NET = "324.72"


@pytest.fixture
def sold(hq: Hq) -> dict[str, str]:
    """A part that shipped on 1 December and was paid out on the 16th."""
    with time_machine.travel(clock.from_text(SHIPPED), tick=False):
        part = paid_part(hq, IPHONE_13)
        sent = Shipment(carrier="Colissimo", tracking="6A12345678901", imeis={1: "490154203237518"}, serials={})
        seller = Actor(by="seller:1", at=clock.to_text(clock.now()))
        with reading(hq.engine) as connection:
            units = units_of_part(connection, 1, part["part_id"])
        run_tx(hq.engine, lambda connection: accept(connection, units, seller))
        run_tx(hq.engine, lambda connection: ship(connection, units, sent, seller))
    plan_payouts(hq.engine, now=clock.from_text(PAID_OUT))
    return part


def test_an_owner_sees_what_was_paid_and_every_line_of_it(hq: Hq, sold: dict[str, str]) -> None:
    with time_machine.travel(clock.from_text(PAID_OUT), tick=False):
        owner = desk(hq, 1)
        page = words(owner.get("/seller/money"))
        assert "324,72 €" in page
        statement = words(owner.get("/seller/money/statements/2026-12-16"))
        assert "369,00 €" in statement
        assert f'href="/seller/orders/{sold["part_id"]}">{sold["number"]}</a>' in statement, "each line names its order"
        assert f";{sold['number']};unit:" in owner.get("/seller/money/statements/2026-12-16/lines.csv").text
        assert owner.get("/seller/money/statements/2026-12-16/lines.csv").text.count(f";{NET};EUR") == 1
        assert owner.get("/seller/money/statements/2026-12-16/statement.pdf").data.startswith(b"%PDF")
        assert owner.get("/seller/money/statements/2026-12-17").status_code == 404
        assert desk(hq, 1, "shipping").get("/seller/money").status_code == 403
        assert "324,72 €" not in words(desk(hq, 2).get("/seller/money"))


def test_a_program_reads_payouts_and_statements_with_the_scope_alone(hq: Hq, sold: dict[str, str]) -> None:
    with time_machine.travel(clock.from_text(PAID_OUT), tick=False):
        seller = Seller(hq)
        [payout] = seller.ask("GET", "/payouts").json["payouts"]  # type: ignore[index]
        assert (payout["day"], payout["amount"], payout["state"]) == ("2026-12-16", NET, "planned")
        statement = seller.ask("GET", "/statement?day=2026-12-16").json
        assert statement is not None
        line = statement["lines"][0]
        assert (line["price"], line["fee"], line["fee_vat"], line["net"]) == ("369.00", "36.90", "7.38", NET)
        assert (line["number"], line["order_id"]) == (sold["number"], sold["part_id"])
        assert seller.ask("GET", "/statement").json["day"] == "2026-12-26"  # type: ignore[index]
        assert seller.ask("GET", "/statement?day=2026-12-17").status_code == 404
        assert seller.ask("GET", "/statement?currency=XXX").status_code in (400, 422)
        assert Seller(hq, 1, "orders").ask("GET", "/payouts").status_code == 403
        assert Seller(hq, 2).ask("GET", "/payouts").json == {"payouts": []}


def test_an_amount_with_too_many_decimals_refunds_nothing(hq: Hq, sold: dict[str, str]) -> None:
    path = f"/orders/{sold['part_id']}/lines/1/refund"
    answer = Seller(hq).ask("POST", path, json={"reason": "goodwill", "amount": "10.123"})
    assert (answer.status_code, answer.json["fields"].keys()) == (422, {"amount"})  # type: ignore[index]
    assert hq.rows("select refunded_cents from unit") == [{"refunded_cents": 0}]
