from __future__ import annotations

from typing import Any

import pypdfium2
import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from demo.paper import pictures
from kiosk.printing import labels
from kiosk.printing.labels import LabelFace, SheetFormat, label_face, sheet_formats
from kiosk.printing.profiles import usual_paper
from pos.shelf_labels import ShelfFacts, ShelfLabel
from shop.lettering import Area, Lettering, Piece
from tests.world import NOW

ZONE = "Europe/Paris"
CODE = "P-7K3M9QXTDE-00000K5"
"""As long as a label's code; what it says is for `pos.scans`."""
FACTS: ShelfFacts = {
    "sku_id": 2,
    "language": "fr",
    "title": "Apple iPhone 13",
    "storage_gb": 128,
    "color": "Bleu",
    "grade": "Très bon état",
    "battery_min_pct": 80,
    "new_battery": False,
    "price_cents": 36900,
    "prior_cents": None,
    "currency": "EUR",
    "tax_included": True,
    "vat_note": "margin",
    "copy_levy_cents": 1008,
    "legal_months": 24,
    "warranty_months": 12,
    "seller": "Atelier Loire SAS",
}
SIZES = [(72.0, 52.0), (48.0, 62.0), *(each.label for each in sheet_formats().values())]
HOSTILE = [
    "X" * 300,
    "mot " * 75,
    "\u200fمرحبا بالعالم\u200f שלום עולם",
    "📱🔥👩\u200d👩\u200d👧\u200d👦" * 20,
    "iPhone\u200b\u200d\u2060\ufeff 13",
    "a\u0301" * 100,
    "中文手机名称" * 30,
    "\u202eflip",
    "…",
]


def label(**changes: Any) -> ShelfLabel:
    facts: Any = {**FACTS, **changes}
    return ShelfLabel(
        label_no=12,
        position=facts.pop("position", "A1"),
        facts=facts,
        format="printer",
        sheet_no=None,
        printed_at="2026-11-22T14:32:00Z",
        confirmed_at=None,
        stale_at=None,
        state="printed",
    )


def face(size: tuple[float, float], **changes: Any) -> LabelFace:
    return label_face(label(**changes), CODE, width=size[0], height=size[1], zone=ZONE)


def ink(pieces: tuple[Piece, ...], size: tuple[float, float]) -> Image.Image:
    """Return what pieces leave on the label, on a ground so large that nothing can be cut off."""
    width, height = size
    moved = [
        Lettering(p.x + width, p.y + height, p.size, p.text, p.is_bold, p.is_white)
        if isinstance(p, Lettering)
        else Area(p.x + width, p.y + height, p.width, p.height)
        for p in pieces
    ]
    return labels.draw_picture(moved, width=3 * width, height=3 * height)


def assert_price_stays(size: tuple[float, float], **changes: Any) -> None:
    drawn = face(size, **changes)
    dots = [round(side * labels.DOTS_PER_MM) for side in size]
    price, others = ink(drawn.price, size), ink(drawn.others, size)
    left, top, right, bottom = price.getbbox()
    assert dots[0] < left < right < 2 * dots[0], "the price leaves the label sideways"
    assert dots[1] < top < bottom < 2 * dots[1], "the price leaves the label"
    assert ImageChops.logical_and(price, others).getbbox() is None, "something is printed over the price"
    assert bottom - top >= 0.12 * dots[1] or right - left > 0.8 * dots[0], "the price is small though it has room"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_drives_the_price_out(name: str, size: tuple[float, float]) -> None:
    assert_price_stays(size, title=name, color=name, grade=name, seller=name, position=name, prior_cents=39900)


@pytest.mark.parametrize("dots", [576, 384])
@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_covers_the_code(name: str, dots: int) -> None:
    picture = labels.label_picture(
        label(title=name, color=name, grade=name, seller=name[:160], position=name), CODE, dots, zone=ZONE
    )

    assert [code.text for code in zxingcpp.read_barcodes(ImageChops.invert(picture.convert("L")))] == [CODE]
    words = [piece for piece in face((dots / 8, 52), seller="Y" * 160).others if isinstance(piece, Lettering)]
    for piece in words:
        _, _, right, _ = labels.draw_picture([piece], width=dots / 8 * 2, height=52).getbbox() or (0, 0, 0, 0)
        assert right <= (piece.x + piece.width) * labels.DOTS_PER_MM + 3, piece.text


@settings(max_examples=40)
@given(
    name=st.text(min_size=1, max_size=300),
    cents=st.integers(1, 10_000_000_00),
    currency=st.sampled_from(["EUR", "USD", "JPY", "CHF", "SEK"]),
    size=st.sampled_from(SIZES),
)
def test_any_price_stays_on_its_label(name: str, cents: int, currency: str, size: tuple[float, float]) -> None:
    assert_price_stays(size, title=name, seller=name, position=name[:160], price_cents=cents, currency=currency)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", ["Apple iPhone 13", "X" * 300])
def test_everything_else_stays_on_the_label_too(name: str, size: tuple[float, float]) -> None:
    drawn = ink(face(size, title=name, seller=name, grade=name).pieces, size)

    left, top, right, bottom = drawn.getbbox()
    width, height = (round(side * labels.DOTS_PER_MM) for side in size)
    assert (width <= left, right <= 2 * width, height <= top, bottom <= 2 * height) == (True,) * 4


@pytest.mark.parametrize("size", SIZES)
def test_every_fact_of_law_is_on_a_label_of_any_size(size: tuple[float, float]) -> None:
    drawn = face(size)
    text = " ".join(piece.text for piece in drawn.others if isinstance(piece, Lettering)).replace("\u00a0", " ")

    for fact in (
        "Apple iPhone 13",
        "128 Go · Bleu",
        "Très bon état · batterie ≥ 80 %",
        "livraison comprise",
        "TVA sur la marge, non récupérable.",
        "Garantie légale de conformité : 24 mois.",
        "Garantie commerciale du vendeur : 12 mois.",
        "copie privée : 10,08 €.",
        "Vendeur : Atelier Loire SAS",
        "n° 12 · 22 novembre 2026, 15:32",
    ):
        assert fact in text, fact
    assert "".join(piece.text for piece in drawn.price if isinstance(piece, Lettering)) == "369,00\u00a0€"


@pytest.mark.parametrize(("currency", "price"), [("KRW", "₩36,900"), ("INR", "₹369.00"), ("SEK", "369.00")])
def test_every_currency_has_its_sign(currency: str, price: str) -> None:
    pieces = face((72, 52), currency=currency, language="en").price

    assert price in "".join(piece.text for piece in pieces if isinstance(piece, Lettering))


def test_a_former_price_is_struck_only_where_the_facts_carry_it() -> None:
    def struck(**changes: Any) -> int:
        return sum(isinstance(piece, Area) for piece in face((72, 52), **changes).price)

    assert (struck(), struck(prior_cents=39900)) == (0, 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"battery_min_pct": None}, "Très bon état"),
        ({"new_battery": True, "battery_min_pct": None}, "Très bon état · batterie neuve"),
        ({"language": "en", "grade": "Good"}, "Good · battery ≥ 80%"),
    ],
)
def test_the_battery_is_said_as_it_is(changes: dict[str, Any], said: str) -> None:
    lines = [piece.text for piece in face((72, 52), **changes).others if isinstance(piece, Lettering)]

    assert said in lines


@pytest.mark.parametrize("paper_mm", [80, 58])
def test_the_printer_prints_one_paper_whose_code_is_read_back(paper_mm: int) -> None:
    takes = usual_paper(paper_mm)
    data = labels.label_bytes(label(), CODE, takes, zone=ZONE)

    (cut,) = pictures(data, paper_mm=paper_mm)

    assert cut.errors == ()
    assert [code.text for code in zxingcpp.read_barcodes(cut.picture)] == [CODE]


@pytest.mark.parametrize("sheet", sheet_formats().values(), ids=lambda sheet: sheet.key)
def test_a_sheet_has_every_label_in_its_window_and_every_code_is_read_back(sheet: SheetFormat) -> None:
    most = sheet.columns * sheet.rows
    content = labels.label_sheets([(label(position=f"A{n}"), CODE) for n in range(most + 1)], sheet, zone=ZONE, made_at=NOW)

    with pypdfium2.PdfDocument(content) as document:
        assert len(document) == 2
        page = document[0]
        assert page.get_size() == pytest.approx([side / 25.4 * 72 for side in sheet.page], abs=0.1)
        text = page.get_textpage()
        prices = [text.get_charbox(at) for at in range(text.count_chars()) if text.get_text_range(at, 3) == "369"]
        picture = page.render(scale=203 / 72).to_pil()
    assert len(prices) == most
    windows = {
        (
            round((left * 25.4 / 72 - sheet.first[0]) // sheet.pitch[0]),
            round((sheet.page[1] - top * 25.4 / 72 - sheet.first[1]) // sheet.pitch[1]),
        )
        for left, _, _, top in prices
    }
    assert windows == {(column, row) for column in range(sheet.columns) for row in range(sheet.rows)}
    for row in range(sheet.rows):
        for column in range(sheet.columns):
            box = [sheet.first[0] + column * sheet.pitch[0], sheet.first[1] + row * sheet.pitch[1]]
            window = picture.crop([round(mm * 203 / 25.4) for mm in (*box, box[0] + sheet.label[0], box[1] + sheet.label[1])])
            assert [code.text for code in zxingcpp.read_barcodes(window)] == [CODE]


@pytest.mark.parametrize("size", SIZES)
def test_a_module_of_the_code_is_at_least_three_dots_and_whole_dots(size: tuple[float, float]) -> None:
    modules = [piece for piece in face(size).others if isinstance(piece, Area)][1:]

    for area in modules:
        dots = [each * labels.DOTS_PER_MM for each in (area.x, area.y, area.width, area.height)]
        assert dots == [round(each) for each in dots]
    assert min(area.height for area in modules) * labels.DOTS_PER_MM >= 3


def test_the_code_is_drawn_as_areas_not_as_a_picture() -> None:
    content = labels.label_sheets([(label(), CODE)], sheet_formats()["a6"], zone=ZONE, made_at=NOW)

    assert b"/Subtype /Image" not in content
    assert content == labels.label_sheets([(label(), CODE)], sheet_formats()["a6"], zone=ZONE, made_at=NOW)


@pytest.mark.parametrize("sheet", sheet_formats().values(), ids=lambda sheet: sheet.key)
def test_the_labels_of_a_format_lie_on_its_page_and_apart(sheet: SheetFormat) -> None:
    for axis, count in ((0, sheet.columns), (1, sheet.rows)):
        assert sheet.label[axis] <= sheet.pitch[axis]
        assert sheet.first[axis] + (count - 1) * sheet.pitch[axis] + sheet.label[axis] <= sheet.page[axis] + 0.01
