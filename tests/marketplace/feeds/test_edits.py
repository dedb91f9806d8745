"""One price, one text, one table of HQ's catalogue changed in the console: judged, looked at, published, never lost."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from werkzeug.test import TestResponse

from marketplace.db import reading
from marketplace.feeds.edit_fields import with_values
from marketplace.fleet.corners import corner_document
from sync.hq.trials import TrialOpen
from tests.marketplace import world
from tests.marketplace.hq import Hq, words
from tests.marketplace.publishing.test_trials import two_markets
from tests.marketplace.test_console import log_in

SIGNED = {"who": "Camille", "why": "erreur de saisie"}
FIELD = re.compile(r'<input[^>]*? name="([^"]+)" value="([^"]*)"')


@pytest.fixture
def console(hq: Hq) -> Hq:
    log_in(hq)
    return hq


def form(hq: Hq, file: str, key: str) -> dict[str, str]:
    """What the form says when it is opened, not signed yet."""
    page = hq.client.get(f"/console/edits/{file}/{key}")
    assert page.status_code == 200
    return {name: value for name, value in filled(page).items() if name not in SIGNED}


def filled(page: TestResponse) -> dict[str, str]:
    """What a page's form would send."""
    return {name: html.unescape(value) for name, value in FIELD.findall(page.text.replace('type="hidden" ', ""))}


def look(hq: Hq, file: str, key: str, **typed: Any) -> TestResponse:
    return hq.client.post(f"/console/edits/{file}/{key}/outlook", data={**SIGNED, "act": "look", **typed})


def make(hq: Hq, file: str, key: str, **typed: Any) -> TestResponse:
    return hq.client.post(f"/console/edits/{file}/{key}", data={**SIGNED, "act": "keep", **typed})


def body(hq: Hq, table: str, key: int) -> dict[str, Any]:
    [stored] = hq.rows(f"select body from {table} where {table}_id = :key", key=key)
    return json.loads(stored["body"])  # type: ignore[no-any-return]


def marked(hq: Hq) -> list[tuple[str, str]]:
    return [(each["table_name"], each["row_key"]) for each in hq.rows("select * from sync_dirty order by table_name, row_key")]


def test_a_plan_s_price_is_looked_at_then_published_alone_while_other_changes_wait(console: Hq) -> None:
    console.import_world(l12={"price": "299.00"})
    waiting = marked(console)
    assert "plus du double" in words(look(console, "plans", "2", monthly_cents="2649"))
    page = words(look(console, "plans", "2", monthly_cents="26,49"))
    assert "plus du double" not in page
    assert "24,99 €" in page
    assert "26,49 €" in page
    assert "à partir de la publication 2" in page
    assert "anneau stable : 2" in page
    assert body(console, "plan", 2)["monthly_cents"] == 2499, "a look changes nothing"
    assert make(console, "plans", "2", monthly_cents="26,49", act="publish", ring="stable", percent="100").status_code == 303
    assert body(console, "plan", 2) == {**world.WORLD["plans"][1], "monthly_cents": 2649}
    assert marked(console) == waiting
    assert console.rows("select max(publication) as newest from sync_publication") == [{"newest": 2}]
    assert "publié" in words(console.client.get("/console/edits"))


def test_an_edit_given_to_a_ring_is_a_trial_of_it_alone(console: Hq) -> None:
    console.import_world(l12={"price": "299.00"})
    waiting = marked(console)
    make(console, "options", "1", **{"name.fr": "Réparation à volonté"}, act="publish", ring="canary", percent="100")
    assert marked(console) == waiting
    held = console.rows("select table_name, row_key from sync_held")
    assert held == [{"table_name": "option", "row_key": "1"}]
    assert [each["state"] for each in console.rows("select state from sync_trial")] == ["open"]


def test_an_edit_is_published_wherever_it_can_be_and_waits_elsewhere_without_an_error(
    console: Hq, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_markets(console)
    given = {"act": "publish", "ring": "canary", "percent": "100"}
    assert make(console, "grades", "11", **{"name.fr": "Bel état"}, **given).status_code == 303, "nothing is published there yet"
    assert [each["market"] for each in console.rows("select market from sync_trial")] == ["fr"]
    assert body(console, "grade", 11)["name"]["fr"] == "Bel état"

    def lost(*_: object, **__: object) -> None:
        raise TrialOpen

    monkeypatch.setattr("marketplace.feeds.edit_pages.publish_market", lost)
    assert make(console, "grades", "11", **{"name.fr": "Très bon"}, **given).status_code == 303
    assert "attend sa publication" in words(console.client.get("/console/edits"))


def test_an_edit_kept_for_later_waits_with_its_name_and_reason(console: Hq) -> None:
    assert make(console, "laws", "fr-levy", **{"body.bands.phone.0.1": "7,50"}).status_code == 303
    assert body(console, "law", "fr-levy")["bands"]["phone"] == [[64, 750], [None, 840]]  # type: ignore[arg-type]
    assert marked(console) == [("law", '"fr-levy"')]
    page = words(console.client.get("/console/edits"))
    assert "attend sa publication" in page
    assert "Camille" in page
    assert "erreur de saisie" in page
    assert "retouche : fr-levy" in words(console.client.get("/console/feeds"))


def test_hq_s_own_listing_gets_another_price_and_keeps_its_stock_and_reservations(console: Hq) -> None:
    console.write("update listing set reserved = 1, quantity = 2 where listing_id = 11")
    assert make(console, "listings", "11", price="359").status_code == 303
    [listing] = console.rows("select price_cents, reserved, quantity from listing where listing_id = 11")
    assert listing == {"price_cents": 35900, "reserved": 1, "quantity": 2}
    assert marked(console) == [("listing", "11")]


def test_a_listing_of_a_seller_with_a_desk_is_not_hq_s_to_change(console: Hq) -> None:
    console.write("update seller set source = 'desk' where seller_id = (select seller_id from listing where listing_id = 11)")
    assert look(console, "listings", "11", price="359").status_code == 404
    assert make(console, "listings", "11", price="359").status_code == 404
    assert "Rien de ce nom" in words(console.client.get("/console/edits?q=11"))


@pytest.mark.parametrize(
    ("file", "key", "typed", "said"),
    [
        ("plans", "2", {"monthly_cents": "beaucoup"}, "Ce n’est pas un montant"),
        ("plans", "2", {"name.fr": "Série comme neuf"}, "forbidden wording: comme neuf"),
        ("plans", "2", {"name.fr": "x" * 400}, "corrigez ce qui est marqué"),
        ("plans", "2", {"monthly_cents": ""}, "corrigez ce qui est marqué"),
        ("listings", "11", {"price": "0"}, "a price is above zero"),
        ("listings", "11", {"prior_price": "999.00"}, "corrigez ce qui est marqué"),
        ("plans", "2", {"monthly_cents": "21,00", "why": ""}, "Dites pourquoi"),
        ("plans", "2", {"monthly_cents": "21,00", "who": " "}, "Dites qui vous êtes"),
        ("plans", "2", {"monthly_cents": "24,99"}, "Rien n’est changé"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_and_nothing_typed_is_lost(
    console: Hq, file: str, key: str, typed: dict[str, str], said: str
) -> None:
    for answer in (look(console, file, key, **typed), make(console, file, key, **typed)):
        assert answer.status_code == 422
        assert said in words(answer)
        assert all(html.escape(value.strip()) in html.unescape(answer.text) for value in typed.values() if value.strip())
    assert marked(console) == []
    assert console.rows("select * from feed_import where report like '%\"edit\"%'") == []


def test_a_table_is_changed_by_place_and_only_its_corner_is_told(console: Hq) -> None:
    places = {"position": ["A1", "A2", "B1"], "sku": ["iphone-12-128-blue", "iPhone 13", ""]}
    opened = form(console, "corners", "nantes-crebillon")
    page = look(console, "corners", "nantes-crebillon", **places, **{"was.planogram": opened["was.planogram"]})
    assert page.status_code == 422
    assert "Dites quel appareil est là" in words(page)
    places = {"position": ["A1", "A2"], "sku": ["iphone-12-128-blue", "iPhone 13"]}
    page = look(console, "corners", "nantes-crebillon", **places)
    assert "Pour le comptoir Nantes Crébillon seulement" in words(page)
    before = console.corner_sha256()
    assert (
        make(console, "corners", "nantes-crebillon", planogram="A1=IPHONE-12-128-BLUE\r\nA2=IPHONE-13-128-BLUE").status_code
        == 303
    )
    with reading(console.engine) as connection:
        told = corner_document(connection, "nantes-crebillon", slip_prefix="")["planogram"]
        other = corner_document(connection, "paris-beaubourg", slip_prefix="")["planogram"]
    assert told == [{"position": "A1", "sku_id": 2}, {"position": "A2", "sku_id": 1}]
    assert other == [{"position": "A1", "sku_id": 1}]
    assert console.corner_sha256() != before
    assert marked(console) == []


@pytest.mark.parametrize(
    ("places", "said"),
    [
        ({"position": ["A1", "A1"], "sku": ["IPHONE-12-128-BLUE", "IPHONE-13-128-BLUE"]}, "déjà prise"),
        ({"position": ["A1"], "sku": ["Nokia 3310"]}, "Aucun produit"),
        ({"position": ["A1"], "sku": ["iphone"]}, "IPHONE-12-128-BLUE"),
        ({"position": [""], "sku": ["IPHONE-12-128-BLUE"]}, "où l’appareil est posé"),
    ],
)
def test_a_place_that_cannot_be_is_said_beside_it(console: Hq, places: dict[str, list[str]], said: str) -> None:
    answer = look(console, "corners", "nantes-crebillon", **places)
    assert answer.status_code == 422
    assert said in words(answer)
    assert places["sku"][0] in answer.text


def test_places_are_added_and_removed_without_losing_what_was_typed(console: Hq) -> None:
    typed = {"position": ["A1", "C7"], "sku": ["IPHONE-13-128-BLUE", "iPhone 12"], "removed": ["0"]}
    page = look(console, "corners", "nantes-crebillon", **typed, act="more")
    assert page.status_code == 200
    assert 'value="C7"' in page.text
    assert 'name="position" value="A1"' not in page.text
    assert page.text.count('name="position"') == 3


def test_the_second_of_two_editors_sees_what_the_first_changed_and_loses_nothing(console: Hq) -> None:
    opened = form(console, "plans", "2")
    make(console, "plans", "2", monthly_cents="26,49", why="tarif de décembre")
    mine = {**opened, "monthly_cents": "27,99", "activation_cents": "2,00"}
    for act in (look, make):
        answer = act(console, "plans", "2", **mine)
        assert answer.status_code == 409
        page = words(answer)
        assert "tarif de décembre" in page
        assert "26,49 €" in page
        assert 'value="27,99"' in page
        assert 'value="2,00"' in page
    assert body(console, "plan", 2)["monthly_cents"] == 2649
    assert make(console, "plans", "2", **filled(answer)).status_code == 303
    assert body(console, "plan", 2)["monthly_cents"] == 2799


def test_what_others_changed_in_fields_nobody_touched_here_stays(console: Hq) -> None:
    opened = form(console, "plans", "2")
    make(console, "plans", "2", activation_cents="5,00")
    assert make(console, "plans", "2", **{**opened, "monthly_cents": "27,99"}).status_code == 303
    stored = body(console, "plan", 2)
    assert (stored["monthly_cents"], stored["activation_cents"]) == (2799, 500)


def test_every_plan_option_law_grade_and_category_can_be_opened(console: Hq) -> None:
    links = re.findall(r'href="(/console/edits/[^"]+)"', console.client.get("/console/edits?q=nantes").text)
    assert {link.split("/")[3] for link in links} == {"plans", "options", "laws", "grades", "categories", "corners"}
    assert {console.client.get(link).status_code for link in links} == {200}
    assert "/console/edits/listings/11" in console.client.get("/console/edits?q=IPHONE-13-128-BLUE").text


@pytest.mark.parametrize("address", ["plans/99", "plans/x", "sellers/1", "listings/" + "9" * 30, "corners/nowhere"])
def test_there_is_nothing_to_edit_at_an_address_of_nothing(console: Hq, address: str) -> None:
    assert console.client.get(f"/console/edits/{address}").status_code == 404


def test_a_table_changed_by_hand_keeps_its_drawing_and_each_device_its_tag() -> None:
    before = [
        {"position": "A1", "sku_id": 1, "demo_id": "AAAAAAAA", "row": 2, "column": 3},
        {"position": "A2", "sku_id": 2, "demo_id": "BBBBBBBB"},
        {"position": "A3", "sku_id": 2, "demo_id": "CCCCCCCC"},
    ]
    codes = {"ONE": 1, "TWO": 2, "THREE": 3}

    moved = with_values(
        "corners", {"planogram": before}, {"planogram": "A1=TWO\nA3=TWO\nB1=ONE\nB2=THREE"}, currency="EUR", sku_ids=codes
    )

    assert moved["planogram"] == [
        {"position": "A1", "sku_id": 2, "row": 2, "column": 3, "demo_id": "BBBBBBBB"},
        {"position": "A3", "sku_id": 2, "demo_id": "CCCCCCCC"},
        {"position": "B1", "sku_id": 1, "demo_id": "AAAAAAAA"},
        {"position": "B2", "sku_id": 3},
    ]
