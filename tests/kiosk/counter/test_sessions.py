from __future__ import annotations

import json
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient

from pos import clerks
from pos.scans import code_of
from pos.team import badge_value
from tests import world


@pytest.mark.parametrize("path", ["/counter/", "/counter/slips/35-0001-H", "/counter/table"])
def test_nobody_passes_without_a_pin(client: FlaskClient, slip: str, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("/counter/session?next=%2Fcounter%2F")


def test_unsafe_requests_without_a_session_change_nothing(client: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    client.post("/counter/slips/35-0001-H/void", data={"reason": "mistake"})
    client.post("/counter/table/A1", data={"state": "missing"})

    assert kiosk.ops.read().execute(
        "select (select count(*) from slip_void), (select count(*) from demo_device_event)"
    ).fetchone() == (
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


def test_a_hundred_wrong_pins_over_ten_connections_are_five_tries(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = list[str]()
    monkeypatch.setattr(clerks, "is_pin", lambda _ops, _member, pin, _directory: judged.append(pin))

    def try_ten(connection: int) -> list[str]:
        client = app.test_client()
        tries = [{"clerk": "camille", "pin": f"{connection}0000{number}"} for number in range(10)]
        return [client.post("/counter/session", data=each).status for each in tries]

    with ThreadPoolExecutor(10) as crowd:
        answers = Counter(status for statuses in crowd.map(try_ten, range(10)) for status in statuses)

    assert answers == {"422 UNPROCESSABLE ENTITY": 100}
    assert len(judged) == clerks.PINS.free_tries
    assert "Trop d’essais." in app.test_client().post("/counter/session", data={"clerk": "camille", "pin": world.PIN}).text


def test_a_wrong_pin_is_said_and_five_make_everybody_wait(client: FlaskClient) -> None:
    answers = [client.post("/counter/session", data={"clerk": "camille", "pin": "000000"}) for _ in range(6)]

    assert {answer.status_code for answer in answers} == {422}
    assert "Ce code n’est pas celui de cette personne." in answers[0].text
    assert "Trop d’essais." in answers[5].text
    assert client.post("/counter/session", data={"clerk": "camille", "pin": world.PIN}).status_code == 422


def test_two_quiet_minutes_lock_the_counter_and_presence_keeps_it_open(clerk: FlaskClient) -> None:
    with time_machine.travel(world.NOW + timedelta(seconds=100), tick=False):
        assert clerk.post("/counter/presence").status_code == 204
    with time_machine.travel(world.NOW + timedelta(seconds=200), tick=False):
        assert clerk.get("/counter/").status_code == 200
    with time_machine.travel(world.NOW + timedelta(seconds=221), tick=False):
        assert clerk.get("/counter/").status_code == 423


def test_leaving_ends_the_session(clerk: FlaskClient) -> None:
    assert clerk.post("/counter/session/end").headers["Location"] == "/"
    assert clerk.get("/counter/").status_code == 303


def test_a_badge_says_who_and_never_opens(client: FlaskClient, kiosk: world.Kiosk) -> None:
    badge = code_of("badge", badge_value("nantes-crebillon", "idriss"))
    page = client.get("/counter/session", query_string={"code": badge}).text

    assert re.search(r'value="idriss" required checked', page)
    assert "personne ici" not in page
    typed = client.post("/counter/session", data={"clerk": "camille", "pin": badge})
    assert re.search(r'value="idriss" required checked', typed.text)
    assert (typed.status_code, "Set-Cookie" in typed.headers) == (200, False)
    assert client.post("/counter/session", data={"clerk": "idriss", "badge": badge}).status_code == 422
    assert client.get("/counter/").status_code == 303
    assert kiosk.ops.read().execute("select count(*) from clerk_session").fetchone() == (0,)


@pytest.mark.parametrize(
    "scanned",
    [
        "B-0000000000X",
        code_of("badge", badge_value("paris-beaubourg", "camille")),
        code_of("device", "7K3M9QXT"),
        "3700123456787",
        "35-0001-H",
        code_of("badge", badge_value("nantes-crebillon", "camille"))
        + code_of("badge", badge_value("nantes-crebillon", "idriss")),
        "camille",
    ],
)
def test_what_is_nobody_s_badge_is_nobody(client: FlaskClient, scanned: str) -> None:
    page = client.get("/counter/session", query_string={"code": scanned}).text

    assert "Ce badge n’est à personne ici." in page
    assert " checked" not in page


def test_a_suspended_clerk_s_badge_is_nobody_s(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("update setting set value = json_set(value, '$.clerks[1].state', 'suspended') where name = 'corner'")
    badge = code_of("badge", badge_value("nantes-crebillon", "idriss"))

    assert "Ce badge n’est à personne ici." in client.get("/counter/session", query_string={"code": badge}).text


@pytest.fixture
def newcomer(kiosk: world.Kiosk) -> str:
    """Idriss's one-time code, from his card."""
    hashed = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("482109375516")
    with kiosk.ops_write() as ops:
        ops.execute(
            "update setting set value = json_set(value, '$.clerks[1]', json(?)) where name = 'corner'",
            [json.dumps({"clerk_id": "idriss", "name": "Idriss", "reset_no": 1, "code_hash": hashed})],
        )
    return "4821-0937-5516"


def test_a_one_time_code_leads_to_a_pin_of_one_s_own(client: FlaskClient, newcomer: str) -> None:
    asked = client.post("/counter/session", data={"clerk": "idriss", "pin": newcomer})
    assert "Idriss, choisissez votre code" in asked.text
    assert "Set-Cookie" not in asked.headers
    form = {"clerk": "idriss", "code": "482109375516"}

    for new, again, words in (("123456", "123456", "Une suite de chiffres"), ("739418", "739419", "Les deux saisies diffèrent")):
        assert words in client.post("/counter/session/pin", data={**form, "new": new, "again": again}).text
    entered = client.post("/counter/session/pin", data={**form, "new": "739418", "again": "739418"})
    assert (entered.status_code, entered.headers["Location"]) == (303, "/counter/")
    assert "Idriss" in client.get("/counter/me").text
    assert client.post("/counter/session", data={"clerk": "idriss", "pin": newcomer}).status_code == 422
    assert client.post("/counter/session", data={"clerk": "idriss", "pin": "739418"}).status_code == 303


def test_nobody_chooses_a_pin_without_the_code(client: FlaskClient, newcomer: str) -> None:
    form = {"clerk": "idriss", "new": "739418", "again": "739418"}

    for code in ("", "000000000000", "739418"):
        assert client.post("/counter/session/pin", data={**form, "code": code}).status_code == 422
    assert client.post("/counter/session", data={"clerk": "idriss", "pin": "739418"}).status_code == 422


def test_a_clerk_changes_their_pin_with_the_one_they_have(clerk: FlaskClient, app: Flask) -> None:
    assert "Votre code actuel" in clerk.get("/counter/me/pin").text
    form = {"new": "739418", "again": "739418"}
    wrong = clerk.post("/counter/me/pin", data={**form, "pin": "000000"})
    assert "Ce n’est pas votre code actuel." in wrong.text

    assert clerk.post("/counter/me/pin", data={**form, "pin": world.PIN}).headers["Location"] == "/counter/me"
    assert clerk.get("/counter/me").status_code == 200
    other = app.test_client()
    assert other.post("/counter/session", data={"clerk": "camille", "pin": world.PIN}).status_code == 422
    assert other.post("/counter/session", data={"clerk": "camille", "pin": "739418"}).status_code == 303
