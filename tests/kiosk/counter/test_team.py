from __future__ import annotations

import io
import re
import time

import pytest
import zxingcpp
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image

from demo.printer import VirtualPrinter
from pos.scans import code_of
from pos.team import badge_value
from tests import world
from tests.kiosk.counter.conftest import wait_confirmed

IN, PIN = "/counter/session", "739418"


def card_code(page: str) -> str:
    found = re.search(r"<p class=\"one-time\">([0-9 ]{14})</p>", page)
    assert found, "the code is shown"
    return found[1]


def enters(app: Flask, clerk_id: str, pin: str) -> bool:
    return app.test_client().post(IN, data={"clerk": clerk_id, "pin": pin}).status_code == 303


@pytest.fixture
def idriss(app: Flask) -> FlaskClient:
    """Idriss, a clerk who manages nothing, logged in at the counter."""
    client = app.test_client()
    assert client.post(IN, data={"clerk": "idriss", "pin": world.PIN}).status_code == 303
    return client


def test_the_manager_adds_somebody_who_comes_in_without_a_network(clerk: FlaskClient, app: Flask) -> None:
    card = clerk.post("/counter/team", data={"name": "Zoé"}).text
    code, [zoe] = card_code(card), re.findall(r"/counter/team/(zoe-[0-9a-z]{4})/badge\.svg", card)
    assert clerk.get(f"/counter/team/{zoe}/badge.svg").text.startswith("<svg")
    assert code not in clerk.get("/counter/team").text
    client = app.test_client()
    badge = code_of("badge", badge_value("nantes-crebillon", zoe))
    assert f'value="{zoe}" required checked' in client.get(IN, query_string={"code": badge}).text

    assert "Zoé, choisissez votre code" in client.post(IN, data={"clerk": zoe, "pin": code}).text
    new = {"clerk": zoe, "code": code, "new": PIN, "again": PIN}
    assert client.post("/counter/session/pin", data=new).status_code == 303
    assert "Conseiller" in client.get("/counter/me").text
    journal = clerk.get("/counter/journal").text
    assert "a ajouté Zoé" in journal


def test_a_new_card_ends_the_pin_and_the_session_at_once(clerk: FlaskClient, idriss: FlaskClient, app: Flask) -> None:
    code = card_code(clerk.post("/counter/team/idriss/reset").text)

    assert idriss.get("/counter/").status_code == 303
    assert not enters(app, "idriss", world.PIN)
    assert "n’a pas encore de code" in clerk.get("/counter/team").text
    new = {"clerk": "idriss", "code": code, "new": PIN, "again": PIN}
    assert app.test_client().post("/counter/session/pin", data=new).status_code == 303
    assert enters(app, "idriss", PIN)


def test_a_suspended_clerk_is_out_and_comes_back_with_the_same_pin(clerk: FlaskClient, idriss: FlaskClient, app: Flask) -> None:
    assert clerk.post("/counter/team/idriss/state", data={"state": "suspended"}).headers["Location"] == "/counter/team"
    assert (idriss.get("/counter/").status_code, enters(app, "idriss", world.PIN)) == (303, False)
    assert "suspendu" in clerk.get("/counter/team").text

    clerk.post("/counter/team/idriss/state", data={"state": "active"})
    assert enters(app, "idriss", world.PIN)
    assert clerk.post("/counter/team/idriss/state", data={"state": "retired"}).status_code == 400


def test_the_manager_ends_the_wait_of_who_guessed_too_often(clerk: FlaskClient, app: Flask) -> None:
    for _ in range(6):
        enters(app, "idriss", "000000")
    assert not enters(app, "idriss", world.PIN)
    assert "Lever l’attente" in clerk.get("/counter/team").text
    clerk.post("/counter/team/idriss/patience")

    assert enters(app, "idriss", world.PIN)
    assert "Lever l’attente" not in clerk.get("/counter/team").text


def test_a_clerk_manages_nobody_and_a_manager_no_manager(clerk: FlaskClient, idriss: FlaskClient, kiosk: world.Kiosk) -> None:
    before = kiosk.ops.read().execute("select count(*) from outbox").fetchone()
    tries = [
        idriss.get("/counter/printers/new"),
        idriss.post("/counter/printers", data={"address": "192.0.2.7:9100"}),
        idriss.get("/counter/team"),
        idriss.post("/counter/team", data={"name": "Zoé"}),
        idriss.post("/counter/team/idriss/reset"),
        idriss.post("/counter/team/camille/state", data={"state": "suspended"}),
        idriss.post("/counter/team/idriss/patience"),
        idriss.get("/counter/team/idriss/badge.svg"),
        idriss.post("/counter/team/idriss/badges"),
    ]
    assert {answer.status_code for answer in tries} == {403}
    refused = clerk.post("/counter/team/camille/reset")

    assert (refused.status_code, "Le siège seul change un responsable." in refused.text) == (422, True)
    assert clerk.post("/counter/team/nobody/reset").status_code == 404
    assert kiosk.ops.read().execute("select count(*) from outbox").fetchone() == before


def test_a_badge_comes_out_of_the_corner_s_printer_and_a_scanner_reads_it(
    clerk: FlaskClient, printer: VirtualPrinter, kiosk: world.Kiosk
) -> None:
    code = card_code(clerk.post("/counter/team/idriss/reset").text).replace(" ", "")
    assert clerk.post("/counter/team/idriss/badges").headers["Location"] == "/counter/team"

    until = time.monotonic() + 30
    while not printer.papers() and time.monotonic() < until:
        time.sleep(0.02)
    [paper] = printer.papers().values()
    badge = code_of("badge", badge_value("nantes-crebillon", "idriss"))
    assert zxingcpp.read_barcode(Image.open(io.BytesIO(paper.png))).text == badge
    [(kept,)] = kiosk.ops.read().execute("select bytes from print_job")
    assert code.encode() not in kept, "the one-time code stands on no paper that is kept"


def test_a_badge_that_waits_for_its_printer_is_named_and_printed_later(
    clerk: FlaskClient, kiosk: world.Kiosk, printer: VirtualPrinter
) -> None:
    clerk.post("/counter/team/idriss/badges")
    wait_confirmed(kiosk, 1)
    # A printer that answers late would settle it.
    printer.stop()
    with kiosk.ops_write() as ops:
        ops.execute("update print_job set state = 'uncertain', reason = 'silent', ended_at = null, process_id = null")
        [(job_id,)] = ops.execute("select job_id from print_job").fetchall()

    assert "Badge de idriss" in clerk.get("/counter/paper").text
    assert clerk.post(f"/counter/paper/{job_id}/print").status_code == 303
    assert kiosk.ops.read().execute("select count(*) from print_job").fetchone() == (2,)
