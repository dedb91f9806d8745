from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
import zxingcpp
from PIL import Image, ImageDraw

from pos import qr
from tests.kiosk.slip_facts import slip_url


def picture(modules: qr.Matrix) -> Image.Image:
    image = Image.new("L", (len(modules) + 8, len(modules) + 8), 255)
    for y, row in enumerate(modules):
        for x, is_dark in enumerate(row):
            image.putpixel((x + 4, y + 4), 0 if is_dark else 255)
    return image.resize((image.width * 6, image.height * 6), Image.Resampling.NEAREST)


def read(image: Image.Image) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(image)]


@pytest.mark.parametrize("error_correction", ["M", "Q"])
@pytest.mark.parametrize("token_bytes", [88, 136, 250, 420])
def test_a_reader_finds_the_exact_address(token_bytes: int, error_correction: qr.ErrorCorrection) -> None:
    url = slip_url(token_bytes)

    assert read(picture(qr.matrix(url, error_correction=error_correction))) == [url]


@pytest.mark.parametrize(("token_bytes", "m_side", "q_side"), [(100, 49, 53), (136, 53, 61)])
def test_digits_are_a_segment_of_their_own(token_bytes: int, m_side: int, q_side: int) -> None:
    """One byte segment would need 65 modules (M) for 100 bytes."""
    url = slip_url(token_bytes)

    assert (len(qr.matrix(url, error_correction="M")), len(qr.matrix(url, error_correction="Q"))) == (m_side, q_side)


@pytest.mark.parametrize("url", ["abc", "123", "http://127.0.0.1:8000/k/", "https://marche.exemple.fr/k/1é٣42"])
def test_any_text_is_encoded(url: str) -> None:
    assert read(picture(qr.matrix(url))) == [url]


def test_svg_is_one_path_on_white_with_a_quiet_zone_and_reads_back() -> None:
    url = slip_url()
    root = ElementTree.fromstring(qr.svg(url))
    side = len(qr.matrix(url)) + 8
    ground, path = root

    assert root.get("viewBox") == f"0 0 {side} {side}"
    assert (ground.get("width"), ground.get("fill")) == (str(side), "#fff")
    assert "style" not in qr.svg(url)
    image = Image.new("L", (side * 6, side * 6), 255)
    draw = ImageDraw.Draw(image)
    for x, y, width in re.findall(r"M(\d+) (\d+)h(\d+)v1H\1z", path.get("d", "")):
        draw.rectangle((int(x) * 6, int(y) * 6, (int(x) + int(width)) * 6 - 1, int(y) * 6 + 5), fill=0)
    assert image.getbbox() is not None
    assert read(image) == [url]
