"""The QR of a selection: a phone reads it and finds the same lines at the marketplace."""

from __future__ import annotations

import re

import zxingcpp
from flask.testing import FlaskClient
from PIL import Image, ImageDraw

from kiosk.selections import address_at_home
from pos import qr
from pos.corners import read_corner
from pos.line_facts import Wish
from pos.tokens import MAX_LINES
from shop.selections import describe_line, read_line
from tests import world
from tests.marketplace.conftest import two_markets

__all__ = ["two_markets"]

DOTS = 4


def read_qr(drawing: str) -> str:
    """Return what a camera reads in a QR drawn as one path of dark runs."""
    side = int(re.findall(r'viewBox="0 0 (\d+)', drawing)[0])
    picture = Image.new("L", (side * DOTS, side * DOTS), 255)
    pen = ImageDraw.Draw(picture)
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)", drawing):
        left, top = int(x) * DOTS, int(y) * DOTS
        pen.rectangle((left, top, left + int(width) * DOTS - 1, top + DOTS - 1), fill=0)
    [code] = zxingcpp.read_barcodes(picture)
    return str(code.text)


def names(page: str) -> list[str]:
    return [
        " ".join(re.sub(r"<[^>]+>", " ", name).split())
        for name in re.findall(r'class="line-words">\s*<h2[^>]*>(.*?)</h2>', page, re.DOTALL)
    ]


def test_a_phone_opens_the_same_lines_at_home_and_nothing_is_stored(client: FlaskClient, two_markets: FlaskClient) -> None:
    where = client.post("/selections", data={"listing": "101", "plan": world.SERIE_100, "option": world.CHARGER}).headers[
        "Location"
    ]
    client.post(f"{where}/lines", data={"listing": "109", "qty": "2"})
    shown = client.get(where).text
    [source] = re.findall(rf'src="({where}/qr.svg[^"]*)"', shown)

    address = read_qr(client.get(source).text)
    at_home = two_markets.get(address.removeprefix("http://marche.test"))

    assert address.startswith("http://marche.test/selections/new?market=fr&lang=fr&l=101.2.1.new.2&l=109..2.new.")
    assert at_home.status_code == 200
    assert names(at_home.text) == names(shown) != []
    assert "Garder cette sélection" in at_home.text


def test_the_code_changes_with_the_lines_and_is_gone_with_the_visit(client: FlaskClient) -> None:
    where = client.post("/selections", data={"listing": "101"}).headers["Location"]
    sources = []
    for _ in range(2):
        sources += re.findall(r'src="([^"]*/qr.svg[^"]*)"', client.get(where).text)
        client.post(f"{where}/lines", data={"listing": "109"})
    selection_id = where.rsplit("/", 1)[1]
    client.post("/leave", data={"s": selection_id})

    assert len(set(sources)) == 2
    assert client.get(f"/selections/{selection_id}/qr.svg").status_code == 404


def test_an_empty_selection_has_nothing_to_carry_home(client: FlaskClient) -> None:
    where = client.post("/selections").headers["Location"]

    assert "/qr.svg" not in client.get(where).text


def test_the_longest_selection_still_fits_a_code() -> None:
    wish = Wish(listing_id=2**40, plan_id=99_999, option_ids=(1, 22, 333), quantity=9, acquisition="renewal")
    address = address_at_home(read_corner(world.corner_document()), [wish] * MAX_LINES, language="fr")

    assert read_line(describe_line(wish)) == wish
    assert read_qr(qr.svg(address)) == address
