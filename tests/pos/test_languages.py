from __future__ import annotations

from pathlib import Path

import pytest

from pos import languages, locales

PO = """
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\\nPlural-Forms: nplurals=2; plural=(n != 1);\\n"

msgid "Votre bon est prêt."
msgstr "Your slip is ready."

#, fuzzy
msgid "Peut-être"
msgstr "Never this"

msgid "%(n)s appareil"
msgid_plural "%(n)s appareils"
msgstr[0] "%(n)s device"
msgstr[1] "%(n)s devices"
"""


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    (tmp_path / "kiosk").mkdir()
    (tmp_path / "kiosk" / "en.po").write_text(PO, encoding="utf-8")
    return tmp_path


def test_sentences_come_from_the_part_s_own_file(pages: Path) -> None:
    english = languages.translations("kiosk", "en", pages)

    assert english.gettext("Votre bon est prêt.") == "Your slip is ready."
    assert [english.ngettext("%(n)s appareil", "%(n)s appareils", n) for n in (0, 1, 2)] == [
        "%(n)s devices",
        "%(n)s device",
        "%(n)s devices",
    ]
    assert english.gettext("Jamais traduit") == "Jamais traduit"
    assert english.gettext("Peut-être") == "Peut-être"


def test_french_stands_in_the_sources(pages: Path) -> None:
    assert languages.translations("kiosk", "fr", pages).gettext("Votre bon est prêt.") == "Votre bon est prêt."
    assert languages.translations("marketplace", "en", pages).gettext("Votre bon est prêt.") == "Votre bon est prêt."


@pytest.mark.parametrize(
    ("cents", "currency", "language", "written"),
    [
        (36900, "EUR", "fr", "369,00 €"),
        (36900, "EUR", "en", "€369.00"),
        (36900, "USD", "en", "$369.00"),
        (36900, "CAD", "fr", "369,00 $CA"),
        (36900, "JPY", "en", "¥36,900"),
        (36900, "JPY", "fr", "36 900 JPY"),
        (1234567, "KWD", "en", "KWD 1,234.567"),
        (0, "EUR", "fr", "0,00 €"),
        (1, "EUR", "fr", "0,01 €"),
        (-500, "EUR", "fr", "-5,00 €"),
        (123456789, "EUR", "fr", "1 234 567,89 €"),
        (2**53 + 1, "EUR", "fr", "90 071 992 547 409,93 €"),
    ],
)
def test_money_is_exact_and_written_as_people_do(cents: int, currency: str, language: str, written: str) -> None:
    assert plain(languages.money(cents, currency, language)) == written


@pytest.mark.parametrize(
    ("cents", "currency", "language", "written"),
    [
        (4900, "EUR", "fr", "49 €"),
        (4950, "EUR", "fr", "49,50 €"),
        (100000, "USD", "en", "$1,000"),
        (1000000, "JPY", "en", "¥1,000,000"),
        (1000000, "KWD", "en", "KWD 1,000"),
        (1000000, "TND", "fr", "1 000 TND"),
    ],
)
def test_decimals_that_are_nought_are_left_out_of_sentences(cents: int, currency: str, language: str, written: str) -> None:
    assert plain(languages.short_money(cents, currency, language)) == written


@pytest.mark.parametrize(
    ("text", "language", "zone", "day", "moment"),
    [
        ("2026-12-06T22:59:00Z", "fr", "Europe/Paris", "6 décembre 2026", "6 décembre 2026, 23:59"),
        ("2026-12-06T23:00:00Z", "fr", "Europe/Paris", "7 décembre 2026", "7 décembre 2026, 00:00"),
        ("2026-07-01T22:30:00Z", "fr", "Europe/Paris", "2 juillet 2026", "2 juillet 2026, 00:30"),
        ("2026-10-25T00:30:00Z", "fr", "Europe/Paris", "25 octobre 2026", "25 octobre 2026, 02:30"),
        ("2026-10-25T01:30:00Z", "fr", "Europe/Paris", "25 octobre 2026", "25 octobre 2026, 02:30"),
        ("2026-12-06T04:59:00Z", "en", "America/New_York", "December 5, 2026", "December 5, 2026, 11:59 PM"),
    ],
)
def test_days_and_moments_are_the_corner_s_own(text: str, language: str, zone: str, day: str, moment: str) -> None:
    assert languages.day(text, language, zone) == day
    assert plain(languages.moment(text, language, zone)) == moment


def test_a_number_is_grouped() -> None:
    assert plain(languages.number(1234567, "fr")) == "1 234 567"
    assert languages.number(1234567, "en") == "1,234,567"


def test_a_text_falls_back_to_the_one_there_is() -> None:
    assert languages.text_of({"fr": "Bleu", "en": "Blue"}, "en") == "Blue"
    assert languages.text_of({"fr": "Bleu"}, "en") == "Bleu"
    assert languages.text_of({"fr": "Bleu", "en": ""}, "en") == "Bleu"
    assert languages.text_of({}, "en") == languages.text_of(None, "fr") == ""


def test_a_capacity_is_said_as_people_say_it() -> None:
    said = {gigabytes: plain(languages.storage(gigabytes, "fr")) for gigabytes in (None, 128, 825, 1000, 1024, 2048)}
    assert said == {None: "", 128: "128 Go", 825: "825 Go", 1000: "1 To", 1024: "1 To", 2048: "2 To"}
    assert plain(languages.storage(512, "en")) == "512 GB"
    assert languages.storage(512, "ar") == "\u2066512\u00a0GB\u2069", "figures first, as on the box"


@pytest.mark.parametrize(
    ("language", "written"), [("fr", "1,5 To"), ("en", "1.5 TB"), ("es", "1,5 TB"), ("de", "1,5 TB"), ("ar", "1.5 TB")]
)
def test_fractions_and_units_are_the_language_s_own(language: str, written: str) -> None:
    unit = plain(languages.storage(1024, language)).strip(locales.ISOLATED + locales.ISOLATE_END).removeprefix("1 ")
    assert f"{languages.fraction(150, 2, language)} {unit}" == written
    assert [languages.fraction(value, 1, language) for value in (60, 0)] == ["6", "0"]


def catalogue(pages: Path, part: str, language: str, claim: str = "") -> None:
    (pages / part).mkdir(exist_ok=True)
    header = f'"X-Complete: {claim}\\n"' if claim else ""
    (pages / part / f"{language}.po").write_text(f'msgid ""\nmsgstr ""\n"Language: {language}\\n"\n{header}\n', encoding="utf-8")


def test_a_language_is_offered_once_each_of_its_catalogues_is_complete(tmp_path: Path) -> None:
    for part in ("words", "shop", "kiosk"):
        catalogue(tmp_path, part, "en", "everything")
        catalogue(tmp_path, part, "de", "customers")
        catalogue(tmp_path, part, "es", "" if part == "shop" else "customers")

    assert languages.offered("kiosk", tmp_path) == ("fr", "en", "de")
    assert languages.offered("kiosk", tmp_path, to_staff=True) == ("fr", "en")
    assert languages.offered("marketplace", tmp_path) == ("fr",)


def test_a_corner_speaks_its_own_languages_in_its_order() -> None:
    assert languages.spoken_among(["de", "xx", "en"], ("fr", "en", "de")) == ("de", "en")
    assert languages.spoken_among(["xx"], ("fr", "en")) == ("fr", "en")


def test_paper_speaks_another_language_where_it_lacks_the_letters() -> None:
    assert languages.paper_language("de", ("ar", "fr")) == "de"
    assert languages.paper_language("ar", ("ar", "en", "fr")) == "en"
    assert languages.paper_language("ar", ("ar",)) == "fr"


def test_whoever_reads_no_french_reads_english() -> None:
    texts = {"fr": "Bleu", "en": "Blue"}
    assert [languages.text_of(texts, language) for language in ("fr", "en", "de", "ar")] == ["Bleu", "Blue", "Blue", "Blue"]
    assert languages.text_of({"fr": "Bleu"}, "de") == "Bleu"


def test_every_language_has_a_locale() -> None:
    assert set(languages.LANGUAGES) == set(locales.LOCALES)


def plain(text: str) -> str:
    """Spaces that do not break are spaces here."""
    return text.replace("\u00a0", " ").replace("\u202f", " ")
