"""Numbers written in words, read by text2num with the guards it lacks: a range is two numbers, `neuf` is new before nine."""

from __future__ import annotations

import re
from collections.abc import Sequence

from text_to_num import text2num

from pos.finder.lexicon import lexicon, number_words
from pos.finder.pieces import Piece

MOST_WORDS = 8
UNACCENTED = {
    "funf": "fünf",
    "zwolf": "zwölf",
    "dreissig": "dreißig",
    "fuenf": "fünf",
    "zwoelf": "zwölf",
    "veintidos": "veintidós",
    "veintitres": "veintitrés",
    "veintiseis": "veintiséis",
}


def number_at(pieces: Sequence[Piece], place: int, language: str) -> tuple[int, int] | None:
    """Return how many pieces the number written in words at `place` takes, and what it is; None where there is none."""
    run = _run(pieces, place, language)
    while run:
        number = _read(" ".join(piece.raw for piece in run), language)
        if number is not None and not _is_refused(pieces, place, run, language):
            return len(run), number
        # Two numbers joined by "and" are none: what stands before the last "and" may be one.
        inner = number_words(language)["inner"]
        run = run[: max((index for index, piece in enumerate(run) if piece.text in inner), default=0)]
    return None


def _run(pieces: Sequence[Piece], place: int, language: str) -> list[Piece]:
    """Return the pieces from `place` that may be one number."""
    words = number_words(language)
    run: list[Piece] = []
    for piece in pieces[place : place + MOST_WORDS]:
        is_number = _is_word(piece.text, language)
        if not run and not is_number and piece.text not in words["start"]:
            return []
        if run and not is_number and piece.text not in words["inner"]:
            break
        run.append(piece)
    while run and not _is_word(run[-1].text, language) and not (len(run) > 2 and run[-2].text in ("et",)):
        run.pop()
    return run


def _is_word(word: str, language: str) -> bool:
    words = number_words(language)
    if word in words["number"]:
        return True
    pieces = words.get("pieces", frozenset())
    return (
        bool(pieces)
        and len(word) > 5
        and bool(re.fullmatch("(?:" + "|".join(sorted(pieces, key=len, reverse=True)) + ")+", word))
    )


def _is_refused(pieces: Sequence[Piece], place: int, run: Sequence[Piece], language: str) -> bool:
    """Tell whether a word that means something else too is no number: `neuf` is one before a unit or devices alone."""
    if len(run) > 1 or run[0].text not in number_words(language)["guarded"]:
        return False
    after = lexicon(language).match(pieces, place + 1) if place + 1 < len(pieces) else None
    return after is None or not after[1].keys() & {"units", "categories"}


def _read(text: str, language: str) -> int | None:
    for plain, accented in UNACCENTED.items():
        text = text.replace(plain, accented) if accented not in text else text
    try:
        return int(text2num(text, language))
    except ValueError:
        return None
