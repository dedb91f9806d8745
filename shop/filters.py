"""What templates of one language say money, days and names with; a block rendered alone sees these where it sees no import."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from jinja2 import pass_context
from markupsafe import escape

import templates
from pos import languages, skus
from pos.day_words import day_words
from pos.locales import LOCALES
from pos.months import plan_spans, spans
from pos.totals import Line
from pos.words import words
from shop.door import visitor
from shop.forms import with_query
from sync.faults import Fault, fault


def filters_of(language: str) -> dict[str, Callable[..., Any]]:
    """Return the filters of a language. Where no currency or time zone is given, it is the visitor's.

    Those take the context, which they do not need: Jinja answers others for a constant once, when it compiles the page.
    """
    said, days = words(language, templates.PATH), day_words(language, templates.PATH)
    return {
        "money": pass_context(lambda _, cents, currency=None: languages.money(cents, currency or visitor().currency, language)),
        "short": pass_context(lambda _, cents: languages.short_money(cents, visitor().currency, language)),
        "hundredths": lambda value: languages.hundredths(value, language),
        "share": lambda value: languages.fraction(value, 2, language),
        "direction": direction,
        "language": lambda code: languages.LANGUAGES.get(code, code),
        "number": lambda value: languages.number(value, language),
        "tenths": lambda value: languages.tenths(value, language),
        "date": lambda text: languages.date(text, language),
        "day": pass_context(lambda _, text, zone=None: languages.day(text, language, zone or visitor().time_zone)),
        "moment": pass_context(lambda _, text, zone=None: languages.moment(text, language, zone or visitor().time_zone)),
        "hour": pass_context(lambda _, text: _hour(text, language, visitor().time_zone)),
        "text": lambda texts: languages.text_of(texts, language),
        "inside": LOCALES[language].inside,
        "listed": lambda parts: escape(LOCALES[language].comma).join(part for part in parts if part),
        "storage": lambda gigabytes: languages.storage(gigabytes, language),
        "months": lambda lines: spans(tuple(Line.from_slip(line) for line in lines)),
        "battery": said.battery,
        "option": pass_context(
            lambda _, terms, quantity, currency=None: said.option(terms, quantity, currency or visitor().currency)
        ),
        "line_names": said.names,
        "acquisition": said.acquisition,
        "reason": pass_context(lambda _, reason, currency=None: said.reason(reason, currency or visitor().currency)),
        "nearest": said.nearest,
        "fault": lambda code: told_fault(code, language),
        "credit": pass_context(lambda _, credit, currency=None: said.credit(credit, currency or visitor().currency)),
        "compared": pass_context(lambda _, line, currency=None: said.compared(line, currency or visitor().currency)),
        "levy": pass_context(lambda _, cents: said.levy(cents, visitor().currency)),
        "leaving": pass_context(lambda _, cents, currency=None: said.leaving(cents, currency or visitor().currency)),
        "refunded": pass_context(lambda _, cents, currency=None: said.refunded(cents, currency or visitor().currency)),
        "tariff": plan_spans,
        "each_month": pass_context(lambda _, each: said.each_month(each, visitor().currency)),
        "for_how_long": pass_context(lambda _, each, currency=None: said.for_how_long(each, currency or visitor().currency)),
        "monthly": pass_context(
            lambda _, cents, each=(), currency=None: said.monthly(cents, each, currency or visitor().currency)
        ),
        "definition": days.definition,
        "named": lambda rows: list(zip(days.names(rows), rows, strict=True)),
        "name": skus.title,
        "plus": with_query,
    }


def direction(language: str) -> str:
    """Return which way a language is read, as HTML says it."""
    return "rtl" if LOCALES[language].is_right_to_left else "ltr"


def told_fault(code: str, language: str) -> Fault:
    """Return what is said of a fault in a language: the same at the counter, on paper, at HQ and at the doctor's."""
    return fault(code).told(languages.translations("shop", language, templates.PATH))


@lru_cache(maxsize=4096)
def _hour(text: str, language: str, time_zone: str) -> str:
    """Return the local minute of a UTC text: `14:32`."""
    return languages.moment(text, language, time_zone).rpartition(", ")[2]
