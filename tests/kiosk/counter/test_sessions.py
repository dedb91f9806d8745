from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from flask.testing import FlaskClient

from tests import world


@pytest.mark.parametrize("path", ["/counter/", "/counter/slips/35-0001-H", "/counter/table"])
def test_nobody_passes_without_a_pin(client: FlaskClient, slip: str, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/counter/session?next=%2Fcounter%2F")


def test_unsafe_requests_without_a_session_change_nothing(client: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    client.post("/counter/slips/35-0001-H/void", data={"reason": "mistake"})
    client.post("/counter/table/A1", data={"state": "missing"})

    assert kiosk.ops.read().execute("select (select count(*) from slip_void), (select count(*) from demo_check)").fetchone() == (
        0,
        0,
    )


def test_a_pin_is_understood_with_the_spaces_people_type(client: FlaskClient) -> None:
    spaced = f" {world.PIN[:3]} {world.PIN[3:]} "

    assert client.post("/counter/session", data={"clerk": "camille", "pin": spaced}).headers["Location"] == "/counter/"


def test_a_clerk_enters_with_name_and_pin(client: FlaskClient) -> None:
    door = client.get("/counter/session").text
    answer = client.post("/counter/session", data={"clerk": "camille", "pin": world.PIN, "next": "/counter/table"})

    assert "Camille" in door
    assert "Idriss" in door
    assert answer.headers["Location"] == "/counter/table"
    cookie = answer.headers["Set-Cookie"]
    assert ["HttpOnly" in cookie, "SameSite=Strict" in cookie, "Path=/counter" in cookie] == [True] * 3


def test_a_wrong_pin_is_said_and_five_make_everybody_wait(client: FlaskClient) -> None:
    answers = [client.post("/counter/session", data={"clerk": "camille", "pin": "000000"}) for _ in range(6)]

    assert {answer.status_code for answer in answers} == {422}
    assert "Ce code n’est pas celui de cette personne." in answers[0].text
    assert "Trop d’essais." in answers[5].text
    assert client.post("/counter/session", data={"clerk": "camille", "pin": world.PIN}).status_code == 422


def test_two_quiet_minutes_close_the_counter_and_presence_keeps_it_open(clerk: FlaskClient) -> None:
    with time_machine.travel(world.NOW + timedelta(seconds=100), tick=False):
        assert clerk.post("/counter/presence").status_code == 204
    with time_machine.travel(world.NOW + timedelta(seconds=200), tick=False):
        assert clerk.get("/counter/").status_code == 200
    with time_machine.travel(world.NOW + timedelta(seconds=221), tick=False):
        assert clerk.get("/counter/").status_code == 303


def test_leaving_ends_the_session(clerk: FlaskClient) -> None:
    assert clerk.post("/counter/session/end").headers["Location"] == "/"
    assert clerk.get("/counter/").status_code == 303
