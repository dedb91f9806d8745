"""A partner's entry of the shop: its name, colours, categories and plans alone, as long as the visit lasts."""

from __future__ import annotations

import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from marketplace.installation import replica_path
from pos import catalog, clock
from pos.db import connect, write
from shop import looks
from tests.marketplace.hq import words

BLUE = "#1b4f9c"
PHONE, CONSOLE = "/sku/IPHONE-13-128-BLUE", "/sku/PLAYSTATION-5-825-WHITE"


def add_partner(directory: Path, market: str, **body: Any) -> None:
    """Publish a partner, judged as every row that comes in is."""
    with closing(connect(replica_path(directory, market), durable=False)) as replica, write(replica):
        text = json.dumps({"kind": "brand", "market": market, **body})
        replica.execute("insert into partner (partner_id, body) values (?, ?)", [body["partner_id"], text])
        catalog.refresh(replica, {"partner": {body["partner_id"]}}, now=clock.now())


@pytest.fixture
def shop(two_markets: FlaskClient) -> FlaskClient:
    """The shop with a console brand in the French market."""
    add_brand(two_markets)
    return two_markets


def add_brand(client: FlaskClient, **changes: Any) -> None:
    brand = {"partner_id": "manette-bleue", "name": "Manette Bleue", "color": BLUE, "categories": ["consoles"]}
    add_partner(client.application.extensions["marketplace"].directory, "fr", **brand | changes)


def test_a_visit_that_entered_by_a_partner_stays_in_its_shop(shop: FlaskClient) -> None:
    entry = shop.get("/p/manette-bleue", headers={"Accept-Language": "en-US"})

    assert entry.status_code == 200
    for page in (words(entry), words(shop.get("/home")), words(shop.get("/browse"))):
        assert "<i></i>Manette Bleue</a>" in page
        assert 'href="/looks/1b4f9c.css"' in page
        assert set(re.findall(r"category=(\w+)", page)) == {"consoles"}
    assert "<i></i>Manette Bleue</a>" in words(shop.get("/my-orders", follow_redirects=True))
    assert "€359" in words(entry), "the partner's market, whatever the browser's"


def test_only_a_partner_s_categories_are_found_there(shop: FlaskClient) -> None:
    shop.get("/p/manette-bleue")

    shown = set(re.findall(r'href="/sku/([A-Z0-9-]+)', shop.get("/browse").text + shop.get("/browse/results?q=a").text))
    assert shown
    assert all(code.startswith(("PLAYSTATION", "XBOX")) for code in shown)
    assert "IPHONE" not in shop.get("/browse?q=iphone").text
    assert "IPHONE" not in shop.get("/browse?category=phones").text
    assert "Apple" not in shop.get("/browse").text, "no brand to choose that has nothing here"
    assert shop.get(CONSOLE).status_code == 200
    kept = re.compile(r'id="results"[^>]*data-of="([^"]*)"')
    assert kept.findall(shop.get("/browse").text) == ["fr manette-bleue"], "what is ticked here is no device of another shop"
    assert kept.findall(shop.get("/browse?partner=&market=us").text) == ["us "]


@pytest.mark.parametrize("path", [PHONE, f"{PHONE}/bundle?grade=GOOD", f"/compare?sku={PHONE[5:]}&sku={CONSOLE[5:]}"])
def test_a_device_of_another_category_is_one_link_away_in_the_whole_shop(shop: FlaskClient, path: str) -> None:
    shop.get("/p/manette-bleue")
    answer = shop.get(path)
    [way_out] = re.findall(r'class="btn next" href="([^"]+)"', answer.text)

    assert answer.status_code == 404
    assert "Cet appareil n’est pas dans ce rayon." in words(answer)
    outside = shop.get(way_out.replace("&amp;", "&"))
    assert outside.status_code == 200
    assert "Manette Bleue" not in outside.text + shop.get("/home").text


def test_only_a_partner_s_plans_are_proposed_there(shop: FlaskClient) -> None:
    shop.get("/p/manette-bleue")
    assert 'href="/plans' not in shop.get("/home").text, "a brand without plans has no page of plans"
    assert "Je choisis" not in words(shop.get("/plans"))

    shop.get("/p/loire-mobile")
    assert 'href="/plans' in shop.get("/home").text
    assert "Je choisis" in words(shop.get("/plans"))
    assert shop.get(PHONE).status_code == 200, "a partner that names no category shows all"


def test_the_whole_shop_is_one_link_away(shop: FlaskClient) -> None:
    [way_out] = re.findall(r'href="(/home\?partner=[^"]*)"', shop.get("/p/manette-bleue").text)

    assert "Manette Bleue" not in shop.get(way_out).text
    assert "IPHONE" in shop.get("/browse").text


def test_another_market_has_no_such_partner(shop: FlaskClient) -> None:
    shop.get("/p/manette-bleue")

    assert "Manette Bleue" not in shop.get("/home?market=us").text
    assert "Manette Bleue" in shop.get("/home?market=fr").text


@pytest.mark.parametrize("partner", ["nobody", "Manette-Bleue", "..%2f", "%27%3b--", "x" * 3000])
def test_an_unknown_partner_is_said_and_leaves_nothing(shop: FlaskClient, partner: str) -> None:
    answer = shop.get(f"/p/{partner}")

    assert answer.status_code == 404
    assert "partner=" not in str(answer.headers.getlist("Set-Cookie"))
    shop.set_cookie("partner", partner[:500])
    assert shop.get("/home").status_code == 200


def test_a_partner_s_entry_is_not_indexed_and_the_addresses_stay_the_shop_s(shop: FlaskClient) -> None:
    assert shop.get("/p/manette-bleue").headers["X-Robots-Tag"] == "noindex, nofollow"
    assert f'rel="canonical" href="http://localhost{CONSOLE}?market=fr' in shop.get(CONSOLE).text


def test_hq_s_own_pages_keep_their_look(shop: FlaskClient) -> None:
    shop.get("/p/manette-bleue")

    assert "Manette Bleue" not in shop.get("/console/login").text
    assert "Manette Bleue" not in shop.get("/seller/login").text


@pytest.mark.parametrize("color", ["#fff;}body{display:none", "red", "#12345", "url(//evil.test)", "#1b4f9c\n", 7])
def test_a_colour_that_is_none_leaves_the_partner_out(two_markets: FlaskClient, color: object) -> None:
    add_brand(two_markets, color=color)

    assert two_markets.get("/p/manette-bleue").status_code == 404


def test_a_name_is_a_text_wherever_it_stands(two_markets: FlaskClient) -> None:
    add_brand(two_markets, name='<script>alert(1)</script>"><style>*{color:red}')
    page = two_markets.get("/p/manette-bleue").text + two_markets.get("/my-orders", follow_redirects=True).text

    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert "<style" not in page


@pytest.mark.parametrize("color", ["1b4f9c;}", "%22", "1B4F9C", "12345", "1b4f9c%0a", "red"])
def test_no_stylesheet_is_made_of_anything_but_six_digits(shop: FlaskClient, color: str) -> None:
    assert shop.get(f"/looks/{color}.css").status_code == 404


@pytest.mark.parametrize("color", ["1b4f9c", "000000", "ffffff", "ffff00", "ff0000", "00ff7f", "7f7f7f", "0f5c43"])
def test_text_on_a_partner_s_colours_can_be_read(color: str) -> None:
    text = looks.stylesheet(color)
    for tokens in text.split("@media"):
        said = {name: tuple(bytes.fromhex(digits)) for name, digits in re.findall(r"--([a-z-]+): #([0-9a-f]{6});", tokens)}
        white, ground = (255, 255, 255), (0xF5, 0xF1, 0xE8) if "dark" not in tokens else (0x17, 0x23, 0x1D)
        pairs = [
            *((said["leaf"], white, 7), (said["leaf"], said["on-leaf-soft"], 4.5), (said["leaf-ink"], ground, 4.5)),
            *((said["band"], said["lime"], 4.5), (said["band"], said["on-band-soft"], 7), (said["band-card"], white, 7)),
            *((said["lime"], said["on-lime"], 7), (said["lime"], said["on-lime-soft"], 4.5)),
        ]
        assert [pair for pair in pairs if looks.contrast_of(*pair[:2]) < pair[2]] == []  # type: ignore[arg-type]
