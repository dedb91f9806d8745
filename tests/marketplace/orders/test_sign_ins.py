"""A mailed link opens one's orders: by the button of its page, once, for a quarter of an hour, and says nothing to strangers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from flask.testing import FlaskClient

from marketplace.db import run_tx
from marketplace.orders.sign_ins import LINK, SESSION, make_link
from pos import clock
from tests.marketplace.hq import CONTACT, IPHONE_13, LAST_IPHONE_12, Hq, words
from tests.marketplace.orders.test_returns import mails


@pytest.fixture(autouse=True)
def moved() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(clock.now(), tick=False) as traveller:
        yield traveller


def link(hq: Hq, email: str = CONTACT["email"]) -> str:
    """Ask for a link and return its path, made as its mail makes it when it leaves."""
    before = len(mails(hq, "sign_in"))
    assert hq.client.post("/sign-in", data={"email": email}).location == "/sign-in/sent"
    assert len(mails(hq, "sign_in")) == before + 1
    [*_, mail] = hq.rows("select owner_id, body from job where kind = 'mail' and body like '%sign_in%'")
    to = json.loads(mail["body"])["to"]
    return run_tx(hq.engine, lambda connection: make_link(connection, mail["owner_id"], to, clock.now()))


def signed_in(hq: Hq) -> FlaskClient:
    browser = hq.app.test_client()
    owner_id, secret = link(hq).split("/")[2:]
    answer = browser.post(f"/sign-in/{owner_id}/{secret}")
    assert (answer.status_code, answer.location) == (303, "/my-orders")
    return browser


def test_the_button_of_the_link_opens_the_orders_of_one_address(hq: Hq) -> None:
    mine = [
        hq.claim(hq.digits(IPHONE_13)).location,
        hq.claim(hq.digits(IPHONE_13, counter=2), email="CAMILLE@example.org").location,
    ]
    other = hq.claim(hq.digits(LAST_IPHONE_12, counter=3), email="sam@example.org").location
    assert hq.client.get("/my-orders").location == "/sign-in"
    address = link(hq, " Camille@Example.org ")
    assert mails(hq, "sign_in")[-1]["to"].lower() == "camille@example.org"
    stranger = hq.app.test_client()
    for _ in range(2):
        assert "Ouvrir mes commandes" in words(stranger.get(address)), "a scanner opens it, and opens it again"
    assert "Set-Cookie" not in stranger.get(address).headers
    answer = stranger.post(address)
    cookie = answer.headers["Set-Cookie"]
    assert "SameSite=Lax" in cookie
    assert "HttpOnly" in cookie
    page = stranger.get("/my-orders").text
    assert [order in page for order in (*mine, other)] == [True, True, False]
    assert cookie.split("=")[1].split(";")[0].partition(".")[2] not in str(hq.rows("select * from customer_session"))


def test_a_link_works_once_and_for_a_quarter_of_an_hour(hq: Hq, moved: time_machine.Traveller) -> None:
    hq.claim(hq.digits())
    first, second = link(hq), link(hq)
    assert hq.client.post(first).status_code == 303
    assert [hq.client.get(first).status_code, hq.client.post(first).status_code] == [409, 409]
    moved.shift(LINK)
    assert hq.client.post(second).status_code == 409
    assert hq.client.post(f"{second[:-1]}x").status_code == 409


def test_the_answer_is_the_same_for_an_address_nobody_ordered_with(hq: Hq) -> None:
    hq.claim(hq.digits())
    known, unknown = (hq.client.post("/sign-in", data={"email": email}) for email in (CONTACT["email"], "nobody@example.org"))
    assert (known.status_code, known.location, known.text) == (unknown.status_code, unknown.location, unknown.text)
    assert len(mails(hq, "sign_in")) == 1
    assert "un lien vient d’y partir" in words(hq.client.get("/sign-in/sent"))


@pytest.mark.parametrize("email", [CONTACT["email"], "nobody@example.org"])
def test_nobody_s_mailbox_is_flooded(hq: Hq, moved: time_machine.Traveller, email: str) -> None:
    hq.claim(hq.digits())
    answers = [hq.client.post("/sign-in", data={"email": email}) for _ in range(7)]
    assert [answer.status_code for answer in answers] == [303] * 5 + [429] * 2
    assert "Trop de liens" in words(answers[-1])
    moved.shift(timedelta(minutes=1))
    assert hq.client.post("/sign-in", data={"email": email}).status_code == 303


def test_a_session_ends_by_the_button_and_after_a_month(hq: Hq, moved: time_machine.Traveller) -> None:
    hq.claim(hq.digits())
    browser, other = signed_in(hq), signed_in(hq)
    token = browser.get_cookie("comptoir_customer")
    assert token is not None
    assert browser.post("/sign-out", headers={"Origin": "null"}).status_code == 403
    gone = browser.post("/sign-out", headers={"Origin": "http://localhost"})
    assert (gone.status_code, gone.headers["Clear-Site-Data"]) == (303, '"storage"')
    browser.set_cookie("comptoir_customer", token.value)
    assert browser.get("/my-orders").location == "/sign-in", "the session itself has ended"
    assert other.get("/my-orders").status_code == 200
    moved.shift(SESSION)
    assert other.get("/my-orders").location == "/sign-in"
