from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine
from flask.testing import FlaskClient

from pos import scans, slips
from pos.ops import store_setting
from pos.scans import codes_in
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
        answer = clerk.get("/counter/?find=350001h")

        mistyped = clerk.get("/counter/?find=12345")
        assert clerk.get("/counter/?find=35-0001-X").status_code == 404

    assert answer.headers["Location"] == f"/counter/slips/{NUMBER}"
    assert "0 bon pour « 12345 »" in " ".join(mistyped.text.split())


def test_of_a_long_day_the_newest_slips_are_shown_and_all_are_counted(
    clerk: FlaskClient, slip: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.counter.today.SHOWN_SLIPS", 1)
    clerk.post(f"/counter/slips/{slip}/selection")
    clerk.post(f"/counter/selections/{clerk.get('/counter/').text.split('/counter/selections/')[1].split('/')[0]}/slip")

    page = clerk.get("/counter/").text

    assert "2 bons aujourd’hui" in page
    assert page.count('<td><a href="/counter/slips/') == 1
    assert "Les 1 derniers sont ici" in page
    assert slip not in page


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
        answer = clerk.get("/counter/", query_string={"find": typed})
        assert answer.headers["Location"] == f"/counter/slips/{NUMBER}"
    device = clerk.get("/counter/", query_string={"find": scans.code_of("device", "7K3M9QXT")})
    assert device.headers["Location"] == "/counter/table/devices/7K3M9QXT"


@pytest.mark.parametrize(
    ("asked", "is_found"),
    [
        ("15h30", True),
        ("15:40", True),
        ("15h", False),
        ("25h99", True),
        ("22/11", True),
        ("22/11/2026 15h32", True),
        ("21/11", False),
        ("23/11", False),
        ("iphone 13", True),
        ("IPHONE-13-128-BLUE", True),
        ("iphone 12", False),
        ("iphone 15h30", True),
        ("galaxy 22/11", False),
        ("%", False),
        ("' or 1 --", False),
    ],
)
def test_slips_are_found_by_time_day_and_device(clerk: FlaskClient, slip: str, asked: str, is_found: bool) -> None:
    assert (NUMBER in clerk.get("/counter/", query_string={"find": asked}).text) == is_found


def test_a_word_that_has_the_form_of_a_code_by_chance_is_looked_for_as_a_word(clerk: FlaskClient, slip: str) -> None:
    assert [scan.kind for scan in codes_in("S-oppo12")] == ["selection"]

    assert clerk.get("/counter/?find=oppo12").status_code == 200


def test_a_device_of_last_month_is_found_and_no_day_that_cannot_be(clerk: FlaskClient, slip: str) -> None:
    with time_machine.travel(world.NOW + timedelta(days=40), tick=False):
        clerk.post("/counter/session", data={"clerk": "camille", "pin": world.PIN})
        assert NUMBER in clerk.get("/counter/?find=iphone").text
        assert NUMBER in clerk.get("/counter/?find=22/11").text
        assert clerk.get("/counter/?find=31/02").status_code == 404
