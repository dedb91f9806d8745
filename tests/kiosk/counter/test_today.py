from __future__ import annotations

from datetime import timedelta

import time_machine
from flask.testing import FlaskClient

from pos import scans, slips
from pos.ops import store_setting
from tests import world
from tests.kiosk.counter.conftest import NUMBER


def test_today_s_slips_are_listed_with_their_paper(clerk: FlaskClient, slip: str) -> None:
    page = clerk.get("/counter/").text

    assert "1 bon aujourd’hui" in page
    assert NUMBER in page
    assert "non demandé" in page
    assert "Apple iPhone 13 + Série 100 Go" in page


def test_what_is_wrong_is_named_with_the_way_to_the_state(clerk: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.ops_write() as ops:
        store_setting(ops, "sync_faults", {"revoked": "2026-11-22T09:00:00Z"})

    assert '<a href="/counter/state">K-65 Borne retirée</a>' in clerk.get("/counter/").text


def test_yesterday_s_slips_are_found_by_number_only(clerk: FlaskClient, slip: str) -> None:
    with time_machine.travel(world.NOW + timedelta(days=1), tick=False):
        clerk.post("/counter/session", data={"clerk": "camille", "pin": world.PIN})
        assert "0 bon aujourd’hui" in clerk.get("/counter/").text
        answer = clerk.get("/counter/?number=350001h")

        mistyped = clerk.get("/counter/?number=12345")

    assert answer.headers["Location"] == f"/counter/slips/{NUMBER}"
    assert mistyped.status_code == 404


def test_printer_and_sync_are_said_in_words(clerk: FlaskClient, slip: str) -> None:
    page = clerk.get("/counter/").text

    assert "Aucune n’est réglée pour ce corner." in page
    assert "Nous ne savons pas quand il a été reçu." in page
    assert "2 faits attendent le réseau, rien n’est perdu." in page


def test_a_slip_is_found_by_what_a_scanner_types(clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    """Its address, even with a second code run into it, or as a keyboard of another layout writes it."""
    digits = slips.slip(kiosk.ops.read(), NUMBER).digits
    address = f"https://comptoir.example/k/{digits}"
    azerty = address.translate(str.maketrans(scans.QWERTY, scans.AZERTY))

    for typed in (address, address + scans.code_of("device", "7K3M9QXT"), azerty):
        answer = clerk.get("/counter/", query_string={"number": typed})
        assert answer.headers["Location"] == f"/counter/slips/{NUMBER}"
    assert clerk.get("/counter/", query_string={"number": scans.code_of("device", "7K3M9QXT")}).status_code == 404
