"""Papers that a printer is set up with: a ruler of widths, a ruler of code pages, and a proof of what was chosen.

No table knows every printer: a person reads off the paper which bar is whole and which line has its accents and its euro.
"""

from __future__ import annotations

from typing import NamedTuple

from PIL import Image, ImageDraw

from kiosk.printing import paper
from kiosk.printing.letters import encoded
from kiosk.printing.profiles import CodePage, PaperSetup
from kiosk.printing.slip_text import Block, Logo, Rule, Space, Text

WIDTHS = (320, 360, 384, 420, 432, 512, 546, 560, 576, 640)
"""Heads there are, in dots: 58 mm and 80 mm paper at 180 and 203 dpi (reference/printers.json)."""
SAMPLE = "Téléphone 19,99 € çàêîÉ"


class Letters(NamedTuple):
    """A code page and the slot of `ESC t` where a printer may keep it."""

    code_page: CodePage
    slot: int


LETTERS = (
    *(Letters("cp858", slot) for slot in (19, 4, 53, 6, 13, 14, 31)),
    *(Letters("cp1252", slot) for slot in (16, 32, 71, 8, 6, 49, 11)),
    *(Letters("iso8859_15", slot) for slot in (40, 7)),
)
"""The lines of the ruler in its order: where 50 models of the public database keep pages that have the euro."""


def ruler_bytes(takes: PaperSetup) -> bytes:
    """Return the two rulers: bars of known widths, then the sample in every code page, each with its number."""
    press = paper.Press(takes)
    press.set_block(Text("RÈGLE / RULER", size="big", align="center", is_bold=True))
    for width in WIDTHS:
        press.set_picture(_bar(width))
    press.set_block(Rule())
    for number, (code_page, slot) in enumerate(LETTERS, start=1):
        press.set_letters(slot)
        press.set_bytes(f"{number:>2} ".encode("ascii") + encoded(SAMPLE, code_page) + b"\n")
    return press.finish()


def proof_bytes(takes: PaperSetup, name: str) -> bytes:
    """Return a small paper that shows a printer as it was set up: accents, widths, an amount at the edge."""
    blocks: list[Block] = [
        Logo(),
        Space(14),
        Text(name, size="big", align="center", is_bold=True),
        Rule(is_double=True),
        Text("Téléphone reconditionné, très bon état", "1 234,56 €", is_bold=True),
        Text("Œuvre, cœur, garçon, Noël, où, 88 %", "– 9,99 €", size="small"),
        Text("TOTAL", "1 224,57 €", is_total=True),
        Rule(),
        Text(
            f"{takes.dots} · {takes.code_page} · {takes.slot}{' · raster' if takes.is_raster else ''}",
            size="small",
            align="center",
        ),
    ]
    return paper.set_on(takes, blocks)


def _bar(width: int) -> Image.Image:
    """Return a bar with both ends marked and its width written at the left, where every printer shows it."""
    picture = Image.new("1", (width, 22))
    draw = ImageDraw.Draw(picture)
    draw.line((0, 10, width, 10), fill=1, width=2)
    for x in (0, width - 4):
        draw.rectangle((x, 0, x + 3, 21), fill=1)
    label = Image.new("1", (36, 12))
    ImageDraw.Draw(label).text((2, 0), str(width), fill=1)
    picture.paste(label.resize((72, 22)), (20, 0))
    return picture
