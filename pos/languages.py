"""Languages: translated sentences, and money, dates and numbers as people of each language write them.

French stands in the sources; every other language is a `.po` file beside the pages of its part, read once. A file whose header
says `X-Complete: customers` holds every sentence that customers see there, with `everything` those of staff too; a test holds it
to that.
Invariant: nobody is offered a language that does not say all they may see.
"""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from zoneinfo import ZoneInfo

import polib

from pos import clock
from pos.currencies import places
from pos.locales import LOCALES

SOURCES = "fr"
LANGUAGES = {SOURCES: "Français", "en": "English", "es": "Español", "de": "Deutsch", "ar": "العربية"}
"""The languages we know to write, each by its own name; those of them that a door speaks are `offered` there."""
PAPER = (SOURCES, "en")
SHARED_PARTS = ("words", "shop")
COMPLETE = re.compile(r'^"X-Complete: (customers|everything)\\n"$', re.MULTILINE)
HEADER_LENGTH = 2000


class Sources(NullTranslations):
    """The sentences as they stand in the sources. French says "0 bon": its plural begins at two."""

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        """Return the first for nought and one, else the second."""
        return msgid1 if n < 2 else msgid2


@lru_cache
def offered(part: str, pages: Path, *, to_staff: bool = False) -> tuple[str, ...]:
    """Return the languages that the door of `part` speaks with customers, or with staff: those whose catalogues are complete."""
    wanted = {"everything"} if to_staff else {"customers", "everything"}
    parts = (*SHARED_PARTS, part)
    return tuple(
        language
        for language in LANGUAGES
        if language == SOURCES or all(_completed(pages / each / f"{language}.po") in wanted for each in parts)
    )


def _completed(path: Path) -> str:
    """Return whose sentences a catalogue says it holds, "" where there is none or it does not say."""
    if not path.exists():
        return ""
    with path.open(encoding="utf-8") as file:
        said = COMPLETE.search(file.read(HEADER_LENGTH))
    return said[1] if said else ""


def spoken_among(wished: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return those of a corner's or market's languages that are `known`, in its order; all that are where it has none of them."""
    return tuple(code for code in wished if code in known) or tuple(known)


def paper_language(language: str, spoken: Sequence[str]) -> str:
    """Return the language of a paper for who reads `language`: another one `spoken` there where paper lacks its letters."""
    printed = (code for code in (language, *spoken, *PAPER) if code in LOCALES and LOCALES[code].is_printed)
    return next(printed)


@lru_cache
def translations(part: str, language: str, pages: Path, *, beside: NullTranslations | None = None) -> NullTranslations:
    """Return the sentences of `part` ("shop", "kiosk", "marketplace") in `language`, read from `pages/<part>/<language>.po`.

    What stands in no file of `part` is looked for in the sentences `beside` it.
    """
    path = pages / part / f"{language}.po"
    if not path.exists():
        return beside or Sources()
    found = GNUTranslations(io.BytesIO(polib.pofile(path).to_binary()))
    found.add_fallback(beside or Sources())
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
def hundredths(value: int, language: str) -> str:
    """Return a number of hundredths with both its decimals: 9750 as `97,50`."""
    return LOCALES[language].figures(value, 2)


@lru_cache(maxsize=4096)
def fraction(value: int, places: int, language: str) -> str:
    """Return a number of units of ten to the minus `places`, without noughts at its end: `6,1`, `350`."""
    return LOCALES[language].figures(value, places).rstrip("0").rstrip(LOCALES[language].decimal)


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
    locale = LOCALES[language]
    for terabyte in (1024, 1000):
        if gigabytes % terabyte == 0:
            return locale.isolated(f"{gigabytes // terabyte}\u00a0{locale.terabytes}")
    return locale.isolated(f"{gigabytes}\u00a0{locale.gigabytes}")


def text_of(texts: Mapping[str, str] | None, language: str) -> str:
    """Return the text in `language`, else for whoever reads no French in English, else the first there is, else nothing."""
    if not texts:
        return ""
    return texts.get(language) or (texts.get("en") if language != SOURCES else None) or next(iter(texts.values()))
