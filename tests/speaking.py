"""Languages that are not offered yet: the product's own pages with small files of a test in place of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polib
import pytest

import templates
from shop import languages

FORMS = {"ar": "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);"}
SIMPLE = "nplurals=2; plural=(n != 1);"


def speak(
    monkeypatch: pytest.MonkeyPatch, folder: Path, sentences: Mapping[str, Mapping[str, str]], *, claim: str = "customers"
) -> None:
    """Let every part speak these languages, with some sentences of each by their French; the rest is said in French."""
    for entry in templates.PATH.iterdir():
        own = folder / entry.name
        if not any(entry.glob("*.po")):
            own.symlink_to(entry)
            continue
        own.mkdir()
        for each in entry.iterdir():
            (own / each.name).symlink_to(each)
        for language, said in sentences.items():
            file = polib.POFile()
            file.metadata = {"Language": language, "X-Complete": claim, "Content-Type": "text/plain; charset=utf-8"}
            file.metadata["Plural-Forms"] = FORMS.get(language, SIMPLE)
            file.extend(polib.POEntry(msgid=french, msgstr=text) for french, text in said.items())
            path = own / f"{language}.po"
            # What stands there leads to the product's own file.
            path.unlink(missing_ok=True)
            file.save(str(path))
    monkeypatch.setattr(templates, "PATH", folder)
    forget()


def forget() -> None:
    """Leave to those who come after what the product itself says."""
    for cached in (languages.sentences_of, languages._said):
        cached.cache_clear()
