from __future__ import annotations

import pytest

from kiosk.slip_text import Text, blocks
from pos.currencies import DECIMALS
from pos.languages import LANGUAGES
from tests.kiosk.slip_facts import bundle_facts


def texts_of(facts: dict[str, object], *, language: str = "fr") -> list[Text]:
    """Return the texts of a slip with plain spaces."""
    return [block for block in blocks(facts, language=language, copy_no=0) if isinstance(block, Text)]


def plain(text: str) -> str:
    return text.replace("\u202f", " ").replace("\xa0", " ")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("currency", DECIMALS)
def test_every_currency_has_letters_that_printers_have(currency: str, language: str) -> None:
    for text in texts_of({**bundle_facts(), "currency": currency}, language=language):
        plain(text.amount).replace("−", "-").encode("cp858")


def test_a_sign_that_no_printer_has_gives_way_to_the_code() -> None:
    [due, *_] = [text for text in texts_of({**bundle_facts(), "currency": "KRW"}) if text.is_total]

    assert plain(due.amount) == "5 000 KRW"
