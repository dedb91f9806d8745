from __future__ import annotations

import re
from datetime import timedelta

import pytest
import time_machine
from flask.testing import FlaskClient

from pos import slips
from tests import world

GOOD_13 = {"listing": "101", "seen": "36900"}


def start(client: FlaskClient, **fields: object) -> str:
    answer = client.post("/selections", data=fields or GOOD_13)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"])


def seen(page: str) -> str:
    return re.search(r'name="seen" value="(\w+)"', page)[1]  # type: ignore[index]


def raise_price(kiosk: world.Kiosk, listing_id: int, cents: int) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update listing set price_cents = ? where listing_id = ?", [cents, listing_id])


def test_a_line_with_plan_and_options_shows_its_totals(client: FlaskClient) -> None:
    where = start(client, **GOOD_13, plan=world.SERIE_100, option=[world.REPAIR, world.CHARGER], qty=1)
    page = client.get(where).text

    assert "Apple iPhone 13" in page
    assert "185,00\u00a0€" in page
    assert "31,98\u00a0€" in page
    assert "952,52\u00a0€" in page


def test_an_empty_selection_says_where_to_begin(client: FlaskClient) -> None:
    where = client.post("/selections").headers["Location"]

    assert "Elle est vide." in client.get(where).text


def test_two_tabs_never_mix(client: FlaskClient) -> None:
    first, second = start(client), start(client, listing="109")

    assert "PlayStation" not in client.get(first).text
    assert "iPhone" not in client.get(second).text


def test_a_line_is_added_and_removed_by_form_and_by_delete(client: FlaskClient) -> None:
    where = start(client)
    assert client.post(f"{where}/lines", data={"listing": "109"}).headers["Location"] == where
    assert client.post(f"{where}/lines", data={"listing": "108"}).status_code == 303

    selection_id = where.rsplit("/", 1)[1]
    assert client.post(f"/selections/{selection_id}/lines/1/removal").headers["Location"] == where
    assert client.delete(f"/selections/{selection_id}/lines/2").headers["Location"] == where

    page = client.get(where).text
    assert ["iPhone" in page, "PlayStation 5" in page, "Galaxy S22" in page] == [False, False, True]


def test_a_price_that_changed_before_the_tap_is_said_with_the_new_one_a_tap_away(client: FlaskClient, kiosk: world.Kiosk) -> None:
    raise_price(kiosk, 101, 37400)

    answer = client.post("/selections", data={**GOOD_13, "plan": world.SERIE_100, "option": [world.REPAIR]})

    assert answer.status_code == 409
    assert "Il était à 369,00\u00a0€ quand la page s’est ouverte, il est à 379,00\u00a0€ maintenant." in answer.text
    fields = re.findall(r'name="(option|listing|seen|plan)" value="(\w+)"', answer.text)
    again = client.post("/selections", data=dict(fields))
    assert again.status_code == 303
    assert kiosk.ops.read().execute("select listing_id, seen_cents, plan_id, options from selection_line").fetchall() == [
        (101, 37900, world.SERIE_100, "[1]")
    ]


def test_an_offer_that_vanished_before_the_tap_offers_the_next_best(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update stock set quantity = 0 where listing_id = 101")

    answer = client.post("/selections", data=GOOD_13)

    assert answer.status_code == 409
    assert "Cette offre vient de partir." in answer.text
    assert 'name="listing" value="102"' in answer.text
    assert "Prendre à 375,00\u00a0€" in answer.text


def test_a_plan_that_is_not_open_offers_the_nearest(client: FlaskClient, kiosk: world.Kiosk) -> None:
    raise_price(kiosk, 107, 20000)

    answer = client.post("/selections", data={"listing": "107", "plan": world.SERIE_100})

    assert answer.status_code == 422
    assert "Ce forfait n’est pas ouvert à cette situation." in answer.text
    assert f'name="plan" value="{world.FORFAIT_5}"' in answer.text
    assert client.post("/selections", data={"listing": "107", "plan": world.FORFAIT_5}).status_code == 303


def test_a_price_that_changed_while_choosing_is_shown_and_taken_with_one_tap(client: FlaskClient, kiosk: world.Kiosk) -> None:
    where = start(client)
    raise_price(kiosk, 101, 37400)

    page = client.get(where).text
    assert "Son prix a changé depuis votre choix : 369,00\u00a0€ alors, 379,00\u00a0€ maintenant." in page
    assert client.post(f"{where}/lines/1/acceptance").headers["Location"] == where
    assert "Son prix a changé" not in client.get(where).text


def test_a_line_that_is_gone_shows_what_stands_in_and_holds_the_slip_back(client: FlaskClient, kiosk: world.Kiosk) -> None:
    where = start(client)
    with kiosk.catalog.write() as catalog:
        catalog.execute("update stock set quantity = 0 where listing_id = 101")

    page = client.get(where).text
    assert "La meilleure dans le même grade, chez Boutique du Port, est à 375,00\u00a0€." in page
    assert f"{where}/slip" not in page
    assert client.post(f"{where}/slip").status_code == 409
    client.post(f"{where}/lines/1/acceptance")
    assert f"{where}/slip" in client.get(where).text


def test_nobody_makes_more_slips_in_a_minute_than_hands_can(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slips, "MOST_A_MINUTE", 2)
    places = [start(client) for _ in range(3)]
    with time_machine.travel(world.NOW, tick=False) as travel:
        first, second, third = (client.post(f"{where}/slip") for where in places)
        assert [first.status_code, second.status_code, third.status_code] == [303, 303, 429]
        assert "Attendez une minute, puis touchez encore." in third.text
        assert client.post(f"{places[0]}/slip").headers["Location"] == first.headers["Location"], "a slip made is found again"
        travel.shift(-timedelta(days=400))
        assert client.post(f"{places[2]}/slip").status_code == 303, "a clock set back locks nobody out"
        travel.move_to(world.NOW + timedelta(minutes=1))
        assert client.post(f"{start(client)}/slip").status_code == 303


def test_the_slip_is_one_however_often_it_is_tapped(client: FlaskClient, kiosk: world.Kiosk) -> None:
    where = start(client)
    fields = {"seen": seen(client.get(where).text)}

    first = client.post(f"{where}/slip", data=fields)
    second = client.post(f"{where}/slip", data=fields)

    assert first.status_code == second.status_code == 303
    assert first.headers["Location"] == second.headers["Location"] == "/slips/35-0001-H"
    assert kiosk.ops.read().execute("select count(*), (select count(*) from outbox) from slip").fetchone() == (1, 1)


def test_a_selection_that_moved_since_the_page_makes_no_slip(client: FlaskClient, kiosk: world.Kiosk) -> None:
    where = start(client)
    fields = {"seen": seen(client.get(where).text)}
    client.post(f"{where}/lines", data={"listing": "109"})

    answer = client.post(f"{where}/slip", data=fields)

    assert answer.status_code == 409
    assert "La sélection a changé entre-temps." in answer.text
    assert f'href="{where}"' in answer.text
    assert kiosk.ops.read().execute("select count(*) from slip").fetchone() == (0,)


def test_an_empty_selection_makes_no_slip(client: FlaskClient) -> None:
    where = client.post("/selections").headers["Location"]

    answer = client.post(f"{where}/slip")

    assert answer.status_code == 422
    assert "La sélection est vide." in answer.text


def test_fields_of_another_shape_are_refused(client: FlaskClient) -> None:
    for fields in ({"listing": "x"}, {"listing": "101", "qty": "10"}, {"listing": "101", "option": "1 or 1"}, {"plan": "-1"}):
        assert client.post("/selections", data=fields).status_code == 400
    assert client.post("/selections", data={"listing": "101", "acquisition": "gift"}).status_code == 400


def test_an_unknown_selection_is_said(client: FlaskClient) -> None:
    assert client.get("/selections/unknown").status_code == 404
    assert client.post("/selections/unknown/lines", data=GOOD_13).status_code == 404
    assert client.post("/selections/unknown/slip").status_code == 404
    assert client.post("/selections/unknown/lines/1/acceptance").status_code == 404


def test_a_tenth_of_a_form_too_much_is_refused(client: FlaskClient) -> None:
    answer = client.post("/selections", data={"listing": "1" * 20000})

    assert answer.status_code == 413
    assert "C’est trop long." in answer.text


def test_an_enrolled_kiosk_without_its_key_says_so_and_makes_no_slip(client: FlaskClient, kiosk: world.Kiosk) -> None:
    selection = client.post("/selections", data={"listing": 101}).headers["Location"]
    (kiosk.directory / "device.key").unlink()

    assert client.post(f"{selection}/slip").status_code == 503
    assert "key_missing" in [fault["code"] for fault in client.get("/status.json").json["faults"]]
    assert kiosk.ops.read().execute("select count(*) from slip").fetchone() == (0,)


def test_nothing_of_something_is_refused(client: FlaskClient) -> None:
    assert client.post("/selections", data={"listing": 101, "qty": 0}).status_code == 400


def test_a_plan_that_was_closed_gets_no_slip(kiosk: world.Kiosk, client: FlaskClient) -> None:
    address = client.post("/selections", data={"listing": "101", "plan": str(world.SERIE_100)}).headers["Location"]
    with kiosk.catalog.write() as catalog:
        catalog.execute(
            "update plan set body = json_replace(body, '$.acquisitions', json('[\"port\"]')) where plan_id = ?", [world.SERIE_100]
        )

    page = client.get(address).text
    assert "Ce forfait n’est pas proposé dans votre situation." in page
    assert "Le plus proche qui convient : Série 100 Go, 12 mois." in page
    assert 'id="issue"' not in page
    refused = client.post(f"{address}/slip")
    assert refused.status_code == 422
    assert "Le plus proche qui convient : Série 100 Go, 12 mois." in refused.text
    assert f'href="{address}"' in refused.text
    assert kiosk.ops.read().execute("select count(*) from slip").fetchone() == (0,)


def test_lines_over_a_plan_s_limit_are_refused_with_the_reason(client: FlaskClient) -> None:
    address = client.post("/selections", data={"listing": "101", "plan": str(world.SERIE_100)}).headers["Location"]

    refused = client.post(f"{address}/lines", data={"listing": "107", "plan": str(world.SERIE_100)})
    assert refused.status_code == 422
    assert "Appareils avec ce forfait, toute la sélection comprise : 1 au plus." in refused.text
