"""The picture of a shelf label: its price as large as its paper allows, its words fitted around it, the code of its place.

One layout in millimetres makes the label printer's picture and the sheets of PDF. Invariants: the price has its box before
anything else has, so that no name drives it out; a module of the code is whole dots of a label printer, four at least.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import templates
from kiosk.printing.letters import GLUE, printable
from kiosk.printing.paper import Press
from kiosk.printing.profiles import PaperSetup
from pos import qr
from pos.currencies import places
from pos.languages import moment, money, storage
from pos.shelf_labels import ShelfLabel
from pos.words import words
from shop.languages import sentences_of
from shop.lettering import CAPITALS, LEADING, Area, Lettering, Piece, ems, face, fitted, set_lines

DOTS_PER_MM = 8
"""Of a label printer (203 dpi)."""
DOT = 1 / DOTS_PER_MM
LEAST_MODULE_DOTS, MOST_MODULE_MM = 4, 1.0
WIDE_MM, WIDE_HEIGHT, NARROW_HEIGHT = 60, 0.72, 1.3
"""From which width a label is lying, and how high a lying and a standing one are, in widths."""
LEAST_MM = 1.6
"""The smallest letters: 4.5 points."""
OUTSIDE = re.compile("[^\u0020-\u007e\u00a0-\u024f\u0370-\u03ff\u0400-\u04ff\u1e00-\u1eff‐-›₠-₵₸-₺₽™−]")
"""What our letters may lack: it is spelled as on a slip."""
UNBROKEN = re.compile(r" (?=[:%€])|(?<=\d) (?=mois|months)")
UNKNOWN = re.compile(r"\?(?:\s*\?)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetFormat:
    """A paper for PDF, in millimetres: its page, labels each way, the first one's corner, from one label to the next."""

    key: str
    name: str
    page: tuple[float, float]
    columns: int
    rows: int
    label: tuple[float, float]
    first: tuple[float, float]
    pitch: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelFace:
    """A label's pieces on `width` × `height` millimetres, those of its price apart."""

    width: float
    height: float
    price: tuple[Piece, ...]
    others: tuple[Piece, ...]

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """Everything on it."""
        return self.price + self.others


@cache
def sheet_formats() -> dict[str, SheetFormat]:
    """Return the formats of sheets by key, in the order a person is shown them."""
    rows = json.loads(Path(__file__).with_name("sheets.json").read_text(encoding="utf-8"))
    pairs = ("page", "label", "first", "pitch")
    return {row["key"]: SheetFormat(**{**row, **{name: tuple(row[name]) for name in pairs}}) for row in rows}


def label_bytes(label: ShelfLabel, code: str, takes: PaperSetup, *, zone: str) -> bytes:
    """Return what a label printer needs to print a label, cut included."""
    press = Press(takes)
    press.set_picture(label_picture(label, code, takes.dots, zone=zone))
    return press.finish()


def label_picture(label: ShelfLabel, code: str, width_dots: int, *, zone: str) -> Image.Image:
    """Return a label in printer dots, dark where set."""
    width = width_dots * DOT
    height = round(width * (WIDE_HEIGHT if width >= WIDE_MM else NARROW_HEIGHT))
    return draw_picture(label_face(label, code, width=width, height=height, zone=zone).pieces, width=width, height=height)


def draw_picture(pieces: Sequence[Piece], *, width: float, height: float) -> Image.Image:
    """Return pieces in printer dots, dark where set."""
    picture = Image.new("1", (round(width * DOTS_PER_MM), round(height * DOTS_PER_MM)))
    draw = ImageDraw.Draw(picture)
    for piece in pieces:
        x, y = piece.x * DOTS_PER_MM, piece.y * DOTS_PER_MM
        if isinstance(piece, Area):
            right, bottom = x + piece.width * DOTS_PER_MM, y + piece.height * DOTS_PER_MM
            draw.rectangle((round(x), round(y), round(right) - 1, round(bottom) - 1), fill=1)
        else:
            letters = _in_dots(piece)
            draw.text((x, y), piece.text, font=letters, fill=int(not piece.is_white), anchor="ls")
    return picture


def _in_dots(words: Lettering) -> ImageFont.FreeTypeFont:
    """Return the letters in which words take no more dots than their millimetres: small ones are rounded to whole dots each."""
    pixels, most = max(1, int(words.size * DOTS_PER_MM)), words.width * DOTS_PER_MM + 1
    return next(
        (
            letters
            for size in range(pixels, 1, -1)
            if (letters := face(size, is_bold=words.is_bold)).getlength(words.text) <= most
        ),
        face(1, is_bold=words.is_bold),
    )


def label_sheets(labels: Sequence[tuple[ShelfLabel, str]], sheet: SheetFormat, *, zone: str, made_at: datetime) -> bytes:
    """Return labels with their codes as PDF, as many pages as they fill."""
    from shop.pdf import draw_pdf  # noqa: PLC0415 - 0.3 s that a kiosk does not need to start

    most = sheet.columns * sheet.rows
    pages = [labels[start : start + most] for start in range(0, len(labels), most)]
    language = labels[0][0].facts["language"]
    return draw_pdf(
        ([piece for at, each in enumerate(page) for piece in _on_sheet(at, *each, sheet, zone=zone)] for page in pages),
        page_mm=sheet.page,
        title=sheet.name,
        language=language,
        made_at=made_at,
    )


def label_face(label: ShelfLabel, code: str, *, width: float, height: float, zone: str) -> LabelFace:
    """Return what is on a label of this size: `code` at the lower right, the price across, the words in what is left."""
    layout = _Layout(label, width, height, zone)
    price = tuple(layout.price())
    return LabelFace(
        width=width, height=height, price=price, others=(*layout.place(), *layout.name(), *layout.code(code), *layout.words())
    )


def _on_sheet(at: int, label: ShelfLabel, code: str, sheet: SheetFormat, *, zone: str) -> Iterator[Piece]:
    row, column = divmod(at, sheet.columns)
    x, y = sheet.first[0] + column * sheet.pitch[0], sheet.first[1] + row * sheet.pitch[1]
    for piece in label_face(label, code, width=sheet.label[0], height=sheet.label[1], zone=zone).pieces:
        yield replace(piece, x=x + piece.x, y=y + piece.y)


class _Layout:
    """Where things go on one label: name, price, grade, then the small print; the code beside the last of them."""

    def __init__(self, label: ShelfLabel, width: float, height: float, zone: str) -> None:
        self.label, self.facts, self.zone = label, label.facts, zone
        self.margin = min(width, height) * 0.055
        self.left, self.top = self.margin, self.margin
        self.width, self.height = width - 2 * self.margin, height - 2 * self.margin
        self.bottom, self.right = height - self.margin, width - self.margin
        self.gap = self.margin * 0.8
        self.name_height = min(0.25 * self.height, 0.21 * self.width)
        self.price_height = min(0.27 * self.height, 0.24 * self.width)
        self.grade_height = min(0.13 * self.height, 0.095 * self.width)
        self.place_width = self.code_top = self.beside_code = 0.0
        sentences = sentences_of("kiosk", self.facts["language"])
        self.gettext, self.ngettext = sentences.gettext, sentences.ngettext

    def place(self) -> Iterator[Piece]:
        """Set the name of the place, white on dark, in the upper right corner."""
        size, (text, *_), _ = fitted(
            _letters(self.label.position),
            width=0.34 * self.width,
            height=self.name_height * 0.2 * LEADING,
            most=self.name_height * 0.45,
            least=self.name_height * 0.2,
            is_bold=True,
        )
        reach = ems(text, is_bold=True) * size
        self.place_width, height = reach + size * 0.8, size * 1.35
        yield Area(self.right - self.place_width, self.top, self.place_width, height)
        baseline = self.top + (height + size * CAPITALS) / 2
        yield Lettering(self.right - self.place_width + size * 0.4, baseline, size, text, is_bold=True, is_white=True)

    def name(self) -> Iterator[Piece]:
        """Set the device's name beside the place, its capacity and colour below it."""
        width, height = self.width - self.place_width - self.gap, self.name_height
        details = [storage(self.facts["storage_gb"], self.facts["language"]), _letters(self.facts["color"])]
        below = " · ".join(detail for detail in details if detail)
        room = height * (0.62 if below else 1)
        title = fitted(
            _letters(self.facts["title"]), width=width, height=room, most=height * 0.5, least=height * 0.23, is_bold=True
        )
        yield from set_lines(self.left, self.top, title.size, title.lines, is_bold=True)
        if below:
            size, lines, _ = fitted(below, width=width, height=height - room, most=height * 0.32, least=height * 0.2)
            yield from set_lines(self.left, self.top + len(title.lines) * title.size * LEADING, size, lines[:1])

    def price(self) -> Iterator[Piece]:
        """Set the price: its whole units as large as the box, what follows them at half the size; a former one struck beside."""
        main, tail = _parted(self._money(self.facts["price_cents"]), places(self.facts["currency"]))
        prior = self._money(self.facts["prior_cents"]) if self.facts["prior_cents"] is not None else ""
        prior_ems = 0.3 * (ems(prior, is_bold=False) + 0.6) if prior else 0.0
        reach = ems(main, is_bold=True) + 0.5 * ems(tail, is_bold=True) + prior_ems
        size = min(self.price_height * 0.94 / CAPITALS, self.width * 0.97 / reach)
        x, y = self.left, self.top + self.name_height + self.price_height * 0.98
        whole = Lettering(x, y, size, main, is_bold=True)
        yield whole
        small = Lettering(x + whole.width, y - size * CAPITALS / 2, size / 2, tail, is_bold=True)
        yield small
        if prior:
            struck = Lettering(small.x + small.width + 0.2 * size, y, 0.3 * size, prior)
            yield struck
            yield Area(struck.x - 0.2, y - struck.size * 0.3, struck.width + 0.4, max(0.25, struck.size * 0.07))

    def code(self, code: str) -> Iterator[Piece]:
        """Set the code in the lower right corner; its quiet zone lies in the margins around."""
        rows = qr.matrix(code, error_correction="M")
        most = min(MOST_MODULE_MM, 0.37 * self.height / len(rows), 0.36 * self.width / len(rows))
        module = max(LEAST_MODULE_DOTS, int(most / DOT)) * DOT
        side = module * len(rows)
        x, y = _on_dot(self.right - side), _on_dot(self.bottom - side)
        self.code_top, self.beside_code = y - qr.QUIET_ZONE * module, x - qr.QUIET_ZONE * module - self.left
        for down, row in enumerate(rows):
            for run in re.finditer("1+", "".join("1" if is_dark else "0" for is_dark in row)):
                yield Area(x + run.start() * module, y + down * module, (run.end() - run.start()) * module, module)

    def words(self) -> Iterator[Piece]:
        """Set grade and battery, then the small print and the print's mark, left of the code."""
        y = self.top + self.name_height + self.price_height * 1.12
        width = self.width if y + self.grade_height * 1.2 < self.code_top else self.beside_code
        most = self.grade_height * 0.8
        size, lines, _ = fitted(self._grade(), width=width, height=self.grade_height, most=most, least=LEAST_MM, is_bold=True)
        yield from set_lines(self.left, y, size, lines, is_bold=True)
        y += self.grade_height
        mark = f"n° {self.label.label_no} · {moment(self.label.printed_at, self.facts['language'], self.zone)}"
        mark_size = max(LEAST_MM, 0.04 * self.height)
        small = fitted(mark, width=self.beside_code, height=mark_size * LEADING, most=mark_size, least=mark_size / 2)
        yield Lettering(self.left, self.bottom, small.size, small.lines[0])
        yield from self._small_print(y, self.bottom - mark_size * 1.1 - y)

    def _small_print(self, y: float, height: float) -> Iterator[Piece]:
        """Set a sentence a line, or where that would be too small all of them as one."""
        sentences, width = [UNBROKEN.sub(GLUE, each) for each in self._sentences()], self.beside_code
        most = max(LEAST_MM, min(self.grade_height * 0.66, self.height * 0.075))
        apart = fitted("\n".join(sentences), width=width, height=height, most=most, least=max(LEAST_MM, 0.62 * most))
        whole = (
            apart if apart.is_whole else fitted(" ".join(sentences), width=width, height=height, most=most, least=LEAST_MM * 0.9)
        )
        yield from set_lines(self.left, y, whole.size, whole.lines)

    def _grade(self) -> str:
        _, grade = self.gettext, _letters(self.facts["grade"])
        if self.facts["new_battery"]:
            return f"{grade} · " + _("batterie neuve")
        if self.facts["battery_min_pct"]:
            return f"{grade} · " + _("batterie ≥ %(pct)s %%") % {"pct": self.facts["battery_min_pct"]}
        return grade

    def _sentences(self) -> Iterator[str]:
        _, facts = self.gettext, self.facts
        if not facts["tax_included"]:
            yield _("Livraison comprise. Hors taxes locales, selon l’adresse de livraison.")
        elif facts["vat_note"] == "margin":
            yield _("Prix TTC, livraison comprise. TVA sur la marge, non récupérable.")
        else:
            yield _("Prix TTC, livraison et TVA comprises.")
        if facts["prior_cents"] is not None:
            yield _("Prix barré : le plus bas de ce vendeur sur les 30 jours d’avant la baisse.")
        if facts["legal_months"]:
            months = facts["legal_months"]
            yield self.ngettext(
                "Garantie légale de conformité : %(n)s mois.", "Garantie légale de conformité : %(n)s mois.", months
            ) % {"n": months}
        months = facts["warranty_months"]
        yield self.ngettext(
            "Garantie commerciale du vendeur : %(n)s mois.", "Garantie commerciale du vendeur : %(n)s mois.", months
        ) % {"n": months}
        if facts["copy_levy_cents"]:
            yield words(facts["language"], templates.PATH).levy(facts["copy_levy_cents"], facts["currency"])
        yield _("Vendeur : %(name)s") % {"name": _letters(facts["seller"])}

    def _money(self, cents: int) -> str:
        return _letters(money(cents, self.facts["currency"], self.facts["language"]))


def _parted(amount: str, decimals: int) -> tuple[str, str]:
    """Return an amount's whole units, with a sign before them, and what follows: `369` and `,00 €`."""
    found = re.fullmatch(rf"(.*\d)([.,]\d{{{decimals}}}\D*)" if decimals else r"(.*\d)(\D*)", amount)
    return (found[1], found[2]) if found else (amount, "")


def _letters(text: str) -> str:
    """Return a name in the letters we have: what they lack is spelled as on a slip, what nobody can spell is one "?"."""
    spelled = OUTSIDE.sub(lambda found: printable(found[0]), text.replace("\n", " ").replace("\u202f", GLUE))
    return UNKNOWN.sub("?", " ".join(spelled.replace(GLUE, "\x00").split())).replace("\x00", GLUE)


def _on_dot(millimetres: float) -> float:
    return int(millimetres / DOT) * DOT
