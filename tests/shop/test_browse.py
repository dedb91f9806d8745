from __future__ import annotations

import html
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pos import ops
from shop import browse
from tests import world


def models(text: str) -> list[str]:
    return re.findall(r"<h2><bdi>([^<]*?)(?: <|<)", text)


def test_browse_lists_everything_with_its_all_in_price(client: FlaskClient) -> None:
    page = client.get("/browse").text

    assert sorted(models(page)) == ["Galaxy S22", "PlayStation 5", "V11", "iPhone 12", "iPhone 13"]
    assert "208,00\u00a0€" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=iphone+13", ["iPhone 13"]),
        ("q=IPHON%C3%89", ["iPhone 13", "iPhone 12"]),
        ("category=consoles", ["PlayStation 5"]),
        ("brand=Samsung", ["Galaxy S22"]),
        ("grade=PREMIUM", ["iPhone 13"]),
        ("storage=256", ["Galaxy S22"]),
        ("max=250", ["V11"]),
        ("min=320&sort=price", ["iPhone 13", "PlayStation 5"]),
        ("min=258,99&max=259.00", ["iPhone 12"]),
        ("category=phones&sort=price", ["iPhone 12", "Galaxy S22", "iPhone 13"]),
        ("category=phones&sort=-price", ["iPhone 13", "Galaxy S22", "iPhone 12"]),
    ],
)
def test_the_address_narrows_the_list(client: FlaskClient, query: str, found: list[str]) -> None:
    assert models(client.get(f"/browse?{query}").text) == found


def chips(text: str) -> list[str]:
    return [html.unescape(label) for label in re.findall(r'aria-label="Enlever : ([^"]+)"', text)]


def counts(text: str, facet: str) -> dict[str, int]:
    """Return how many devices each value of a facet says it leaves."""
    ticked = re.findall(rf'name="{facet}" value="([^"]*)".*?<small>(\d+)</small>', text, re.DOTALL)
    return {value: int(skus) for value, skus in ticked}


def test_each_value_says_how_many_devices_it_leaves(client: FlaskClient) -> None:
    page = client.get("/browse?category=phones").text

    assert counts(page, "brand") == {"Apple": 2, "Samsung": 1}
    assert counts(page, "storage") == {"128": 2, "256": 1}
    assert counts(page, "color") == {"blue": 2, "green": 1}
    assert counts(page, "grade") == {"FAIR": 1, "GOOD": 2, "EXCELLENT": 2, "PREMIUM": 1}
    assert "<b>3 appareils</b>" in page


def test_several_values_of_a_facet_widen_it_and_other_facets_follow(client: FlaskClient) -> None:
    page = client.get("/browse?storage=128&storage=256").text

    assert sorted(models(page)) == ["Galaxy S22", "iPhone 12", "iPhone 13"]
    assert counts(page, "storage") == {"128": 2, "256": 1, "825": 1}
    assert counts(page, "brand") == {"Apple": 2, "Samsung": 1}
    assert "<b>3 appareils</b>" in page


def test_what_is_chosen_is_taken_away_by_its_chip(client: FlaskClient) -> None:
    address = "/browse?q=iphone&brand=Apple&brand=Sony&grade=GOOD&max=400&color=blue&s=abc"
    page = client.get(address).text

    assert chips(page) == ["« iphone »", "Apple", "Sony", "Bleu", "Très bon état", "jusqu’à 400\u00a0€"]
    [without] = re.findall(r'href="([^"]+)" aria-label="Enlever : Sony"', page)
    assert html.unescape(without) == "/browse?q=iphone&brand=Apple&color=blue&grade=GOOD&max=400&s=abc"


def test_a_kind_keeps_what_is_chosen_and_counts_by_it(client: FlaskClient) -> None:
    page = client.get("/browse?brand=Sony&max=900").text

    rail = page[page.index('class="rail"') : page.index("</nav>", page.index('class="rail"'))]
    assert re.findall(r'href="([^"]+)"', rail) == [
        "/browse?brand=Sony&amp;max=900",
        "/browse?brand=Sony&amp;max=900&amp;category=consoles",
    ]
    assert re.findall(r"<small>(\d+)", rail) == ["1", "1"]


def test_specifications_of_a_kind_stand_beside_its_list_alone(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.catalog.write() as database:
        compared = (
            "update category set body = json_set(body, '$.compare', json('[\"screen_tenths_in\"]')) where category_id = 'phones'"
        )
        database.execute(compared)
        database.execute("update sku set body = json_set(body, '$.specs.screen_tenths_in', 67) where sku_id = 3")

    assert counts(client.get("/browse?category=phones").text, "screen_tenths_in") == {"61": 2, "67": 1}
    assert models(client.get("/browse?screen_tenths_in=67").text) == ["Galaxy S22"]
    assert "screen_tenths_in" not in client.get("/browse").text


def test_prices_are_two_sliders_that_bound_nothing_at_their_ends(client: FlaskClient) -> None:
    page = client.get("/browse?max=300").text

    sliders = dict(
        re.findall(r'type="range" form="search" name="(\w+)".*?(min="\d+"\s+max="\d+" step="\d+" value="\d+")', page, re.DOTALL)
    )
    assert " ".join(sliders["min"].split()) == 'min="208" max="359" step="1" value="208"'
    assert " ".join(sliders["max"].split()) == 'min="208" max="359" step="1" value="300"'
    [prices] = re.findall(r'<fieldset class="prices">.*?</fieldset>', page, re.DOTALL)
    assert prices.count("<rect") == 24
    sent = client.get("/browse/results?min=208&min_end=208&max=359&max_end=359")
    assert sent.headers["HX-Replace-Url"] == "/browse"
    assert len(models(sent.text)) == 5


def test_sliders_that_crossed_bound_the_same_prices(client: FlaskClient) -> None:
    assert models(client.get("/browse?min=300&max=250&sort=price").text) == ["iPhone 12"]


def test_what_lies_on_the_table_is_a_facet_of_the_kiosk(client: FlaskClient) -> None:
    page = client.get("/browse").text
    [on_table] = counts(page, "table").values()

    assert len(models(client.get("/browse?table=1").text)) == on_table > 0
    assert chips(client.get("/browse?table=1").text) == ["Sur cette table"]


def test_the_best_value_says_what_it_is(client: FlaskClient) -> None:
    page = client.get("/browse?sort=value&category=phones").text

    assert "le prix le plus bas par année de mises à jour qui reste" in page
    assert re.search(r"\d+\u00a0€ par an, mises à jour jusqu’en 2028", page)


def test_a_value_nobody_has_is_a_chip_and_finds_nothing(client: FlaskClient) -> None:
    page = client.get("/browse", query_string={"brand": "<b>Nokia"}).text

    assert (counts(page, "brand"), chips(page)) == ({"Apple": 2, "Dyson": 1, "Samsung": 1, "Sony": 1}, ["<b>Nokia"])
    assert "Rien sous ces conditions." in page
    assert "<b>Nokia" not in page


def test_a_price_is_typed_with_the_decimals_of_the_currency(kiosk: world.Kiosk, client: FlaskClient) -> None:
    with kiosk.ops_write() as database:
        ops.store_setting(database, "corner", {**world.corner_document(), "currency": "JPY"})

    assert models(client.get("/browse?min=25000&max=26000").text) == ["iPhone 12"]
    assert "25\u202f900\u00a0JPY" in client.get("/browse").text
    assert client.get("/browse?max=250.50").status_code == 400


@pytest.mark.parametrize("address", ["/browse", "/browse/results"])
def test_a_price_that_is_none_is_said_beside_its_field_and_narrows_nothing(client: FlaskClient, address: str) -> None:
    answer = client.get(f"{address}?min=cher&max=300")

    assert answer.status_code == (400 if address == "/browse" else 200)
    assert "Nous n’avons pas compris le prix « cher ». Il s’écrit par exemple 1\u202f299,00\u00a0€." in answer.text
    assert models(answer.text) == ["iPhone 12", "V11"]
    assert ('id="facets" class="facets" hx-swap-oob="true"' in answer.text) is (address != "/browse")


def test_a_price_as_the_page_writes_it_is_understood(client: FlaskClient) -> None:
    client.post("/language", data={"language": "en"})
    prices = re.findall(r'class="price">([^<]+)<', client.get("/browse?sort=price").text)

    for price in prices:
        assert models(client.get("/browse", query_string={"min": price, "max": price}).text)


@pytest.mark.parametrize("query", ["min=abc", "max=1e3", "min=-5", "sort=price;drop", "storage=x", "grade=MINT", "after=zz"])
def test_what_cannot_be_understood_is_said(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/browse?{query}")

    assert answer.status_code == 400
    assert "Nous n’avons pas compris" in answer.text


def test_nothing_found_says_what_to_do(client: FlaskClient) -> None:
    assert "Enlevez un filtre" in client.get("/browse?max=1").text


def test_a_typo_is_forgiven_and_said(client: FlaskClient) -> None:
    page = client.get("/browse?q=galayx").text

    assert models(page) == ["Galaxy S22"]
    assert "Résultats pour « galaxy »" in page


def test_what_somebody_typed_is_never_markup(client: FlaskClient) -> None:
    page = client.get("/browse", query_string={"q": "<i>galayx%s"}).text

    assert "« &lt;i&gt;galayx%s »" in page
    assert "<i>galayx" not in page


def test_the_number_of_questions_does_not_grow_with_the_cards(
    app: Flask, client: FlaskClient, kiosk: world.Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every card asks for HQ's drawing as soon as any medium was ever fetched."""
    (kiosk.directory / "media").mkdir()
    asked: list[str] = []
    reader = app.extensions["comptoir"].catalog.read()
    reader.conn.set_trace_callback(asked.append)

    def questions(path: str) -> int:
        asked.clear()
        assert client.get(path).status_code == 200
        # What the full-text index asks its own tables is traced too.
        ours = [each for each in asked if not each.startswith(("pragma", "--")) and "sku_search_" not in each]
        return len(ours)

    monkeypatch.setattr(browse, "PAGE", 1)
    one = questions("/browse")
    monkeypatch.setattr(browse, "PAGE", 18)
    reader.answers().clear()

    assert questions("/browse") == one <= 12
    assert questions("/browse") <= 2
    assert questions("/browse?q=iphnoe13&brand=Apple&grade=GOOD&max=900&sort=price") <= 4
    assert questions("/browse/results?q=bleu+air+pods&color=blue&storage=128&storage=256&table=1&sort=value") <= 4


def opened(client: FlaskClient, address: str) -> list[tuple[str, bool]]:
    """Return where each card of a list leads, and whether the page there begins with the price of the card."""
    cards = re.findall(r'<a href="(/sku/[^"]+)">.*?<p class="price">([^<]+)', client.get(address).text, re.DOTALL)
    truths = [(path, client.get(html.unescape(path)).text.partition('class="truth"')[2], price) for path, price in cards]
    return [(html.unescape(path), f'<dd class="price">{price}' in truth) for path, truth, price in truths]


def test_a_card_opens_its_device_at_the_price_it_says(client: FlaskClient, kiosk: world.Kiosk) -> None:
    phone = "/sku/IPHONE-13-128-BLUE"
    with kiosk.catalog.write() as database:
        database.execute("update listing set new_battery = 1 where listing_id in (103, 105)")

    assert opened(client, "/browse?q=iphone+13") == [(phone, True)]
    assert opened(client, "/browse?q=iphone+13&grade=PREMIUM&s=abc") == [(f"{phone}?grade=PREMIUM&s=abc", True)]
    assert opened(client, "/browse?q=iphone+13&grade=PREMIUM&grade=GOOD") == [(f"{phone}?grade=GOOD", True)]
    assert opened(client, "/browse/more?q=iphone+13&hold=new_battery:true") == [(f"{phone}?grade=EXCELLENT", True)]


def test_what_is_ticked_is_compared_in_the_grades_asked_for(client: FlaskClient) -> None:
    form = client.get("/browse?grade=GOOD&grade=EXCELLENT").text.partition('action="/compare"')[2]

    assert re.findall(r'type="hidden" name="grade" value="(\w+)"', form) == ["GOOD", "EXCELLENT"]


def test_results_come_alone_while_typing_and_keep_the_address(client: FlaskClient) -> None:
    answer = client.get("/browse/results?q=iphone&s=abc", headers={"HX-Request": "true"})

    assert answer.text.lstrip().startswith('<form class="results" id="results"')
    assert "<html" not in answer.text
    assert answer.headers["HX-Replace-Url"] == "/browse?q=iphone&s=abc"


def test_more_cards_come_alone(client: FlaskClient) -> None:
    answer = client.get("/browse/more?category=phones")

    assert models(answer.text) == models(client.get("/browse?category=phones").text)
    assert "<html" not in answer.text


def test_the_selection_travels_in_the_address_and_never_in_a_cookie(client: FlaskClient) -> None:
    selection = client.post("/selections", data={"listing": "101"})
    selection_id = selection.headers["Location"].rsplit("/", 1)[1]
    page = client.get(f"/browse?s={selection_id}")

    assert f'href="/sku/IPHONE-13-128-BLUE?s={selection_id}"' in page.text
    assert "Set-Cookie" not in page.headers
    assert "Set-Cookie" not in selection.headers
