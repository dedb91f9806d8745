"""The characters a thermal printer draws: each fills its cell of dots, in the face and size its modes ask for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFont

SCALE = 2
"""Pixels of the picture for one printer dot, both ways."""

CELLS = {"a": (12, 24), "b": (9, 17)}
BASE = {"a": 20, "b": 14}
"""Dots from the top of a cell to the base line, on which characters of all sizes stand."""

_FONTS = Path(__file__).parent / "fonts"


@dataclass(frozen=True, slots=True)
class Style:
    """The printer's modes; `ESC @` returns to these."""

    font: str = "a"
    width: int = 1
    height: int = 1
    is_bold: bool = False
    is_inverse: bool = False
    underline: int = 0
    align: int = 0
    spacing: int = 30
    code_page: str = "cp437"
    gap: int = 0


@cache
def font(size: int, *, is_bold: bool) -> ImageFont.FreeTypeFont:
    """Return the printer's face at `size` pixels to the em."""
    weight = 700 if is_bold else 400
    return ImageFont.truetype(_FONTS / f"jetbrains-mono-latin-{weight}-normal.woff", size)


@cache
def glyph(character: str, style: Style) -> Image.Image:
    """Return one character cell, white where ink goes."""
    cell_width, cell_height = (side * SCALE for side in CELLS[style.font])
    size = (cell_width * style.width, cell_height * style.height)
    # Drawn at the larger magnification and squeezed: a printer doubles dots, which a picture need not imitate.
    larger = max(style.width, style.height)
    drawn = _box(character, cell_width * larger, cell_height * larger) or _drawn(character, style, larger)
    drawn = drawn.resize(size, Image.Resampling.LANCZOS)
    if style.underline:
        ImageDraw.Draw(drawn).rectangle((0, size[1] - style.underline * SCALE, size[0], size[1]), fill=255)
    return ImageChops.invert(drawn) if style.is_inverse else drawn


def _drawn(character: str, style: Style, larger: int) -> Image.Image:
    cell_width, cell_height = (side * SCALE * larger for side in CELLS[style.font])
    cell = Image.new("L", (cell_width, cell_height))
    # The face advances 0.6 em: the size that fills the cell's width.
    face = font(cell_width * 5 // 3, is_bold=style.is_bold)
    ImageDraw.Draw(cell).text((0, BASE[style.font] * SCALE * larger), character, font=face, fill=255, anchor="ls")
    return cell


def _box(character: str, width: int, height: int) -> Image.Image | None:
    """Return a rule or block that fills its cell, so that neighbours join; nothing for other characters."""
    thin = max(2, height // 14)
    middle = (height - thin) // 2
    bars = {
        "─": [(0, middle, width, middle + thin)],
        "═": [(0, middle - thin, width, middle), (0, middle + thin, width, middle + 2 * thin)],
        "│": [((width - thin) // 2, 0, (width + thin) // 2, height)],
        "█": [(0, 0, width, height)],
        "▄": [(0, height // 2, width, height)],
        "▀": [(0, 0, width, height // 2)],
        "■": [(width // 6, height // 3, width * 5 // 6, height * 3 // 4)],
    }.get(character)
    if bars is None:
        return None
    cell = Image.new("L", (width, height))
    draw = ImageDraw.Draw(cell)
    for left, top, right, bottom in bars:
        draw.rectangle((left, top, right - 1, bottom - 1), fill=255)
    return cell
