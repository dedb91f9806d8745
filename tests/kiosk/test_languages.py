"""A corner speaks the languages of its document, in its order, as soon as their catalogues are complete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import time_machine
from flask.testing import FlaskClient

from kiosk.app import create_app
from pos import slips
from pos.corners import store_corner
from tests import world
from tests.speaking import forget, speak

ARABIC = {"Rechercher": "بحث", "Tout parcourir": "تصفح الكل", "Stockage": "التخزين"}


@pytest.fixture
def client(
    kiosk: world.Kiosk, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FlaskClient]:
    """A corner that is to speak Arabic first, then French, German, which lacks a catalogue, and English."""
    folder: Path = tmp_path_factory.mktemp("templates")
    with monkeypatch.context() as patch:
        speak(patch, folder, {"ar": ARABIC})
        with kiosk.ops_write() as ops:
            store_corner(ops, {**world.corner_document(), "languages": ["ar", "fr", "de", "en"]})
        with time_machine.travel(world.NOW, tick=False):
            made = create_app(kiosk.directory, sync=False)
            yield made.test_client()
            for store in (made.extensions["comptoir"].catalog, made.extensions["comptoir"].ops):
                store.close()
    forget()


def offered(page: str) -> list[str]:
    return re.findall(r'<button name="language" value="(\w+)"', page)


def test_the_first_language_of_the_corner_is_spoken_first_and_read_its_own_way(client: FlaskClient) -> None:
    page = client.get("/browse").text

    assert '<html lang="ar" dir="rtl"' in page
    assert ARABIC["Rechercher"] in page
    assert offered(page) == ["ar", "fr", "en"], "in the corner's order, without the language that lacks a catalogue"
    assert "\u2066259.00\u00a0€\u2069" in page, "a price reads as on any price tag"


def test_another_language_turns_the_page_round(client: FlaskClient) -> None:
    client.post("/language", data={"language": "fr", "next": "/browse"})
    assert '<html lang="fr" dir="ltr"' in client.get("/browse").text
    assert client.post("/language", data={"language": "de"}).status_code == 400


def test_staff_are_spoken_with_in_a_language_that_says_all_of_theirs(client: FlaskClient) -> None:
    page = client.get("/counter/session").text

    assert '<html lang="fr" dir="ltr"' in page
    assert offered(page) == ["fr", "en"]


def test_the_paper_of_an_arabic_visit_is_in_the_corner_s_next_language(client: FlaskClient, kiosk: world.Kiosk) -> None:
    where = client.post("/selections", data={"listing": "101"}).headers["Location"]
    slip = client.post(f"{where}/slip").headers["Location"]

    assert 'lang="ar"' in client.get(slip).text
    assert slips.slip(kiosk.ops.read(), slip.rpartition("/")[2]).facts["language"] == "fr"
