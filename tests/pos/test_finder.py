"""The finder's grammar over the names of the sample world: what a sentence says, exactly, and what of it was not understood."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pos import clock
from pos.finder.grammar import LONGEST_SENTENCE, Understanding, understand
from pos.finder.lexicon import LANGUAGES, LEXICONS, lexicon
from pos.finder.names import Names, names_from
from pos.finder.pieces import plain

ROOT = Path(__file__).parents[2]
SENTENCES = [json.loads(line) for line in Path(__file__).with_name("finder_sentences.jsonl").read_text("utf-8").splitlines()]
NOTHING = [json.loads(line) for line in Path(__file__).with_name("finder_nothing.jsonl").read_text("utf-8").splitlines()]
EXACT_PCT = 95


@cache
def sample_names() -> Names:
    sample = ROOT / "demo" / "sample"
    categories = [json.loads(line)["category_id"] for line in (sample / "categories.jsonl").read_text("utf-8").splitlines()]
    models = (
        model for category in categories for model in json.loads((sample / "models" / f"{category}.json").read_text("utf-8"))
    )
    return names_from(tuple((model["brand"], model["model"], model["year"]) for model in models))


def read(sentence: str, language: str = "fr", currency: str = "EUR") -> Understanding:
    return understand(sentence, language=language, names=sample_names(), currency=currency)


@cache
def criteria(sentence: str, language: str = "fr", currency: str = "EUR") -> dict[str, Any]:
    return read(sentence, language, currency).criteria


def left(sentence: str, language: str = "fr") -> list[str]:
    return [sentence[start:end] for start, end in read(sentence, language).not_understood]


def unordered(told: dict[str, Any]) -> dict[str, Any]:
    return {key: sorted(value) if isinstance(value, list) else value for key, value in told.items()}


def test_sentences_say_what_a_person_expects() -> None:
    wrong = {each["q"]: (criteria(each["q"], each["lang"]), each["criteria"]) for each in SENTENCES if differs(each)}

    assert len(SENTENCES) >= 120
    assert {each["lang"] for each in SENTENCES} == set(LANGUAGES)
    assert len(wrong) * 100 <= len(SENTENCES) * (100 - EXACT_PCT), wrong


def invented(told: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Return the criteria that nobody said."""
    return {
        key: value
        for key, value in told.items()
        if (set(value) - set(expected.get(key, ())) if isinstance(value, list) else value != expected.get(key))
    }


def test_no_sentence_is_read_wrongly() -> None:
    told = {each["q"]: invented(criteria(each["q"], each["lang"]), each["criteria"]) for each in SENTENCES}

    assert {sentence: wrong for sentence, wrong in told.items() if wrong} == {}


@pytest.mark.parametrize("written", ["upper", "no commas", "clauses turned round", "greeting", "no accents"])
def test_how_a_sentence_is_written_says_nothing(written: str) -> None:
    ways: dict[str, Callable[[str], str]] = {
        "upper": str.upper,
        "no commas": lambda sentence: sentence.replace(", ", " "),
        "clauses turned round": lambda sentence: ", ".join(reversed(sentence.rstrip("?.! ").split(", "))),
        "greeting": lambda sentence: f"Bonjour, {sentence}, merci beaucoup",
        "no accents": plain,
    }
    other = [each["q"] for each in SENTENCES[::4] if differs(each, ways[written])]

    assert len(other) * 4 * 100 <= len(SENTENCES), other


def differs(each: dict[str, Any], way: Callable[[str], str] = str) -> bool:
    return unordered(criteria(way(each["q"]), each["lang"])) != unordered(each["criteria"])


def test_the_page_may_be_in_another_language_than_the_sentence() -> None:
    other = [
        (language, each["q"])
        for each in SENTENCES[::8]
        for language in LANGUAGES
        if unordered(criteria(each["q"], language)) != unordered(each["criteria"])
    ]

    assert len(other) * 8 * 100 <= len(SENTENCES) * len(LANGUAGES) * 2, other


def test_what_asks_for_no_device_says_nothing() -> None:
    assert len(NOTHING) >= 30
    assert {each["q"]: told for each in NOTHING if (told := criteria(each["q"], each["lang"]))} == {}


def test_a_sentence_is_understood_in_a_moment() -> None:
    criteria(SENTENCES[0]["q"])
    began = time.process_time()
    for each in SENTENCES:
        read(each["q"], each["lang"])

    assert (time.process_time() - began) / len(SENTENCES) < 0.020  # 2 ms on a quiet machine


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("100 Go de data", {"data_min_gb": 100}),
        ("téléphone 128 Go et forfait 100 Go", {"category": "phones", "storage_gb": 128, "deal": "bundle", "data_min_gb": 100}),
        ("iphone 13", {"model": ["iPhone 13"]}),
        ("iphone 13 à 300", {"model": ["iPhone 13"]}),
        ("S22", {"model": ["Galaxy S22"]}),
        ("S22+", {"model": ["Galaxy S22+"]}),
        ("s22 plus", {"model": ["Galaxy S22+"]}),
        ("iphone13pro max", {"model": ["iPhone 13 Pro Max"]}),
        ("ipad 10 pouces", {"family": "iPad", "screen_tenths_in": 100}),
        ("sauf Apple, Samsung et Xiaomi", {"exclude_brand": ["Apple", "Samsung", "Xiaomi"]}),
        ("pas d'Apple, grand écran", {"exclude_brand": ["Apple"], "wants": ["big_screen"]}),
        ("entre cent cinquante et deux cents euros", {"price_min_cents": 15000, "price_max_cents": 20000}),
        ("de 200 à 300 €", {"price_min_cents": 20000, "price_max_cents": 30000}),
        (
            "neuf portables pour une école",
            {"quantity": 9, "category": "laptops", "for_whom": "school", "intent": "business_quote"},
        ),
        ("un téléphone à batterie neuve", {"category": "phones", "new_battery": True}),
        ("1.299,99 € max", {"price_max_cents": 129999}),
        ("iphone 12 128 go", {"model": ["iPhone 12"], "storage_gb": 128}),
    ],
)
def test_the_traps_catch_nobody(sentence: str, expected: dict[str, Any]) -> None:
    assert unordered(criteria(sentence)) == unordered(expected)


@pytest.mark.parametrize(
    ("sentence", "language", "expected"),
    [
        ("iPhone 12 ou plus récent", "fr", {"family": "iPhone", "year_min": 2020}),
        ("iPhone 12 128 Go ou plus récent", "fr", {"family": "iPhone", "year_min": 2020, "storage_gb": 128}),
        ("iPhone 13 ou 14 ou plus récent", "fr", {"family": "iPhone", "year_min": 2021}),
        ("iPhone 12 minimum, 300 €", "fr", {"family": "iPhone", "year_min": 2020, "price_max_cents": 30000}),
        ("plus récent que l'iPhone 12", "fr", {"family": "iPhone", "year_min": 2021}),
        ("un iPhone 12 Pro ou plus récent", "fr", {"family": "iPhone", "year_min": 2020, "model_contains": "Pro"}),
        ("S22 or later", "en", {"family": "Galaxy S", "year_min": 2022}),
        ("at least a Pixel 7, 128GB", "en", {"family": "Pixel", "year_min": 2022, "storage_gb": 128}),
        ("iPad Air 4 or newer", "en", {"family": "iPad Air", "year_min": 2020}),
        ("desde el iPhone 13", "es", {"family": "iPhone", "year_min": 2021}),
        ("Dyson V8 o más nuevo", "es", {"brand": ["Dyson"], "year_min": 2016}),
        ("iPhone 12 oder neuer", "de", {"family": "iPhone", "year_min": 2020}),
        ("iPhone 12", "fr", {"model": ["iPhone 12"]}),
        ("iPhone 13 minimum 128 Go", "fr", {"model": ["iPhone 13"], "storage_min_gb": 128}),
        ("iPhone 13, au moins en très bon état", "fr", {"model": ["iPhone 13"], "grade_min": "GOOD"}),
        ("iPhone 12 + forfait 50 Go", "fr", {"model": ["iPhone 12"], "deal": "bundle", "data_min_gb": 50}),
        ("iPhone de 2021 ou plus récent", "fr", {"family": "iPhone", "year_min": 2021}),
    ],
)
def test_or_newer_is_the_line_of_a_model_from_its_year_on(sentence: str, language: str, expected: dict[str, Any]) -> None:
    assert criteria(sentence, language) == expected


def test_or_newer_says_where_it_stands_and_is_left_where_no_one_line_is_meant() -> None:
    sentence = "un iPhone 12 noir ou plus récent"

    assert [(key, sentence[start:end]) for key, _, start, end in read(sentence).said] == [
        ("family", "iPhone 12"),
        ("color", "noir"),
        ("year_min", "ou plus récent"),
    ]
    assert criteria("iPhone 12, Pixel 6 ou plus récent") == {"model": ["iPhone 12", "Pixel 6"]}
    assert left("iPhone 12, Pixel 6 ou plus récent") == ["ou plus récent"]


@pytest.mark.parametrize(
    ("sentence", "language", "expected"),
    [
        ("un móvil que no cueste más de 200 €", "es", {"category": "phones", "price_max_cents": 20000}),
        ("it should not cost more than 200 euros", "en", {"price_max_cents": 20000}),
        ("pas d'Apple, au moins 200 €", "fr", {"exclude_brand": ["Apple"], "price_min_cents": 20000}),
        ("150 to 200 euros", "en", {"price_min_cents": 15000, "price_max_cents": 20000}),
        ("8 Go de RAM 128 Go", "fr", {"ram_gb": 8, "storage_gb": 128}),
        ("8/256", "fr", {"ram_gb": 8, "storage_gb": 256}),
        ("S21 de 128", "es", {"model": ["Galaxy S21"], "storage_gb": 128}),
        ("my daughter is 15 and wants an iPhone", "en", {"for_whom": "teen", "family": "iPhone"}),
        ("S22 mais pas le Ultra", "fr", {"model": ["Galaxy S22"], "exclude_model_contains": "Ultra"}),
        ("neues Handy", "de", {"category": "phones"}),
        ("a phone for my pet, it does not matter", "en", {"category": "phones"}),
    ],
)
def test_what_unseen_customers_taught(sentence: str, language: str, expected: dict[str, Any]) -> None:
    assert criteria(sentence, language) == expected


@pytest.mark.parametrize(
    ("sentence", "language", "model"),
    [
        ("AirPods Pro deuxième génération", "fr", "AirPods Pro 2"),
        ("AirPods Pro (2e génération)", "fr", "AirPods Pro 2"),
        ("la deuxième génération d'AirPods Pro", "fr", "AirPods Pro 2"),
        ("AirPods Pro première génération", "fr", "AirPods Pro"),
        ("2nd gen AirPods Pro", "en", "AirPods Pro 2"),
        ("AirPods Pro gen 2", "en", "AirPods Pro 2"),
        ("third-gen airpods", "en", "AirPods 3"),
        ("ipad mini sixth generation", "en", "iPad mini 6"),
        ("ThinkPad X1 Carbon Gen 9", "en", "ThinkPad X1 Carbon Gen 9"),
        ("iPad de novena generación", "es", "iPad 9"),
        ("AirPods Pro der zweiten Generation", "de", "AirPods Pro 2"),
        ("iPad 9. Generation", "de", "iPad 9"),
        ("second hand iPhone 12", "en", "iPhone 12"),
        ("iPhone zwölf mini", "de", "iPhone 12 mini"),
    ],
)
def test_a_model_is_known_by_its_generation_and_by_a_number_in_words(sentence: str, language: str, model: str) -> None:
    assert criteria(sentence, language) == {"model": [model]}


def test_one_value_is_kept_of_what_can_have_one_and_the_rest_is_given_back() -> None:
    sentence = "Galaxy mais ni le A54 ni le S22"

    assert criteria(sentence) == {"family": "Galaxy", "exclude_model_contains": "A54"}
    assert left(sentence) == ["S22"]
    assert criteria("un iPhone, ni Pro Max ni Pro") == {"family": "iPhone", "exclude_model_contains": "Pro"}
    assert left("un iPhone, ni Pro Max ni Pro") == []
    assert criteria("Lightning or USB-C? I want USB-C", "en") == {"connector": "USB-C"}


@pytest.mark.parametrize(
    ("sentence", "language", "expected"),
    [
        ("Le téléphone doit avoir un écran bien grand", "fr", {"category": "phones", "wants": ["big_screen"]}),
        ("a phone whose battery should be really good", "en", {"category": "phones", "wants": ["big_battery"]}),
        ("ein Handy, der Akku soll lange halten", "de", {"category": "phones", "wants": ["big_battery"]}),
        ("j'ai 15 ans", "fr", {"for_whom": "teen"}),
        ("je veux pas d'un téléphone neuf", "fr", {"category": "phones"}),
        ("earbuds for my iPhone", "en", {"category": "earbuds"}),
        ("nothing complicated", "en", {"wants": ["simple"]}),
        ("entre deux et trois cents euros", "fr", {"price_min_cents": 20000, "price_max_cents": 30000}),
        ("mein S20 gegen ein S22 tauschen", "de", {"intent": "trade_in", "model": ["Galaxy S20 5G"]}),
        ("half a terabyte", "en", {"storage_gb": 512}),
        ("min. 6 GB RAM", "de", {"ram_min_gb": 6}),
        ("zur Not Blau", "de", {"color": ["blue"]}),
        ("écouter de la musique", "fr", {}),
        ("less than 180 grams", "en", {}),
        ("cheaper than an iPhone 13", "en", {}),
        ("je n'ai pas forcément besoin de jack", "fr", {}),
        ("256gb or nothing", "en", {"storage_gb": 256}),
        ("iphone 8 plus", "en", {"family": "iPhone"}),
        ('14" or 15" laptop', "en", {"screen_tenths_in": 140, "category": "laptops"}),
        ("8 to 16 GB of RAM", "en", {"ram_min_gb": 8}),
        ("MacBook Pro 14 M3, 32 Go, 1 To", "fr", {"model": ["MacBook Pro 14 M3"], "ram_gb": 32, "storage_gb": 1024}),
        ("5G 200 Go 20 euros", "fr", {"network": "5G", "data_min_gb": 200, "monthly_max_cents": 2000}),
        ("un téléphone à grand écran", "fr", {"category": "phones", "wants": ["big_screen"]}),
        ("un téléphone à plus de 300 €", "fr", {"category": "phones", "price_min_cents": 30000}),
        ("budget : 250", "fr", {"price_max_cents": 25000}),
        ("iphone 12 x2", "en", {"model": ["iPhone 12"], "quantity": 2}),
        ("iPhone 13 / 128 Go / noir", "fr", {"model": ["iPhone 13"], "storage_gb": 128, "color": ["black"]}),
        ("unos cascos por 50 euros", "es", {"category": "headphones", "price_max_cents": 5000}),
        ("will von Samsung zu Apple wechseln", "de", {"brand": ["Apple"]}),
        ("upgrade from an iPhone 8 to something newer", "en", {}),
        ("phone case, max 20 euros", "en", {"price_max_cents": 2000}),
        ("carte sim 30 go", "fr", {"deal": "sim_only", "data_min_gb": 30}),
        ("neuer Akku für mein iPhone 12", "de", {"intent": "repair", "fault": "battery", "model": ["iPhone 12"]}),
        ("no quiero un móvil Xiaomi", "es", {"category": "phones", "exclude_brand": ["Xiaomi"]}),
        ("pixel si hay, si no samsung", "es", {"family": "Pixel", "brand": ["Samsung"]}),
        ("13er iPhone", "de", {"model": ["iPhone 13"]}),
        ("ein Handy, das nicht kaputt geht", "de", {"category": "phones", "wants": ["durable"]}),
        ("ich habe ein iPhone 8 und will ein iPhone 13", "de", {"model": ["iPhone 13"]}),
        ("mon iPhone est mort, je cherche un remplaçant sous 200 €", "fr", {"price_max_cents": 20000}),
        ("combien je peux tirer de mon iPhone 12", "fr", {"intent": "trade_in", "model": ["iPhone 12"]}),
    ],
)
def test_what_more_unseen_customers_taught(sentence: str, language: str, expected: dict[str, Any]) -> None:
    assert criteria(sentence, language) == expected


def test_a_digit_is_never_forgiven() -> None:
    assert "model" not in criteria("iphone 1З")
    assert criteria("iphnoe 13") == {"model": ["iPhone 13"]}
    assert criteria("iphone 99") == {"family": "iPhone"}


def test_an_amount_in_another_currency_is_said_and_is_no_price() -> None:
    assert criteria("phone under $300", "en") == {"category": "phones", "unsupported_currency": "USD"}
    assert criteria("phone under $300", "en", "USD") == {"category": "phones", "price_max_cents": 30000}


def test_words_of_another_language_are_understood_after_those_of_the_page() -> None:
    assert criteria("cheap phone with a big screen", "fr") == {"category": "phones", "wants": ["cheap", "big_screen"]}


def test_what_was_not_understood_is_given_back_as_it_was_written() -> None:
    assert left("un téléphone qui ne Chauffe jamais, moins de 250 €") == ["Chauffe"]
    assert left("téléphone 128 Go") == []
    assert left("pas un gros aspirateur") == ["gros"]


def test_a_sentence_says_where_each_criterion_stands() -> None:
    sentence = "un téléphone, moins de 250 €"

    assert [(key, sentence[start:end]) for key, _, start, end in read(sentence).said] == [
        ("category", "téléphone"),
        ("price_max_cents", "moins de 250 €"),
    ]


@settings(max_examples=60)
@given(st.text(max_size=LONGEST_SENTENCE * 2), st.sampled_from(LANGUAGES))
def test_any_text_is_read(sentence: str, language: str) -> None:
    understanding = read(sentence, language)

    json.dumps(understanding.criteria)
    assert all(0 <= start < end <= LONGEST_SENTENCE for start, end in understanding.not_understood)


def test_every_file_of_the_lexicons_is_read_by_the_grammar() -> None:
    code = "".join(path.read_text("utf-8") for path in (ROOT / "pos" / "finder").glob("*.py"))

    for path in LEXICONS.glob("*/*.json"):
        assert f'"{path.stem}' in code, path
    for language in LANGUAGES:
        assert len(lexicon(language).phrases) > 500


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "phone with at least 3 years of updates"),
        ("fr", "un téléphone avec 3 ans de mises à jour"),
        ("es", "un móvil con 3 años de actualizaciones"),
        ("de", "Handy mit 3 Jahren Updates"),
    ],
)
def test_years_of_updates_are_counted_from_today(language: str, sentence: str) -> None:
    assert criteria(sentence, language) == {"category": "phones", "updates_min_year": clock.now().year + 3}
