"""Price claims: nothing is said without its evidence (reference/domain.md §4 and §5)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos.claims import Co2, NewPrice, Reduction, co2_avoided, forbidden_words, new_price_claim, reduction, vat_note

WORDS = ["comme neuf", "état neuf", "à neuf", "like new", "as new"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Téléphone comme neuf, très propre", ["comme neuf"]),
        ("COMME NEUF", ["comme neuf"]),
        ("comme-neuf", ["comme neuf"]),
        ("comme  \n neuf", ["comme neuf"]),
        ("comme\u00a0neuf", ["comme neuf"]),
        ("comme_neuf", ["comme neuf"]),
        ("commeneuf", ["comme neuf"]),
        ("com\u00adme ne\u200buf", ["comme neuf"]),
        ("com\u034fme neuf", ["comme neuf"]),
        ("comme neuf", ["comme neuf"]),
        ("Etat NEUF", ["état neuf"]),
        ("e\u0301tat neuf", ["état neuf"]),
        ("Remis A neuf", ["à neuf"]),
        ("LikeNew and like-new", ["like new"]),
        ("almost as new, état neuf", ["état neuf", "as new"]),
        ("comme neuve", []),
        ("welcomme neuf", []),
        ("état neufs", []),
        ("Batterie neuve", []),
        ("has news", []),
        ("Reconditionné, très bon état", []),
        ("", []),
    ],
)
def test_forbidden_words(text: str, found: list[str]) -> None:
    assert forbidden_words(text, words=WORDS) == found


def test_each_word_is_named_once_and_an_empty_one_never() -> None:
    assert forbidden_words("comme neuf comme neuf", words=["comme neuf", "comme neuf", "", " – "]) == ["comme neuf"]


def test_apostrophes_are_alike() -> None:
    assert forbidden_words("à l'etat neuf", words=["à l’état neuf"]) == ["à l’état neuf"]


@settings(deadline=None)
@given(before=st.text(), after=st.text(), word=st.sampled_from(WORDS))
def test_no_surrounding_text_hides_a_word(before: str, after: str, word: str) -> None:
    assert word in forbidden_words(f"{before} / {word.upper()} / {after}", words=WORDS)


@pytest.mark.parametrize(
    ("price_cents", "prior_cents", "expected"),
    [
        (34900, 39900, Reduction(prior_cents=39900, less_cents=5000)),
        (34900, 34901, Reduction(prior_cents=34901, less_cents=1)),
        (34900, 34900, None),
        (34900, 29900, None),
        (34900, None, None),
    ],
)
def test_reduction_only_below_the_prior_price(price_cents: int, prior_cents: int | None, expected: Reduction | None) -> None:
    assert reduction(price_cents, prior_cents) == expected


def test_vat_note_follows_the_listing() -> None:
    assert [vat_note(flag) for flag in (True, 1, False, 0)] == ["margin", "margin", "regular", "regular"]


def test_co2_is_the_sourced_figure_over_its_years() -> None:
    phones = {"co2": {"grams_per_year": 24600, "years": 2, "source": "ADEME 2022"}}

    assert co2_avoided(phones) == Co2(grams=49200, years=2, source="ADEME 2022")


@pytest.mark.parametrize("category", [{}, {"co2": None}, {"co2": {"grams_per_year": 27000, "years": 2, "source": ""}}])
def test_no_co2_without_source(category: dict[str, Any]) -> None:
    assert co2_avoided(category) is None


def new_price(**changes: Any) -> dict[str, Any]:
    claim = {"cents": 90900, "currency": "EUR", "source": "Communiqué du fabricant", "observed_on": "2023-11-23"}
    return {"sku": "IPHONE-13-128-BLUE", "new_price": {**claim, **changes}}


def test_new_price_comes_with_its_source_and_day() -> None:
    assert new_price_claim(new_price(), today="2026-11-22") == NewPrice(
        cents=90900, currency="EUR", source="Communiqué du fabricant", observed_on="2023-11-23"
    )


@pytest.mark.parametrize(
    ("today", "is_shown"),
    [("2023-11-22", False), ("2023-11-23", True), ("2026-11-22", True), ("2026-11-23", False)],
)
def test_new_price_is_shown_from_its_day_until_1095_days_after(today: str, is_shown: bool) -> None:
    assert (new_price_claim(new_price(), today=today) is not None) is is_shown


def test_new_price_age_is_adjustable_and_source_required() -> None:
    assert new_price_claim(new_price(), today="2023-12-24", max_age_days=30) is None
    assert new_price_claim(new_price(source=""), today="2023-12-24") is None
    assert new_price_claim({"new_price": None}, today="2023-12-24") is None
    assert new_price_claim({}, today="2023-12-24") is None
