from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from demo.sample_skus import read_rows
from pos.errors import NotFound
from shop.drawings import FOLDER, draw, drawing_name, inline, specimens

FILES = sorted(FOLDER.glob("*.svg"))


@pytest.mark.parametrize("form", [*(path.stem for path in FILES), "something"])
@pytest.mark.parametrize("color", ["000000", "ffffff", "38506b"])
def test_every_form_draws_in_every_colour(form: str, color: str) -> None:
    for lenses in range(6):
        text = draw(f"{form}-{color}-{lenses}")
        ElementTree.fromstring(text)
        assert not any(word in text for word in ("script", "style", "href", "lenses", "NaN", "nan"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_a_plain_picture_of_one_specimen(path: Path) -> None:
    picture = ElementTree.fromstring(path.read_text())
    assert picture.attrib == {"viewBox": "0 0 240 240"}
    variants = [group for group in picture.iter() if group.get("id", "").startswith("lenses-")]
    assert [group.get("id") for group in variants] == [f"lenses-{number}" for number in range(1, len(variants) + 1)]
    assert len([group for group in variants if group.get("display") != "none"]) == min(len(variants), 1)


def test_nothing_of_the_specimen_s_colour_stays() -> None:
    for form in specimens():
        red, blue = (set(re.findall("#[0-9a-f]{6}", draw(f"{form}-{color}-2"))) for color in ("c02020", "38506b"))
        assert {"#c02020"} <= red
        assert not {"#38506b", "#6b7d91", "#2d4157", "#233442", "#7b8b9d", "#dbe0e0", "#a6b1ba"} & red
        assert len(red) == len(blue)


def test_every_category_of_the_sample_has_its_own_drawing() -> None:
    assert {category["form"] for category in read_rows("categories")} <= set(specimens())


def test_a_drawing_follows_the_facts() -> None:
    assert draw("phone-38506b-2") == draw("phone-38506b-2")
    assert len({draw(name) for name in ("phone-38506b-1", "phone-38506b-2", "phone-38506b-3", "phone-38506b-4")}) == 4
    assert "#6d5a7e" in draw("headphones-6d5a7e-0")


@pytest.mark.parametrize("form", [path.stem for path in FILES])
def test_a_page_may_hold_any_number_of_drawings(form: str) -> None:
    text = inline(f"{form}-6d5a7e-2", 180)
    assert text.startswith('<svg class="drawing" viewBox="0 0 240 240" width="180" height="180" aria-hidden="true"><')
    assert "id=" not in text


def test_a_name_is_made_of_facts() -> None:
    assert drawing_name("phone", "#38506B", 2) == "phone-38506b-2"
    assert drawing_name("vacuum", None, None) == drawing_name("vacuum", "red; drop", -3)


@pytest.mark.parametrize(
    "name", ["phone", "phone-38506b", "phone-38506b-22", "PHONE-38506b-2", "phone-38506g-2", "../x-000000-0"]
)
def test_another_shape_of_name_is_refused(name: str) -> None:
    with pytest.raises(NotFound):
        draw(name)
