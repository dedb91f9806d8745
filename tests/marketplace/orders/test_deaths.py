"""HQ killed at every statement of an order's life: customer, seller and jobs come again, and nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import pytest
import time_machine
from sqlalchemy import Connection, Engine

from demo.bank import Bank
from marketplace.db import reading, run_tx
from marketplace.orders.shipments import Shipment
from marketplace.orders.units import Actor, Unit, WrongUnitState, accept, refund, ship, take_back, units_of_order
from marketplace.running.jobs import LEASE
from pos import clock
from tests.marketplace.deaths import killed_everywhere
from tests.marketplace.hq import IPHONE_13_WITH_PLAN, Hq
from tests.marketplace.money.books import assert_adds_up, balances
from tests.marketplace.money.paying import bank_of
from tests.marketplace.orders.carriers import acknowledge_plans

BEGIN = datetime.fromisoformat("2026-12-01T09:00:00+00:00")


@pytest.fixture(autouse=True)
def time() -> Iterator[time_machine.Coordinates]:
    with time_machine.travel(BEGIN, tick=False) as moved:
        yield moved


@pytest.fixture
def bank(hq: Hq, tmp_path: Path, time: time_machine.Coordinates) -> Iterator[Bank]:
    with bank_of(hq, tmp_path / "bank") as running:
        yield running


class Life:
    """One order of a bundle, and what its customer, its seller and the jobs do for it until they are through."""

    def __init__(self, hq: Hq, bank: Bank, time: time_machine.Coordinates) -> None:
        self.hq, self.bank, self.time = hq, bank, time
        self.digits = hq.digits(IPHONE_13_WITH_PLAN)
        self.seller = Actor(by="seller:1", at=clock.to_text(clock.now()))
        self.pages: Engine = hq.app.extensions["marketplace"].engine

    @property
    def order_id(self) -> str:
        [placed] = self.hq.rows("select order_id from customer_order")
        return str(placed["order_id"])

    @property
    def unit(self) -> Unit:
        with reading(self.hq.engine) as connection:
            return units_of_order(connection, self.order_id)[0]

    def claim(self) -> None:
        self.hq.claim(self.digits)

    def open_payment(self) -> None:
        self.hq.client.post(f"/orders/{self.order_id}/payment")

    def work(self) -> None:
        """Do what is due once the dead worker's claims have run out."""
        self.time.shift(LEASE)
        self.hq.work()

    def take_step(self, step: Callable[[Connection], None]) -> None:
        """Do what the seller's form does, who may find it done."""
        with suppress(WrongUnitState):
            run_tx(self.hq.engine, step)

    def accept(self) -> None:
        self.take_step(lambda connection: accept(connection, [self.unit], self.seller))

    def ship(self) -> None:
        sent = Shipment(carrier="Colissimo", tracking="6A12345678901", imeis={1: "490154203237518"}, serials={})
        self.take_step(lambda connection: ship(connection, [self.unit], sent, self.seller))

    def take_back(self) -> None:
        self.take_step(lambda connection: take_back(connection, [self.unit], self.seller))

    def give_back(self) -> None:
        if not self.unit["refunded_cents"]:
            run_tx(self.hq.engine, lambda connection: refund(connection, self.unit, 16900, self.seller))

    def look(self) -> None:
        """Nothing is there twice, nothing is sold that is not there, and the ledger adds up."""
        assert len(self.hq.rows("select * from customer_order")) <= 1
        assert len(self.hq.rows("select * from unit")) <= 1
        [listing] = self.hq.rows("select quantity, reserved from listing where listing_id = 11")
        assert 4 <= listing["quantity"] - listing["reserved"] <= 5
        assert len(self.bank.books.listed("checkout.session")) <= 1
        with reading(self.hq.engine) as connection:
            assert_adds_up(connection)

    def deaths(self, act: Callable[[], None], engine: Engine | None = None) -> int:
        return killed_everywhere(engine or self.hq.engine, act, self.look)


def test_hq_killed_at_any_statement_of_an_order_s_life_loses_and_doubles_nothing(
    hq: Hq, bank: Bank, time: time_machine.Coordinates
) -> None:
    life = Life(hq, bank, time)
    assert life.deaths(life.claim, life.pages) > 10
    assert life.deaths(life.open_payment, life.pages) > 5
    [session] = bank.books.listed("checkout.session")
    bank.act("pay", session["id"])
    assert life.deaths(life.work) > 20
    assert hq.rows("select state from customer_order") == [{"state": "paid"}]
    with reading(hq.engine) as connection:
        assert balances(connection) == {"provider": 16900, "customer_money": -16900}

    assert life.deaths(life.accept) > 3
    acknowledge_plans(hq)
    assert life.deaths(life.ship) > 10
    assert life.deaths(life.take_back) > 3
    assert life.unit["state"] == "returned"
    assert life.deaths(life.give_back) > 8
    assert life.deaths(life.work) > 5
    assert [made["amount"] for made in bank.books.listed("refund")] == [16900]
    with reading(hq.engine) as connection:
        assert balances(connection) == {}
