from __future__ import annotations

import pytest
from babel.numbers import get_currency_precision

from pos import tokens
from pos.currencies import DECIMALS, decimal, places


def test_a_currency_keeps_its_place_in_the_token_for_ever() -> None:
    assert tokens.CURRENCIES[:8] == ("EUR", "USD", "GBP", "SEK", "PLN", "CHF", "CAD", "JPY")
    assert len(set(tokens.CURRENCIES)) == 32, "five bits of the flags: a thirty-third has no place"


@pytest.mark.parametrize("currency", DECIMALS)
def test_minor_units_are_those_of_the_standard(currency: str) -> None:
    assert DECIMALS[currency] == get_currency_precision(currency)


@pytest.mark.parametrize(
    ("cents", "currency", "written"),
    [(36900, "EUR", "369.00"), (5, "USD", "0.05"), (36900, "JPY", "36900"), (36900, "KWD", "36.900"), (0, "CLP", "0")],
)
def test_an_amount_is_written_with_its_own_decimals(cents: int, currency: str, written: str) -> None:
    assert decimal(cents, currency) == written


def test_a_currency_of_an_older_catalogue_is_taken_to_have_two_decimals() -> None:
    assert places("XAF") == 2
