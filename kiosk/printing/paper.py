"""The paper slip as ESC/POS bytes: the blocks of `kiosk.printing.slip_text` set on 80 mm or 58 mm of thermal paper.

The same facts give the same bytes for a printer. Everything is ordinary text in one code page and our own raster for the QR code,
or raster alone where a printer's letters cannot be trusted. python-escpos is only the encoder, without a device (printing.md §1).
"""

from __future__ import annotations

import os
import re
import shutil
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from PIL import Image

from kiosk.printing.letters import encoded, printable
from kiosk.printing.pictures import logo, page_picture
from kiosk.printing.profiles import PaperSetup
from kiosk.printing.slip_text import Block, Code, Logo, Rule, Size, Space, Text, blocks
from pos import qr
from pos.slip_facts import SlipFacts

WIDE_DOTS = 480
"""PaperSetup with at least so many dots across has room for indents and double-width totals."""

_LEAVE_CHINESE_MODE = b"\x1c."
"""`FS .`: printers made for China start by pairing up bytes from 0x81 on, so that an accent or € becomes an ideograph."""

_SPACING = {"small": 21, "plain": 28, "tall": 54, "big": 56}
_INDENT = (3, 4)
"""Columns of font A and of font B that stand for the same 36 dots, where the paper has room for them."""
_STRIP_ROWS = 192
LARGEST_MODULE_DOTS = 6
SMALLEST_MODULE_DOTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperCode:
    """A QR code that fits a paper: its modules without quiet zone, and the printer dots of one module's side."""

    modules: qr.Matrix
    module_dots: int


def slip_bytes(facts: SlipFacts, url: str, *, paper: PaperSetup, language: str, copy_no: int) -> bytes:
    """Return what a printer needs to print the slip, cut included; `copy_no` 0 is the original, n prints "DUPLICATA n".

    Where the token is too long for a readable code on this paper, the slip says so and leaves the number (printing.md §2.3).
    Raises: KeyError when `facts` are not slip facts.
    """
    return set_on(paper, blocks(facts, language=language, copy_no=copy_no), url)


def set_on(paper: PaperSetup, contents: Iterable[Block], url: str = "") -> bytes:
    """Return the bytes that print these blocks on this paper and cut it; a `Code` carries `url`."""
    press = Press(paper)
    if paper.is_raster:
        press.set_picture(page_picture(contents, paper.dots, lambda code: _fitting(url, paper.dots) or code.instead))
    else:
        for block in contents:
            press.set_block(block, url)
    return press.finish()


def paper_code(url: str, *, width_dots: int) -> PaperCode | None:
    """Return the largest code for a paper `width_dots` wide, or nothing where no code would be read reliably.

    Error correction Q if 5 dots a module fit, else M at 5, else M at 4; never below (reference/printing.md §2.3).
    """
    choices: tuple[tuple[qr.ErrorCorrection, int], ...] = (("Q", 5), ("M", 5), ("M", SMALLEST_MODULE_DOTS))
    for error_correction, least_dots in choices:
        modules = qr.matrix(url, error_correction=error_correction)
        module_dots = min(LARGEST_MODULE_DOTS, width_dots // (len(modules) + 2 * qr.QUIET_ZONE))
        if module_dots >= least_dots:
            return PaperCode(modules=modules, module_dots=module_dots)
    return None


def largest_strip(takes: PaperSetup) -> int:
    """Return how many bytes a printer may still want of a picture that broke off: as many zeros are white, then nothing."""
    return (takes.dots + 7) // 8 * _STRIP_ROWS


def warm_up() -> None:
    """Load the encoder (0.4 s) before the first tap needs it."""
    _encoder()


class Press:
    """Sets blocks one below the other; every block leaves the printer's style as it found it."""

    def __init__(self, paper: PaperSetup) -> None:
        self.paper = paper
        self.is_wide = paper.dots >= WIDE_DOTS
        self.encoder = _encoder()()
        self.encoder.hw("INIT")
        self.set_bytes(_LEAVE_CHINESE_MODE)
        self.set_letters(paper.slot)

    def set_block(self, block: Block, url: str = "") -> None:
        """Set one block."""
        match block:
            case Text():
                self._text(block)
            case Rule():
                self._spacing(30)
                self._line(("═" if block.is_double else "─") * self.paper.columns[0])
            case Space():
                self.set_bytes(bytes([0x1B, 0x4A, block.dots]))
            case Logo():
                self.set_picture(logo())
            case Code():
                self._code(url, block)

    def set_letters(self, slot: int) -> None:
        """Let the printer draw what follows from another of its code pages."""
        self.set_bytes(bytes([0x1B, 0x74, slot]))

    def set_bytes(self, data: bytes) -> None:
        """Set bytes that are ESC/POS already."""
        self.encoder._raw(data)

    def finish(self) -> bytes:
        """Cut, leaving a bridge so that the slip does not fall, and return all bytes."""
        self.set_bytes(b"\x1b2")
        if self.paper.has_cutter:
            self.encoder.cut(mode="PART")
        else:
            # Torn off by hand at the edge: everything must be past it.
            self.set_bytes(b"\x1bd\x06")
        output: bytes = self.encoder.output
        return output

    def _text(self, wanted: Text) -> None:
        text = replace(wanted, text=printable(wanted.text), amount=printable(wanted.amount))
        columns = self.paper.columns[text.size == "small"]
        if text.size == "big":
            columns //= 2
        amount_size = self._amount_size(text, columns)
        amount_columns = len(text.amount) * (2 if amount_size == "big" and text.size != "big" else 1)
        indent = _INDENT[text.size == "small"] if text.is_detail and self.is_wide else 0
        first, *others = _wrapped(text, columns - amount_columns - 1 if text.amount else columns, indent=indent)
        self.encoder.set(
            align="left" if text.amount else text.align, font="b" if text.size == "small" else "a", bold=text.is_bold,
            invert=text.is_inverse,
        )  # fmt: skip
        # White on black in several lines is one block only when no white is left between them.
        self._spacing(24 if text.is_inverse else _SPACING[amount_size])
        self._size(text.size)
        if text.amount:
            self.set_bytes(encoded(first.ljust(columns - amount_columns), self.paper.code_page))
            self._size(amount_size)
            self._line(text.amount)
            self._size(text.size)
            self._spacing(_SPACING[text.size])
        else:
            others.insert(0, first)
        for line in others:
            self._line(line.center(columns) if text.is_inverse else line)
        self._size("plain")
        self.encoder.set(align="left", font="a", bold=False, invert=False)

    def _amount_size(self, text: Text, columns: int) -> Size:
        """Return the size of the amount: that of its words, or for a total as large as the paper allows."""
        if not text.is_total:
            return text.size
        return "big" if self.is_wide and len(text.text) + 2 * len(text.amount) < columns else "tall"

    def _size(self, size: Size) -> None:
        self.encoder.set(custom_size=True, width=2 if size == "big" else 1, height=2 if size in {"tall", "big"} else 1)

    def _code(self, url: str, code: Code) -> None:
        picture = _fitting(url, self.paper.dots)
        if picture is None:
            self._text(Text(code.instead, align="center", is_bold=True))
        else:
            self.set_picture(picture)

    def set_picture(self, picture: Image.Image) -> None:
        """Set a picture in printer dots, dark where set."""
        # Cropped and centred by the printer: padding to the full width would double the bytes (printing.md §2.3).
        self.encoder.set(align="center")
        row_bytes, data = (picture.width + 7) // 8, _without_real_time(picture.tobytes())
        for top in range(0, picture.height, _STRIP_ROWS):
            rows = min(_STRIP_ROWS, picture.height - top)
            header = b"\x1dv0\x00" + row_bytes.to_bytes(2, "little") + rows.to_bytes(2, "little")
            self.set_bytes(header + data[top * row_bytes : (top + rows) * row_bytes])
        self.encoder.set(align="left")

    def _spacing(self, dots: int) -> None:
        self.set_bytes(bytes([0x1B, 0x33, dots]))

    def _line(self, text: str) -> None:
        self.set_bytes(encoded(text, self.paper.code_page) + b"\n")


def _wrapped(text: Text, columns: int, *, indent: int) -> list[str]:
    """Break into lines of at most `columns`; centred lines are made about equally long."""
    hanging = 3 if text.text.startswith("+  ") else 0
    margins = " " * indent, " " * (indent + hanging)
    width, is_even = max(columns, 8), text.align == "center"
    return [line for part in text.text.split("\n") for line in _lines(_unbreakable(part), width, margins, is_even=is_even)]


def _lines(words: str, width: int, margins: tuple[str, str], *, is_even: bool) -> list[str]:
    lines = _filled(words, width, margins)
    longest = max((len(word) for word in words.split(" ")), default=0)
    while is_even and width > longest and len(narrower := _filled(words, width - 1, margins)) == len(lines):
        lines, width = narrower, width - 1
    return lines


def _filled(words: str, width: int, margins: tuple[str, str]) -> list[str]:
    first, others = margins
    return textwrap.wrap(words, width, initial_indent=first, subsequent_indent=others, break_on_hyphens=False) or [first]


def _unbreakable(text: str) -> str:
    """Glue what must not part at the end of a line: French punctuation, a number and its unit."""
    glued = re.sub(r" (?=[:;?!%€»])|(?<=n°) |(?<=no\.) ", "\u00a0", text)
    return re.sub(r"(?<=\d) (?=(?:mois|months?|jours?|days?|ans|years|Go|To|GB|TB|kg|h)\b)", "\u00a0", glued)


def _without_real_time(data: bytes) -> bytes:
    """Return picture bytes with one dot more wherever a printer would read a real-time command in them (printing.md §1.4)."""
    return re.sub(rb"\x10(?=[\x04\x05\x14])", b"\x30", data)


def _fitting(url: str, width_dots: int) -> Image.Image | None:
    code = paper_code(url, width_dots=width_dots)
    return _code_picture(code) if code else None


def _code_picture(code: PaperCode) -> Image.Image:
    """Return the code with its quiet zone, in printer dots, dark where set."""
    side = len(code.modules) + 2 * qr.QUIET_ZONE
    small = Image.new("1", (side, side))
    for y, row in enumerate(code.modules):
        for x, is_dark in enumerate(row):
            small.putpixel((x + qr.QUIET_ZONE, y + qr.QUIET_ZONE), int(is_dark))
    dots = side * code.module_dots
    return small.resize((dots, dots), Image.Resampling.NEAREST)


@cache
def _encoder() -> Any:
    from escpos import capabilities  # noqa: PLC0415 - loads 35 printer profiles, 0.4 s a kiosk does not need to start
    from escpos.printer import Dummy  # noqa: PLC0415 - as above

    # Each import leaves its profiles in a new temporary directory, which no other process ever finds again.
    if "ESCPOS_CAPABILITIES_PICKLE_DIR" not in os.environ:
        shutil.rmtree(capabilities.pickle_dir, ignore_errors=True)
    return Dummy
