"""Pages in each language: sentences without variables are translated when a template is compiled, once, not at every request.

French stands in the templates as `_("…")`; a page in English comes from the same template compiled again.
"""

from __future__ import annotations

import re
from pathlib import Path

from babel.support import NullTranslations
from jinja2 import Environment
from jinja2.ext import Extension

from pos import languages

MOST_PAGES = 100
PLAIN_SENTENCE = re.compile(r'\b_\("((?:[^"\\]|\\.)*)"\)')


def page_environments(base: Environment, pages: Path) -> dict[str, Environment]:
    """Return an environment for each language, sharing filters and globals with `base`."""
    made = {}
    for language in languages.LANGUAGES:
        sentences = languages.translations("kiosk", language, pages)
        made[language] = base.overlay(extensions=[_translated(sentences)], cache_size=MOST_PAGES)
    return made


def _translated(translations: NullTranslations) -> type[Extension]:
    """Return the extension that puts the translation in the place of each plain sentence."""

    def translate(match: re.Match[str]) -> str:
        text = translations.gettext(match[1]).replace("%%", "%")
        return '"' + text.replace('"', '\\"') + '"'

    class Translated(Extension):
        """Plain sentences become constants, which Jinja escapes and joins to the markup around them."""

        def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:  # noqa: ARG002 -- Jinja's hook
            return PLAIN_SENTENCE.sub(translate, source)

    return Translated
