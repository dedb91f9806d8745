"""The words SKUs are found by, and what is typed read as one of them: without case, accents or punctuation, one edit forgiven.

Derived from the rows of SKUs and categories; written again in the transaction that changes them.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from sqlite_utils import Database

MAX_WORDS = 8
LONGEST_TEXT = 200
LONGEST_WORD = 40
FORGIVEN_FROM = 5
"""So many letters a word has at least whose edit is forgiven."""


def words_of(text: str) -> list[str]:
    """Return the words of a text as search sees them: no case, no accents, no punctuation."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return re.findall(r"[a-z0-9]+", plain)


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

    A text without a single word we know how to read (`*`, another script) is `""`: it matches nothing.
    """
    words = [word[:LONGEST_WORD] for word in words_of(text[:LONGEST_TEXT])[:MAX_WORDS]]
    if not words:
        return ("" if text.strip() else None), None
    understood = [_understood(database, word) for word in words]
    corrected = " ".join(understood) if understood != words else None
    return " ".join(f'"{word}"*' for word in understood), corrected


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


def _understood(database: Database, word: str) -> str:
    """Return `word`, or where nothing begins with it the word of five letters or more that is one edit away.

    Of several, the one that more SKUs carry.
    """
    if len(word) < FORGIVEN_FROM - 1:
        return word
    begins = "select 1 from spelling where stem >= :word and stem < :word || '{' and word = stem limit 1"
    if database.execute(begins, {"word": word}).fetchone():
        return word
    candidates = database.execute(
        "select distinct word, skus from spelling where stem in (select value from json_each(?))", [json.dumps([*_stems(word)])]
    )
    near = [(-skus, other) for other, skus in candidates if len(other) >= FORGIVEN_FROM and _is_one_edit_apart(word, other)]
    _, nearest = min(near, default=(0, word))
    return nearest


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
