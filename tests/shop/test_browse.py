from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pos import ops
from shop import browse
from tests import world


def models(text: str) -> list[str]:
    return re.findall(r"<h2>([^<]*?)(?: <|<)", text)


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
    assert ('hx-swap-oob="true"' in answer.text) is (address != "/browse")


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
    assert "Voici « galaxy »" in page


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
        return len([question for question in asked if not question.startswith("pragma")])

    monkeypatch.setattr(browse, "PAGE", 1)
    one = questions("/browse")
    monkeypatch.setattr(browse, "PAGE", 18)
    reader.answers().clear()

    assert questions("/browse") == one <= 12
    assert questions("/browse") <= 2


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
