"""The words SKUs are found by, and what is typed read as one of them: without case, accents or punctuation, one edit forgiven.

Derived from the rows of SKUs and categories; written again in the transaction that changes them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from sqlite_utils import Database

MAX_WORDS = 8
LONGEST_TEXT = 200
LONGEST_WORD = 40
FORGIVEN_FROM = 5
"""So many letters a word has at least whose edit is forgiven."""
LEAST_APART = 3
"""So many letters each part of a word has at least that is written apart."""
ARABIC = str.maketrans("ىة٠١٢٣٤٥٦٧٨٩", "يه0123456789", "ـ")
"""Letters that are written for each other, figures, and the line that only stretches a word."""
ARTICLE = re.compile(r"^(?:ال)+(?=[ء-ي]{3})")
"""What "the" is written as, however often: some words begin like it themselves."""


def words_of(text: str) -> list[str]:
    """Return the words of a text as search sees them: no case, no accents, no punctuation, and in Arabic no article."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    words = re.findall(r"[a-z0-9]+|[ء-ي]+", plain.translate(ARABIC))
    return [word if word.isascii() else ARTICLE.sub("", word) for word in words]


def index_words(database: Database) -> None:
    """Index every SKU's words and the spellings that lead to them; runs inside the caller's transaction."""
    database.execute("delete from sku_search")
    names = {
        category_id: " ".join(json.loads(body)["name"].values())
        for category_id, body in database.execute("select category_id, body from shown_category")
    }
    rows = database.execute("select sku_id, category_id, brand, model, storage_gb, body from shown_sku")
    database.conn.executemany("insert into sku_search (rowid, words) values (?, ?)", (_words_row(row, names) for row in rows))
    database.execute("delete from spelling")
    vocabulary = list(database.execute("select term, doc from sku_word"))
    database.conn.executemany(
        "insert into spelling (stem, word, skus) values (?, ?, ?)",
        ((stem, word, skus) for word, skus in vocabulary for stem in _spellings(word)),
    )


def match(database: Database, text: str) -> tuple[str | None, str | None]:
    """Return the full-text expression for `text`, None when nothing is asked, and the words it was corrected to after a typo.

    A text without a single word we know how to read (`*`, another script) is `""`: it matches nothing. Words written together or
    apart are the same (`iphone13`, `air pods`). A word with a digit is never taken for another, nor for the beginning of one
    where it is a word itself: "13" finds no 12, and "5" no 512.
    """
    words = [word[:LONGEST_WORD] for word in words_of(text[:LONGEST_TEXT])[:MAX_WORDS]]
    if not words:
        return ("" if text.strip() else None), None
    known = _known(database, words)
    nearest = _nearest(known, [part for word in words for part in _parts(word, known) if not known.leads(part)])
    expressions: list[str] = []
    understood: list[str] = []
    joined = False
    for place, word in enumerate(words):
        meant = [nearest.get(part, part) for part in _parts(word, known)]
        understood.append(word if "".join(meant) == word else " ".join(meant))
        expression = " AND ".join(map(known.term, meant))
        if len(meant) > 1 and known.leads(word):
            expression = f"({expression}) OR {known.term(word)}"
        together = words[place - 1] + word if place and not joined else ""
        joined = bool(together) and _may_join(words[place - 1], word) and known.leads(together)
        if joined:
            expression = f"(({expressions.pop()}) AND ({expression})) OR {known.term(together)}"
        expressions.append(expression)
    corrected = " ".join(understood) if understood != words else None
    return " AND ".join(f"({expression})" for expression in expressions), corrected


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """Which of the texts asked about are words, which begin one, and the words near one of them, the commonest first."""

    words: frozenset[str]
    beginnings: frozenset[str]
    near: tuple[str, ...]

    def leads(self, text: str) -> bool:
        """Tell whether something is found by a text."""
        return text in self.words or text in self.beginnings

    def term(self, word: str) -> str:
        """Return what is asked for a word: what begins with it too, unless it is one with a digit."""
        return f'"{word}"' if word in self.words and not word.isalpha() else f'"{word}"*'


def _known(database: Database, words: list[str]) -> _Vocabulary:
    """Look up the words, each two of them written together, the parts each may be written apart in, and what is near: at once."""
    asked = {*words, *map("".join, pairwise(words))}
    splits = [pair for word in words for pair in _splits(word)]
    asked |= {part for left, right in splits for pair in ((left, right), *_figures_first(right)) for part in pair}
    named = [left for left, right in splits if right[0].isdigit()]
    stems = {stem for word in (*words, *named) if _is_forgiven(word) for stem in _stems(word)}
    rows = database.execute(
        """
        select value, exists(select 1 from spelling where stem = value and word = value),
          exists(select 1 from spelling where stem >= value and stem < value || char(1114111) and word = stem), null
        from json_each(:asked)
        union all
        select distinct word, null, null, skus from spelling where stem in (select value from json_each(:stems))
        """,
        {"asked": json.dumps(sorted(asked)), "stems": json.dumps(sorted(stems))},
    ).fetchall()
    near = sorted(
        (-skus, word) for word, _, _, skus in rows if skus is not None and len(word) >= FORGIVEN_FROM and word.isalpha()
    )
    return _Vocabulary(
        frozenset(word for word, is_word, _, _ in rows if is_word),
        frozenset(word for word, _, begins, _ in rows if begins),
        tuple(word for _, word in near),
    )


def _splits(word: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to write a word apart: between letters and figures, else between two words of three letters and more."""
    if between := re.fullmatch(r"([a-z]{2,})([0-9][a-z0-9]*)|([0-9]+)([a-z]{2,})", word):
        left, right = (part for part in between.groups() if part)
        yield left, right
        for place in range(len(left) - 1, LEAST_APART - 1, -1):
            yield left[:place], word[place:]
    elif word.isalpha():
        for place in range(LEAST_APART, len(word) - LEAST_APART + 1):
            yield word[:place], word[place:]


def _parts(word: str, known: _Vocabulary) -> list[str]:
    """Return a word as the catalogue writes it: as it stands, or apart in two, and what begins with figures in two again."""
    is_named = word[:LEAST_APART].isalpha() and word[-1].isdigit()
    if known.leads(word) and not is_named:
        return [word]
    apart = []
    for left, right in _splits(word):
        rest = [right] if right in known.words else [part for pair in _figures_first(right) for part in pair]
        if rest and known.words.issuperset(rest):
            apart.append([left, *rest])
    if word.isalpha():
        apart = [parts for parts in apart if parts[0] in known.words]
    # What is known comes before what a typo may be forgiven in.
    known_first = [parts for parts in apart if known.leads(parts[0])]
    forgiven = [parts for parts in apart if len(parts[0]) >= FORGIVEN_FROM]
    return next(iter(known_first + forgiven), [word])


def _figures_first(text: str) -> list[tuple[str, str]]:
    return list(_splits(text)) if text[:1].isdigit() else []


def _may_join(left: str, right: str) -> bool:
    """Tell whether two words may be one: not where figures would become another number."""
    return not (left[-1].isdigit() and right[0].isdigit())


def _nearest(known: _Vocabulary, unknown: list[str]) -> dict[str, str]:
    """Return, for words nothing begins with, the word of five letters or more that is one edit away, of several the commonest."""
    near = {word: [other for other in known.near if _is_one_edit_apart(word, other)] for word in unknown if _is_forgiven(word)}
    return {word: others[0] for word, others in near.items() if others}


def _is_forgiven(word: str) -> bool:
    """Tell whether an edit is: never in a word with a digit, nor into one."""
    return len(word) >= FORGIVEN_FROM - 1 and word.isalpha()


def _words_row(row: tuple[Any, ...], category_names: dict[str, str]) -> tuple[int, str]:
    sku_id, category_id, brand, model, storage_gb, body = row
    facts = json.loads(body)
    color = " ".join((facts.get("color") or {}).get("name", {}).values())
    text = f"{brand} {model} {_storage_words(storage_gb)} {color} {category_names.get(category_id, '')} {facts.get('words', '')}"
    return sku_id, " ".join(words_of(text))


def _storage_words(storage_gb: int | None) -> str:
    """Return a capacity as people write it: `128 Go`, `128GB`, and `1 To` for 1,000 or 1,024."""
    if not storage_gb:
        return ""
    words = f"{storage_gb} go gb {storage_gb}go {storage_gb}gb"
    for unit in (1000, 1024):
        if storage_gb % unit == 0:
            words += f" {storage_gb // unit} to tb {storage_gb // unit}to {storage_gb // unit}tb"
    return words


def _spellings(word: str) -> set[str]:
    """Return what leads to an indexed word: itself and, where an edit is forgiven, each form of it with one letter left out."""
    return set(_stems(word)) if len(word) >= FORGIVEN_FROM else {word}


def _stems(word: str) -> Iterator[str]:
    """Yield the word and each form of it with one letter left out: two words one edit apart share one of these."""
    yield word
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]


def _is_one_edit_apart(left: str, right: str) -> bool:
    """Tell whether one letter added, dropped, replaced or swapped with its neighbour turns `left` into `right`."""
    if len(left) > len(right):
        left, right = right, left
    start = next((i for i, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), len(left))
    if len(left) < len(right):
        return left[start:] == right[start + 1 :]
    swapped = right[start + 1 : start + 2] + right[start : start + 1] + right[start + 2 :]
    return left[start + 1 :] == right[start + 1 :] or left[start:] == swapped
