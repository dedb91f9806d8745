"""A person, please: rung at the screen, heard at the counter, answered once."""

from __future__ import annotations

from datetime import timedelta

import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pos import calls, helps
from tests import world

RING = "Quelqu’un demande une personne."


def ring(client: FlaskClient, **form: str) -> None:
    assert client.post("/calls", data={"next": "/home", **form}).status_code == 303


def test_every_page_of_the_customer_rings_and_says_what_became_of_it(client: FlaskClient, clerk: FlaskClient, app: Flask) -> None:
    for path in ("/home", "/browse", "/sku/IPHONE-13-128-BLUE", "/plans"):
        assert 'id="ring"' in client.get(path).text
    assert client.post("/calls", data={"next": "/sku/IPHONE-13-128-BLUE"}).headers["Location"] == "/sku/IPHONE-13-128-BLUE"
    assert "Le comptoir est prévenu." in client.get("/home").text
    bell = app.test_client().get("/counter/calls/bell").text
    assert RING in bell
    assert "Devant : Apple iPhone 13." in bell

    assert clerk.post("/counter/calls/1/answer").headers["Location"] == "/counter/"
    assert "Quelqu’un arrive." in client.get("/calls").text
    assert RING not in clerk.get("/counter/calls/bell").text


def test_the_bell_is_sent_once_for_what_a_page_shows_already(client: FlaskClient) -> None:
    assert client.get("/counter/calls/bell?seen=").status_code == 204
    ring(client)
    assert client.get("/counter/calls/bell?seen=").status_code == 200
    assert client.get("/counter/calls/bell?seen=1").status_code == 204


def test_who_answers_has_the_selection_in_hand(client: FlaskClient, clerk: FlaskClient) -> None:
    selection = client.post("/selections", data={"listing": "101"}).headers["Location"].rpartition("/")[2]
    ring(client, s=selection)
    assert f"Sa sélection : {helps.short_code(selection)}." in clerk.get("/counter/calls/bell").text

    address = clerk.post("/counter/calls/1/answer").headers["Location"]
    assert address == f"/counter/selections/{selection}"
    assert "Vous l’avez en main" in clerk.get(address).text


def test_who_takes_the_selection_from_the_list_answers_its_call(client: FlaskClient, clerk: FlaskClient) -> None:
    selection = client.post("/selections", data={"listing": "101"}).headers["Location"].rpartition("/")[2]
    ring(client, s=selection)
    clerk.post(f"/counter/selections/{selection}/help")

    assert RING not in clerk.get("/counter/calls/bell").text


def test_a_call_names_no_selection_that_is_not_here(client: FlaskClient, clerk: FlaskClient) -> None:
    ring(client, s="x" * 9000)

    assert RING in clerk.get("/counter/calls/bell").text
    assert clerk.post("/counter/calls/1/answer").headers["Location"] == "/counter/"


def test_one_clerk_goes_and_the_other_is_told(client: FlaskClient, clerk: FlaskClient, app: Flask) -> None:
    idriss = app.test_client()
    idriss.post("/counter/session", data={"clerk": "idriss", "pin": world.PIN})
    ring(client)

    assert [clerk.post("/counter/calls/1/answer").status_code for _ in range(2)] == [303, 303]
    answer = idriss.post("/counter/calls/1/answer")
    assert answer.status_code == 409
    assert "Une autre personne y va déjà." in answer.text
    assert idriss.post("/counter/calls/9/answer").status_code == 404


def test_ringing_again_is_as_good_as_once_and_can_be_taken_back(client: FlaskClient, kiosk: world.Kiosk) -> None:
    ring(client)
    ring(client)
    assert kiosk.ops.read().execute("select count(*) from call").fetchone() == (1,)
    client.post("/calls/end", data={"next": "/home"})

    assert 'id="ring"' in client.get("/home").text
    assert client.get("/counter/calls/bell?seen=").status_code == 204


def test_a_dozen_calls_ring_and_no_more(app: Flask, kiosk: world.Kiosk) -> None:
    for _ in range(calls.MOST_OPEN + 8):
        ring(app.test_client())

    assert kiosk.ops.read().execute("select count(*) from call").fetchone() == (calls.MOST_OPEN,)


def test_a_call_nobody_heard_stops_and_leaving_forgets_whose_it_was(client: FlaskClient) -> None:
    ring(client)
    client.post("/leave")
    assert 'id="ring"' in client.get("/home").text, "the next visitor did not ring"
    assert RING in client.get("/counter/calls/bell").text, "whoever did may stand at the counter by now"
    with time_machine.travel(world.NOW + calls.RINGS + timedelta(seconds=1), tick=False):
        assert RING not in client.get("/counter/calls/bell").text


def test_a_forged_cookie_is_nobody_s_call(client: FlaskClient) -> None:
    for value in ("1", "x", "9" * 40, ""):
        client.set_cookie("call", value)
        assert client.get("/home").status_code == 200
        assert client.post("/calls/end").status_code == 303
