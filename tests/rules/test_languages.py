"""Every language that is offered says all it should, as its files claim, and says the same facts; CI names what is missing."""

from __future__ import annotations

import re

import pytest
from babel.messages.catalog import Catalog

from pos.languages import LANGUAGES, SOURCES, offered
from tests.catalogues import (
    APPS,
    FRAMES,
    PAGES,
    PARTS,
    ROOT,
    STAFF_FRAMES,
    catalogue,
    claim_of,
    customers_pages,
    files,
    messages_of,
    missing_in,
    strings_of,
    wanted_of,
)


def test_there_is_something_to_translate() -> None:
    assert all(len(wanted_of(part)) > 30 for part in PARTS)
    assert all(0 < len(wanted_of(part, "customers")) < len(wanted_of(part)) for part in PARTS)
    assert len(wanted_of("kiosk", "customers", is_printed=False)) < len(wanted_of("kiosk", "customers"))


def test_customers_pages_are_told_from_those_of_staff() -> None:
    theirs = customers_pages()

    assert {*FRAMES, "shop/browse.html", "shop/search.html", "kiosk/call.html", "marketplace/orders/pieces.html"} <= theirs
    assert not theirs & {*STAFF_FRAMES, "kiosk/enrolment.html", "marketplace/fleet/fleet.html", "marketplace/sellers/apply.html"}


BRANCH = re.compile(r"""[!=]=\s*["'](fr|en|es|de|ar|us)["']|["'](fr|en|es|de|ar|us)["']\s*[!=]=""")
KNOWN_BRANCHES = {
    "kiosk/printing/slip_text.py": "slips of the first version do not say whether their prices hold the tax",
    "marketplace/running/metrics.py": "microseconds",
    "pos/finder/lexicon.py": "only German writes ä as ae where the letter is missing",
}


def test_no_program_asks_which_market_or_language_it_is_in() -> None:
    """What differs is data: a locale, a market's header, a law row, a catalogue."""
    parts = ("pos", "sync", "shop", "kiosk", "marketplace", "templates")
    sources = [path for part in parts for kind in ("py", "html") for path in (ROOT / part).rglob(f"*.{kind}")]
    asking = {path.relative_to(ROOT).as_posix() for path in sources if BRANCH.search(path.read_text(encoding="utf-8"))}

    assert asking == set(KNOWN_BRANCHES)


def test_french_and_english_are_everybody_s() -> None:
    for part in APPS:
        assert offered(part, PAGES, to_staff=True)[:2] == (SOURCES, "en")


@pytest.mark.parametrize(("part", "language"), files(), ids=str)
def test_a_file_says_all_that_it_claims(part: str, language: str) -> None:
    assert language in LANGUAGES
    claim = claim_of(part, language)
    if claim:
        assert missing_in(part, language, claim) == []


@pytest.mark.parametrize("language", sorted({language for _, language in files()}))
def test_a_language_is_complete_in_every_part_or_a_draft_in_all(language: str) -> None:
    """So that no file waits unnoticed for the one that would let it be shown."""
    claims = {part: claim_of(part, language) if (part, language) in files() else "" for part in PARTS}

    assert all(claims.values()) or not any(claims.values()), claims


@pytest.mark.parametrize(("part", "language"), files(), ids=str)
def test_a_translation_says_the_same_facts(part: str, language: str) -> None:
    for one, message in messages_of(part, language).items():
        facts = (
            {fact for said in (one, *message.id) for fact in placeholders(said)} if message.pluralizable else placeholders(one)
        )
        for text in filter(None, strings_of(message)):
            assert placeholders(text) <= facts | {"num"}, text
            if isinstance(message.id, str):
                assert placeholders(text) == facts, text


COUNTED = re.compile(
    r"%\(\w+\)[sd]\s(premiers\s)?(mois|jours?|ans?|années?|heures?|minutes?|secondes?|fois|appareils?|offres?|bons?|lignes?)\b"
)


@pytest.mark.parametrize("part", PARTS)
def test_what_customers_read_counted_has_a_form_for_one(part: str) -> None:
    """One sentence for every number says "1 months", and Arabic has six forms."""
    assert [one for one, many in wanted_of(part, "customers").items() if many is None and COUNTED.search(one)] == []


@pytest.mark.parametrize(("part", "language"), files(), ids=str)
def test_every_number_has_its_form(part: str, language: str) -> None:
    """As many as CLDR, which Babel holds, says the language has."""
    file = catalogue(part, language)
    assert file is not None
    assert file.num_plurals == Catalog(locale=language).num_plurals
    for message in messages_of(part, language).values():
        if not isinstance(message.id, str):
            assert len(strings_of(message)) == file.num_plurals, message.id[0]


def placeholders(text: str) -> set[str]:
    return {part.split(")", 1)[0] for part in text.split("%(")[1:]}
