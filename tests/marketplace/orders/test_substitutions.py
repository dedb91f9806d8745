"""A unit its seller gives up: what takes its place, at what price, with whose consent, and where its money is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from marketplace.db import reading, run_tx
from marketplace.orders.substitutions import DECIDE_WITHIN, expire_offers, give_up
from marketplace.orders.timers import move_late_units
from marketplace.orders.units import Actor, Unit, units_of_order
from pos import clock
from tests.marketplace import world
from tests.marketplace.hq import IPHONE_13, IPHONE_13_WITH_PLAN, Hq, words
from tests.marketplace.money.books import assert_adds_up, balances
from tests.marketplace.sellers.desks import desk, names_of, paid_part
from tests.marketplace.sellers.test_order_pages import IMEI, PARCEL, TWO_IPHONES, post

YES = {"substitute": "yes"}
CHEAPER = {"price": "350.00"}


def units(hq: Hq, part: dict[str, Any]) -> list[Unit]:
    with reading(hq.engine) as connection:
        return units_of_order(connection, part["order_id"])


def lose(hq: Hq, part: dict[str, Any]) -> None:
    """Let the seller of a part give up what it can."""
    own = [unit for unit in units(hq, part) if unit["part_id"] == part["part_id"]]
    actor = Actor(by="seller:1", at=clock.to_text(clock.now()), why="stock")
    run_tx(hq.engine, lambda connection: give_up(connection, own, actor))


def stood(hq: Hq, part: dict[str, Any]) -> list[tuple[int, str, int, int, int]]:
    """Seller, state, and what was collected, refunded and moved on, of each unit of the part's order."""
    names = ("collected_cents", "refunded_cents", "moved_cents")
    found = [(unit["seller_id"], unit["state"], *(unit[name] for name in names)) for unit in units(hq, part)]  # type: ignore[literal-required]
    return sorted(found)


def refunds(hq: Hq) -> int:
    return sum(refund["amount_cents"] for refund in hq.rows("select amount_cents from refund"))


def stock(hq: Hq, listing_id: int) -> tuple[int, int]:
    [found] = hq.rows("select quantity, reserved from listing where listing_id = :listing_id", listing_id=listing_id)
    return found["quantity"], found["reserved"]


def adds_up(hq: Hq, part: dict[str, Any]) -> None:
    """What is held of the customer's money is what units on their way stand for, and what waits for an answer."""
    with reading(hq.engine) as connection:
        assert_adds_up(connection)
        held = -balances(connection).get("customer_money", 0)
    waiting = sum(unit["collected_cents"] - unit["refunded_cents"] - unit["moved_cents"] for unit in units(hq, part))
    assert held == waiting


def test_with_consent_the_next_winning_offer_takes_the_place_and_the_difference_goes_back(hq: Hq) -> None:
    hq.change(l12=CHEAPER)
    part = paid_part(hq, IPHONE_13, **YES)
    lose(hq, part)

    assert stood(hq, part) == [(1, "cancelled", 36900, 1900, 35000), (2, "to_accept", 35000, 0, 0)]
    assert refunds(hq) == 1900
    assert stock(hq, 12) == (5, 1)
    adds_up(hq, part)
    numbers = [row["number"] for row in hq.rows("select number from part order by number")]
    assert numbers == [part["number"], part["number"].removesuffix("-1") + "-2"]
    page = words(hq.client.get(f"/orders/{part['order_id']}"))
    assert "Phare Ouest" in page
    assert "remplacé par un autre vendeur" in page
    assert "annulée." not in page
    [mail] = hq.rows("select job_id from job where kind = 'mail' and job_id like '%substitute%'")
    assert "substitute_taken" in mail["job_id"]

    other = desk(hq, 2)
    [new] = hq.rows("select * from part where seller_id = 2")
    post(other, new, "acceptance", hq)
    assert post(other, new, "shipment", hq, **PARCEL, imei_1=IMEI) == 303
    with reading(hq.engine) as connection:
        assert balances(connection)["seller_payable"] == -(35000 - 3500 - 700)
        assert balances(connection).get("customer_money", 0) == 0


def test_the_timer_s_word_counts_like_the_seller_s(hq: Hq) -> None:
    hq.change(l12=CHEAPER)
    part = paid_part(hq, IPHONE_13, **YES)
    move_late_units(hq.engine, now=clock.now() + timedelta(hours=25))
    assert stood(hq, part)[1] == (2, "to_accept", 35000, 0, 0)


def test_without_consent_the_customer_is_asked_and_may_take_it(hq: Hq) -> None:
    hq.change(l12=CHEAPER)
    part = paid_part(hq, IPHONE_13)
    lose(hq, part)
    assert (stood(hq, part), refunds(hq), stock(hq, 12)) == ([(1, "cancelled", 36900, 0, 0)], 0, (5, 1))
    adds_up(hq, part)
    address = f"/orders/{part['order_id']}"
    page = words(hq.client.get(address))
    assert "À vous de choisir." in page
    assert "Moins cher : 19,00 € vous sont rendus aussitôt." in page

    [name] = names_of(hq, part)
    order_id = part["order_id"]
    for _ in range(2):
        answer = hq.client.post(f"/orders/{order_id}/substitution", data={"unit": name, "answer": "take"})
    assert answer.status_code == 409, "once"
    assert stood(hq, part) == [(1, "cancelled", 36900, 1900, 35000), (2, "to_accept", 35000, 0, 0)]
    assert "À vous de choisir." not in words(hq.client.get(address))
    adds_up(hq, part)


def test_who_declines_or_says_nothing_gets_all_back_and_the_unit_is_for_others(hq: Hq) -> None:
    hq.change(l12=CHEAPER)
    part = paid_part(hq, IPHONE_13)
    lose(hq, part)
    order_id, [name] = part["order_id"], names_of(hq, part)
    assert hq.client.post(f"/orders/{order_id}/substitution", data={"unit": "x"}).status_code == 404
    assert hq.client.post(f"/orders/{order_id}/substitution", data={"unit": name, "answer": "refund"}).status_code == 303
    assert (stood(hq, part), stock(hq, 12)) == ([(1, "cancelled", 36900, 36900, 0)], (5, 0))

    late = paid_part(hq, IPHONE_13, counter=2)
    lose(hq, late)
    now = clock.now()
    assert expire_offers(hq.engine, now=now + DECIDE_WITHIN - timedelta(minutes=1)) == 0
    assert expire_offers(hq.engine, now=now + DECIDE_WITHIN + timedelta(minutes=1)) == 1
    assert expire_offers(hq.engine, now=now + DECIDE_WITHIN + timedelta(minutes=2)) == 0
    assert (stood(hq, late), stock(hq, 12)) == ([(1, "cancelled", 36900, 36900, 0)], (5, 0))
    adds_up(hq, late)


def test_consent_is_given_and_taken_back_on_the_order_s_page(hq: Hq) -> None:
    order_id = paid_part(hq, IPHONE_13)["order_id"]
    for form, kept in ((YES, 1), ({}, 0)):
        assert hq.client.post(f"/orders/{order_id}/consent", data=form).status_code == 303
        assert hq.rows("select may_substitute from customer_order") == [{"may_substitute": kept}]


@pytest.mark.parametrize(
    "changes",
    [
        {"price": "369.01"},
        {"price": "300.00", "grade": "FAIR"},
        {"price": "300.00", "sku_id": "2"},
        {"price": "300.00", "quantity": "0"},
        {"price": "300.00", "state": "offline"},
        {"price": "360.00", "shipping_price": "9.50"},
    ],
)
def test_what_is_dearer_worse_another_device_or_gone_takes_no_place(hq: Hq, changes: dict[str, str]) -> None:
    part = paid_part(hq, IPHONE_13, **YES)
    hq.change(l12=changes)
    lose(hq, part)
    assert stood(hq, part) == [(1, "cancelled", 36900, 36900, 0)]
    adds_up(hq, part)


def test_a_better_grade_may_take_the_place_but_none_of_the_seller_who_gave_up(hq: Hq) -> None:
    part = paid_part(hq, TWO_IPHONES, **YES)
    hq.change(l12={"price": "369.00", "grade": "PREMIUM", "quantity": "1"}, l13={"price": "300.00"})
    lose(hq, part)
    assert stood(hq, part) == [
        (1, "cancelled", 36900, 0, 36900),
        (1, "cancelled", 36900, 36900, 0),
        (2, "to_accept", 36900, 0, 0),
    ]
    adds_up(hq, part)


def test_another_colour_may_take_the_place(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13, **YES)
    rows = world.world()
    rows["skus"].append({**world.sku(3, "IPHONE-13-128-RED", "iPhone 13", "4012345678901"), "words": "rouge"})
    hq.import_world(rows, l12={"price": "340.00", "sku_id": "3"})
    hq.publish()
    lose(hq, part)
    assert stood(hq, part)[1] == (2, "to_accept", 34000, 0, 0)


def test_a_second_seller_who_gives_up_leads_to_a_third_or_to_a_refund(hq: Hq) -> None:
    hq.change(l12=CHEAPER)
    part = paid_part(hq, IPHONE_13, **YES)
    lose(hq, part)
    [new] = hq.rows("select * from part where seller_id = 2")
    lose(hq, new)
    assert stood(hq, part) == [(1, "cancelled", 36900, 1900, 35000), (2, "cancelled", 35000, 35000, 0)]
    assert refunds(hq) == 36900
    adds_up(hq, part)


def test_in_a_bundle_the_carrier_pays_its_share_and_the_customer_less(hq: Hq) -> None:
    hq.change(l12=CHEAPER)
    part = paid_part(hq, IPHONE_13_WITH_PLAN, **YES)
    lose(hq, part)
    assert stood(hq, part) == [(1, "cancelled", 16900, 1900, 15000), (2, "to_accept", 15000, 0, 0)]
    new = next(unit for unit in units(hq, part) if unit["seller_id"] == 2)
    assert (new["owed_cents"], new["partner_id"]) == (35000, "loire-mobile")
    adds_up(hq, part)


def test_a_device_too_cheap_for_its_plan_takes_no_place(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13_WITH_PLAN, **YES)
    hq.change(l12={"price": "249.00"})
    lose(hq, part)
    assert stood(hq, part) == [(1, "cancelled", 16900, 16900, 0)]
