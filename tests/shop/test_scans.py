from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from pos import catalog
from pos.scans import code_of, derived_value, place_value
from tests import world

EAN = "3701234567891"
CORNER = world.corner_document()
SPOT = CORNER["planogram"][0]
TAG = code_of(
    "device", SPOT.get("demo_id") or derived_value("device", CORNER["corner_id"], SPOT["position"], str(SPOT["sku_id"]))
)
PLACE = code_of("place", place_value(CORNER["corner_id"], SPOT["position"]))
LYING = next(f"/sku/{row[1]}" for row in world.SKUS if row[0] == SPOT["sku_id"])
FOR_CLERKS = [code_of("badge", "0" * 10), code_of("selection", "ABCDE"), code_of("label", "ABCDEF")]


@pytest.fixture(autouse=True)
def barcode(kiosk: world.Kiosk) -> None:
    with kiosk.catalog.write() as database:
        database.execute("update sku set body = json_set(body, '$.ean', ?) where sku_id = 3", [EAN])
        catalog.refresh(database, {"sku": {3}}, now=world.NOW)


def scanned(client: FlaskClient, code: str) -> str:
    answer = client.post("/scans", data={"code": code})
    assert answer.status_code == 303
    return str(answer.headers["Location"])


def test_a_tag_its_place_and_a_barcode_open_the_device(client: FlaskClient) -> None:
    assert scanned(client, TAG) == LYING
    assert scanned(client, PLACE) == LYING
    assert scanned(client, f"{TAG}{TAG}") == LYING
    assert scanned(client, EAN) == "/sku/GALAXY-S22-256-GREEN"
    assert client.post("/scans", data={"code": EAN, "s": "abc"}).headers["Location"] == "/sku/GALAXY-S22-256-GREEN?s=abc"


FRENCH_KEYS = str.maketrans("1234567890-", "&é\"'(-è_çà)")
"""What a scanner set to an American keyboard types into a machine set to a French one."""


@pytest.mark.parametrize("code", [TAG, PLACE, EAN, EAN.translate(FRENCH_KEYS)])
def test_what_is_typed_into_the_search_field_leads_there_too(client: FlaskClient, code: str) -> None:
    led = client.get("/browse", query_string={"q": f" {code.lower()} "})
    typed = client.get("/browse/results", query_string={"q": code})

    assert (led.status_code, led.headers["Location"]) == (303, scanned(client, code))
    assert (typed.headers["HX-Redirect"], typed.text) == (scanned(client, code), "")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("5901234123457", "Aucun appareil connu ici n’a ce code-barres."),
        (code_of("device", "ZZZZZZZZ"), "Cette étiquette n’est pas de cette table."),
        (code_of("place", "ZZZZZZZZ"), "Cette étiquette n’est pas de cette table."),
        ("D-7K3M9", "Ce code ne se lit pas."),
        ("", "Ce code ne se lit pas."),
    ],
)
def test_a_code_that_opens_nothing_is_answered(client: FlaskClient, code: str, said: str) -> None:
    assert said in client.get(scanned(client, code)).text


@pytest.mark.parametrize("code", [*FOR_CLERKS, "1-0007-K", f"http://x.test/k/{'9' * 200}"])
def test_codes_for_the_counter_lead_nowhere_and_stay_unsaid(client: FlaskClient, code: str) -> None:
    where = scanned(client, code)

    assert where in ("/scans?why=counter", "/scans?why=nothing")
    assert code not in client.get(where).text


@pytest.mark.parametrize("code", FOR_CLERKS)
def test_a_code_for_the_counter_typed_into_the_search_finds_nothing(client: FlaskClient, code: str) -> None:
    assert client.get("/browse", query_string={"q": code}).headers["Location"] == "/scans?why=counter"


@pytest.mark.parametrize("words", ["iphone 13", "galaxy s22", "s-22", "12345670", "d-5", "p-1 casque", "128", "35-0001-H"])
def test_words_are_no_code(client: FlaskClient, words: str) -> None:
    assert client.get("/browse", query_string={"q": words}).status_code == 200


def test_a_reason_that_is_none_says_the_plainest(client: FlaskClient) -> None:
    assert "Ce code ne se lit pas." in client.get("/scans?why=<b>").text


def test_every_page_of_a_customer_takes_a_scan_and_the_counter_its_own(client: FlaskClient) -> None:
    for path in ("/", "/home", "/browse", "/sku/IPHONE-13-128-BLUE", "/scans?why=unknown"):
        page = client.get(path).text
        assert page.count('id="scans"') == 1
        assert 'id="scans" method="post" action="/scans"' in page
    assert 'action="/scans"' not in client.get("/counter/session").text


def test_a_barcode_of_what_nobody_offers_opens_its_page_with_the_nearest_of_its_model(
    kiosk: world.Kiosk, client: FlaskClient
) -> None:
    code = "3701234567907"
    with kiosk.catalog.write() as database:
        database.execute(
            """
            insert into sku select 77, 'IPHONE-13-256-BLACK', category_id, brand, model, 256, year, json_set(body, '$.ean', ?)
            from sku where sku_id = 2
            """,
            [code],
        )
        catalog.refresh(database, {"sku": {77}}, now=world.NOW)

    assert scanned(client, code) == "/sku/IPHONE-13-256-BLACK"
    assert client.get("/browse", query_string={"q": code}).headers["Location"] == "/sku/IPHONE-13-256-BLACK"
    page = client.get("/sku/IPHONE-13-256-BLACK").text
    assert "Pas d’offre aujourd’hui." in page
    assert "Du même modèle, aujourd’hui" in page
    assert 'href="/sku/IPHONE-13-128-BLUE"' in page
    assert "IPHONE-12" not in page


def test_what_nobody_offers_of_a_model_nobody_offers_promises_no_other(kiosk: world.Kiosk, client: FlaskClient) -> None:
    with kiosk.catalog.write() as database:
        database.execute("update stock set quantity = 0 where listing_id = 108")
        catalog.refresh(database, {catalog.TURNED_STOCK: {108}}, now=world.NOW)

    page = client.get(scanned(client, EAN)).text
    assert "Pas d’offre aujourd’hui." in page
    assert "Du même modèle" not in page
