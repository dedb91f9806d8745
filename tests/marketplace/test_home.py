"""The first page at home: what is offered, why, and every way on from it."""

from __future__ import annotations

import re

from flask.testing import FlaskClient

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


def test_another_market_can_be_gone_to_from_a_selection(two_markets: FlaskClient) -> None:
    where = two_markets.post("/selections?market=fr").headers["Location"]

    assert 'href="/home?market=us"' in two_markets.get(where).text
