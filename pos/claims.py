"""What may be said beside a price, and only with its evidence: reductions, prices when new, CO2, wording, VAT.

Invariant: where the evidence is missing, doubtful or old, the answer is None and nothing is shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, Literal

UNSEEN = frozenset({"Mn", "Me", "Cf"})
"""Unicode categories of accents and invisible characters, which must not hide a forbidden word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """A price cut: the seller's own lowest price of the 30 days before it, and what it saves."""

    prior_cents: int
    less_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Co2:
    """CO2 equivalent avoided against a new device over `years` of use, as `source` says."""

    grams: int
    years: int
    source: str

    @property
    def kg(self) -> int:
        """The figure as it is said."""
        return kilograms(self.grams)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPrice:
    """The price of the model when new, as a dated and sourced sentence: never struck, never a percentage."""

    cents: int
    currency: str
    source: str
    observed_on: str


def forbidden_words(text: str, *, words: Iterable[str]) -> list[str]:
    """Return those of `words` that stand in `text`, in the order given (R122-4: "comme neuf", "état neuf"…).

    Case, accents, punctuation and spacing are ignored; an expression counts only as whole words.
    """
    plain = _plain(text)
    return [word for word, expression in _expressions(tuple(words)) if expression.search(plain)]


def reduction(price_cents: int, prior_cents: int | None) -> Reduction | None:
    """Return the reduction that may be announced: only below the prior price that proves it (L112-1-1)."""
    if prior_cents is None or prior_cents <= price_cents:
        return None
    return Reduction(prior_cents=prior_cents, less_cents=prior_cents - price_cents)


def vat_note(vat_margin: bool | int) -> Literal["margin", "regular"]:  # noqa: FBT001 -- a listing's flag, as the row has it
    """Return which VAT sentence a listing wants: on the margin, no rate or amount may be shown (CGI 297 E)."""
    return "margin" if vat_margin else "regular"


def co2_avoided(category_body: Mapping[str, Any]) -> Co2 | None:
    """Return what a device of this category avoids, where the category carries a sourced figure (ADEME 2022, domain.md §5)."""
    figure = category_body.get("co2")
    if not figure or not figure["source"]:
        return None
    return Co2(grams=figure["grams_per_year"] * figure["years"], years=figure["years"], source=figure["source"])


def kilograms(grams: int) -> int:
    """Return whole kilograms, half a one going up."""
    return (grams + 500) // 1000


def new_price_claim(body: Mapping[str, Any], *, today: str, max_age_days: int = 1095) -> NewPrice | None:
    """Return a SKU's price when new if it is sourced and observed within `max_age_days` before `today` (`YYYY-MM-DD`).

    Source: reference/domain.md §4, "vs new".
    """
    claim = body.get("new_price")
    if not claim or not claim["source"]:
        return None
    age_days = (date.fromisoformat(today) - date.fromisoformat(claim["observed_on"])).days
    if not 0 <= age_days <= max_age_days:
        return None
    return NewPrice(cents=claim["cents"], currency=claim["currency"], source=claim["source"], observed_on=claim["observed_on"])


def _plain(text: str) -> str:
    """Lower case without accents; invisible characters vanish, every other run of signs becomes one space."""
    signs = unicodedata.normalize("NFKD", text.casefold())
    letters = signs if signs.isascii() else "".join(s for s in signs if unicodedata.category(s) not in UNSEEN)
    return " ".join(re.findall(r"[^\W_]+", letters))


@lru_cache(maxsize=8)
def _expressions(words: tuple[str, ...]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Each word once, with its pattern; kept, because an import asks for half a million comments in a row."""
    parts = {word: _plain(word).split() for word in words}
    # The space is optional, so that "likenew" is caught as "like-new" is.
    return tuple((word, re.compile(r"\b" + " ?".join(each) + r"\b")) for word, each in parts.items() if each)
