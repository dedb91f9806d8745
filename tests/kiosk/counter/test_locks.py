from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from pos.scans import code_of
from pos.team import badge_value
from tests import world
from tests.kiosk.counter.conftest import NUMBER

UNLOCK = "/counter/session/unlock"


@pytest.fixture
def locked(clerk: FlaskClient) -> FlaskClient:
    """Camille's session, which she locked."""
    assert clerk.post("/counter/session/lock").headers["Location"] == "/counter/me"
    return clerk


@pytest.fixture
def later(clerk: FlaskClient) -> Iterator[FlaskClient]:
    """Camille's session, after three minutes without a touch."""
    with time_machine.travel(world.NOW + timedelta(minutes=3), tick=False):
        yield clerk


def carried(page: str) -> dict[str, str]:
    """What the page of the lock sends again beside the PIN."""
    form = re.search(r"<form class=\"unlocking\".*?</form>", page, re.DOTALL)
    assert form
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form[0])
    return {name: html.unescape(value) for name, value in fields}


def test_a_locked_session_answers_with_the_lock_everywhere(locked: FlaskClient, slip: str, kiosk: world.Kiosk) -> None:
    for path in ("/counter/", "/counter/me", "/counter/table", f"/counter/slips/{NUMBER}", "/counter/journal"):
        answer = locked.get(path)
        assert (answer.status_code, "Comptoir verrouillé" in answer.text) == (423, True), path
        assert NUMBER not in answer.text.replace(f"/counter/slips/{NUMBER}", "")
    before = kiosk.ops.read().execute("select count(*) from outbox").fetchone()
    assert locked.post(f"/counter/slips/{NUMBER}/void", data={"reason": "mistake"}).status_code == 423
    assert kiosk.ops.read().execute("select count(*) from outbox").fetchone() == before


def test_a_page_that_is_open_is_told_to_cover_itself(locked: FlaskClient) -> None:
    answer = locked.post("/counter/presence", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["HX-Trigger"]) == (423, "counter-locked")
    assert "Comptoir verrouillé" in answer.text


def test_the_pin_opens_it_where_it_was(later: FlaskClient) -> None:
    page = later.get("/counter/journal?before=9").text
    assert carried(page) == {"next": "/counter/journal?before=9"}
    wrong = later.post(UNLOCK, data={**carried(page), "lock_pin": "000000"})
    assert (wrong.status_code, carried(wrong.text)) == (423, carried(page))

    opened = later.post(UNLOCK, data={**carried(page), "lock_pin": world.PIN})
    assert (opened.status_code, opened.headers["Location"]) == (303, "/counter/journal?before=9")
    assert later.get("/counter/").status_code == 200


def test_what_was_sent_to_a_locked_session_goes_on_with_the_pin(later: FlaskClient, slip: str, kiosk: world.Kiosk) -> None:
    page = later.post(f"/counter/slips/{NUMBER}/void", data={"reason": "customer_request"}).text
    assert f'action="/counter/slips/{NUMBER}/void"' in page
    assert carried(page) == {"reason": "customer_request"}

    done = later.post(f"/counter/slips/{NUMBER}/void", data={**carried(page), "lock_pin": world.PIN})
    assert done.headers["Location"] == f"/counter/slips/{NUMBER}"
    assert kiosk.ops.read().execute("select clerk_id, reason from slip_void").fetchall() == [("camille", "customer_request")]
    assert later.get("/counter/").status_code == 200


def test_no_page_carries_a_pin(later: FlaskClient) -> None:
    form = {"pin": world.PIN, "new": "739418", "again": "739418"}
    page = later.post("/counter/me/pin", data=form).text

    assert (world.PIN in page, "739418" in page) == (False, False)
    assert carried(page) == {"next": "/counter/me"}


def test_a_colleague_who_opens_it_takes_it_over_and_that_is_noted(locked: FlaskClient, kiosk: world.Kiosk) -> None:
    assert locked.post(UNLOCK, data={"next": "/counter/table", "lock_clerk": "idriss", "lock_pin": world.PIN}).status_code == 303

    assert "<h1>Idriss</h1>" in locked.get("/counter/me").text
    assert locked.get("/counter/journal").status_code == 403, "with what Idriss may, not Camille"
    assert kiosk.ops.read().execute("select clerk_id from clerk_session").fetchall() == [("idriss",)]
    [(noted,)] = kiosk.ops.read().execute("select body from outbox where body ->> '$.act' = 'took_over'")
    assert '"clerk_id":"idriss"' in noted
    assert '"subject":"camille"' in noted


def test_a_badge_at_the_lock_says_who_and_opens_nothing(locked: FlaskClient, kiosk: world.Kiosk) -> None:
    badge = code_of("badge", badge_value("nantes-crebillon", "idriss"))
    page = locked.post(UNLOCK, data={"lock_pin": badge})

    assert (page.status_code, bool(re.search(r'value="idriss" required checked', page.text))) == (423, True)
    assert "Ce badge n’est à personne ici." in locked.post(UNLOCK, data={"lock_pin": code_of("device", "7K3M9QXT")}).text
    assert locked.get("/counter/").status_code == 423
    assert kiosk.ops.read().execute("select count(*) from pin_failure").fetchone() == (0,), "no try at a PIN"


def test_guessing_at_the_lock_waits_like_guessing_at_the_door(locked: FlaskClient) -> None:
    for _ in range(5):
        locked.post(UNLOCK, data={"lock_pin": "000000"})

    assert "Trop d’essais." in locked.post(UNLOCK, data={"lock_pin": world.PIN}).text
    assert locked.get("/counter/").status_code == 423


def test_two_clerks_at_once_each_keep_their_own_session(app: Flask, clerk: FlaskClient) -> None:
    other = app.test_client()
    other.post("/counter/session", data={"clerk": "idriss", "pin": world.PIN})
    clerk.post("/counter/session/lock")

    assert (clerk.get("/counter/").status_code, other.get("/counter/").status_code) == (423, 200)
    assert "<h1>Idriss</h1>" in other.get("/counter/me").text


def test_nobody_opens_a_session_that_is_none(client: FlaskClient) -> None:
    assert client.post(UNLOCK, data={"lock_clerk": "camille", "lock_pin": world.PIN}).headers["Location"] == "/counter/session"
    assert client.post("/counter/session/lock").status_code == 303
    assert client.get("/counter/").status_code == 303


@pytest.mark.parametrize("years", [-40, 40])
def test_a_clock_set_far_away_leaves_it_locked_or_ends_it(locked: FlaskClient, years: int) -> None:
    with time_machine.travel(world.NOW + timedelta(days=365 * years), tick=False):
        assert locked.get("/counter/").status_code in (303, 423)


def test_the_shift_is_handed_over_with_what_is_open(clerk: FlaskClient, client: FlaskClient, kiosk: world.Kiosk) -> None:
    helped, other = (client.post("/selections", data={"listing": "101"}).headers["Location"] for _ in range(2))
    clerk.post(f"/counter{helped}/help")
    client.post("/calls", data={"next": other, "s": other.rpartition("/")[2]})
    with kiosk.ops_write() as ops:
        ops.execute(
            """
            insert into print_job (kind, subject, copy_no, printer, state, requested_by, requested_at)
            values ('test', 'ruler:p', 1, 'p', 'uncertain', 'camille', '2026-11-22T14:31:00Z')
            """
        )
    page = clerk.get("/counter/me/handover").text
    assert "1 papier : est-il sorti ?" in page
    assert "1 sélection en main" in page
    assert "1 personne attend à l’écran" in page
    assert 'value="camille"' not in re.sub(r"<dialog.*?</dialog>", "", page, flags=re.DOTALL)
    assert clerk.post("/counter/me/handover", data={"clerk": "idriss", "pin": "000000"}).status_code == 422
    assert clerk.post("/counter/me/handover", data={"clerk": "camille", "pin": world.PIN}).status_code == 400
    assert "<h1>Camille</h1>" in clerk.get("/counter/me").text

    assert clerk.post("/counter/me/handover", data={"clerk": "idriss", "pin": world.PIN}).headers["Location"] == "/counter/me"
    mine = clerk.get("/counter/me").text
    assert "<h1>Idriss</h1>" in mine
    assert "1 papier : est-il sorti ?" in mine
    assert "1 sélection en main" in mine
    assert "Vous l’avez en main" in clerk.get(f"/counter{helped}").text
    acts = [body for (body,) in kiosk.ops.read().execute("select body from outbox where body ->> '$.act' = 'shift_taken'")]
    assert ['"clerk_id":"idriss"' in body and '"subject":"camille"' in body for body in acts] == [True]
