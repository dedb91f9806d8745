"""A model named by its generation: `AirPods Pro, deuxième génération` and `2nd gen AirPods Pro` are the AirPods Pro 2."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from pos.finder.lexicon import LANGUAGES, Meanings, lexicon
from pos.finder.names import Names
from pos.finder.pieces import Piece

MOST_BETWEEN = 3
"""So many words that say nothing may stand between a name and its generation."""
LAST_GENERATION = 20


def model_of_generation(pieces: Sequence[Piece], place: int, names: Names) -> tuple[int, Meanings] | None:
    """Return how many pieces a name with its generation takes at `place`, and the model it is; None where there is none."""
    if not any(piece.text in _words() for piece in pieces):
        return None
    if matched := names.match(pieces, place):
        for end in range(place + matched[0], min(place + matched[0] + MOST_BETWEEN, len(pieces))):
            first = _after_nothing(pieces, end)
            if (generation := _generation(pieces, first)) and (model := _model(pieces[place:end], generation[1], names)):
                return first + generation[0] - place, {"model": model}
    elif generation := _generation(pieces, place):
        first = _after_nothing(pieces, place + generation[0])
        for end in range(min(first + MOST_BETWEEN, len(pieces)), first, -1):
            if model := _model(pieces[first:end], generation[1], names):
                return end - place, {"model": model}
    return None


def _after_nothing(pieces: Sequence[Piece], place: int) -> int:
    """Return the next place of a word that says something."""
    last = place + MOST_BETWEEN
    while place < min(last, len(pieces)) and (pieces[place].is_break or _phrase(pieces, place, "words.stop")):
        place += 1
    return place


def _model(name: Sequence[Piece], number: int, names: Names) -> str | None:
    """Return the model of that generation; the first of a line has no number."""
    words = "".join(piece.text for piece in name)
    said = [f"{words}{number}", f"{words}gen{number}", *([words] if number == 1 else [])]
    return next((key for key in said if key in names.models), None)


def _generation(pieces: Sequence[Piece], place: int) -> tuple[int, int] | None:
    """Return how many pieces a generation takes at `place`, and which one it is: `deuxième génération`, `2nd gen`, `gen 2`."""
    if number := _number(pieces, place):
        after = place + number[0]
        if pieces[after : after + 1] and pieces[after].raw == ".":
            after += 1
        if word := _phrase(pieces, after, "words.generation"):
            return after + word[0] - place, number[1]
    elif word := _phrase(pieces, place, "words.generation"):
        if number := _number(pieces, place + word[0]):
            return word[0] + number[0], number[1]
    return None


def _number(pieces: Sequence[Piece], place: int) -> tuple[int, int] | None:
    if place < len(pieces) and pieces[place].text.isdecimal() and int(pieces[place].text) <= LAST_GENERATION:
        return 1, int(pieces[place].text)
    word = _phrase(pieces, place, "ordinals")
    return (word[0], int(word[1])) if word else None


def _phrase(pieces: Sequence[Piece], place: int, kind: str) -> tuple[int, str] | None:
    if place < len(pieces):
        for language in LANGUAGES:
            matched = lexicon(language).match(pieces, place)
            if matched and kind in matched[1]:
                return matched[0], matched[1][kind]
    return None


@lru_cache
def _words() -> frozenset[str]:
    """Return the words that say "generation"."""
    phrases = (
        words for language in LANGUAGES for words, kinds in lexicon(language).phrases.items() if "words.generation" in kinds
    )
    return frozenset(words[-1] for words in phrases)
