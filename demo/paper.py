"""What a thermal printer would make of ESC/POS bytes: a picture of the paper.

It knows the commands common printers know and draws them where a printer would, the distance from head to cutter included.
What it does not know is shown in red on the paper, never skipped in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from PIL import Image, ImageDraw

from demo.glyphs import BASE, CELLS, SCALE, Style, font, glyph

HEAD_DOTS = {80: 576, 58: 384}
MARGIN_DOTS = {80: 32, 58: 40}
CUTTER_DOTS = 112
"""Paper between head and cutter (14 mm): what is printed last is not yet past the blade."""

CODE_PAGES = {0: "cp437", 2: "cp850", 3: "cp860", 4: "cp863", 5: "cp865", 16: "cp1252", 17: "cp866", 18: "cp852", 19: "cp858"}
PAPER, INK, GROUND, ALARM = (253, 252, 248), (24, 26, 25), (223, 226, 215), (190, 30, 30)

_DLE, _ESC, _FS, _GS = 0x10, 0x1B, 0x1C, 0x1D


@dataclass(frozen=True, slots=True)
class PrinterReply:
    """Bytes the printer sends back once everything before has been printed."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A finished paper: its picture, the words on it line by line, and the errors that stand on it."""

    picture: Image.Image
    text: str
    errors: tuple[str, ...]


Event = PrinterReply | Cut


@dataclass(slots=True)
class _Command:
    """How a command goes on after its name: a fixed number of bytes, or a function that counts them once it can."""

    run: Callable[[bytes], None]
    length: int | Callable[[bytes], int | None] = 0


@dataclass(slots=True)
class _Sheet:
    """Paper being printed: rows of ink under the head."""

    width: int
    ink: Image.Image = field(init=False)
    y: int = 0

    def __post_init__(self) -> None:
        self.ink = Image.new("L", (self.width * SCALE, 2000))

    def reach(self, dots: int) -> None:
        """Make room for `dots` more rows."""
        needed = (self.y + dots) * SCALE
        if needed > self.ink.height:
            longer = Image.new("L", (self.ink.width, max(needed, 2 * self.ink.height)))
            longer.paste(self.ink)
            self.ink = longer

    def feed(self, dots: int) -> None:
        """Move the paper on."""
        self.reach(dots)
        self.y += dots


class Interpreter:
    """Reads ESC/POS bytes as they come, in pieces of any size, and gives back replies and finished papers.

    Paper that was not cut stays in the printer, under whatever comes next.
    """

    def __init__(self, paper_mm: int = 80, code_pages: Mapping[int, str] = CODE_PAGES) -> None:
        self.code_pages = code_pages
        self.width = HEAD_DOTS[paper_mm]
        self.margin = MARGIN_DOTS[paper_mm]
        self.style = Style()
        self.sheet = _Sheet(self.width)
        self.sheet.feed(CUTTER_DOTS)
        self.line: list[tuple[str, Style]] = []
        self.text: list[str] = []
        self.alarms: list[tuple[int, str]] = []
        self.events: list[Event] = []
        self.pending = b""
        self.commands = self._table()

    def feed(self, data: bytes) -> list[Event]:
        """Print `data` and return what came of it, in order. An incomplete command waits for its rest."""
        self.pending += data
        position = 0
        while position < len(self.pending):
            taken = self._step(self.pending, position)
            if taken == 0:
                break
            position += taken
        self.pending = self.pending[position:]
        events, self.events = self.events, []
        return events

    def end_of_connection(self) -> None:
        """Forget the beginning of a command whose rest will never come, and say so on the paper."""
        if self.pending:
            self._alarm(f"commande interrompue : {self.pending[:8].hex(' ').upper()}")
            self.pending = b""

    def uncut(self) -> Image.Image | None:
        """Return the paper still in the printer, or nothing when it is white."""
        return self._picture(self.sheet.y, is_torn=False) if self.has_uncut() else None

    def has_uncut(self) -> bool:
        """Tell whether ink stands on the paper still in the printer."""
        return bool(self.alarms) or self.sheet.ink.getbbox() is not None

    def _step(self, data: bytes, at: int) -> int:
        """Run what stands at `at`; return the bytes taken, 0 when more must come first."""
        first = data[at]
        if first >= 0x20:
            self._character(first)
            return 1
        if first not in {_DLE, _ESC, _FS, _GS}:
            return self._control(first)
        name = data[at : at + 2]
        if len(name) < 2:
            return 0
        command = self.commands.get(name)
        if command is None:
            self._alarm(f"commande inconnue : {name.hex(' ').upper()}")
            return 2
        rest = data[at + 2 :]
        length = command.length if isinstance(command.length, int) else command.length(rest)
        if length is None or len(rest) < length:
            return 0
        command.run(rest[:length])
        return 2 + length

    def _control(self, code: int) -> int:
        if code == 0x0A:
            self._print_line()
        elif code == 0x09:
            self.line.extend([(" ", self.style)] * (8 - len(self.line) % 8))
        elif code not in {0x00, 0x0D}:
            self._alarm(f"octet inconnu : {code:02X}")
        return 1

    def _table(self) -> dict[bytes, _Command]:
        return {
            b"\x10\x04": _Command(_nothing, 1),  # real time: answered by the printer as it arrives
            b"\x10\x05": _Command(_nothing, 1),
            b"\x1b@": _Command(self._initialize),
            b"\x1b!": _Command(self._print_mode, 1),
            b"\x1bE": _Command(lambda rest: self._set(is_bold=bool(rest[0] & 1)), 1),
            b"\x1bG": _Command(lambda rest: self._set(is_bold=bool(rest[0] & 1)), 1),
            b"\x1b-": _Command(lambda rest: self._set(underline=rest[0] & 3), 1),
            b"\x1bM": _Command(lambda rest: self._set(font="b" if rest[0] & 1 else "a"), 1),
            b"\x1ba": _Command(self._align, 1),
            b"\x1bt": _Command(self._code_page, 1),
            b"\x1bR": _Command(self._national_set, 1),
            b"\x1b2": _Command(lambda _: self._set(spacing=30)),
            b"\x1b3": _Command(lambda rest: self._set(spacing=rest[0]), 1),
            b"\x1b ": _Command(lambda rest: self._set(gap=rest[0]), 1),
            b"\x1bd": _Command(self._feed_lines, 1),
            b"\x1bJ": _Command(self._feed_dots, 1),
            b"\x1dB": _Command(lambda rest: self._set(is_inverse=bool(rest[0] & 1)), 1),
            b"\x1d!": _Command(self._size, 1),
            b"\x1dV": _Command(self._cut, _cut_length),
            b"\x1dv": _Command(self._raster, _raster_length),
            b"\x1da": _Command(_nothing, 1),
            b"\x1dr": _Command(lambda _: self.events.append(PrinterReply(b"\x00")), 1),
            b"\x1d(": _Command(self._function, _function_length),
            b"\x1c.": _Command(_nothing),  # leaves the Chinese mode, which this printer never enters
        }

    def _initialize(self, _: bytes) -> None:
        self.line = []
        self.style = Style()

    def _set(self, **changes: object) -> None:
        self.style = replace(self.style, **changes)  # type: ignore[arg-type]

    def _print_mode(self, rest: bytes) -> None:
        mode = rest[0]
        self._set(
            font="b" if mode & 1 else "a",
            is_bold=bool(mode & 8),
            height=2 if mode & 16 else 1,
            width=2 if mode & 32 else 1,
            underline=1 if mode & 128 else 0,
        )

    def _size(self, rest: bytes) -> None:
        self._set(width=(rest[0] >> 4 & 7) + 1, height=(rest[0] & 7) + 1)

    def _align(self, rest: bytes) -> None:
        if self.line:
            self._alarm("alignement au milieu d'une ligne : sans effet")
        else:
            self._set(align=rest[0] & 3)

    def _code_page(self, rest: bytes) -> None:
        if rest[0] in self.code_pages:
            self._set(code_page=self.code_pages[rest[0]])
        else:
            self._alarm(f"page de codes inconnue : {rest[0]}")

    def _national_set(self, rest: bytes) -> None:
        if rest[0]:
            self._alarm(f"jeu national non simulé : {rest[0]}")

    def _feed_lines(self, rest: bytes) -> None:
        if self.line:
            self._print_line()
        self.sheet.feed(rest[0] * self.style.spacing)

    def _feed_dots(self, rest: bytes) -> None:
        if self.line:
            self._draw_line()
        self.sheet.feed(rest[0])

    def _character(self, byte: int) -> None:
        character = bytes([byte]).decode(self.style.code_page, errors="replace")
        cell = CELLS[self.style.font][0] * self.style.width + self.style.gap
        if self._line_width() + cell > self.width:
            self._print_line()
        self.line.append((character, self.style))

    def _line_width(self) -> int:
        return sum(CELLS[style.font][0] * style.width + style.gap for _, style in self.line)

    def _print_line(self) -> None:
        top = self.sheet.y
        self._draw_line()
        self.sheet.feed(max(0, self.style.spacing - (self.sheet.y - top)))

    def _draw_line(self) -> None:
        """Draw the waiting characters on one base line and move past the lowest."""
        above = max((BASE[style.font] * style.height for _, style in self.line), default=0)
        below = max(((CELLS[style.font][1] - BASE[style.font]) * style.height for _, style in self.line), default=0)
        self.sheet.reach(above + below)
        x = (self.width - self._line_width()) * self.style.align // 2
        for character, style in self.line:
            top = self.sheet.y + above - BASE[style.font] * style.height
            self.sheet.ink.paste(glyph(character, style), (x * SCALE, top * SCALE))
            x += CELLS[style.font][0] * style.width + style.gap
        self.text.append("".join(character for character, _ in self.line).rstrip())
        self.line = []
        self.sheet.feed(above + below)

    def _raster(self, rest: bytes) -> None:
        mode, columns = rest[1], int.from_bytes(rest[2:4], "little") * 8
        rows = int.from_bytes(rest[4:6], "little")
        if self.line:
            self._alarm("image au milieu d'une ligne : sans effet")
            return
        if not columns or not rows:
            return
        across, down = 1 + (mode & 1), 1 + (mode >> 1 & 1)
        dots = Image.frombytes("1", (columns, rows), rest[6:]).convert("L")
        if columns * across > self.width:
            self._alarm(f"image plus large que le papier : {columns * across} points sur {self.width}")
            dots = dots.crop((0, 0, self.width // across, rows))
        picture = dots.resize((dots.width * across * SCALE, rows * down * SCALE), Image.Resampling.NEAREST)
        self.sheet.reach(rows * down)
        left = (self.width - dots.width * across) * self.style.align // 2
        self.sheet.ink.paste(picture, (left * SCALE, self.sheet.y * SCALE))
        self.sheet.feed(rows * down)

    def _function(self, rest: bytes) -> None:
        name, body = rest[:1], rest[3:]
        if name == b"H" and body[:2] == b"00" and len(body) == 6:
            self.events.append(PrinterReply(b"\x37\x22" + body[2:] + b"\x00"))
        else:
            self._alarm(f"fonction non simulée : 1D 28 {name.hex().upper()}")

    def _cut(self, rest: bytes) -> None:
        if self.line:
            self._print_line()
        if len(rest) == 2:
            self.sheet.feed(CUTTER_DOTS + rest[1])
        height = max(1, self.sheet.y - CUTTER_DOTS)
        errors = tuple(text for _, text in self.alarms)
        self.events.append(Cut(self._picture(height, is_torn=True), "\n".join(self.text), errors))
        self.text = []
        left_over = self.sheet.ink.crop((0, height * SCALE, self.width * SCALE, self.sheet.y * SCALE))
        self.sheet = _Sheet(self.width)
        self.sheet.ink.paste(left_over)
        self.sheet.feed(CUTTER_DOTS)
        self.alarms = []

    def _alarm(self, text: str) -> None:
        if self.line:
            self._draw_line()
        self.alarms.append((self.sheet.y, text))
        self.sheet.feed(40)

    def _picture(self, height: int, *, is_torn: bool) -> Image.Image:
        """Return the upper `height` dots as paper lying on the ground, in colours."""
        ink = self.sheet.ink.crop((0, 0, self.width * SCALE, height * SCALE))
        wide = (self.width + 2 * self.margin) * SCALE
        sheet = Image.new("RGB", (wide, height * SCALE), PAPER)
        sheet.paste(INK, (self.margin * SCALE, 0), ink)
        draw = ImageDraw.Draw(sheet)
        for y, text in self.alarms:
            draw.rectangle((0, y * SCALE, wide, (y + 36) * SCALE), fill=ALARM)
            draw.text((self.margin * SCALE, (y + 6) * SCALE), text, font=font(18 * SCALE, is_bold=True), fill=PAPER)
        return _on_the_ground(sheet, is_torn=is_torn)


def pictures(data: bytes, *, paper_mm: int = 80) -> list[Cut]:
    """Return the papers a whole job makes."""
    return [event for event in Interpreter(paper_mm).feed(data) if isinstance(event, Cut)]


def _nothing(_: bytes) -> None:
    """Take the command and draw nothing."""


def _cut_length(rest: bytes) -> int | None:
    if not rest:
        return None
    return 2 if rest[0] in {65, 66, 97, 98, 103, 104} else 1


def _raster_length(rest: bytes) -> int | None:
    """`GS v 0 m xL xH yL yH` and the dots."""
    if len(rest) < 6:
        return None
    return 6 + int.from_bytes(rest[2:4], "little") * int.from_bytes(rest[4:6], "little")


def _function_length(rest: bytes) -> int | None:
    """`GS ( name pL pH` and p bytes."""
    return None if len(rest) < 3 else 3 + int.from_bytes(rest[1:3], "little")


def _on_the_ground(sheet: Image.Image, *, is_torn: bool) -> Image.Image:
    """Lay the paper on a ground, with the saw teeth of the cutter at its ends."""
    border, tooth = 20 * SCALE, 5 * SCALE
    mask = Image.new("L", sheet.size, 255)
    draw = ImageDraw.Draw(mask)
    for x in range(0, sheet.width + tooth, 2 * tooth):
        draw.polygon([(x, 0), (x + tooth, tooth), (x + 2 * tooth, 0)], fill=0)
        if is_torn:
            bottom = sheet.height
            draw.polygon([(x, bottom), (x + tooth, bottom - tooth), (x + 2 * tooth, bottom)], fill=0)
    ground = Image.new("RGB", (sheet.width + 2 * border, sheet.height + 2 * border), GROUND)
    ground.paste(sheet, (border, border), mask)
    return ground
