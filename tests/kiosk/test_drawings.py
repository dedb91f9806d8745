from __future__ import annotations

from xml.etree import ElementTree

import pytest

from demo.sample import read_rows
from kiosk.drawings import FORMS, draw, drawing_name
from pos.errors import NotFound


@pytest.mark.parametrize("form", [*FORMS, "something"])
@pytest.mark.parametrize("color", ["000000", "ffffff", "38506b"])
def test_every_form_draws_in_every_colour(form: str, color: str) -> None:
    for lenses in range(6):
        text = draw(f"{form}-{color}-{lenses}")
        ElementTree.fromstring(text)
        assert not any(word in text for word in ("script", "style", "href", "NaN", "nan"))


def test_every_category_of_the_sample_has_its_own_drawing() -> None:
    assert {category["form"] for category in read_rows("categories")} <= set(FORMS)


def test_a_drawing_follows_the_facts() -> None:
    assert draw("phone-38506b-2") == draw("phone-38506b-2")
    assert len({draw(name) for name in ("phone-38506b-1", "phone-38506b-2", "phone-38506b-3", "phone-38506b-4")}) == 4
    assert "#6d5a7e" in draw("headphones-6d5a7e-0")


def test_a_name_is_made_of_facts() -> None:
    assert drawing_name("phone", "#38506B", 2) == "phone-38506b-2"
    assert drawing_name("vacuum", None, None) == drawing_name("vacuum", "red; drop", -3)


@pytest.mark.parametrize(
    "name", ["phone", "phone-38506b", "phone-38506b-22", "PHONE-38506b-2", "phone-38506g-2", "../x-000000-0"]
)
def test_another_shape_of_name_is_refused(name: str) -> None:
    with pytest.raises(NotFound):
        draw(name)
