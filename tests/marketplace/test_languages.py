from __future__ import annotations

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import templates

FOLDER = templates.PATH / "marketplace"


def test_every_sentence_has_its_english_and_no_english_is_left_over() -> None:
    options = {"**.html": {"newstyle_gettext": "true"}}
    said = {found[2] for found in extract_from_dir(FOLDER, [("**.html", "jinja2")], options_map=options)}
    with (FOLDER / "en.po").open("rb") as source:
        catalog = read_po(source, locale="en")
    translated = {message.id: message for message in catalog if message.id}
    assert said == set(translated)
    for message in translated.values():
        assert all(message.string if isinstance(message.string, tuple) else (message.string,)), message.id
        assert not list(message.check(catalog)), message.id
