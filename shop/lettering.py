"""Words and areas at their places on a paper, in millimetres: what a label is made of, for PDF and for a printer's dots alike.

Invariant: what is fitted into a box stays in it, whatever the words: they wrap, then shrink, then end in "…".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from PIL import ImageFont

FONTS = Path(__file__).parent / "fonts"
FACES = {False: FONTS / "dejavu-sans-condensed.ttf", True: FONTS / "dejavu-sans-condensed-bold.ttf"}
"""DejaVu Sans Condensed, plain and bold."""
LEADING = 1.18
CAPITALS = 0.73
"""How high a capital or a figure is, in sizes of its letters."""
_STEP = 0.94
_MEASURED = 200


@dataclass(frozen=True, slots=True)
class Lettering:
    """One line of words: its left end and base line, the size of its letters."""

    x: float
    y: float
    size: float
    text: str
    is_bold: bool = False
    is_white: bool = False

    @property
    def width(self) -> float:
        """How far it reaches."""
        return ems(self.text, is_bold=self.is_bold) * self.size


@dataclass(frozen=True, slots=True)
class Area:
    """A dark box: its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float


Piece = Lettering | Area


class Fitted(NamedTuple):
    """How words fit into a box: the size of their letters, their lines, and whether every word is there."""

    size: float
    lines: list[str]
    is_whole: bool


@lru_cache(maxsize=8192)
def ems(text: str, *, is_bold: bool) -> float:
    """Return how wide words are, in sizes of their letters."""
    return face(_MEASURED, is_bold=is_bold).getlength(text) / _MEASURED


@cache
def face(pixels: int, *, is_bold: bool) -> ImageFont.FreeTypeFont:
    """Return our letters at a size, set one after the other as they come: the same on every machine."""
    return ImageFont.truetype(str(FACES[is_bold]), pixels, layout_engine=ImageFont.Layout.BASIC)


def fitted(text: str, *, width: float, height: float, most: float, least: float, is_bold: bool = False) -> Fitted:
    """Return the size, from `most` down to `least`, and the lines in which a text fits into a box; line ends stay."""
    size = most
    while True:
        room = max(1, int(height / (size * LEADING) + 0.001))
        lines = list(_wrapped(text, width / size, is_bold=is_bold))
        if len(lines) <= room:
            return Fitted(size, lines, is_whole=True)
        if size <= least:
            last = _ended(lines[room - 1], width / size, is_bold=is_bold)
            return Fitted(size, [*lines[: room - 1], last], is_whole=False)
        size = max(least, size * _STEP)


def set_lines(x: float, y: float, size: float, lines: list[str], *, is_bold: bool = False) -> Iterator[Lettering]:
    """Yield lines one below the other, the first below `y`."""
    for number, line in enumerate(lines):
        yield Lettering(x, y + size * (0.9 + number * LEADING), size, line, is_bold)


def _wrapped(text: str, width: float, *, is_bold: bool) -> Iterator[str]:
    """Break words to a width in ems; a word longer than a line is broken where it must be."""
    for part in text.split("\n"):
        line = ""
        for word in part.split(" "):
            longer = f"{line} {word}" if line else word
            if line and ems(longer, is_bold=is_bold) > width:
                yield line
                longer = word
            while ems(longer, is_bold=is_bold) > width and len(longer) > 1:
                end = next((n for n in range(len(longer) - 1, 1, -1) if ems(longer[:n], is_bold=is_bold) <= width), 1)
                yield longer[:end]
                longer = longer[end:]
            line = longer
        yield line


def _ended(line: str, width: float, *, is_bold: bool) -> str:
    """Return a line that breaks off, with "…" at its end."""
    ends = (f"{line[:n].rstrip()}…" for n in range(len(line), -1, -1))
    return next((ended for ended in ends if ems(ended, is_bold=is_bold) <= width), "…")
