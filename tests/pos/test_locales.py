"""What we say of each language is what the Unicode CLDR says, as Babel holds it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import pytest
from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal, get_currency_symbol, get_decimal_symbol
from hypothesis import given
from hypothesis import strategies as st

from pos.currencies import DECIMALS, places
from pos.languages import money_by_code
from pos.locales import LOCALES

CLDR = {"fr": "fr_FR", "en": "en_US", "es": "es_ES", "de": "de_DE", "ar": "ar"}
MARKS = re.compile("[\u200e\u200f\u2066\u2069]")
"""What only turns the reading direction: ours stand around the whole amount, CLDR's among it."""
LANGUAGES = st.sampled_from(sorted(LOCALES))
AMOUNTS = st.integers(-(10**12), 10**12)


@given(AMOUNTS, st.sampled_from([*DECIMALS, "XTS"]), LANGUAGES)
def test_money_is_written_as_cldr_does(cents: int, currency: str, language: str) -> None:
    exact = Decimal(cents).scaleb(-places(currency))

    text = format_currency(exact, currency, locale=CLDR[language])
    own = MARKS.sub("", LOCALES[language].money(cents, places(currency), currency))
    assert own == re.sub(r"[A-Z]{3}(?=\d)", "\\g<0>\u00a0", MARKS.sub("", text))
    by_code = format_currency(exact, currency, "#,##0.00\u00a0¤¤", locale=CLDR[language])
    assert money_by_code(cents, currency, language) == by_code


@given(AMOUNTS, LANGUAGES)
def test_numbers_are_grouped_as_cldr_does(value: int, language: str) -> None:
    assert LOCALES[language].figures(value, 0) == format_decimal(value, locale=CLDR[language])


@pytest.mark.parametrize("language", LOCALES)
def test_every_currency_every_day_and_every_minute_is_cldr_s(language: str) -> None:
    own, cldr = LOCALES[language], CLDR[language]

    assert own.decimal == get_decimal_symbol(cldr)
    signs = {code: MARKS.sub("", get_currency_symbol(code, cldr)) for code in DECIMALS}
    assert {code: own.signs.get(code, code) for code in DECIMALS} == signs
    assert own.is_right_to_left == (Locale.parse(cldr).text_direction == "rtl")
    days = [date(2028, 1, 1) + timedelta(days=day) for day in range(366)]
    assert [own.date(day) for day in days] == [format_date(day, "long", locale=cldr) for day in days]
    minutes = [time(hour, minute, tzinfo=UTC) for hour in range(24) for minute in (0, 5, 30, 59)]
    assert [own.time(each) for each in minutes] == [said(each, cldr) for each in minutes]


def test_an_amount_among_right_to_left_words_reads_as_on_any_price_tag() -> None:
    assert LOCALES["ar"].money(36900, 2, "EUR") == "\u2066369.00\u00a0€\u2069"
    assert LOCALES["ar"].money(-500, 2, "EUR") == "\u2066-5.00\u00a0€\u2069"


def said(moment: time, cldr: str) -> str:
    return format_time(datetime.combine(date(2028, 1, 1), moment), "short", locale=cldr)


def test_a_clock_of_twelve_hours_begins_at_twelve() -> None:
    hours = [LOCALES["en"].time(time(hour)) for hour in (0, 1, 12, 13)]
    assert hours == ["12:00\u202fAM", "1:00\u202fAM", "12:00\u202fPM", "1:00\u202fPM"]


@pytest.mark.parametrize(
    ("language", "text", "within"),
    [
        ("fr", "Bleu Pacifique", "bleu pacifique"),
        ("fr", "Ports HDMI", "ports HDMI"),
        ("en", "Midnight", "midnight"),
        ("de", "Mitternacht", "Mitternacht"),
        ("ar", "سماء الليل", "سماء الليل"),
    ],
)
def test_a_name_within_a_line_keeps_the_capitals_its_language_wants(language: str, text: str, within: str) -> None:
    assert LOCALES[language].inside(text) == within
