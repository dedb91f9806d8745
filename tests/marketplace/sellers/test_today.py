"""The desk's first page: what waits for somebody, each with its time, and where the shop stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask.testing import FlaskClient

from marketplace.db import run_tx
from marketplace.money.sales import post_shipped
from tests.marketplace.hq import IPHONE_13, Hq, words
from tests.marketplace.money.books import unit
from tests.marketplace.orders.test_claims import claimed
from tests.marketplace.sellers.desks import desk, paid_part
from tests.marketplace.sellers.selling import Seller

NOW = datetime(2026, 11, 9, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def moved() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def owner(hq: Hq) -> FlaskClient:
    return desk(hq, 1)


def told(browser: FlaskClient) -> str:
    """Return what the first page says, without its tags."""
    return " ".join(re.sub(r"<[^>]*>", " ", words(browser.get("/seller"))).split())


def test_a_claim_waits_with_its_clock_until_it_is_answered(hq: Hq, owner: FlaskClient, moved: time_machine.Traveller) -> None:
    case = claimed(hq, paid_part(hq, IPHONE_13))
    moved.shift(timedelta(hours=10))
    page = told(owner)
    assert "Retours et réclamations" in page
    assert "38 h 00" in page, "48 hours are the time to answer"
    assert f"/seller/returns#{case}" in owner.get("/seller").text
    owner.post(f"/seller/returns/{case}/answer", data={"remedy": "repair"})
    assert "Retours et réclamations" not in told(owner), "now it is the customer's turn"


def test_a_customer_s_message_waits_until_somebody_answers(hq: Hq, owner: FlaskClient, moved: time_machine.Traveller) -> None:
    part = paid_part(hq, IPHONE_13)
    hq.client.post(f"/orders/{part['order_id']}/messages", data={"part": part["part_id"], "text": "Le chargeur est-il fourni ?"})
    moved.shift(timedelta(hours=3, minutes=40))
    page = told(owner)
    assert "« Le chargeur est-il fourni ? »" in page
    assert "3 h 40" in page
    assert "chargeur" not in told(desk(hq, 2)), "another seller's customers are not there"

    owner.post(f"/seller/orders/{part['part_id']}/messages", data={"text": "Oui, avec son câble."})
    assert "Messages sans réponse" not in told(owner)
    hq.client.post(f"/orders/{part['order_id']}/messages", data={"part": part["part_id"], "text": "Merci."})
    assert "« Merci. »" in told(owner)
    moved.shift(timedelta(days=14, hours=1))
    assert "Merci" not in told(owner), "a thank-you does not wait for ever"


def test_a_held_price_and_the_next_payout_are_on_the_first_page(hq: Hq, owner: FlaskClient) -> None:
    seller = Seller(hq)
    seller.put()
    seller.patch(price="35.00")
    assert "Prix à confirmer 1" in told(owner)
    assert "Dû au prochain virement 0,00 € le 16 novembre 2026" in told(owner)
    assert "virement" not in told(desk(hq, 1, "shipping")), "money is for owners"
    assert "A-1" in words(owner.get("/seller/listings?standing=held"))
    assert "A-1" not in words(owner.get("/seller/listings?standing=paused"))


def test_what_is_due_is_told_in_the_currencies_the_seller_sells_in(hq: Hq, owner: FlaskClient) -> None:
    sale = unit(market="us", currency="USD", placed_at="2026-11-01T10:00:00Z")
    run_tx(hq.engine, lambda connection: post_shipped(connection, sale, at="2026-11-01T12:00:00Z"))
    due = "324,72 $US"
    assert f"Dû au prochain virement {due} le 16 novembre 2026" in told(owner)
    assert due in words(owner.get("/seller/money"))


def test_a_suspended_seller_has_nothing_on_sale(hq: Hq, owner: FlaskClient) -> None:
    Seller(hq).put()
    assert "Annonces en ligne 0" not in told(owner)
    hq.write("update seller set state = 'suspended', suspended = 1 where seller_id = 1")
    assert "Annonces en ligne 0" in told(owner)


def test_somebody_without_a_listing_is_shown_where_to_begin(hq: Hq, owner: FlaskClient) -> None:
    hq.write("delete from listing where seller_id = 1")
    assert "Commencez par vos annonces" in told(owner)
    assert 'href="/seller/imports"' in owner.get("/seller").text
    Seller(hq).put()
    assert "Commencez par vos annonces" not in told(owner)
