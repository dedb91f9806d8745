from __future__ import annotations

import ast
from pathlib import Path

from babel.messages.pofile import read_po

import pos.day_words
import pos.words
import templates
from pos.credit import credit_notice
from pos.eligibility import Reason
from pos.line_facts import LineFacts
from pos.words import words
from tests.pos.test_slip_facts import FACTS


def test_every_fact_has_its_english_and_no_english_is_left_over() -> None:
    modules = [ast.parse(Path(module.__file__).read_text("utf-8")) for module in (pos.words, pos.day_words)]
    calls = [node for module in modules for node in ast.walk(module) if isinstance(node, ast.Call)]
    named = [call for call in calls if getattr(call.func, "attr", getattr(call.func, "id", "")) in ("_", "gettext", "ngettext")]
    said = {ast.literal_eval(call.args[0]) for call in named}
    with (templates.PATH / "words" / "en.po").open("rb") as source:
        catalog = read_po(source, locale="en")
    translated = {message.id[0] if isinstance(message.id, tuple) else message.id: message for message in catalog if message.id}

    assert said == set(translated)
    for message in translated.values():
        assert all(message.string if isinstance(message.string, tuple) else (message.string,)), message.id
        assert not list(message.check(catalog)), message.id


def said(text: str) -> str:
    return text.replace("\xa0", " ")


def test_a_line_is_named_by_what_is_in_it() -> None:
    """The same on a slip, at the counter and in a selection; an option alone is named once."""
    french, english = words("fr", templates.PATH), words("en", templates.PATH)
    phone, console, plan = FACTS["lines"]
    tel: LineFacts = {**phone, "listing": None, "plan": None}

    assert french.names(phone) == ["Apple iPhone 13", "Série 200 Go étalée", "Réparations illimitées"]
    assert french.names(console) == ["Sony PlayStation 5"]
    assert french.names(plan) == ["Série 100 Go"]
    assert english.names(tel) == ["Unlimited repairs"]


def test_a_credit_is_said_with_every_figure_the_law_wants() -> None:
    french, law = words("fr", templates.PATH), {"sentence": {"fr": "Un crédit vous engage."}}
    uneven, even = credit_notice(36900, 4900, 36, law_body=law), credit_notice(40900, 4900, 36, law_body=law)

    assert uneven is not None
    assert even is not None
    assert said(french.credit(uneven.to_facts(), "EUR")) == (
        "Prix comptant 369,00 €, acompte 49,00 €, puis 35 mensualités de 8,89 € et une dernière de 8,85 €. "
        "Montant total du crédit : 320,00 €, TAEG fixe de 0 %. Montant total dû : 320,00 €."
    )
    assert "puis 36 mensualités de 10,00 €. Montant total du crédit" in said(french.credit(even.to_facts(), "EUR"))


def test_what_goes_with_a_price_is_said_once_for_all_pages() -> None:
    french = words("fr", templates.PATH)

    assert said(french.levy(1008, "EUR")) == "Dont rémunération pour copie privée : 10,08 €."
    assert said(french.leaving(6497, "EUR")) == "partir après 12 mois coûterait 64,97 €"
    assert said(french.refunded(144128, "EUR")) == "Après remboursement sur demande : 1 441,28 €".replace("1 ", "1\u202f")
    assert french.nearest({"fr": "Série 100 Go", "en": "100 GB"}) == "Le plus proche qui convient : Série 100 Go."
    assert [french.acquisition(way) for way in ("new", "port", "renewal", None)] == [
        "Nouveau numéro",
        "Je garde mon numéro",
        "Déjà client",
        "numéro à préciser",
    ]


def test_a_refusal_says_why() -> None:
    french = words("fr", templates.PATH)
    reasons = [
        Reason(code="acquisition_not_offered", data={"offered": ["new"]}),
        Reason(code="device_below_minimum", data={"device_cents": 100, "min_device_cents": 25000}),
        Reason(code="too_many_devices", data={"devices": 2, "max_devices": 1}),
        Reason(code="no_device_discount", data={}),
    ]

    assert [said(french.reason(reason, "EUR")) for reason in reasons] == [
        "Ce forfait n’est pas proposé dans votre situation.",
        "Ce forfait demande un appareil à partir de 250 €.",
        "Appareils avec ce forfait, toute la sélection comprise : 1 au plus.",
        "Pas de remise sur l’appareil avec ce forfait.",
    ]
