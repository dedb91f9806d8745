"""The shop where it is installed; what it keeps is looked at in a browser (`tests/journeys/test_at_home.py`)."""

from __future__ import annotations

import json
import re
import struct

from flask.testing import FlaskClient


def test_the_manifest_is_in_the_visitor_s_language_and_its_icons_are_what_it_says(two_markets: FlaskClient) -> None:
    answer = two_markets.get("/app.webmanifest?lang=en")
    about = json.loads(answer.text)

    assert answer.mimetype == "application/manifest+json"
    assert [about["lang"], about["display"], about["shortcuts"][0]["name"]] == ["en", "standalone", "My orders"]
    for icon in about["icons"]:
        width, height = struct.unpack(">II", two_markets.get(icon["src"]).data[16:24])
        assert icon["sizes"] == f"{width}x{height}"
    for address in (about["start_url"], *(shortcut["url"] for shortcut in about["shortcuts"])):
        assert two_markets.get(address).status_code in (200, 303)


def test_the_worker_names_files_that_are_there_and_is_asked_for_each_time(two_markets: FlaskClient) -> None:
    answer = two_markets.get("/worker.js")
    shell = json.loads(re.search(r"SHELL = (\[.*?\]);", answer.text)[1])  # type: ignore[index]  # it stands in its first line

    assert answer.headers["Cache-Control"] == "no-cache"
    assert {path: two_markets.get(path).status_code for path in shell} == dict.fromkeys(shell, 200)
    assert "/away" in shell


def test_pages_without_anything_of_one_s_own_are_not_kept_and_the_desks_are_no_app(two_markets: FlaskClient) -> None:
    for path, is_app in (
        ("/home", True),
        ("/away", True),
        ("/sign-in", True),
        ("/console/login", False),
        ("/seller/login", False),
    ):
        page = two_markets.get(path).text
        assert '<meta name="kept"' not in page
        assert ('rel="manifest"' in page) == is_app
