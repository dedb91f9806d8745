"""Amounts as people type them: what we print we can read, in every language and currency."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pos.amounts import read_amount
from pos.currencies import DECIMALS, decimal
from pos.errors import Invalid
from pos.languages import LANGUAGES, money, money_by_code, short_money


@given(
    cents=st.integers(0, 999_999_999),
    currency=st.sampled_from(sorted(DECIMALS)),
    written_in=st.sampled_from(sorted(LANGUAGES)),
)
def test_what_we_print_we_can_read(cents: int, currency: str, written_in: str) -> None:
    for printed in (
        money(cents, currency, written_in),
        short_money(cents, currency, written_in),
        money_by_code(cents, currency, written_in),
    ):
        assert read_amount(printed, currency=currency, language=written_in) == cents
    assert read_amount(decimal(cents, currency), currency=currency, language="en") == cents


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize(
    ("text", "cents"),
    [
        ("250", 25000),
        ("249.90", 24990),
        ("249,90", 24990),
        ("12,5", 1250),
        ("12.", 1200),
        ("1,299", 129900),
        ("1.299", 129900),
        ("1,299.00", 129900),
        ("1.299,00", 129900),
        ("1 299,00 €", 129900),
        ("1\u202f299,00\u00a0€", 129900),
        ("1\u2009299", 129900),
        ("1’299", 129900),
        ("1'299.50 CHF", 129950),
        ("€1,299", 129900),
        ("$1,299.00", 129900),
        ("US$ 20", 2000),
        ("1.299,-", 129900),
        ("1299.–", 129900),
        ("1.234.567,89", 123456789),
        ("300 euros", 30000),
        ("\u200b300\ufeff ", 30000),
        ("３００", 30000),
    ],
)
def test_amounts_are_understood_as_people_write_them(text: str, cents: int, language: str) -> None:
    assert read_amount(text, currency="EUR", language=language) == cents


@pytest.mark.parametrize(
    ("text", "language", "fils"), [("1,299", "fr", 1299), ("1,299", "en", 1299000), ("1.299", "en", 1299), ("1,5", "en", 1500)]
)
def test_three_decimals_follow_the_language(text: str, language: str, fils: int) -> None:
    assert read_amount(text, currency="KWD", language=language) == fils


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "abc",
        "-5",
        "- 5",
        "1e3",
        "12abc",
        "12 5",
        "1.299.00",
        "1,299,00",
        "1.29.9",
        "12,345,6",
        "1,2345",
        ".5",
        "9" * 5000,
        "5%",
        "1-2",
        "۳۰۰",
    ],
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        read_amount(text, currency="EUR", language="fr")


def test_a_currency_without_decimals_has_none() -> None:
    assert read_amount("25,000", currency="JPY", language="en") == 25000
    with pytest.raises(Invalid):
        read_amount("250.50", currency="JPY", language="en")
