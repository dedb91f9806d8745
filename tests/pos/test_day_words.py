from __future__ import annotations

import re
from pathlib import Path

import templates
from pos.day_reports import FIGURES, FigureRow
from pos.day_words import VOIDED, day_words

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"


def hour(key: str) -> FigureRow:
    return {"figure": "slips_by_hour", "key": key, "name": {}, "value": 1, "voided": 0}


def test_every_figure_is_defined_once_and_the_glossary_says_the_same() -> None:
    french, english = (day_words(language, templates.PATH).definitions for language in ("fr", "en"))
    _, _, figures = GLOSSARY.read_text(encoding="utf-8").partition("## The figures of the day report")
    glossary = re.findall(r"^\| `([a-z_]+)` \| (.+) \| (.+) \|$", figures, re.MULTILINE)

    assert set(french) == {*FIGURES, VOIDED}
    assert [(figure, said.name, said.meaning) for figure, said in english.items()] == glossary
    assert all(french[figure] != english[figure] for figure in french)


def test_the_hour_that_a_night_has_twice_is_told_apart() -> None:
    keys = ["2026-10-25T01:00+02:00", "2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"]

    names = day_words("fr", templates.PATH).names([hour(key) for key in keys])

    assert names == ["01:00", "02:00 (UTC+02:00)", "02:00 (UTC+01:00)"]


def test_an_hour_is_written_as_people_of_the_language_write_it() -> None:
    assert day_words("en", templates.PATH).names([hour("2026-11-22T15:00+01:00")]) == ["3:00\u202fPM"]
