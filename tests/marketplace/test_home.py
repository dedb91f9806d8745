"""The first page at home: what is offered, why, and every way on from it."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from tests.kiosk.test_web import first_visit_bytes
from tests.marketplace.hq import words


def test_home_shows_each_category_from_its_lowest_price(two_markets: FlaskClient) -> None:
    page = words(two_markets.get("/home"))

    assert re.findall(r'href="/browse\?category=(\w+)"', page) == ["phones", "consoles", "vacuums"]
    assert re.findall(r"<small>dès ([\d,]+ €)</small>", page) == ["259 €", "359 €", "208 €"]


def test_home_shows_different_kinds_first_and_says_why_each_offer_is_the_one(two_markets: FlaskClient) -> None:
    page = words(two_markets.get("/home"))
    picks = re.findall(r'class="pick" href="/sku/([^"?]+)\?grade=(\w+)".*?<span class="price">([^<]+)<', page, re.DOTALL)

    assert {code for code, _, _ in picks} >= {"IPHONE-13-128-BLUE", "PLAYSTATION-5-825-WHITE", "DYSON-V11-PURPLE"}
    assert page.count("Pourquoi cette offre") == len(picks) == 4
    for code, grade, price in picks:
        assert price in words(two_markets.get(f"/sku/{code}?grade={grade}"))


def test_every_link_of_home_leads_somewhere(two_markets: FlaskClient) -> None:
    page = two_markets.get("/home").text
    links = {link.replace("&amp;", "&") for link in re.findall(r'<a [^>]*href="([/?][^"]*)"', page)}

    assert len(links) > 12
    assert {
        link
        for link in links
        if two_markets.get(f"/home{link}" if link[0] == "?" else link, follow_redirects=True).status_code != 200
    } == set()


@pytest.mark.parametrize(("path", "most_kb"), [("/home", 80), ("/browse", 100), ("/sku/IPHONE-13-128-BLUE?plan=2", 100)])
def test_a_first_visit_at_home_stays_light(two_markets: FlaskClient, path: str, most_kb: int) -> None:
    assert first_visit_bytes(two_markets, path) <= most_kb * 1000


def test_another_market_can_be_gone_to_from_a_selection(two_markets: FlaskClient) -> None:
    where = two_markets.post("/selections?market=fr").headers["Location"]

    assert 'href="/home?market=us"' in two_markets.get(where).text
