from __future__ import annotations

import ast
from pathlib import Path

from babel.messages.pofile import read_po

import pos.words
import templates


def test_every_fact_has_its_english_and_no_english_is_left_over() -> None:
    calls = [node for node in ast.walk(ast.parse(Path(pos.words.__file__).read_text("utf-8"))) if isinstance(node, ast.Call)]
    named = [call for call in calls if getattr(call.func, "attr", getattr(call.func, "id", "")) in ("_", "gettext", "ngettext")]
    said = {ast.literal_eval(call.args[0]) for call in named}
    with (templates.PATH / "words" / "en.po").open("rb") as source:
        catalog = read_po(source, locale="en")
    translated = {message.id[0] if isinstance(message.id, tuple) else message.id: message for message in catalog if message.id}

    assert said == set(translated)
    for message in translated.values():
        assert all(message.string if isinstance(message.string, tuple) else (message.string,)), message.id
        assert not list(message.check(catalog)), message.id
