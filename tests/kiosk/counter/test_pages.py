from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from flask.testing import FlaskClient

from pos.ops import store_setting
from tests import world

NUMBER = "35-0001-H"


@pytest.fixture
def slip(client: FlaskClient) -> str:
    where = client.post("/selections", data={"listing": "101", "plan": world.SERIE_100}).headers["Location"]
    client.post(f"{where}/slip")
    return NUMBER


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


def test_today_s_slips_are_listed_with_their_paper(clerk: FlaskClient, slip: str) -> None:
    page = clerk.get("/counter/").text

    assert "1 bon aujourd’hui" in page
    assert NUMBER in page
    assert "non demandé" in page
    assert "Apple iPhone 13 + Série 100 Go" in page


@pytest.mark.parametrize(
    ("code", "french", "english"),
    [
        (
            "replaced",
            "Un autre appareil est inscrit à la place de cette borne.",
            "Another device is enrolled in this kiosk’s place.",
        ),
        ("rejected", "Le siège a refusé le dernier échange", "HQ refused the last exchange"),
        ("revoked", "Le siège a retiré cette borne", "HQ has withdrawn this kiosk"),
        ("stream_forked", "ce registre a été copié ou restauré", "these records were copied or restored"),
    ],
)
def test_what_hq_said_of_this_kiosk_is_said_at_its_counter(
    clerk: FlaskClient, kiosk: world.Kiosk, code: str, french: str, english: str
) -> None:
    with kiosk.ops_write() as ops:
        store_setting(ops, "sync_faults", {code: "2026-11-22T09:00:00Z"})

    assert french in clerk.get("/counter/").text
    clerk.post("/language", data={"language": "en"})
    assert english in clerk.get("/counter/").text


def test_yesterday_s_slips_are_found_by_number_only(clerk: FlaskClient, slip: str) -> None:
    with time_machine.travel(world.NOW + timedelta(days=1), tick=False):
        clerk.post("/counter/session", data={"clerk": "camille", "pin": world.PIN})
        assert "0 bon aujourd’hui" in clerk.get("/counter/").text
        answer = clerk.get("/counter/?number=350001h")

        mistyped = clerk.get("/counter/?number=12345")

    assert answer.headers["Location"] == f"/counter/slips/{NUMBER}"
    assert mistyped.status_code == 404


def test_a_slip_shows_then_and_now(clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update listing set price_cents = 38400 where listing_id = 101")

    page = clerk.get("/counter/slips/35-0001-H").text

    assert "170,00\u00a0€" in page
    assert 'class="amount up">190,00\u00a0€' in page


def test_a_slip_whose_offer_is_gone_shows_what_stands_in(clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update stock set quantity = 0 where listing_id = 101")

    assert "partie ; la suivante à 375,00\u00a0€" in clerk.get("/counter/slips/35-0001-H").text


def test_voiding_needs_a_reason_and_stays(clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    assert clerk.post("/counter/slips/35-0001-H/void").status_code == 400
    assert clerk.post("/counter/slips/35-0001-H/void", data={"reason": "mistake"}).status_code == 303
    again = clerk.post("/counter/slips/35-0001-H/void", data={"reason": "test"})

    assert again.status_code == 409
    assert "Ce bon était déjà annulé." in again.text
    assert kiosk.ops.read().execute("select clerk_id, reason from slip_void").fetchall() == [("camille", "mistake")]
    assert "Ce bon est annulé." in clerk.get(f"/slips/{NUMBER}").text
    assert "annulé" in clerk.get("/counter/").text


def test_each_reprint_is_the_next_copy_in_the_clerk_s_name(clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    with kiosk.ops_write() as ops:
        store_setting(ops, "printer", {"host": "127.0.0.1", "port": 1})
        job = {"number": NUMBER, "copy_no": 0, "printer": "", "state": "confirmed", "requested_by": "customer"}
        ops.table("print_job").insert({**job, "requested_at": "2026-11-22T14:32:00Z"})

    assert clerk.post("/counter/slips/35-0001-H/reprints").status_code == 303

    row = kiosk.ops.read().execute("select copy_no, state, requested_by from print_job order by copy_no desc").fetchone()
    assert tuple(row) == (1, "failed", "camille")
    assert "pas imprimé" in clerk.get("/counter/slips/35-0001-H").text


def test_demo_devices_are_checked_one_by_one(clerk: FlaskClient, kiosk: world.Kiosk) -> None:
    assert clerk.get("/counter/table").text.count("pas encore vu") == 3

    answer = clerk.post("/counter/table/A2", data={"state": "missing"})
    clerk.post("/counter/table/A1", data={"state": "present"})

    assert answer.headers["Location"] == "/counter/table#place-A2"
    page = clerk.get("/counter/table").text
    assert [page.count("pas encore vu"), page.count(">manquant<"), page.count(">présent<")] == [1, 1, 1]
    assert clerk.post("/counter/table/Z9", data={"state": "present"}).status_code == 404


def test_printer_and_sync_are_said_in_words(clerk: FlaskClient, slip: str) -> None:
    page = clerk.get("/counter/").text

    assert "Aucune n’est réglée pour ce corner." in page
    assert "Nous ne savons pas quand il a été reçu." in page
    assert "1 fait attend le réseau, rien n’est perdu." in page
