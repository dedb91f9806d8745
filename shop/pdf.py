"""Documents as PDF, set from markup of a few plain elements: h1, h2, p, br, and tables of tr with th or td.

Invariant: the same markup, title and moment give the same bytes, so that a document is kept as its facts and printed again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html.parser import HTMLParser
from typing import NamedTuple

from fpdf import FPDF
from fpdf.enums import TableBordersLayout
from fpdf.fonts import FontFace
from fpdf.util import Padding

from shop.lettering import FACES, Area, Lettering, Piece

FONT = "DejaVu"
"""DejaVu Sans Condensed: names of the Latin, Greek and Cyrillic scripts without a network (shop/fonts/LICENSE)."""
MARGIN_MM, BOTTOM_MM, PADDING_MM = 18, 20, 1.4
LINE_HEIGHT = 1.4
INK, SOFT_INK, BRAND = (29, 42, 38), (85, 98, 93), (15, 92, 67)
MM_OF_POINT = 25.4 / 72
UNBROKEN = re.compile(r"(?<=\b[LRD]\.) (?=\d)|(?<=[^ ]) (?=[;:?!%€»](?: |$))", re.MULTILINE)
"""Spaces where no line ends: within the number of an article, and before the signs that French sets apart."""
# What it leaves out of each font would be sixty lines of our log a document.
logging.getLogger("fontTools").setLevel(logging.WARNING)


class _Style(NamedTuple):
    """How text is set: size in points, boldness, colour, and millimetres before and after."""

    size: float = 9.5
    is_bold: bool = False
    color: tuple[int, int, int] = INK
    before: float = 0
    after: float = 2.4


STYLES = {
    "h1": _Style(18, is_bold=True, before=2, after=4),
    "h2": _Style(11.5, is_bold=True, before=4, after=1.8),
    "p": _Style(),
    "mark": _Style(13, is_bold=True, color=BRAND, after=4),
    "soft": _Style(8, color=SOFT_INK, after=1.8),
    "strong": _Style(9.5, is_bold=True),
    "large": _Style(15, is_bold=True, after=4),
    "box": _Style(8.5, before=1, after=0),
}
"""By element, or by the class of a paragraph."""


@dataclass(slots=True)
class _Cell:
    text: str = ""
    is_strong: bool = False
    is_amount: bool = False


@dataclass(slots=True)
class _Block:
    """A heading or a paragraph by its style, or a table with the relative widths of its columns."""

    style: str
    text: str = ""
    rows: list[list[_Cell]] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)


def write_pdf(markup: str, *, title: str, language: str, made_at: datetime, foot: str = "") -> bytes:
    """Return a document of A4 pages with `foot` and its number on each.

    A paragraph may be of the class mark, soft, strong, large or box; those of class box that follow each other share a frame.
    A table is of the class lines (ruled), facts or sides (plain), with its columns' relative widths in `data-widths`; cells of
    the class n are amounts.
    """
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    paper = _Paper(foot)
    paper.set_title(title)
    paper.set_lang(language)
    paper.set_creation_date(made_at)
    paper.set_producer("Comptoir")
    paper.add_page()
    for number, block in enumerate(reader.blocks):
        beside = reader.blocks[number + 1 : number + 2]
        paper.set_block(block, is_last=not beside or beside[0].style != block.style)
    return bytes(paper.output())


def draw_pdf(
    sheets: Iterable[Sequence[Piece]], *, page_mm: tuple[float, float], title: str, language: str, made_at: datetime
) -> bytes:
    """Return a page of this width and height for each sheet, with everything at its place; areas and letters are vectors."""
    paper = FPDF(format=page_mm)
    paper.set_auto_page_break(auto=False)
    for is_bold, path in FACES.items():
        paper.add_font(FONT, style="B" if is_bold else "", fname=path)
    paper.set_title(title)
    paper.set_lang(language)
    paper.set_creation_date(made_at)
    paper.set_producer("Comptoir")
    for sheet in sheets:
        paper.add_page()
        for piece in sheet:
            match piece:
                case Area():
                    paper.rect(piece.x, piece.y, piece.width, piece.height, style="F")
                case Lettering():
                    paper.set_font(FONT, style="B" if piece.is_bold else "", size=piece.size / MM_OF_POINT)
                    paper.set_text_color(255 if piece.is_white else 0)
                    paper.text(piece.x, piece.y, piece.text)
    return bytes(paper.output())


class _Reader(HTMLParser):
    """Reads markup into blocks, text with its white space folded."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[_Block] = []
        self._into: _Block | _Cell | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin what an element begins."""
        values = {name: value or "" for name, value in attrs}
        style = values.get("class", "")
        if tag in ("h1", "h2", "p"):
            self._into = _Block(style or tag)
            self.blocks.append(self._into)
        elif tag == "table":
            widths = [int(width) for width in values["data-widths"].split()]
            self.blocks.append(_Block(style, widths=widths))
        elif tag == "tr":
            self.blocks[-1].rows.append([])
        elif tag in ("th", "td"):
            self._into = _Cell(is_strong=tag == "th" or "strong" in style.split(), is_amount="n" in style.split())
            self.blocks[-1].rows[-1].append(self._into)
        elif tag == "br" and self._into is not None:
            self._into.text = self._into.text.rstrip(" ") + "\n"

    def handle_endtag(self, tag: str) -> None:
        """End the text of an element."""
        if tag in ("h1", "h2", "p", "th", "td") and self._into is not None:
            self._into.text = UNBROKEN.sub("\u00a0", self._into.text.strip())
            self._into = None

    def handle_data(self, data: str) -> None:
        """Add text to the element it stands in; spaces that do not break stay as they are."""
        if self._into is not None:
            folded = " ".join(data.replace("\n", " ").replace("\t", " ").split(" "))
            while "  " in folded:
                folded = folded.replace("  ", " ")
            self._into.text += folded.lstrip(" ") if self._into.text.endswith(("\n", " ")) else folded


class _Paper(FPDF):
    """A4 pages in our font, with a foot."""

    def __init__(self, foot: str) -> None:
        super().__init__(format="A4")
        self._foot = foot
        for is_bold, path in FACES.items():
            self.add_font(FONT, style="B" if is_bold else "", fname=path)
        self.set_margin(MARGIN_MM)
        self.set_auto_page_break(auto=True, margin=BOTTOM_MM)

    def footer(self) -> None:
        """Set the foot of a page."""
        self._set_style(STYLES["soft"])
        self.set_y(-14)
        room = self.epw - 20
        self.cell(w=room, h=4, text=self._fitting(self._foot, room - 2 * self.c_margin))
        # How many pages there are is known at the end alone: its place is as wide as one figure, as two from the tenth page on.
        count_x = self.w - self.r_margin - 2 * self.c_margin - self.get_string_width("0" if self.page_no() < 10 else "00")
        self.cell(w=count_x + 2 * self.c_margin - self.get_x(), h=4, text=f"{self.page_no()} /\u00a0", align="R")
        self.set_x(count_x)
        self.cell(h=4, text="{nb}")

    def _fitting(self, text: str, width: float) -> str:
        """Return a text, its beginning left out as far as it is wider: its end has the number."""
        if self.get_string_width(text) <= width:
            return text
        return next(short for cut in range(1, len(text)) if self.get_string_width(short := f"…{text[cut:]}") <= width)

    def set_block(self, block: _Block, *, is_last: bool) -> None:
        """Set a block below the one before; `is_last` ends the frame of a box."""
        if block.rows:
            self._set_table(block)
        elif block.style == "box":
            self._set_boxed(block.text, is_last=is_last)
        else:
            self._set_text(block.text, STYLES[block.style])

    def _set_text(self, text: str, style: _Style) -> None:
        self.ln(style.before)
        self._set_style(style)
        height = style.size * LINE_HEIGHT * MM_OF_POINT
        if style.before and self.will_page_break(height * 3):
            self.add_page()
        self.multi_cell(w=0, h=height, text=text, align="L", new_x="LMARGIN", new_y="NEXT")
        self.ln(style.after)

    def _set_boxed(self, text: str, *, is_last: bool) -> None:
        """Set a paragraph with the frame's sides; one alone or the first draws no top of its own: a rule stands there."""
        style = STYLES["box"]
        self._set_style(style)
        is_first = not self._is_boxed
        height = style.size * LINE_HEIGHT * MM_OF_POINT
        border = "LR" + ("T" if is_first else "") + ("B" if is_last else "")
        padding = Padding(top=2.2 if is_first else 0.8, right=3, bottom=2.2 if is_last else 0.8, left=3)
        self.set_draw_color(*BRAND)
        self.multi_cell(w=0, h=height, text=text, align="L", border=border, padding=padding, new_x="LMARGIN", new_y="NEXT")
        self._is_boxed = not is_last
        if is_last:
            self.ln(3)

    _is_boxed = False

    def _set_table(self, block: _Block) -> None:
        self._set_style(STYLES["p"])
        self.set_draw_color(*SOFT_INK)
        is_ruled = block.style == "lines"
        layout = TableBordersLayout.HORIZONTAL_LINES if is_ruled else TableBordersLayout.NONE
        has_heads = is_ruled and len(block.rows) > 1 and all(cell.is_strong for cell in block.rows[0])
        strong, plain = FontFace(emphasis="BOLD", color=INK), FontFace(color=INK)
        with self.table(
            borders_layout=layout,
            col_widths=tuple(block.widths),
            line_height=STYLES["p"].size * LINE_HEIGHT * MM_OF_POINT,
            padding=(PADDING_MM, 1) if is_ruled else (0.3, 1),
            text_align="LEFT",
            first_row_as_headings=has_heads,
            headings_style=strong,
            v_align="TOP",
        ) as table:
            for cells in block.rows:
                row = table.row()
                for cell in cells:
                    row.cell(cell.text, align="RIGHT" if cell.is_amount else "LEFT", style=strong if cell.is_strong else plain)
        self.ln(3)

    def _set_style(self, style: _Style) -> None:
        self.set_font(FONT, style="B" if style.is_bold else "", size=style.size)
        self.set_text_color(*style.color)
