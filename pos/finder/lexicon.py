"""What words mean: the lexicons of four languages and of none, read once.

A file is named by what its phrases are (`wants.json`), its keys are what they stand for. In a phrase `a/b` is either word and a
word that ends in `?` may be missing. A phrase is found as it is written, or by the stems of its words.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from pathlib import Path

import snowballstemmer

from pos.finder.pieces import Piece, plain, words_in

LEXICONS = Path(__file__).with_name("lexicons")
STEMMERS = {"fr": "french", "en": "english", "es": "spanish", "de": "german"}
LANGUAGES = tuple(STEMMERS)
STEMMED_FROM = 4
"""So many letters a word has at least that is reduced to its stem."""
UMLAUTS = {"ä": "ae", "ö": "oe", "ü": "ue"}

Meanings = dict[str, str]
"""What a phrase may be: its value in each file it stands in."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The phrases of a language: their meanings by words and by stems, and the longest that begins with a word."""

    language: str
    phrases: dict[tuple[str, ...], Meanings]
    stemmed: dict[tuple[str, ...], Meanings]
    longest: dict[str, int]

    def match(self, pieces: Sequence[Piece], place: int) -> tuple[int, Meanings] | None:
        """Return how many pieces the longest phrase at `place` takes, and its meanings."""
        matched = self.found(pieces, place)
        return matched[:2] if matched else None

    def found(self, pieces: Sequence[Piece], place: int) -> tuple[int, Meanings, bool] | None:
        """Return the same, and whether the phrase is as it is written; by its stems it is not."""
        first = pieces[place].text
        for length in range(max(self.longest.get(first, 0), self.longest.get(self._stem(first), 0)), 0, -1):
            words = tuple(piece.text for piece in pieces[place : place + length])
            if len(words) != length:
                continue
            if meanings := self.phrases.get(words):
                return length, meanings, True
            if meanings := self.stemmed.get(tuple(self._stem(word) for word in words)):
                return length, meanings, False
        return None

    def _stem(self, word: str) -> str:
        return stem(word, self.language)


@lru_cache(maxsize=16384)
def stem(word: str, language: str) -> str:
    """Return the stem of a word, marked as one: no word is a stem. Short ones, and those of no language, are their own."""
    if language not in STEMMERS or len(word) < STEMMED_FROM or not word.isalpha():
        return word
    return f"{plain(_stemmer(language).stemWord(word))}~"


@lru_cache
def lexicon(language: str) -> Lexicon:
    """Return the lexicon of a language, or of none: `any`."""
    phrases: dict[tuple[str, ...], Meanings] = defaultdict(dict)
    stemmed: dict[tuple[str, ...], Meanings] = {}
    longest: dict[str, int] = {}
    for path in sorted((LEXICONS / language).glob("*.json")):
        for value, written in json.loads(path.read_text(encoding="utf-8")).items():
            for words in (words for text in written for words in _spelt(text, language)):
                phrases[words].setdefault(_kind(path.stem, value), value)
    for words, meanings in phrases.items():
        stems = tuple(stem(word, language) for word in words)
        stemmed.setdefault(stems, meanings)
        for first in {words[0], stems[0]}:
            longest[first] = max(longest.get(first, 0), len(words))
    return Lexicon(language, dict(phrases), stemmed, longest)


@lru_cache
def number_words(language: str) -> dict[str, frozenset[str]]:
    """Return the words of numbers: `number`, `inner` within one, `start` before one, `guarded` that mean something else too."""
    path = LEXICONS / language / "numbers.json"
    return {name: frozenset(words) for name, words in json.loads(path.read_text(encoding="utf-8")).items()}


@lru_cache
def known_words() -> frozenset[str]:
    """Return every word of every lexicon."""
    words = {word for language in ("any", *LANGUAGES) for phrase in lexicon(language).phrases for word in phrase}
    return frozenset(words | {word for language in LANGUAGES for kind in number_words(language).values() for word in kind})


@lru_cache
def words_of_language(language: str) -> frozenset[str]:
    """Return the words that one language's lexicon has, with those of none."""
    phrases = (*lexicon(language).phrases, *lexicon("any").phrases)
    return frozenset(word for phrase in phrases for word in phrase)


@lru_cache
def _stemmer(language: str) -> snowballstemmer.SnowballStemmer:
    return snowballstemmer.stemmer(STEMMERS[language])


def _kind(file: str, value: str) -> str:
    """Return what a phrase of a file is. Those of some files are each of a kind of their own, since one phrase may be several."""
    return f"{file}.{value}" if file in ("comparators", "words", "for_words", "broken") else file


def _spelt(text: str, language: str) -> Iterator[tuple[str, ...]]:
    """Yield every phrase that a text of a lexicon stands for."""
    choices = []
    for word in text.split():
        written = re.split("/", word.removesuffix("?"))
        choices.append([each.removesuffix("?") for each in written] + ([""] if word.endswith("?") else []))
    for picked in product(*choices):
        phrase = " ".join(word for word in picked if word)
        if words := words_in(phrase):
            yield words
        if language == "de" and any(letter in phrase for letter in UMLAUTS):
            yield words_in("".join(UMLAUTS.get(letter, letter) for letter in phrase))
