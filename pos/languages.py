"""Languages: translated sentences, and money, dates and numbers as people of each language write them.

French stands in the sources; every other language is a `.po` file beside the pages of its part, read once.
"""

from __future__ import annotations

import datetime
import io
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, get_decimal_symbol
from babel.support import NullTranslations, Translations

from pos import clock
from pos.currencies import places

LANGUAGES = {"fr": "Français", "en": "English"}
CODE_BEFORE_FIGURES = re.compile(r"[A-Z]{3}(?=\d)")
LOCALES = {"fr": "fr_FR", "en": "en_US"}


@lru_cache
def translations(part: str, language: str, pages: Path, *, beside: NullTranslations | None = None) -> NullTranslations:
    """Return the sentences of `part` ("shop", "kiosk", "marketplace") in `language`, read from `pages/<part>/<language>.po`.

    What stands in no file of `part` is looked for in the sentences `beside` it.
    """
    path = pages / part / f"{language}.po"
    if not path.exists():
        return beside or NullTranslations()
    compiled = io.BytesIO()
    with path.open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    found = Translations(compiled)
    if beside is not None:
        found.add_fallback(beside)
    return found


@lru_cache(maxsize=65536)
def money(cents: int, currency: str, language: str) -> str:
    """Return an amount with its currency: `369,00 €`, `$369.00`, `¥36,900`."""
    text = format_currency(_amount(cents, currency), currency, locale=LOCALES[language])
    # A code wants a space before the figures (CLDR currencySpacing), which Babel leaves out.
    return CODE_BEFORE_FIGURES.sub("\\g<0>\u00a0", text)


@lru_cache(maxsize=16384)
def short_money(cents: int, currency: str, language: str) -> str:
    """Return an amount without its decimals when they are nought, for sentences: `49 €`."""
    width = places(currency)
    nought = get_decimal_symbol(LOCALES[language]) + "0" * width
    text = money(cents, currency, language)
    return text.replace(nought, "") if width and cents % 10**width == 0 else text


def money_by_code(cents: int, currency: str, language: str) -> str:
    """Return an amount with the code of its currency, for where its sign cannot be set: `36,900 KRW`."""
    return format_currency(_amount(cents, currency), currency, "#,##0.00\u00a0¤¤", locale=LOCALES[language])


@lru_cache(maxsize=4096)
def number(value: int, language: str) -> str:
    """Return a whole number with the language's grouping."""
    return format_decimal(value, locale=LOCALES[language])


@lru_cache(maxsize=4096)
def date(text: str, language: str) -> str:
    """Return a day `YYYY-MM-DD` in words, the same wherever it is read: `6 décembre 2026`."""
    return format_date(datetime.date.fromisoformat(text), "long", locale=LOCALES[language])


@lru_cache(maxsize=4096)
def day(text: str, language: str, time_zone: str) -> str:
    """Return the local day of a UTC text: `6 décembre 2026`."""
    return format_date(clock.from_text(text).astimezone(ZoneInfo(time_zone)), "long", locale=LOCALES[language])


@lru_cache(maxsize=4096)
def moment(text: str, language: str, time_zone: str) -> str:
    """Return the local day and minute of a UTC text: `6 décembre 2026, 23:59`."""
    local = clock.from_text(text).astimezone(ZoneInfo(time_zone))
    hour = format_time(local, "short", tzinfo=ZoneInfo(time_zone), locale=LOCALES[language])
    return f"{day(text, language, time_zone)}, {hour}"


def storage(gigabytes: int | None, language: str) -> str:
    """Return a capacity as it is said: `128 Go`, `1 TB` for 1,000 or 1,024; nothing where there is none."""
    if not gigabytes:
        return ""
    large, small = ("To", "Go") if language == "fr" else ("TB", "GB")
    for terabyte in (1024, 1000):
        if gigabytes % terabyte == 0:
            return f"{gigabytes // terabyte}\u00a0{large}"
    return f"{gigabytes}\u00a0{small}"


def _amount(cents: int, currency: str) -> Decimal:
    return Decimal(cents).scaleb(-places(currency))


def text_of(texts: Mapping[str, str] | None, language: str) -> str:
    """Return the text in `language`, else the first there is, else nothing."""
    if not texts:
        return ""
    return texts.get(language) or next(iter(texts.values()))
