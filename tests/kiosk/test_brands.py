"""A brand’s corner: its partner names the kinds that are shown, in its colour; what lies on the table opens all the same."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from pos import ops
from tests import world


@pytest.fixture
def brand(client: FlaskClient, kiosk: world.Kiosk) -> FlaskClient:
    """A visitor at a corner whose partner shows consoles alone, with a phone on its table."""
    partner: dict[str, Any] = {
        "partner_id": "manette-bleue",
        "name": "Manette Bleue",
        "color": "#1B4F9C",
        "categories": ["consoles"],
    }
    with kiosk.ops_write() as records:
        ops.store_setting(records, "corner", {**world.corner_document(), "partner": partner})
    return client


def test_its_kinds_alone_are_shown_in_its_colour_and_without_plans(brand: FlaskClient) -> None:
    home = brand.get("/home").text

    assert re.findall(r'class="kind [^"]*" href="/browse\?category=(\w+)"', home) == ["consoles"]
    assert 'href="/looks/1b4f9c.css"' in home
    assert "--leaf: #1b4f9c;" in brand.get("/looks/1b4f9c.css").text
    assert 'href="/plans' not in home
    assert "iPhone" not in brand.get("/browse").text


def test_what_wants_strong_contrast_has_it(brand: FlaskClient) -> None:
    brand.post("/view", data={"flip": "contrast"})

    assert "/looks/" not in brand.get("/home").text


def test_another_device_is_not_here_unless_it_lies_on_the_table(brand: FlaskClient) -> None:
    away = brand.get("/sku/IPHONE-12-128-BLUE")

    assert away.status_code == 404
    assert "Cet appareil n’est pas dans ce rayon." in away.text
    assert "Voir dans toute la boutique" not in away.text, "there is none to lead to"
    assert brand.get("/sku/IPHONE-13-128-BLUE").status_code == 200


def test_the_corner_of_a_carrier_keeps_our_colours_and_all_kinds(client: FlaskClient, kiosk: world.Kiosk) -> None:
    partner = {**world.PARTNER, "color": "#8a1f3d", "categories": []}
    with kiosk.ops_write() as records:
        ops.store_setting(records, "corner", {**world.corner_document(), "partner": partner})
    home = client.get("/home").text

    assert "/looks/" not in home
    assert 'href="/plans' in home
    assert 'href="/browse?category=phones"' in home
