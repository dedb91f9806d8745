"""Seller and customer act on one unit in the same moment: one of them does, the other is told, and money goes back once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from sqlalchemy import Connection

from marketplace.db import reading, run_tx
from marketplace.orders.shipments import Shipment
from marketplace.orders.substitutions import give_up
from marketplace.orders.units import Actor, Unit, WrongUnitState, accept, cancel, ship, units_of_order
from pos import clock
from tests.marketplace.hq import IPHONE_13, Hq
from tests.marketplace.money.books import assert_adds_up, balances
from tests.marketplace.money.paying import money_arrives

TURNS = 4
Step = Callable[[Connection, list[Unit]], None]


def raced(hq: Hq, counter: int, *steps: Step) -> tuple[int, str, int]:
    """Pay an order, let two take their steps at once; return how many did, the unit's state, and what went back."""
    order_id = hq.claim(hq.digits(IPHONE_13, counter=counter)).location.rpartition("/")[2]
    assert money_arrives(hq, order_id) == "paid"
    with reading(hq.engine) as connection:
        units = units_of_order(connection, order_id)
    run_tx(hq.engine, lambda connection: accept(connection, units, actor("seller:1")))

    def take(step: Step) -> int:
        with suppress(WrongUnitState):
            run_tx(hq.engine, lambda connection: step(connection, units))
            return 1
        return 0

    with ThreadPoolExecutor(len(steps)) as threads:
        done = sum(threads.map(take, steps))
    [unit] = hq.rows("select state from unit where order_id = :order_id", order_id=order_id)
    [back] = hq.rows("select coalesce(sum(amount_cents), 0) as cents from refund where order_id = :order_id", order_id=order_id)
    return done, unit["state"], int(back["cents"])


def actor(by: str) -> Actor:
    return Actor(by=by, at=clock.to_text(clock.now()), why="other")


def by_seller(connection: Connection, units: list[Unit]) -> None:
    give_up(connection, units, actor("seller:1"))


def by_customer(connection: Connection, units: list[Unit]) -> None:
    cancel(connection, units, actor("customer"))


def sent(connection: Connection, units: list[Unit]) -> None:
    device = Shipment(carrier="Colissimo", tracking="6A12345678901", imeis={1: "490154203237518"}, serials={})
    ship(connection, units, device, actor("seller:1"))


def test_a_seller_and_a_customer_cancel_at_once(hq: Hq) -> None:
    hq.write("update listing set quantity = 0 where listing_id <> 11")
    for counter in range(1, TURNS + 1):
        assert raced(hq, counter, by_seller, by_customer) == (1, "cancelled", 36900)
    with reading(hq.engine) as connection:
        assert balances(connection) == {"provider": TURNS * 36900, "refunds_due": -TURNS * 36900}
        assert_adds_up(connection)


def test_a_seller_ships_what_a_customer_cancels(hq: Hq) -> None:
    done, state, back = raced(hq, 1, sent, by_customer)
    assert (done, state, back) in ((1, "shipped", 0), (1, "cancelled", 36900))
    with reading(hq.engine) as connection:
        assert_adds_up(connection)
