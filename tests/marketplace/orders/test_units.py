"""What becomes of an order once it is to be paid: parts, units, their steps, the stock, and what goes back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from marketplace.db import reading, run_tx
from marketplace.money.provider import ProviderDown
from marketplace.orders.parts import ACCEPT_WITHIN, amount_cents, mark_paid, release_unpaid
from marketplace.orders.shipments import ImeiKnown, InvalidShipment, Shipment
from marketplace.orders.timers import move_late_units
from marketplace.orders.units import (
    Actor,
    RefundTooHigh,
    Unit,
    WrongUnitState,
    accept,
    cancel,
    deliver,
    refund,
    ship,
    take_back,
    units_of_order,
)
from marketplace.sellers.fulfilment import meant, units_of_part
from pos import clock
from pos.errors import NotFound
from pos.tokens import TokenLine
from tests.marketplace.hq import IPHONE_13, IPHONE_13_WITH_PLAN, LAST_IPHONE_12, Hq, words
from tests.marketplace.money.books import RETURNED, assert_adds_up, balances
from tests.marketplace.money.paying import money_arrives
from tests.marketplace.orders.carriers import acknowledge_plans

IMEI, OTHER_IMEI = "490154203237518", "011415009346880"
TWO_SELLERS = (IPHONE_13, LAST_IPHONE_12)


def paid(hq: Hq, *lines: TokenLine, counter: int = 1) -> dict[str, Any]:
    """Place an order for these lines and pay it; return its row."""
    address = hq.claim(hq.digits(*lines, counter=counter)).location
    [placed] = hq.rows("select * from customer_order where order_id = :order_id", order_id=address.rpartition("/")[2])
    assert money_arrives(hq, placed["order_id"]) == "paid"
    return placed


def units(hq: Hq) -> list[Unit]:
    [placed] = hq.rows("select order_id from claim order by counter desc limit 1")
    with reading(hq.engine) as connection:
        return units_of_order(connection, placed["order_id"])


def act(hq: Hq, step: Any, *more: Any, by: str = "seller:1", now: datetime | None = None) -> None:
    actor = Actor(by=by, at=clock.to_text(now or clock.now()))
    run_tx(hq.engine, lambda connection: step(connection, units(hq), *more, actor))


def shipment(*imeis: str, **changes: str) -> Shipment:
    said = {"carrier": "Colissimo", "tracking": "6A12345678901"} | changes
    return Shipment(**said, imeis=dict(enumerate(imeis, start=1)), serials={})


def stock(hq: Hq, listing_id: int) -> tuple[int, int]:
    [found] = hq.rows("select quantity, reserved from listing where listing_id = :listing_id", listing_id=listing_id)
    return found["quantity"], found["reserved"]


def test_a_paid_order_gives_each_seller_a_part_of_their_own(hq: Hq) -> None:
    placed = paid(hq, *TWO_SELLERS)

    parts = hq.rows("select seller_id, number, order_id from part order by number")
    assert [(part["seller_id"], part["number"]) for part in parts] == [
        (1, f"{placed['number']}-1"),
        (2, f"{placed['number']}-2"),
    ]
    assert [(unit["seller_id"], unit["state"], unit["owed_cents"], unit["collected_cents"]) for unit in sorted_units(hq)] == [
        (1, "to_accept", 36900, 36900),
        (2, "to_accept", 24900, 24900),
    ]
    assert len(placed["order_id"]) == 32
    with reading(hq.engine) as connection:
        assert amount_cents(connection, placed["customer_id"], placed["order_id"]) == 36900 + 24900


def sorted_units(hq: Hq) -> list[Unit]:
    return sorted(units(hq), key=lambda unit: (unit["seller_id"], unit["line_no"], unit["unit_no"]))


def test_of_a_bundle_the_customer_pays_the_device_and_the_carrier_the_rest(hq: Hq) -> None:
    placed = paid(hq, IPHONE_13_WITH_PLAN)

    [unit] = units(hq)
    assert (unit["owed_cents"], unit["collected_cents"], unit["partner_id"]) == (36900, 16900, "loire-mobile")
    with reading(hq.engine) as connection:
        assert amount_cents(connection, placed["customer_id"], placed["order_id"]) == 16900, "plan and options are the carrier's"


def test_money_that_is_told_twice_makes_one_set_of_units(hq: Hq) -> None:
    placed = paid(hq, IPHONE_13)
    again = lambda connection: mark_paid(connection, placed["customer_id"], placed["order_id"], at="2026-11-29T10:00:00Z")  # noqa: E731

    assert run_tx(hq.engine, again)
    assert len(hq.rows("select * from unit")) == 1
    assert stock(hq, 11) == (5, 1)


def test_units_of_an_order_nobody_pays_are_for_others_again_and_late_money_takes_them_anew(hq: Hq) -> None:
    hq.claim(hq.digits(LAST_IPHONE_12))
    [placed] = hq.rows("select * from customer_order")
    soon, later = clock.now() + timedelta(minutes=29), clock.now() + timedelta(minutes=31)

    assert (released(hq, soon), released(hq, later), released(hq, later)) == (0, 1, 0)
    assert (stock(hq, 21), hq.rows("select state from customer_order")) == ((1, 0), [{"state": "unpaid"}])
    late = lambda connection: mark_paid(connection, placed["customer_id"], placed["order_id"], at="2026-11-29T10:00:00Z")  # noqa: E731
    hq.change(l21={"quantity": "0"})
    assert not run_tx(hq.engine, late), "the money must go back"
    hq.change(l21={"quantity": "1"})
    assert run_tx(hq.engine, late)
    assert (stock(hq, 21), len(units(hq))) == ((1, 1), 1)


def released(hq: Hq, now: datetime) -> int:
    return release_unpaid(hq.engine, now=now, has_ended=lambda *_: True)


def test_a_provider_that_is_down_is_asked_once_a_round_and_holds_up_only_those_who_began_to_pay(hq: Hq) -> None:
    for counter in (1, 2, 3):
        hq.claim(hq.digits(IPHONE_13, counter=counter))
    for placed in hq.rows("select customer_id, order_id from customer_order order by placed_at limit 2"):
        begin_payment(hq, placed["order_id"])
    asked = []

    def has_ended(customer_id: str, order_id: str) -> bool:
        if hq.rows("select 1 as one from payment where order_id = :order_id", order_id=order_id):
            asked.append(order_id)
            raise ProviderDown("the payment provider does not answer")
        return True

    assert release_unpaid(hq.engine, now=clock.now() + timedelta(minutes=31), has_ended=has_ended) == 1
    assert (len(asked), stock(hq, 11)) == (1, (5, 2))


def begin_payment(hq: Hq, order_id: str) -> None:
    hq.write(
        """
        insert into payment (customer_id, payment_id, order_id, attempt, state, currency, amount_cents, received_cents,
          refunded_cents, back_url, opened_at, expires_at, dispute)
        select customer_id, order_id, order_id, 1, 'opening', currency, 36900, 0, 0, '', placed_at, placed_at, ''
        from customer_order where order_id = :order_id
        """,
        order_id=order_id,
    )


def test_a_unit_goes_its_way_and_every_step_says_who_and_when(hq: Hq) -> None:
    order_id = paid(hq, IPHONE_13)["order_id"]
    act(hq, accept)
    act(hq, ship, shipment(IMEI))
    assert hq.client.post(f"/orders/{order_id}/delivery").status_code == 303

    [unit] = units(hq)
    assert (unit["state"], unit["imei"], unit["carrier"], unit["tracking"]) == ("delivered", IMEI, "Colissimo", "6A12345678901")
    assert stock(hq, 11) == (4, 0), "what was shipped is not there any more"
    steps = hq.rows("select step_no, state, by from unit_step order by step_no")
    assert [tuple(step.values()) for step in steps] == [
        (1, "to_accept", "customer"),
        (2, "accepted", "seller:1"),
        (3, "shipped", "seller:1"),
        (4, "delivered", "customer"),
    ]
    page = words(hq.client.get(f"/orders/{order_id}"))
    assert "Votre commande est livrée." in page
    assert "Suivi Colissimo : 6A12345678901" in page
    assert hq.rows("select changed_no from part") == [{"changed_no": 4}]


@pytest.mark.parametrize(
    ("done", "step"),
    [
        ([], "ship"),
        ([], "deliver"),
        (["accept"], "accept"),
        (["accept", "ship"], "cancel"),
        (["accept", "ship", "deliver", "take_back"], "deliver"),
        (["cancel"], "accept"),
    ],
)
def test_no_unit_goes_back_nor_jumps(hq: Hq, done: list[str], step: str) -> None:
    paid(hq, IPHONE_13)
    steps = {
        "accept": (accept,),
        "ship": (ship, shipment(IMEI)),
        "deliver": (deliver,),
        "take_back": (take_back,),
        "cancel": (cancel,),
    }
    for name in done:
        act(hq, *steps[name])
    before = hq.rows("select * from unit"), hq.rows("select * from unit_step")

    with pytest.raises((WrongUnitState, ImeiKnown)):
        act(hq, *steps[step])
    assert (hq.rows("select * from unit"), hq.rows("select * from unit_step")) == before


def test_what_a_seller_gives_up_is_not_there_and_what_a_customer_gives_up_is_for_others(hq: Hq) -> None:
    paid(hq, IPHONE_13)
    act(hq, cancel)
    assert stock(hq, 11) == (4, 0)
    paid(hq, IPHONE_13, counter=2)
    act(hq, cancel, by="customer")
    assert stock(hq, 11) == (4, 0)
    assert [unit["refunded_cents"] for unit in hq.rows("select refunded_cents from unit")] == [36900, 36900]


def test_a_customer_cancels_by_the_page_until_it_is_shipped(hq: Hq) -> None:
    placed = paid(hq, *TWO_SELLERS)
    order_id = placed["order_id"]
    address = f"/orders/{order_id}"
    first = next(unit for unit in units(hq) if unit["seller_id"] == 1)
    assert hq.client.post(f"/orders/{order_id}/cancellation", data={"unit": f"{first['part_id']}:1:1"}).status_code == 303
    assert [unit["state"] for unit in sorted_units(hq)] == ["cancelled", "to_accept"]
    assert hq.client.post(f"/orders/{order_id}/cancellation", data={"unit": f"{first['part_id']}:1:1"}).status_code == 404
    assert hq.client.post(f"/orders/{order_id}/cancellation").status_code == 303
    assert [unit["state"] for unit in sorted_units(hq)] == ["cancelled", "cancelled"]
    assert "Votre commande est annulée." in words(hq.client.get(address))


def test_what_a_seller_does_not_accept_in_a_day_is_taken_from_them(hq: Hq) -> None:
    paid(hq, IPHONE_13)
    assert move_late_units(hq.engine, now=clock.now() + ACCEPT_WITHIN - timedelta(minutes=1)) == 0
    assert move_late_units(hq.engine, now=clock.now() + ACCEPT_WITHIN + timedelta(minutes=1)) == 1
    assert hq.rows("select state, refunded_cents from unit") == [{"state": "cancelled", "refunded_cents": 36900}]


def test_a_parcel_nobody_speaks_of_has_arrived_a_week_after_its_promised_days(hq: Hq) -> None:
    paid(hq, IPHONE_13)
    act(hq, accept)
    act(hq, ship, shipment(IMEI))
    assert move_late_units(hq.engine, now=clock.now() + timedelta(days=9)) == 0
    assert move_late_units(hq.engine, now=clock.now() + timedelta(days=11)) == 1
    assert units(hq)[0]["state"] == "delivered"


@pytest.mark.parametrize(
    ("sent", "fields"),
    [
        (shipment(), {"imei_1": "missing"}),
        (shipment("490154203237519"), {"imei_1": "malformed"}),
        (shipment(IMEI, carrier=""), {"carrier": "missing"}),
        (shipment(IMEI, tracking="?"), {"tracking": "malformed"}),
    ],
)
def test_a_shipment_that_is_not_complete_ships_nothing(hq: Hq, sent: Shipment, fields: dict[str, str]) -> None:
    phones(hq)
    paid(hq, IPHONE_13)
    act(hq, accept)
    with pytest.raises(InvalidShipment) as problem:
        act(hq, ship, sent)
    assert problem.value.data["fields"] == fields
    assert units(hq)[0]["state"] == "accepted"


def phones(hq: Hq) -> None:
    [category] = hq.rows("select body from category where category_id = 'phones'")
    assert '"form":"phone"' in category["body"].replace(" ", "")


def test_one_phone_is_not_shipped_twice(hq: Hq) -> None:
    paid(hq, IPHONE_13)
    act(hq, accept)
    act(hq, ship, shipment(IMEI))
    paid(hq, IPHONE_13, counter=2)
    act(hq, accept)
    with pytest.raises(ImeiKnown):
        act(hq, ship, shipment(IMEI))
    act(hq, ship, shipment(OTHER_IMEI))


def test_no_more_goes_back_than_came(hq: Hq) -> None:
    paid(hq, IPHONE_13)
    actor = Actor(by="seller:1", at=clock.to_text(clock.now()), why="scratch")
    run_tx(hq.engine, lambda connection: refund(connection, units(hq)[0], 10000, actor))
    for cents in (26901, -1):
        with pytest.raises(RefundTooHigh):
            run_tx(hq.engine, lambda connection, cents=cents: refund(connection, units(hq)[0], cents, actor))
    run_tx(hq.engine, lambda connection: refund(connection, units(hq)[0], 26900, actor))
    assert hq.rows("select cents from unit_step where state = 'refunded' order by step_no") == [
        {"cents": 10000},
        {"cents": 26900},
    ]


def test_a_seller_sees_no_unit_of_another(hq: Hq) -> None:
    paid(hq, IPHONE_13)
    [unit] = units(hq)
    with reading(hq.engine) as connection:
        assert units_of_part(connection, 1, unit["part_id"]) == [unit]
        for wrong in ((2, unit["part_id"]), (1, "x")):
            with pytest.raises(NotFound):
                units_of_part(connection, *wrong)
    for nowhere in ({(2, 1)}, {(1, 1), (1, 2)}):
        with pytest.raises(NotFound):
            meant([unit], (), nowhere)


def test_every_step_that_moves_money_is_in_the_ledger(hq: Hq) -> None:
    paid(hq, IPHONE_13_WITH_PLAN)
    acknowledge_plans(hq)
    [ordered] = units(hq)
    act(hq, accept)
    act(hq, ship, shipment(IMEI))
    with reading(hq.engine) as connection:
        booked = balances(connection)
    assert ordered["collected_cents"] == 16900
    assert booked["provider"] == 16900
    assert booked["partner_receivable"] == ordered["owed_cents"] - ordered["collected_cents"] == 20000
    assert booked["seller_payable"] == -32472

    act(hq, take_back)
    for cents in (2000, 14900):
        run_tx(hq.engine, lambda connection, cents=cents: refund(connection, units(hq)[0], cents, Actor(by="hq", at=RETURNED)))  # type: ignore[misc]
    with reading(hq.engine) as connection:
        assert balances(connection) == {"provider": 16900, "refunds_due": -16900}
        assert_adds_up(connection)


def test_a_cancelled_unit_s_money_is_to_be_refunded_and_nothing_is_sold(hq: Hq) -> None:
    paid(hq, IPHONE_13)
    act(hq, cancel)
    with reading(hq.engine) as connection:
        assert balances(connection) == {"provider": 36900, "refunds_due": -36900}
