"""Paper drawn by us, for printers whose letters cannot be trusted: a page of blocks as one picture in printer dots.

The blocks are those of the text mode, wrapped by measure instead of by column; any letter of our fonts is printed as itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.resources import files

from PIL import Image, ImageDraw, ImageFont

from kiosk.printing.slip_text import Block, Code, Logo, Rule, Size, Space, Text

_LOGO_DOTS = 64
_POINTS: dict[Size, int] = {"small": 19, "plain": 24, "tall": 38, "big": 46}
_INDENT = 34
_GAP, _EDGE = 12, 6
CodePicture = Callable[[Code], Image.Image | str]
"""Draws the code that stands on a page, or says what stands in its place."""


def page_picture(blocks: Iterable[Block], width_dots: int, code: CodePicture) -> Image.Image:
    """Return the page, black where set, as high as its blocks."""
    pieces = [picture for block in blocks for picture in _pictures(block, width_dots, code)]
    page = Image.new("1", (width_dots, sum(piece.height for piece in pieces)))
    y = 0
    for piece in pieces:
        page.paste(piece, ((width_dots - piece.width) // 2, y))
        y += piece.height
    return page


@cache
def logo() -> Image.Image:
    """Return the product's mark, a ring."""
    picture = Image.new("1", (_LOGO_DOTS, _LOGO_DOTS))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((0, 0, _LOGO_DOTS - 1, _LOGO_DOTS - 1), fill=1)
    draw.ellipse((20, 20, _LOGO_DOTS - 21, _LOGO_DOTS - 21), fill=0)
    return picture


def _pictures(block: Block, width: int, code: CodePicture) -> Iterator[Image.Image]:
    match block:
        case Text():
            yield _text(block, width)
        case Rule():
            yield _rule(width, is_double=block.is_double)
        case Space():
            yield Image.new("1", (width, block.dots))
        case Logo():
            yield logo()
        case Code():
            drawn = code(block)
            yield drawn if isinstance(drawn, Image.Image) else _text(Text(drawn, align="center", is_bold=True), width)


def _text(text: Text, width: int) -> Image.Image:
    letters = _font(_POINTS[text.size], is_bold=text.is_bold or text.size in ("tall", "big"))
    amounts = _font(_POINTS["big" if text.is_total else text.size], is_bold=text.is_bold or text.is_total)
    amount_dots = round(amounts.getlength(text.amount)) + _GAP if text.amount else 0
    indent = _INDENT if text.is_detail else 0
    lines = list(_wrapped(text.text, letters, width - amount_dots - indent))
    line_dots = max(_height(letters), _height(amounts) if text.amount else 0)
    heights = [line_dots] + [_height(letters)] * (len(lines) - 1)
    edge = _EDGE if text.is_inverse else 0
    picture = Image.new("1", (width, sum(heights) + 2 * edge), int(text.is_inverse))
    draw, ink, y = ImageDraw.Draw(picture), int(not text.is_inverse), edge
    for number, (line, height) in enumerate(zip(lines, heights, strict=True)):
        x = (width - letters.getlength(line)) // 2 if text.align == "center" and not text.amount else indent
        bottom = y + height - round(letters.size * 0.3)
        draw.text((x, bottom), line, font=letters, fill=ink, anchor="ls")
        if number == 0 and text.amount:
            draw.text((width, bottom), text.amount, font=amounts, fill=ink, anchor="rs")
        y += height
    return picture


def _wrapped(text: str, letters: ImageFont.FreeTypeFont, width: int) -> Iterator[str]:
    """Break words to the width; a word longer than a line is broken where it must be."""
    for part in text.split("\n"):
        line, hanging = "", "   " if part.startswith("+  ") else ""
        for word in part.split(" "):
            longer = f"{line} {word}" if line else word
            if line.strip() and letters.getlength(longer) > width:
                yield line
                longer = hanging + word
            while letters.getlength(longer) > width and len(longer) > 1:
                end = next(n for n in range(len(longer) - 1, 0, -1) if n == 1 or letters.getlength(longer[:n]) <= width)
                yield longer[:end]
                longer = longer[end:]
            line = longer
        yield line


def _rule(width: int, *, is_double: bool) -> Image.Image:
    picture = Image.new("1", (width, 24))
    draw = ImageDraw.Draw(picture)
    for y in (9, 14) if is_double else (12,):
        draw.line((0, y, width, y), fill=1, width=2)
    return picture


def _height(letters: ImageFont.FreeTypeFont) -> int:
    return round(letters.size * 1.25)


@cache
def _font(points: int, *, is_bold: bool) -> ImageFont.FreeTypeFont:
    name = "dejavu-sans-condensed-bold.ttf" if is_bold else "dejavu-sans-condensed.ttf"
    return ImageFont.truetype(str(files("shop") / "fonts" / name), points)
