"""A corner speaks the languages of its document, in its order, as soon as their catalogues are complete."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import time_machine
from flask.testing import FlaskClient

import templates
from kiosk.app import create_app
from pos import slips
from pos.corners import store_corner
from pos.languages import translations
from tests import world


@pytest.fixture
def client(kiosk: world.Kiosk) -> Iterator[FlaskClient]:
    """A corner that speaks Arabic first, then French, German and English."""
    with kiosk.ops_write() as ops:
        store_corner(ops, {**world.corner_document(), "languages": ["ar", "fr", "de", "en"]})
    with time_machine.travel(world.NOW, tick=False):
        made = create_app(kiosk.directory, sync=False)
        yield made.test_client()
        for store in (made.extensions["comptoir"].catalog, made.extensions["comptoir"].ops):
            store.close()


def offered(page: str) -> list[str]:
    return re.findall(r'<button name="language" value="(\w+)"', page)


def test_the_first_language_of_the_corner_is_spoken_first_and_read_its_own_way(client: FlaskClient) -> None:
    page = client.get("/browse").text

    assert '<html lang="ar" dir="rtl"' in page
    assert translations("shop", "ar", templates.PATH).gettext("Rechercher") in page
    assert offered(page) == ["ar", "fr", "de", "en"], "in the corner's order"
    assert "\u2066259.00\u00a0€\u2069" in page, "a price reads as on any price tag"


def test_another_language_turns_the_page_round(client: FlaskClient) -> None:
    client.post("/language", data={"language": "fr", "next": "/browse"})
    assert '<html lang="fr" dir="ltr"' in client.get("/browse").text
    assert client.post("/language", data={"language": "es"}).status_code == 400


def test_staff_are_spoken_with_in_a_language_that_says_all_of_theirs(client: FlaskClient) -> None:
    page = client.get("/counter/session").text

    assert '<html lang="fr" dir="ltr"' in page
    assert offered(page) == ["fr", "en"]


def test_the_paper_of_an_arabic_visit_is_in_the_corner_s_next_language(client: FlaskClient, kiosk: world.Kiosk) -> None:
    where = client.post("/selections", data={"listing": "101"}).headers["Location"]
    slip = client.post(f"{where}/slip").headers["Location"]

    assert 'lang="ar"' in client.get(slip).text
    assert slips.slip(kiosk.ops.read(), slip.rpartition("/")[2]).facts["language"] == "fr"


def test_a_number_among_arabic_words_stays_as_it_is(client: FlaskClient) -> None:
    where = client.post("/selections", data={"listing": "101"}).headers["Location"]
    slip = client.post(f"{where}/slip").headers["Location"]

    assert f"\u2068{slip.rpartition('/')[2]}\u2069" in client.get(slip).text
    client.post("/language", data={"language": "de"})
    assert "\u2068" not in client.get(slip).text


def test_a_german_visit_has_its_paper_in_german(client: FlaskClient, kiosk: world.Kiosk) -> None:
    client.post("/language", data={"language": "de"})
    where = client.post("/selections", data={"listing": "101"}).headers["Location"]
    slip = client.post(f"{where}/slip").headers["Location"]

    assert slips.slip(kiosk.ops.read(), slip.rpartition("/")[2]).facts["language"] == "de"
