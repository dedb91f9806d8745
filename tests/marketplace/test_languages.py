from __future__ import annotations

import json
import re

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from flask.testing import FlaskClient
from sqlalchemy import text

import templates
from pos.languages import translations

FOLDER = templates.PATH / "marketplace"


def test_every_sentence_has_its_english_and_no_english_is_left_over() -> None:
    options = {"**.html": {"newstyle_gettext": "true"}}
    said = {found[2] for found in extract_from_dir(FOLDER, [("**.html", "jinja2")], options_map=options)}
    with (FOLDER / "en.po").open("rb") as source:
        catalog = read_po(source, locale="en")
    translated = {message.id: message for message in catalog if message.id}
    assert said == set(translated)
    for message in translated.values():
        assert all(message.string if isinstance(message.string, tuple) else (message.string,)), message.id
        assert not list(message.check(catalog)), message.id


def tell_markets(client: FlaskClient, languages: dict[str, list[str]]) -> None:
    """Give markets their languages, as a feed does."""
    with client.application.extensions["marketplace"].engine.begin() as connection:
        for market, codes in languages.items():
            body = json.dumps({"market": market, "currency": "EUR", "languages": codes, "tax_included": True})
            connection.execute(
                text("insert into market (market, body) values (:market, :body)"), {"market": market, "body": body}
            )


def test_a_market_is_offered_its_own_languages_in_its_order(two_markets: FlaskClient) -> None:
    tell_markets(two_markets, {"fr": ["fr", "ar", "en"], "us": ["en"]})

    pages = {market: two_markets.get(f"/home?market={market}", headers={"Accept-Language": "ar, *"}) for market in ("fr", "us")}

    assert {market: re.findall(r'hreflang="(\w+)" lang', page.text) for market, page in pages.items()} == {
        "fr": ["fr", "ar", "en"],
        "us": ["en"],
    }
    assert [page.headers["Content-Language"] for page in pages.values()] == ["ar", "en"]
    french = two_markets.get("/browse?market=us&lang=fr")
    assert french.headers["Content-Language"] == "en"
    assert re.findall(r'hreflang="(\S+)"', french.text.partition("</head>")[0]) == [
        "fr-FR",
        "ar-FR",
        "en-FR",
        "en-US",
        "x-default",
    ]
    assert {*re.findall(r"market=us&amp;lang=(\w+)", two_markets.get("/sitemaps/us-0.xml").text)} == {"en"}


def test_the_shop_is_mirrored_for_whoever_reads_from_right_to_left(two_markets: FlaskClient) -> None:
    tell_markets(two_markets, {"fr": ["fr", "ar"]})
    page = two_markets.get("/home?market=fr&lang=ar")
    desk = two_markets.get("/seller/login?lang=ar")

    assert '<html lang="ar" dir="rtl">' in page.text
    assert translations("shop", "ar", templates.PATH).gettext("Tout parcourir") in page.text
    assert page.headers["Content-Language"] == "ar"
    assert '<html lang="fr" dir="ltr"' in desk.text, "sellers' pages have no Arabic to say"
