from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from kiosk.app import create_app
from pos import ops
from tests import world


def test_attract_shows_the_range_and_opens_home(client: FlaskClient) -> None:
    page = client.get("/")

    assert page.status_code == 200
    assert 'href="/home"' in page.text
    assert page.text.index("iPhone 13") < page.text.index("PlayStation 5") < page.text.index("Galaxy S22")


def test_attract_says_what_a_device_avoids_with_its_source_or_nothing(client: FlaskClient, kiosk: world.Kiosk) -> None:
    sourced = client.get("/").text
    with kiosk.catalog.write() as catalog:
        catalog.execute("update category set body = json_set(body, '$.co2.source', '')")

    assert re.search(r"environ \d+ kg CO₂e évités en \d ans par rapport au neuf \(ADEME", sourced)
    assert "CO₂" not in client.get("/").text


@pytest.mark.parametrize(
    "path", ["/", "/home", "/browse", "/sku/IPHONE-13-128-BLUE", "/plans", "/how-it-works", "/sku/NONE", "/browse?min=much"]
)
def test_a_person_can_be_asked_for_and_the_view_changed_on_every_page(client: FlaskClient, path: str) -> None:
    page = client.get(path).text

    assert 'id="ring"' in page
    assert 'action="/view"' in page
    assert 'action="/language"' in page
    assert '<a class="skip" href="#main">' in page


def test_a_person_can_be_asked_for_from_a_slip_and_a_refusal(client: FlaskClient) -> None:
    selection = client.post("/selections", data={"listing": "101"}).headers["Location"]
    slip = client.post(f"{selection}/slip").headers["Location"]

    for page in (client.get(selection), client.get(slip), client.post("/selections", data={"listing": "999999"})):
        assert 'id="ring"' in page.text


def test_who_chose_nothing_yet_is_expected_to_have_gone_sooner(client: FlaskClient) -> None:
    assert 'data-idle="65"' in client.get("/home").text
    assert 'data-idle="110"' in client.get("/browse?q=iphone").text
    client.post("/view", data={"flip": "contrast"})
    assert 'data-idle="110"' in client.get("/home").text


def test_home_draws_the_table_before_the_search_each_device_at_its_place(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.ops_write() as database:
        spots = [("A1", 1), ("A3", 2), ("B2", 3), ("fond", 4)]
        document = {**world.corner_document(), "planogram": [{"position": name, "sku_id": sku_id} for name, sku_id in spots]}
        ops.store_setting(database, "corner", document)
    page = client.get("/home").text

    assert re.findall(r'class="spot (row-\d col-\d)"', page) == ["row-1 col-1", "row-1 col-3", "row-2 col-2", "row-3 col-1"]
    assert 'class="spots wide-3"' in page
    assert page.index('class="spots') < page.index('role="search"') < page.index('class="kinds"')


def test_home_shows_the_demo_devices_of_this_corner_with_today_s_offer(client: FlaskClient) -> None:
    page = client.get("/home").text

    assert re.findall(r'class="place">(\w+)<', page) == ["A1", "A2", "B1"]
    assert 'href="/sku/IPHONE-13-128-BLUE"' in page
    assert "329,00\u00a0€" in page
    assert "État correct" in page
    assert "3 autres grades" in page


def test_a_demo_device_nobody_offers_has_no_price(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("delete from offer where sku_id = ?", [world.PLAYSTATION_5])

    assert "Pas d’offre aujourd’hui" in client.get("/home").text


def test_language_switches_with_one_touch_and_stays_on_the_page(client: FlaskClient) -> None:
    answer = client.post("/language", data={"language": "en", "next": "/sku/IPHONE-13-128-BLUE?grade=GOOD"})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/sku/IPHONE-13-128-BLUE?grade=GOOD")
    page = client.get("/home").text
    assert '<html lang="en"' in page
    assert "On this table" in page
    assert "€329.00" in page


@pytest.mark.parametrize("where", ["//evil.test/", "https://evil.test/", "/\\evil.test", ""])
def test_nobody_is_sent_to_another_site(client: FlaskClient, where: str) -> None:
    assert client.post("/language", data={"language": "en", "next": where}).headers["Location"] == "/home"


def test_a_language_the_corner_does_not_speak_is_refused(client: FlaskClient) -> None:
    assert client.post("/language", data={"language": "de"}).status_code == 400


def test_a_view_is_turned_on_and_off(client: FlaskClient) -> None:
    client.post("/view", data={"flip": "reach"})
    client.post("/view", data={"flip": "contrast"})
    both = client.get("/home").text
    client.post("/view", data={"flip": "reach"})
    one = client.get("/home").text

    assert 'data-reach="low"' in both
    assert 'data-contrast="high"' in both
    assert "data-reach" not in one
    assert client.post("/view", data={"flip": "nonsense"}).status_code == 400


def test_leaving_wipes_selection_language_and_view(client: FlaskClient, kiosk: world.Kiosk) -> None:
    client.post("/language", data={"language": "en"})
    selection_id = client.post("/selections", data={"listing": "101"}).headers["Location"].rsplit("/", 1)[1]

    answer = client.post("/leave", data={"s": selection_id})

    assert answer.headers["Location"] == "/"
    assert kiosk.ops.read().execute("select count(*) from selection").fetchone() == (0,)
    assert '<html lang="fr"' in client.get("/").text


def test_leaving_forgets_language_and_view_while_the_records_are_closed(kiosk: world.Kiosk) -> None:
    kiosk.ops.path.write_bytes(b"not a database" * 500)
    client = create_app(kiosk.directory, sync=False).test_client()
    client.post("/language", data={"language": "en"})
    client.post("/view", data={"flip": "reach"})

    answer = client.post("/leave", data={"s": "left-before"})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    page = client.get("/").text
    assert '<html lang="fr"' in page
    assert "data-reach" not in page


def test_leaving_forgets_language_and_view_while_another_program_holds_the_records(
    client: FlaskClient, kiosk: world.Kiosk
) -> None:
    client.post("/language", data={"language": "en"})
    client.application.extensions["comptoir"].ops._current_writer().execute("pragma busy_timeout=10").fetchall()
    with kiosk.ops_write():
        assert client.post("/leave", data={"s": "any"}).status_code == 503

    assert '<html lang="fr"' in client.get("/").text


def test_drawings_are_kept_for_good(client: FlaskClient) -> None:
    drawing = client.get("/drawings/phone-38506b-2.svg")

    assert drawing.mimetype == "image/svg+xml"
    assert "immutable" in drawing.headers["Cache-Control"]
    assert client.get("/drawings/../../etc.svg").status_code == 404
