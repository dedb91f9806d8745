from __future__ import annotations

import re
from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient

from pos import catalog, clock
from pos.price_past import PriceStep
from shop.price_past import draw_steps
from tests import world

PRICES = "/sku/IPHONE-13-128-BLUE/prices"


def record(kiosk: world.Kiosk, *prices: int) -> None:
    """Let the corner apply these prices of the winner in Good, three days apart, the last of them a moment ago."""
    begun = world.NOW - timedelta(days=3 * len(prices))
    with kiosk.catalog.write() as database:
        database.execute("update offer_past set until_at = ? where sku_id = 0", [clock.to_text(begun)])
    for turn, cents in enumerate(prices, start=1):
        with kiosk.catalog.write() as database:
            database.execute("update listing set price_cents = ? where listing_id = 101", [cents])
            catalog.refresh(database, {"listing": {101}}, now=begun + timedelta(days=3 * turn))


def test_the_prices_a_corner_applied_are_drawn_and_told(client: FlaskClient, kiosk: world.Kiosk) -> None:
    record(kiosk, 33000, 36000)
    page = client.get(f"{PRICES}?grade=GOOD").text.replace("\xa0", " ")

    assert re.findall(r"<td>([^<]*)</td><td>([^<]*)</td>\s*<td><b[^>]*>([^<]*)<", page) == [
        ("22 novembre 2026, 15:32", "aujourd’hui", "365,00 €"),
        ("19 novembre 2026, 15:32", "22 novembre 2026, 15:32", "335,00 €"),
        ("16 novembre 2026, 15:32", "19 novembre 2026, 15:32", "369,00 €"),
    ]
    assert "Le plus bas depuis le 16 novembre 2026" in page
    assert "proposé ici dans ce grade depuis le 16 novembre 2026" in page
    assert '<path d="M14 14H' in page


def test_past_prices_take_at_most_four_statements(app: Flask, client: FlaskClient) -> None:
    client.get("/sku/GALAXY-S22-256-GREEN")
    with world.statements(app) as asked:
        client.get(f"{PRICES}?grade=GOOD")

    assert 0 < len(asked) <= 4, asked


def test_a_corner_that_just_began_knows_one_price(client: FlaskClient) -> None:
    page = client.get(f"{PRICES}?grade=GOOD").text.replace("\xa0", " ")

    assert "depuis le 22 novembre 2026" in page
    assert page.count("369,00 €") >= 2
    assert "promotion" in page


def test_a_catalogue_that_remembers_nothing_says_so(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.catalog.write() as database:
        database.execute("delete from offer_past")

    assert "Aucun prix passé n’est connu ici." in client.get(PRICES).text


def test_the_page_of_a_device_leads_here_and_back(client: FlaskClient) -> None:
    assert f'href="{PRICES}?grade=GOOD"' in client.get("/sku/IPHONE-13-128-BLUE?grade=GOOD").text
    assert 'href="/sku/IPHONE-13-128-BLUE?grade=PREMIUM"' in client.get(f"{PRICES}?grade=premium").text
    bundle = "?grade=GOOD&amp;plan=2&amp;option=1&amp;s=abc"
    there = f"{PRICES}{bundle}"
    assert f'href="{there}"' in client.get(there.replace("/prices", "").replace("&amp;", "&")).text
    assert f'class="chip" href="/sku/IPHONE-13-128-BLUE{bundle}"' in client.get(there.replace("&amp;", "&")).text


def test_what_nobody_offers_has_no_prices(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.catalog.write() as database:
        database.execute("update stock set quantity = 0 where listing_id = 110")

    assert client.get("/sku/DYSON-V11-PURPLE/prices").status_code == 404
    assert client.get("/sku/NOKIA-3310/prices").status_code == 404
    assert client.get(f"{PRICES}?grade=%3Cb%3E&path=x").status_code == 200


def test_the_line_breaks_where_nothing_was_offered() -> None:
    told = [("2026-11-01", 100), ("2026-11-02", None), ("2026-11-03", 200), ("2026-11-04", 150)]
    steps = [PriceStep(since_at=f"{day}T00:00:00Z", all_in_cents=cents) for day, cents in told]
    drawing = draw_steps(steps, until_at="2026-11-05T00:00:00Z")

    assert drawing is not None
    assert drawing.path == "M14 206H187M360 14H533V110H706"
    assert (drawing.least_cents, drawing.most_cents) == (100, 200)


def test_one_price_is_a_line_through_the_middle_and_none_is_no_drawing() -> None:
    one = draw_steps([PriceStep(since_at="2026-11-01T00:00:00Z", all_in_cents=100)], until_at="2026-11-01T00:00:00Z")

    assert one is not None
    assert one.path == "M14 110H14"
    assert draw_steps([PriceStep(since_at="2026-11-01T00:00:00Z", all_in_cents=None)], until_at="2026-11-02T00:00:00Z") is None
