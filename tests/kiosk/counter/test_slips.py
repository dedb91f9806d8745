from __future__ import annotations

from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from pos import clock, journal, slip_claims
from pos.slip_claims import ClaimState
from tests import world
from tests.kiosk.counter.conftest import NUMBER


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
    kiosk.set_printer(1)
    with kiosk.ops_write() as ops:
        job = {"kind": "slip", "subject": NUMBER, "copy_no": 0, "printer": "", "state": "confirmed", "requested_by": "customer"}
        ops.table("print_job").insert({**job, "requested_at": "2026-11-22T14:32:00Z"})

    assert clerk.post("/counter/slips/35-0001-H/reprints").status_code == 303

    row = kiosk.ops.read().execute("select copy_no, state, requested_by from print_job order by copy_no desc").fetchone()
    assert tuple(row) == (1, "queued", "camille")
    assert "attend l’imprimante" in clerk.get("/counter/slips/35-0001-H").text


def test_the_address_of_a_form_leads_to_its_page_however_odd_the_number(clerk: FlaskClient) -> None:
    answer = clerk.get("/counter/slips/a%0Ab/void?x=%0A")

    assert (answer.status_code, answer.headers["Location"]) == (303, "/counter/slips/a%0Ab?x=%0A")


def hear(kiosk: world.Kiosk, *states: ClaimState) -> None:
    """Let HQ say what became of the first slip, a minute and a half before now."""
    said = [{"key_id": kiosk.device.key_id, "counter": 1, "state": state, "state_at": "2026-11-22T14:20:00Z"} for state in states]
    with kiosk.ops_write() as ops:
        slip_claims.hear(ops, {"upto": 7, "slips": said}, now=clock.now() - timedelta(seconds=150))


@pytest.mark.parametrize(
    ("state", "words"),
    [("ordered", "commandé"), ("shipped", "expédié"), ("returned", "rendu"), ("cancelled", "commande annulée")],
)
def test_a_slip_says_what_hq_last_said_became_of_it_and_how_long_ago(
    clerk: FlaskClient, kiosk: world.Kiosk, slip: str, state: ClaimState, words: str
) -> None:
    hear(kiosk, state)

    page = clerk.get("/counter/slips/35-0001-H").text
    assert f">{words}</span> 22 novembre 2026, 15:20" in page
    assert "Dit par le siège il y a 2 min." in page


def test_what_hq_did_not_say_is_not_known(clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    before = clerk.get("/counter/slips/35-0001-H").text
    hear(kiosk)

    assert "Nous ne savons pas si ce bon a été commandé." in before
    assert "Pas encore commandé." in clerk.get("/counter/slips/35-0001-H").text


def test_a_slip_is_reopened_at_today_s_prices_in_the_clerk_s_hands(clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update listing set price_cents = 38400 where listing_id = 101")
    address = clerk.post("/counter/slips/35-0001-H/selection").headers["Location"]
    page = clerk.get(address).text

    assert "Vous l’avez en main" in page
    assert "Apple iPhone 13 + Série 100 Go" in page
    assert "190,00\u00a0€" in page
    assert clerk.get("/counter/slips/35-0001-H").status_code == 200


def test_a_reopened_slip_has_what_stands_in_for_what_is_gone_and_no_more(
    clerk: FlaskClient, client: FlaskClient, kiosk: world.Kiosk, slip: str
) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update stock set quantity = 0 where listing_id = 101")
    assert "176,00\u00a0€" in clerk.get(clerk.post("/counter/slips/35-0001-H/selection").headers["Location"]).text
    with kiosk.catalog.write() as catalog:
        catalog.execute("update stock set quantity = 0")

    assert "Elle est vide" in clerk.get(clerk.post("/counter/slips/35-0001-H/selection").headers["Location"]).text


def test_what_a_clerk_did_to_a_slip_is_in_the_journal(clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    kiosk.set_printer(1)
    clerk.post("/counter/slips/35-0001-H/reprints")
    clerk.post("/counter/slips/35-0001-H/void", data={"reason": "mistake"})

    noted = [(act.clerk_id, act.act, act.subject) for act in journal.acts(kiosk.ops.read(), most=2)]
    assert noted == [("camille", "voided", "35-0001-H"), ("camille", "slip_printed", "35-0001-H")]
