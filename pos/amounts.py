"""Amounts as people type them: whatever we print ourselves, in any language, and the usual ways of everybody else."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from pos.currencies import DECIMALS, places
from pos.errors import Invalid
from pos.locales import LOCALES

_WORDS = (
    "euro",
    "euros",
    "dollar",
    "dollars",
    "pound",
    "pounds",
    "franc",
    "francs",
    "fr",
    "kr",
    "zł",
    "zl",
    "kč",
    "ft",
    "lei",
    "us$",
)
_SPELLED = re.compile(r"(?P<before>[^0-9-]*)(?P<figures>[0-9](?:[0-9 '.,]*[0-9])?)(?:[.,]?[-–—]{1,2}|[.,])?(?P<after>[^0-9-]*)")
_FIGURES = re.compile(
    r"(?P<whole>[0-9]{1,3}(?P<group>[ '.,])[0-9]{3}(?:(?P=group)[0-9]{3})*|[0-9]+)(?:(?P<sign>[.,])(?P<part>[0-9]+))?"
)
_MOST_DIGITS = 9


def read_amount(text: str, *, currency: str, language: str) -> int:
    """Return an amount in the currency's minor unit: `1 299,00 €`, `$1,299`, `1’299.-`, `12,5`.

    A single sign before three digits parts thousands, unless the currency has three decimals and the language sets it there.
    Raises: Invalid.
    """
    spelled = _SPELLED.fullmatch(_plain(text))
    if spelled is None or not {_word(spelled["before"]), _word(spelled["after"])} <= _currencies():
        raise Invalid("not an amount")
    width, figures = places(currency), spelled["figures"]
    if width == 3 and (found := re.fullmatch(rf"([0-9]+){re.escape(LOCALES[language].decimal)}([0-9]{{3}})", figures)):
        return int(found[1] + found[2])
    amount = _FIGURES.fullmatch(figures)
    if amount is None or amount["sign"] == amount["group"] is not None or len(amount["part"] or "") > width:
        raise Invalid("not an amount")
    whole = re.sub(r"\D", "", amount["whole"])
    if len(whole) > _MOST_DIGITS:
        raise Invalid("not an amount")
    return int(whole + (amount["part"] or "").ljust(width, "0"))


def _plain(text: str) -> str:
    """Return `text` in small letters, with one kind of space and of apostrophe, and nothing invisible."""
    visible = "".join(letter for letter in unicodedata.normalize("NFKC", text) if unicodedata.category(letter) != "Cf")
    return " ".join(re.sub("[’‘ʼ`´]", "'", visible).lower().split())


def _word(text: str) -> str:
    """Return a name without the full stop of its abbreviation: `fr.`"""
    return re.sub(r"(?<=\w)\.", "", text).strip()


@cache
def _currencies() -> frozenset[str]:
    """Return what may stand before or after the figures: nothing, or a name or sign of a currency in any of our languages."""
    signs = {sign for locale in LOCALES.values() for sign in locale.signs.values()}
    return frozenset({"", *(_word(_plain(word)) for word in (*_WORDS, *DECIMALS, *signs, *"€$£¥"))})
