"""Pages in each language: sentences are translated when a template is compiled, once, not at every request.

French stands in the templates as `_("…")`; a page in English comes from the same template compiled again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from gettext import NullTranslations
from typing import Any

from flask import templating
from jinja2 import Environment
from jinja2.ext import Extension
from markupsafe import Markup

import templates
from pos import languages
from pos.locales import ISOLATED, LOCALES
from shop.door import visitor

MOST_PAGES = 100
APART = Markup("\u2068{}\u2069")
"""A first strong isolate (UAX #9): what stands in it is read its own way and turns nothing beside it round."""
TEXT = r'"(?:[^"\\]|\\.)*"'
SENTENCE = re.compile(rf"\b_\(((?:\s*{TEXT})+)\s*([),])")
"""A sentence of a template: one text, or pieces of it one below the other, which Jinja joins."""


class Pages(templating.Environment):
    """What compiles our templates. Nearly all that pages show are dicts, whose keys Jinja would try last."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return `obj.attribute`: of a dict its key, before its methods."""
        if type(obj) is dict and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def page_environment(
    base: Environment, part: str, language: str, filters_of: Callable[[str], Mapping[str, Callable[..., Any]]]
) -> Environment:
    """Return the environment of a language, with the filters of `base` and those of the language, for the shop and `part`."""
    sentences = sentences_of(part, language)
    page = base.overlay(extensions=[_translated(sentences)], cache_size=MOST_PAGES)
    page.filters = {**base.filters, **filters_of(language)}
    fill = _filled_apart if LOCALES[language].is_right_to_left else _filled
    page.globals = {**base.globals, "_": fill, "ngettext": _counted(sentences, fill)}
    return page


@lru_cache
def sentences_of(part: str, language: str) -> NullTranslations:
    """Return the shop's sentences in a language, and those of the app `part` beside them."""
    shared = languages.translations("shop", language, templates.PATH)
    return languages.translations(part, language, templates.PATH, beside=shared)


def sentence(text: str) -> str:
    """Return a sentence of the shop in the visitor's language."""
    return _said(visitor().language, text)


@lru_cache(maxsize=1024)
def _said(language: str, text: str) -> str:
    return str(languages.translations("shop", language, templates.PATH).gettext(text))


def _translated(translations: NullTranslations) -> type[Extension]:
    """Return the extension that puts the translation in the place of each sentence.

    A plain one becomes a constant, which Jinja escapes and joins to the markup around it; of one with values, `_` fills those in.
    """

    def translate(match: re.Match[str]) -> str:
        text = translations.gettext("".join(json.loads(piece) for piece in re.findall(TEXT, match[1])))
        written = json.dumps(text if match[2] == "," else text.replace("%%", "%"), ensure_ascii=False)
        return f"_({written}," if match[2] == "," else written

    class Translated(Extension):
        """Translates a template before it is compiled."""

        def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 -- Jinja's hook
            return SENTENCE.sub(translate, source)

    return Translated


def _filled(sentence: str, **values: Any) -> Markup:
    """Return a sentence of ours, which may hold markup, with the values in it escaped."""
    return Markup(sentence) % values  # noqa: S704 - a sentence of the templates, never what somebody typed


def _filled_apart(sentence: str, **values: Any) -> Markup:
    """Return a sentence read from right to left: a slip's number, a telephone's or a model's name in it stays as it is."""
    return _filled(sentence, **{name: APART.format(value) if _is_bare(value) else value for name, value in values.items()})


def _is_bare(value: object) -> bool:
    return isinstance(value, str) and not value.startswith(ISOLATED)


def _counted(translations: NullTranslations, fill: Callable[..., Markup]) -> Callable[..., Markup]:
    """Return what says `num` things."""

    def counted(one: str, many: str, count: int, **values: Any) -> Markup:
        return fill(translations.ngettext(one, many, count), **{"num": count, **values})

    return counted
