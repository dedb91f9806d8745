"""What public pages say to search engines, and that nothing of one person is ever said to them."""

from __future__ import annotations

import gzip
import json
import re
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient

from marketplace import sitemaps
from pos.languages import LANGUAGES
from tests.marketplace.test_languages import tell_markets
from tests.world import Kiosk

BASE = "http://localhost"
PUBLIC = ("/", "/browse", "/browse?category=phones", "/sku/IPHONE-13-128-BLUE", "/plans", "/how-it-works", "/how-we-rank")
OF_ONE_PERSON = (
    "/browse?q=iphone",
    "/compare?sku=IPHONE-13-128-BLUE&sku=IPHONE-12-128-BLUE",
    "/selections/new?l=101..1.new.",
    "/console/login",
    "/orders/none",
)


def canonical(page: str) -> str:
    [address] = re.findall(r'<link rel="canonical" href="([^"]+)"', page)
    return unescape(address)


def offered(page: str) -> dict[str, Any]:
    [block] = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page, re.DOTALL)
    facts: dict[str, Any] = json.loads(block)
    return facts


@pytest.mark.parametrize("path", PUBLIC)
def test_a_public_page_may_be_indexed_under_an_address_that_names_market_and_language(
    two_markets: FlaskClient, path: str
) -> None:
    answer = two_markets.get(path, headers={"Accept-Language": "en-US"})
    address = canonical(answer.text)
    own = two_markets.get(address.removeprefix(BASE), headers={"Accept-Language": "fr-FR"})
    alternates = dict(re.findall(r'hreflang="(\w\w-\w\w)" href="([^"]+)"', answer.text))

    assert "noindex" not in answer.text
    assert "X-Robots-Tag" not in answer.headers
    assert address.endswith("market=us&lang=en")
    assert canonical(own.text) == address
    assert unescape(alternates["en-US"]) == address
    assert set(alternates) == {f"{language}-{market}" for language in LANGUAGES for market in ("FR", "US")}


@pytest.mark.parametrize("path", OF_ONE_PERSON)
def test_what_is_of_one_person_is_not(two_markets: FlaskClient, path: str) -> None:
    answer = two_markets.get(path)

    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert 'name="robots" content="noindex' in answer.text
    assert "canonical" not in answer.text


def test_what_somebody_chose_is_not_part_of_a_page_s_address(two_markets: FlaskClient) -> None:
    page = two_markets.get("/sku/IPHONE-13-128-BLUE?grade=FAIR&plan=2&s=fr.0123456789").text

    assert canonical(page) == f"{BASE}/sku/IPHONE-13-128-BLUE?market=fr&lang=fr"


def test_machines_read_the_offers_a_person_sees(two_markets: FlaskClient) -> None:
    page = two_markets.get("/sku/IPHONE-13-128-BLUE").text
    facts = offered(page)
    offers = facts["offers"]

    assert (facts["@type"], facts["name"], facts["brand"]["name"]) == ("Product", "Apple iPhone 13 128\xa0Go", "Apple")
    assert (offers["lowPrice"], offers["highPrice"], offers["priceCurrency"], offers["offerCount"]) == (
        "329.00",
        "459.00",
        "EUR",
        4,
    )
    assert {offer["itemCondition"] for offer in offers["offers"]} == {"https://schema.org/RefurbishedCondition"}
    for offer in offers["offers"]:
        shown = two_markets.get(offer["url"].removeprefix(BASE)).text
        assert f'name="seen" value="{offer["price"].replace(".", "")}"' in shown
        assert offer["seller"]["name"] in shown


def test_a_name_cannot_end_the_block_it_stands_in(kiosk: Kiosk, request: pytest.FixtureRequest) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update sku set model = ? where sku = 'DYSON-V11-PURPLE'", ["V11</script><b>&"])
    client: FlaskClient = request.getfixturevalue("two_markets")

    assert offered(client.get("/sku/DYSON-V11-PURPLE").text)["name"].endswith("V11</script><b>&")


def test_robots_are_told_where_the_pages_are_and_nothing_of_secret_addresses(two_markets: FlaskClient) -> None:
    text = two_markets.get("/robots.txt").text

    assert f"Sitemap: {BASE}/sitemap.xml" in text
    assert "Disallow: /console" in text
    assert "/orders" not in text
    assert "/selections" not in text


def locations(text: str) -> list[str]:
    return [unescape(address).removeprefix(BASE) for address in re.findall(r"<loc>([^<]+)</loc>", text)]


def test_every_device_on_offer_is_listed_once_for_each_market_and_language(
    two_markets: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitemaps, "DEVICES_A_PART", 2)
    tell_markets(two_markets, {"fr": ["fr", "ar"], "us": ["en", "es"]})
    parts = locations(two_markets.get("/sitemap.xml").text)
    listed = [address for part in parts for address in locations(two_markets.get(part).text)]
    devices = [address for address in listed if address.startswith("/sku/")]

    assert len(parts) == 6
    assert len(set(listed)) == len(listed)
    assert len(devices) == 5 * 2 * 2
    for address in listed:
        page = two_markets.get(address)
        assert (page.status_code, canonical(page.text)) == (200, BASE + address)


def test_a_part_that_no_index_names_is_not_made(two_markets: FlaskClient) -> None:
    assert two_markets.get("/sitemaps/fr-0.xml").status_code == 200
    assert two_markets.get("/sitemaps/fr-3.xml").status_code == 404
    assert two_markets.get("/sitemaps/de-0.xml").status_code == 404


def test_a_part_is_sent_compressed_to_whoever_takes_it(two_markets: FlaskClient) -> None:
    plain = two_markets.get("/sitemaps/fr-0.xml")
    short = two_markets.get("/sitemaps/fr-0.xml", headers={"Accept-Encoding": "gzip"})

    assert short.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(short.data) == plain.data
