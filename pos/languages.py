"""Languages: translated sentences, and money, dates and numbers as people of each language write them.

French stands in the sources; every other language is a `.po` file beside the pages of its part, read once.
"""

from __future__ import annotations

import datetime
import io
from collections.abc import Mapping
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from zoneinfo import ZoneInfo

import polib

from pos import clock
from pos.currencies import places
from pos.locales import LOCALES

LANGUAGES = {"fr": "Français", "en": "English"}


@lru_cache
def translations(part: str, language: str, pages: Path, *, beside: NullTranslations | None = None) -> NullTranslations:
    """Return the sentences of `part` ("shop", "kiosk", "marketplace") in `language`, read from `pages/<part>/<language>.po`.

    What stands in no file of `part` is looked for in the sentences `beside` it.
    """
    path = pages / part / f"{language}.po"
    if not path.exists():
        return beside or NullTranslations()
    found = GNUTranslations(io.BytesIO(polib.pofile(path).to_binary()))
    if beside is not None:
        found.add_fallback(beside)
    return found


@lru_cache(maxsize=65536)
def money(cents: int, currency: str, language: str) -> str:
    """Return an amount with its currency: `369,00 €`, `$369.00`, `¥36,900`."""
    return LOCALES[language].money(cents, places(currency), currency)


@lru_cache(maxsize=16384)
def short_money(cents: int, currency: str, language: str) -> str:
    """Return an amount without its decimals when they are nought, for sentences: `49 €`."""
    width = places(currency)
    nought = LOCALES[language].decimal + "0" * width
    text = money(cents, currency, language)
    return text.replace(nought, "") if width and cents % 10**width == 0 else text


def money_by_code(cents: int, currency: str, language: str) -> str:
    """Return an amount with the code of its currency, for where its sign cannot be set: `36,900 KRW`."""
    return f"{LOCALES[language].figures(cents, places(currency))}\u00a0{currency}"


@lru_cache(maxsize=4096)
def number(value: int, language: str) -> str:
    """Return a whole number with the language's grouping."""
    return LOCALES[language].figures(value, 0)


def tenths(value: int, language: str) -> str:
    """Return tenths as people write them: `8,2`."""
    return LOCALES[language].figures(value, 1)


@lru_cache(maxsize=4096)
def date(text: str, language: str) -> str:
    """Return a day `YYYY-MM-DD` in words, the same wherever it is read: `6 décembre 2026`."""
    return LOCALES[language].date(datetime.date.fromisoformat(text))


@lru_cache(maxsize=4096)
def day(text: str, language: str, time_zone: str) -> str:
    """Return the local day of a UTC text: `6 décembre 2026`."""
    return LOCALES[language].date(clock.from_text(text).astimezone(ZoneInfo(time_zone)))


@lru_cache(maxsize=4096)
def moment(text: str, language: str, time_zone: str) -> str:
    """Return the local day and minute of a UTC text: `6 décembre 2026, 23:59`."""
    local = clock.from_text(text).astimezone(ZoneInfo(time_zone))
    return f"{day(text, language, time_zone)}, {LOCALES[language].time(local.time())}"


def storage(gigabytes: int | None, language: str) -> str:
    """Return a capacity as it is said: `128 Go`, `1 TB` for 1,000 or 1,024; nothing where there is none."""
    if not gigabytes:
        return ""
    large, small = ("To", "Go") if language == "fr" else ("TB", "GB")
    for terabyte in (1024, 1000):
        if gigabytes % terabyte == 0:
            return f"{gigabytes // terabyte}\u00a0{large}"
    return f"{gigabytes}\u00a0{small}"


def text_of(texts: Mapping[str, str] | None, language: str) -> str:
    """Return the text in `language`, else the first there is, else nothing."""
    if not texts:
        return ""
    return texts.get(language) or next(iter(texts.values()))
