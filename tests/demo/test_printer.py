from __future__ import annotations

import io
import json
import socket
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest
import zxingcpp
from PIL import Image, ImageChops

from demo.glyphs import SCALE
from demo.paper import CUTTER_DOTS, GROUND, INK, PAPER, Cut, Event, Interpreter, PrinterReply, pictures
from demo.printer import Faults, VirtualPrinter
from kiosk.printing import paper
from kiosk.printing.profiles import usual_paper
from tests.kiosk.slip_facts import bundle_facts, slip_url
from tests.processes import PATIENCE_S

CUT = b"\x1bd\x08\x1dV\x01"
SLIP = paper.slip_bytes(bundle_facts(), slip_url(), paper=usual_paper(80), language="fr", copy_no=0)
LEFT = (20 + 32) * SCALE
"""Where the head begins in a picture of 80 mm paper: the ground's border and the paper's margin."""
TOP = (20 + CUTTER_DOTS) * SCALE


@pytest.fixture
def printer() -> Iterator[VirtualPrinter]:
    made = VirtualPrinter(0, 0)
    made.start()
    yield made
    made.stop()


def ask(printer: VirtualPrinter, data: bytes, *, answers: int = 1) -> bytes:
    with socket.create_connection(("127.0.0.1", printer.port), timeout=PATIENCE_S) as connection:
        connection.sendall(data)
        received = b""
        while len(received) < answers:
            received += connection.recv(100)
    return received


def get(printer: VirtualPrinter, path: str) -> bytes:
    with urllib.request.urlopen(f"http://127.0.0.1:{printer.viewer_port}{path}", timeout=PATIENCE_S) as answer:
        body: bytes = answer.read()
    return body


def status_of(printer: VirtualPrinter, path: str) -> int:
    try:
        get(printer, path)
    except HTTPError as error:
        error.close()
        return error.code
    return 200


def only(data: bytes) -> Cut:
    (cut,) = pictures(data)
    return cut


def ink(cut: Cut) -> tuple[int, int, int, int]:
    """Return left, top, right and bottom of all ink, in dots from the head's beginning and the paper's first printed row."""
    whole = Image.new("RGB", cut.picture.size, PAPER)
    difference = ImageChops.difference(cut.picture, whole).crop((LEFT, TOP, cut.picture.width - LEFT, cut.picture.height - 60))
    box = difference.getbbox()
    assert box is not None
    return (box[0] // SCALE, box[1] // SCALE, -(-box[2] // SCALE), -(-box[3] // SCALE))


def raster(columns: int, rows: int) -> bytes:
    return b"\x1dv0\x00" + columns.to_bytes(2, "little") + rows.to_bytes(2, "little") + b"\xff" * columns * rows


class TestPaper:
    def test_bytes_in_pieces_make_the_same_paper(self) -> None:
        whole = only(SLIP)
        interpreter = Interpreter()
        events: list[Event] = []
        for start in range(0, len(SLIP), 7):
            events += interpreter.feed(SLIP[start : start + 7])

        (cut,) = events
        assert isinstance(cut, Cut)
        assert cut.text == whole.text
        assert ImageChops.difference(cut.picture, whole.picture).getbbox() is None

    @pytest.mark.parametrize(
        ("data", "text"),
        [
            (b"\x1bt\x13T\x82l\x82phone 9,99 \xd5\n", "Téléphone 9,99 €"),
            (b"\x1bt\x10T\xe9l\xe9phone 9,99 \x80\n", "Téléphone 9,99 €"),
            (b"\x1bt\x13\xd5\n\x1b@\x82\n", "€\né"),
            (b"a\tb\n", "a       b"),
            (b"x" * 50 + b"\n", "x" * 48 + "\nxx"),
        ],
    )
    def test_text_follows_the_code_page(self, data: bytes, text: str) -> None:
        assert only(data + CUT).text == text

    @pytest.mark.parametrize(
        ("style", "right", "bottom"),
        [(b"\x1d!\x00", 48, 24), (b"\x1d!\x10", 96, 24), (b"\x1d!\x01", 48, 48), (b"\x1d!\x11", 96, 48), (b"\x1bM\x01", 36, 17)],
    )
    def test_characters_fill_their_cells(self, style: bytes, right: int, bottom: int) -> None:
        """Four full blocks (CP437 DB): what they cover is what the printer's sizes promise."""
        assert ink(only(style + b"\xdb" * 4 + b"\n" + CUT)) == (0, 0, right, bottom)

    def test_sizes_share_one_base_line(self) -> None:
        _, _, _, plain = ink(only(b"H\n" + CUT))
        _, _, _, mixed = ink(only(b"H\x1d!\x11H\n" + CUT))

        assert mixed == plain + 20

    @pytest.mark.parametrize(("align", "left"), [(0, 0), (1, 264), (2, 528)])
    def test_lines_and_images_are_aligned(self, align: int, left: int) -> None:
        setting = b"\x1ba" + bytes([align])

        assert ink(only(setting + b"\xdb" * 4 + b"\n" + CUT))[0] == left
        assert ink(only(setting + raster(6, 10) + CUT)) == (left, 0, left + 48, 10)

    def test_inverse_is_white_on_black_and_bold_is_heavier(self) -> None:
        blank = only(b"\x1dB\x01  \n" + CUT)
        plain, bold = (sum(only(mode + b"HHHH\n" + CUT).picture.convert("L").histogram()[:128]) for mode in (b"", b"\x1bE\x01"))

        assert ink(blank) == (0, 0, 24, 24)
        assert bold > plain

    def test_the_cutter_stands_above_the_head(self) -> None:
        """What is cut too soon leaves its last rows to the next paper."""
        too_soon, following = pictures(raster(8, 50) + b"\x1dV\x00" + raster(8, 50) + CUT)

        assert too_soon.picture.height < following.picture.height
        assert following.picture.getpixel((LEFT + 4, (20 + CUTTER_DOTS - 10) * SCALE)) == INK

    def test_feeding_cut_needs_no_feed(self) -> None:
        cut = only(raster(8, 50) + b"\x1dVB\x00")

        assert cut.picture.height == (CUTTER_DOTS + 50 + 40) * SCALE

    def test_paper_lies_on_ground_with_torn_ends(self) -> None:
        picture = only(raster(8, 100) + CUT).picture

        assert picture.getpixel((0, 0)) == GROUND
        assert {picture.getpixel((x, 20 * SCALE + 2)) for x in range(LEFT, LEFT + 40)} >= {GROUND, PAPER}

    @pytest.mark.parametrize(
        ("data", "error"),
        [
            (b"\x1bZ", "commande inconnue : 1B 5A"),
            (b"\x1dk", "commande inconnue : 1D 6B"),
            (b"\x07", "octet inconnu : 07"),
            (b"\x1bt\x63", "page de codes inconnue : 99"),
            (b"\x1d(k\x03\x001C\x08", "fonction non simulée : 1D 28 6B"),
            (raster(80, 1), "image plus large que le papier : 640 points sur 576"),
            (b"abc" + raster(2, 2), "image au milieu d'une ligne : sans effet"),
            (b"abc\x1ba\x01", "alignement au milieu d'une ligne : sans effet"),
        ],
    )
    def test_what_is_not_known_is_shown(self, data: bytes, error: str) -> None:
        cut = only(data + b"\nsuite\n" + CUT)

        assert cut.errors == (error,)
        assert "suite" in cut.text
        assert any(red > 150 and green < 90 for _, (red, green, _) in cut.picture.getcolors(1 << 20))  # type: ignore[union-attr, misc]

    def test_any_bytes_make_some_paper(self) -> None:
        every = bytes(range(256)) * 40

        Interpreter().feed(every)
        Interpreter(58).feed(every[::-1])

    def test_answers_come_in_the_order_of_printing(self) -> None:
        events = Interpreter().feed(b"a\n" + CUT + b"\x1d(H\x06\x0000A1B2\x1dr\x01")

        assert [type(event) for event in events] == [Cut, PrinterReply, PrinterReply]
        assert [event.data for event in events if isinstance(event, PrinterReply)] == [b"\x37\x22A1B2\x00", b"\x00"]

    @pytest.mark.parametrize("paper_mm", [80, 58])
    def test_a_slip_can_be_read_from_its_picture(self, paper_mm: int) -> None:
        data = paper.slip_bytes(bundle_facts(), slip_url(), paper=usual_paper(paper_mm), language="fr", copy_no=1)
        (cut,) = pictures(data, paper_mm=paper_mm)

        assert [code.text for code in zxingcpp.read_barcodes(cut.picture)] == [slip_url()]


class TestPrinter:
    def test_status_is_answered_in_the_middle_of_a_job(self, printer: VirtualPrinter) -> None:
        assert ask(printer, SLIP[:900] + b"\x10\x04\x01") == b"\x12"

    def test_a_question_cut_in_two_is_one_question(self, printer: VirtualPrinter) -> None:
        with socket.create_connection(("127.0.0.1", printer.port), timeout=PATIENCE_S) as connection:
            connection.sendall(b"\x10")
            time.sleep(0.05)
            connection.sendall(b"\x04")
            time.sleep(0.05)
            connection.sendall(b"\x04")
            assert connection.recv(10) == b"\x12"

    @pytest.mark.parametrize(
        ("faults", "answers"),
        [
            (Faults(), b"\x12\x12\x12\x12"),
            (Faults(paper_out=True), b"\x1a\x32\x12\x7e"),
            (Faults(cover_open=True), b"\x1a\x16\x12\x12"),
        ],
    )
    def test_status_bytes_are_an_epsons(self, printer: VirtualPrinter, faults: Faults, answers: bytes) -> None:
        printer.faults = faults

        assert ask(printer, b"\x10\x04\x01\x10\x04\x02\x10\x04\x03\x10\x04\x04", answers=4) == answers

    def test_nothing_is_printed_without_paper(self, printer: VirtualPrinter) -> None:
        printer.faults = Faults(paper_out=True)
        ask(printer, SLIP + b"\x10\x04\x01")

        assert printer.papers() == {}

    def test_a_command_cut_off_with_its_connection_does_not_swallow_the_next_job(self, printer: VirtualPrinter) -> None:
        ask(printer, b"\x10\x04\x01" + SLIP[:5000])
        ask(printer, SLIP + b"\x1dr\x01")

        assert [code.text for code in zxingcpp.read_barcodes(Image.open(io.BytesIO(printer.papers()[1].png)))] == [slip_url()]
        assert printer.papers()[1].errors[0].startswith("commande interrompue")


class TestViewer:
    def test_the_latest_paper_is_a_picture_with_a_readable_code(self, printer: VirtualPrinter) -> None:
        ask(printer, SLIP + b"\x1dr\x01")
        picture = Image.open(io.BytesIO(get(printer, "/latest.png")))

        assert [code.text for code in zxingcpp.read_barcodes(picture)] == [slip_url()]
        assert get(printer, "/papers/1.png") == get(printer, "/latest.png")

    def test_the_page_shows_every_paper_newest_first(self, printer: VirtualPrinter) -> None:
        assert "Aucun papier" in get(printer, "/").decode()
        for name in (b"un", b"deux"):
            ask(printer, name + b"\n" + CUT + b"\x1dr\x01")

        page = get(printer, "/").decode()

        assert page.index("/papers/2.png") < page.index("/papers/1.png")
        assert 'alt="deux"' in page
        assert json.loads(get(printer, "/state.json"))["latest"] == 2

    def test_paper_not_yet_cut_is_shown(self, printer: VirtualPrinter) -> None:
        assert status_of(printer, "/uncut.png") == 404
        ask(printer, b"au milieu\n\x1dr\x01")

        assert json.loads(get(printer, "/state.json"))["uncut"] is True
        assert Image.open(io.BytesIO(get(printer, "/uncut.png"))).width > 1000

    @pytest.mark.parametrize(
        "path", ["/latest.png", "/papers/1.png", "/papers/0.png", "/papers/x.png", "/papers/..png", "/fonts/../x", "/nothing"]
    )
    def test_what_is_not_there_is_404(self, printer: VirtualPrinter, path: str) -> None:
        assert status_of(printer, path) == 404

    @pytest.mark.parametrize("path", ["/viewer.css", "/viewer.js", "/fonts/figtree-latin-wght-normal.woff2"])
    def test_the_page_finds_its_parts(self, printer: VirtualPrinter, path: str) -> None:
        assert path.encode() in get(printer, "/") + get(printer, "/viewer.css")
        assert status_of(printer, path) == 200

    def test_paper_and_cover_are_within_reach(self, printer: VirtualPrinter) -> None:
        troubles = f"http://127.0.0.1:{printer.viewer_port}/troubles"

        with urllib.request.urlopen(troubles, data=b"paper_out=1", timeout=PATIENCE_S) as answer:
            assert "Plus de papier" in answer.read().decode()
        assert printer.faults.paper_out
        with urllib.request.urlopen(troubles, data=b"paper_out=0", timeout=PATIENCE_S) as answer:
            assert "Prête." in answer.read().decode()
        foreign = urllib.request.Request(troubles, data=b"cover_open=1", headers={"Origin": "http://ailleurs.test"})
        with pytest.raises(HTTPError) as refused:
            urllib.request.urlopen(foreign, timeout=PATIENCE_S)
        refused.value.close()
        assert refused.value.code == 403
        assert not printer.faults.cover_open


def test_a_stopped_printer_frees_its_ports() -> None:
    first = VirtualPrinter(0, 0)
    first.start()
    second = VirtualPrinter(first.port, first.viewer_port)
    first.stop()
    second.start()
    second.stop()


def test_the_printers_face_comes_with_its_licence() -> None:
    fonts = Path(__file__).parents[2] / "demo" / "fonts"

    assert "SIL Open Font License" in (fonts / "LICENSE").read_text()
