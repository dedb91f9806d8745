"""A sentence cut into words, numbers and signs, without case and accents. Letters and digits are always apart: `5 g`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache

THOUSANDS = r"\d{1,3}(?:[ \u00a0\u202f]\d{3})+"
RANGE = rf"(?:(?:et|à|a|-|–|and|to|y|und|bis)\s{THOUSANDS}\s?)?"
MONEY = rf"(?=\s?{RANGE}(?:€|\$|£|¥|eur|usd|gbp|chf|dollar|dólar|pound|libra|pfund|frank|franc))"
PIECE = re.compile(
    rf"""
    {THOUSANDS}(?:[.,]\d\d?)?{MONEY}   # 1 299,99 €: a space groups thousands before money alone
    | \d{{1,3}}(?:[.,’']\d{{3}})+(?:[.,]\d\d?)?(?![\d])
    | \d+[.,]\d\d?(?!\d)
    | \d+
    | [^\W\d_]+
    | ''|[€$£¥+%"″”/\-–—,;:.!?()\n~≈<>≤≥]
    """,
    re.VERBOSE | re.IGNORECASE,
)
BREAKS = frozenset(",;:.!?()\n")
ABBREVIATED = frozenset({"min", "max", "mind", "ca", "env", "approx", "aprox", "inkl", "incl", "circa"})
DASHES = frozenset("-–—")
QUOTED = re.compile(r'(?<!\d)["«“]([^"»”\d][^"»”]*)["»”]')
LONGEST_NUMBER = 7


@dataclass(frozen=True, slots=True)
class Piece:
    """A word, a number or a sign of a sentence, and where it stands. `hundredths` is the value of a number."""

    text: str
    raw: str
    start: int
    end: int
    hundredths: int | None = None

    @property
    def is_break(self) -> bool:
        """Tell whether a clause ends here."""
        return self.text == ","


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """Return a text without case and accents."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def words_in(text: str) -> tuple[str, ...]:
    """Return the words of a name or of a phrase of a lexicon, every sign kept."""
    return tuple(plain(word) for word in PIECE.findall(text))


def pieces_of(sentence: str) -> list[Piece]:
    """Return the pieces of a sentence. A dash counts between numbers alone, and every sign that ends a clause reads `,`."""
    sentence = QUOTED.sub(lambda quoted: f" {quoted[1]} ", sentence)
    read = [_piece(match) for match in PIECE.finditer(sentence)]
    return [
        piece
        for place, piece in enumerate(read)
        if not (piece.raw in DASHES and not _is_range(read, place)) and not _ends_no_clause(read, place)
    ]


def _piece(match: re.Match[str]) -> Piece:
    raw = match[0]
    piece = Piece(plain(raw), raw.casefold(), match.start(), match.end())
    if raw in BREAKS:
        return replace(piece, text=",")
    if raw in DASHES:
        return replace(piece, text="-")
    if raw == "/":
        return replace(piece, text="slash")
    return replace(piece, hundredths=_hundredths(raw)) if raw[0].isdecimal() else piece


def _hundredths(raw: str) -> int | None:
    """Return a hundred times the number written: groups of three digits are thousands, one or two last ones are decimals."""
    whole, decimals = raw, ""
    if written := re.fullmatch(r"(.*)[.,](\d\d?)", raw):
        whole, decimals = written[1], written[2]
    digits = re.sub(r"\D", "", whole)
    if not digits.isascii() or not digits or len(digits) > LONGEST_NUMBER:
        return None
    return int(digits) * 100 + int(decimals.ljust(2, "0") or "0")


def _ends_no_clause(read: list[Piece], place: int) -> bool:
    """Tell whether a point ends an abbreviation, or a colon leads to a number: `min. 6 GB`, `budget : 250`."""
    if read[place].raw == ":":
        return place + 1 < len(read) and (read[place + 1].hundredths is not None or read[place + 1].text in "€$£")
    return read[place].raw == "." and place > 0 and read[place - 1].text in ABBREVIATED


def _is_range(read: list[Piece], place: int) -> bool:
    before, after = read[max(place - 1, 0)], read[min(place + 1, len(read) - 1)]
    return (before.hundredths is not None or before.text in "€$£") and (after.hundredths is not None or after.text in "€$£")
