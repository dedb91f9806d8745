from __future__ import annotations

from typing import Any

import pytest

from kiosk.printing.slip_text import Text, blocks
from pos.claims import Co2
from pos.currencies import DECIMALS
from pos.locales import LOCALES
from tests.kiosk.slip_facts import bundle_facts


def texts_of(facts: dict[str, Any], *, language: str = "fr") -> list[Text]:
    """Return the texts of a slip with plain spaces."""
    return [block for block in blocks(facts, language=language, copy_no=0) if isinstance(block, Text)]


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\xa0", " ")


def test_an_option_for_nothing_stands_on_the_paper() -> None:
    facts = bundle_facts()
    esim = {"one_off_cents": 0, "monthly_cents": 0, "commitment_months": 0}
    facts["lines"][0]["options"].append({"option_id": 3, "kind": "esim", "name": {"fr": "eSIM", "en": "eSIM"}, "terms": esim})

    assert [text.amount for text in texts_of(facts) if text.text == "+  eSIM"] == ["inclus"]


@pytest.mark.parametrize(("grams", "kilograms"), [(49200, "49 kg"), (49500, "50 kg"), (49999, "50 kg")])
def test_carbon_is_rounded_as_on_the_screen(grams: int, kilograms: str) -> None:
    facts = bundle_facts()
    facts["lines"][0]["listing"]["co2"]["grams"] = grams

    assert any(f"Environ {kilograms} de CO2e" in plain(text.text) for text in texts_of(facts))
    assert Co2(grams=grams, years=2, source="ADEME 2022").kg == int(kilograms[:2])


@pytest.mark.parametrize(("months", "is_said"), [(0, False), (12, False), (24, True)])
def test_leaving_after_a_year_is_priced_where_somebody_is_bound_longer(months: int, is_said: bool) -> None:
    facts = bundle_facts()
    facts["lines"][0]["plan"]["terms"]["commitment_months"] = months

    assert is_said == any(text.text == "Partir après 12 mois" for text in texts_of(facts))


@pytest.mark.parametrize("language", [code for code in LOCALES if LOCALES[code].is_printed])
@pytest.mark.parametrize("currency", DECIMALS)
def test_every_currency_has_letters_that_printers_have(currency: str, language: str) -> None:
    for text in texts_of({**bundle_facts(), "currency": currency}, language=language):
        plain(text.amount).replace("−", "-").encode("cp858")


def test_a_sign_that_no_printer_has_gives_way_to_the_code() -> None:
    [due, *_] = [text for text in texts_of({**bundle_facts(), "currency": "KRW"}) if text.is_total]

    assert plain(due.amount) == "5 000 KRW"
