"""A clerk helps: takes a selection over by its code, composes, makes the slip in their name, or hands it back."""

from __future__ import annotations

import json
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pos import helps, tokens
from tests import world


@pytest.fixture
def idriss(app: Flask) -> FlaskClient:
    """The other clerk, at the counter too."""
    made = app.test_client()
    assert made.post("/counter/session", data={"clerk": "idriss", "pin": world.PIN}).status_code == 303
    return made


@pytest.fixture
def selection(client: FlaskClient) -> str:
    """What a customer composed: a phone without a plan."""
    return client.post("/selections", data={"listing": "101"}).headers["Location"].rpartition("/")[2]


def take(clerk: FlaskClient, selection: str) -> str:
    """Let a clerk take a selection over, and return its address at the counter."""
    address = f"/counter/selections/{selection}"
    assert clerk.post(f"/counter/selections/{selection}/help").headers["Location"] == address
    return address


def slip_row(kiosk: world.Kiosk) -> tuple[bool, str | None, str | None]:
    """Return of the last slip: whether its token says a clerk, who helped, and whom its event names."""
    ops = kiosk.ops.read()
    token, helped_by = ops.execute("select token, helped_by from slip order by counter desc limit 1").fetchone()
    (body,) = ops.execute("select body from outbox where kind = 'slip_issued' order by seq desc limit 1").fetchone()
    return tokens.decode(token).issued_by_clerk, helped_by, json.loads(body).get("clerk_id")


def test_waiting_selections_are_listed_by_code_with_what_is_in_them(
    clerk: FlaskClient, client: FlaskClient, selection: str
) -> None:
    client.post(f"/selections/{selection}/lines", data={"plan": world.SERIE_100})
    client.post("/selections")
    page = clerk.get("/counter/").text

    assert "1 sélection attend" in page
    assert helps.short_code(selection) in page
    assert "Apple iPhone 13, Série 100 Go" in page


@pytest.mark.parametrize("written", ["{}", "S-{}", " {} ", "{}\n", "https://marche.test/selections/new?l=101..1.new.#S-{}"])
def test_a_code_said_typed_or_scanned_opens_the_selection(
    clerk: FlaskClient, client: FlaskClient, selection: str, written: str
) -> None:
    code = helps.short_code(selection)
    assert f">{code}<" in client.get(f"/selections/{selection}").text

    scanned = clerk.post("/counter/scan", data={"code": written.format(code)})
    typed = clerk.get("/counter/", query_string={"find": written.format(code.lower())})
    assert {scanned.headers["Location"], typed.headers["Location"]} == {f"/counter/selections/{selection}"}


def test_a_scanned_slip_opens_and_what_is_nothing_is_said_to_be_nothing(
    clerk: FlaskClient, kiosk: world.Kiosk, slip: str
) -> None:
    (token,) = kiosk.ops.read().execute("select token from slip").fetchone()
    opened = clerk.post("/counter/scan", data={"code": f"{world.SLIP_PREFIX}{tokens.to_digits(token)}"})
    assert opened.headers["Location"] == f"/counter/slips/{slip}"

    for code in ("", "bonjour", "4006381333931", f"S-{helps.short_code('gone')}", "x" * 5000):
        answer = clerk.post("/counter/scan", data={"code": code})
        assert answer.status_code == 404
        assert "Ce code n’ouvre rien ici." in answer.text


def test_guessing_codes_takes_a_clerk(client: FlaskClient, selection: str) -> None:
    answer = client.post("/counter/scan", data={"code": helps.short_code(selection)})

    assert answer.headers["Location"].startswith("/counter/session")


def test_a_clerk_composes_and_the_slip_says_so(clerk: FlaskClient, kiosk: world.Kiosk) -> None:
    address = clerk.post("/counter/selections").headers["Location"]
    found = clerk.get(address, query_string={"q": "iphone 13"}).text
    [listing, *_] = re.findall(r'name="listing" value="(\d+)"', found)
    clerk.post(f"{address}/lines", data={"listing": listing})
    clerk.post(f"{address}/lines/1", data={"plan": world.SERIE_100, "acquisition": "port", "qty": "1"})
    [seen] = re.findall(r'name="seen" value="([0-9a-f]+)"', clerk.get(address).text)
    slip = clerk.post(f"{address}/slip", data={"seen": seen}).headers["Location"]

    assert slip == "/counter/slips/35-0001-H"
    assert "Série 100 Go" in clerk.get(slip).text
    assert slip_row(kiosk) == (True, "camille", "camille")
    assert "0 sélection attend" in clerk.get("/counter/").text


def test_a_customer_who_was_helped_makes_the_slip_and_it_names_the_helper_alone(
    clerk: FlaskClient, client: FlaskClient, kiosk: world.Kiosk, selection: str
) -> None:
    address = take(clerk, selection)
    assert "Camille s’en occupe au comptoir." in client.get(f"/selections/{selection}").text
    clerk.post(f"{address}/lines/1", data={"plan": world.SERIE_100, "acquisition": "new", "qty": "1"})
    assert clerk.post(f"/counter/selections/{selection}/help/end").headers["Location"] == "/counter/"
    page = client.get(f"/selections/{selection}").text
    assert "Série 100 Go" in page
    assert "s’en occupe" not in page
    client.post(f"/selections/{selection}/slip")

    assert slip_row(kiosk) == (False, "camille", "camille")


def test_a_slip_made_alone_names_nobody(kiosk: world.Kiosk, slip: str) -> None:
    assert slip_row(kiosk) == (False, None, None)


def test_a_plan_that_is_not_open_is_said_with_the_nearest_that_is(clerk: FlaskClient, client: FlaskClient) -> None:
    made = client.post("/selections", data={"listing": "110"}).headers["Location"].rpartition("/")[2]
    address = take(clerk, made)
    clerk.post(f"{address}/lines/1", data={"plan": world.SERIE_100, "acquisition": "new", "qty": "1"})
    page = clerk.get(address).text

    assert "Passer à Série 5 Go" in page
    assert "-15,00 € par mois" in " ".join(page.split())
    assert 'id="issue"' not in page
    clerk.post(f"{address}/lines/1", data={"plan": world.FORFAIT_5, "acquisition": "new", "qty": "1"})
    assert 'id="issue"' in clerk.get(address).text


def test_of_two_clerks_one_has_it_until_the_other_says_from_whom(clerk: FlaskClient, idriss: FlaskClient, selection: str) -> None:
    address = take(clerk, selection)
    refused = idriss.post(f"{address}/help")
    assert refused.status_code == 409
    assert "Une autre personne s’occupe de cette sélection." in refused.text
    for path in (
        f"/counter/selections/{selection}/lines",
        f"/counter/selections/{selection}/lines/1",
        f"/counter/selections/{selection}/lines/1/removal",
        f"/counter/selections/{selection}/lines/1/acceptance",
        f"/counter/selections/{selection}/slip",
    ):
        assert idriss.post(path, data={"listing": "109"}).status_code == 409
    assert "Prendre la suite de Camille" in idriss.get(address).text

    assert idriss.post(f"{address}/help", data={"instead_of": "camille"}).status_code == 303
    assert clerk.post(f"{address}/lines/1/removal").status_code == 409
    assert idriss.post(f"{address}/lines/1/removal").status_code == 303


def test_the_screen_s_idle_wipe_leaves_what_a_clerk_has(clerk: FlaskClient, client: FlaskClient, selection: str) -> None:
    address = take(clerk, selection)
    client.post("/leave", data={"s": selection})
    assert clerk.get(address).status_code == 200

    clerk.post(f"{address}/help/end")
    client.post("/leave", data={"s": selection})
    assert clerk.get(address).status_code == 404


def test_a_selection_that_is_gone_is_nobody_s(clerk: FlaskClient) -> None:
    for path in ("help", "help/end", "lines", "lines/1", "slip"):
        answer = clerk.post(f"/counter/selections/nobody/{path}", data={"listing": "101"})
        assert answer.status_code in (303, 404)
    assert clerk.get("/counter/selections/nobody").status_code == 404
