from __future__ import annotations

import io
import re
import time
from typing import Any

import pypdfium2
import pytest
import zxingcpp
from flask.testing import FlaskClient
from PIL import Image

from demo.printer import VirtualPrinter
from kiosk.background import note_labels
from kiosk.printing import print_jobs
from pos import catalog, clock
from pos.corners import corner, store_corner
from pos.db import write
from pos.scans import code_of
from pos.shelf_labels import label_code, shelf_label
from tests import world
from tests.sentences import plain


def page(clerk: FlaskClient, query: str = "") -> str:
    answer = clerk.get(f"/counter/labels{query}")
    assert answer.status_code == 200
    return plain(answer.text)


def print_due(clerk: FlaskClient, **form: str) -> str:
    answer = clerk.post("/counter/labels/prints", data=form)
    assert answer.status_code == 303
    return answer.headers["Location"]


def printed(printer: VirtualPrinter, count: int) -> list[str]:
    """Return the codes of the labels that came out, once so many did."""
    until = time.monotonic() + 20
    while len(printer.papers()) < count and time.monotonic() < until:
        time.sleep(0.05)
    pictures = [Image.open(io.BytesIO(paper.png)) for paper in printer.papers().values()]
    return [code.text for picture in pictures for code in zxingcpp.read_barcodes(picture)]


def move_price(kiosk: world.Kiosk, cents: int) -> None:
    """Move the price of the device at A1, and let the round's end look at the labels."""
    with kiosk.catalog.writer() as database, write(database):
        database.execute("update listing set price_cents = ? where listing_id = 104", [cents])
        catalog.refresh(database, {"listing": {104}}, now=world.NOW)
    note_labels(kiosk.catalog, kiosk.ops)


def scan(clerk: FlaskClient, code: str) -> str:
    answer = clerk.post("/counter/labels/scans", data={"code": code})
    assert answer.status_code == 303
    return plain(clerk.get(answer.headers["Location"]).text)


def test_labels_are_printed_put_up_and_ticked_off_by_scan(
    clerk: FlaskClient, kiosk: world.Kiosk, printer: VirtualPrinter
) -> None:
    assert "3 étiquettes à remplacer" in page(clerk)
    print_due(clerk)
    codes = printed(printer, 3)
    assert len(set(codes)) == 3
    assert "3 étiquettes à poser puis à scanner." in page(clerk)

    for code in codes:
        assert "bien en place." in scan(clerk, code)

    assert "Chaque étiquette dit ce que dit l’écran." in page(clerk)
    assert print_due(clerk) == "/counter/labels"
    assert len(printer.papers()) == 3, "nothing was due"


def test_a_price_that_moved_makes_its_label_untrue_and_the_old_one_is_known_by_its_scan(
    clerk: FlaskClient, kiosk: world.Kiosk, printer: VirtualPrinter
) -> None:
    print_due(clerk)
    codes = printed(printer, 3)
    for code in codes:
        scan(clerk, code)

    move_price(kiosk, 31400)

    seen = page(clerk)
    assert "1 étiquette à remplacer." in seen
    assert re.search(r"A1 Apple iPhone 13 Le prix a changé, vu le [^€]*329,00 € 319,00 €", seen)
    assert "cette étiquette n’est plus juste" in scan(clerk, codes[0])
    print_due(clerk)
    new = next(code for code in printed(printer, 4) if code not in codes)
    assert "bien en place" in scan(clerk, new)
    old = scan(clerk, codes[0])
    assert "A1 : l’ancienne étiquette est encore en place." in old
    assert "C’est la n° 1 ; la bonne porte le n° 4." in old


def test_a_print_that_is_looked_at_is_not_thereby_in_its_place(clerk: FlaskClient, kiosk: world.Kiosk) -> None:
    print_due(clerk, format="a6")

    assert "A2 : étiquette n° 2, imprimée. Posez-la, puis scannez-la ici." in page(clerk, "?scanned=2")
    assert "3 étiquettes à poser" in page(clerk)


def test_a_label_scanned_on_any_page_of_the_counter_leads_to_it(clerk: FlaskClient, kiosk: world.Kiosk) -> None:
    print_due(clerk, format="a6")
    ops = kiosk.ops.read()
    code = label_code(corner(ops), shelf_label(ops, 2))

    answer = clerk.post("/counter/scan", data={"code": code})

    assert answer.headers["Location"] == "/counter/labels?scanned=2"
    assert shelf_label(ops, 2).state == "printed", "it was looked at, not put up"
    assert clerk.post("/counter/scan", data={"code": code_of("label", "000300")}).status_code == 404


@pytest.mark.parametrize("code", ["", "D-000000000", "garbage", "P-000000000E-0000000"])
def test_what_is_no_label_of_ours_is_said_to_be_none(clerk: FlaskClient, kiosk: world.Kiosk, code: str) -> None:
    assert "Ce code n’est pas celui d’une étiquette d’ici." in scan(clerk, code)


def test_one_label_is_printed_once_however_often_it_is_tapped(
    clerk: FlaskClient, kiosk: world.Kiosk, printer: VirtualPrinter
) -> None:
    for _ in range(2):
        print_due(clerk, position="A2", newest="0")

    assert len(printed(printer, 1)) == 1
    assert kiosk.ops.read().execute("select position, state from shelf_label").fetchall() == [("A2", "printed")]
    print_due(clerk, position="A2", newest="1")
    assert len(printed(printer, 2)) == 2
    assert clerk.post("/counter/labels/prints", data={"position": "Z9", "newest": "0"}).status_code == 404
    assert clerk.post("/counter/labels/prints", data={"format": "a0"}).status_code == 400


def test_a_sheet_is_downloaded_the_same_each_time_and_its_labels_are_confirmed_by_hand(
    clerk: FlaskClient, kiosk: world.Kiosk
) -> None:
    where = print_due(clerk, format="l7160")

    assert where == "/counter/labels?sheet=1"
    assert "Télécharger le PDF" in page(clerk, "?sheet=1")
    first, second = (clerk.get("/counter/labels/sheets/1.pdf") for _ in range(2))
    assert first.data == second.data
    assert first.headers["Content-Disposition"] == 'attachment; filename="nantes-crebillon-1.pdf"'
    with pypdfium2.PdfDocument(first.data) as document:
        codes = zxingcpp.read_barcodes(document[0].render(scale=4).to_pil())
    assert len({code.text for code in codes}) == 3
    assert clerk.get("/counter/labels/sheets/2.pdf").status_code == 404
    clerk.post("/counter/labels/2/confirmation")
    assert "2 étiquettes à poser" in page(clerk)
    assert clerk.post("/counter/labels/99/confirmation").status_code == 404


def test_without_a_printer_labels_are_printed_on_sheets(clerk: FlaskClient, kiosk: world.Kiosk) -> None:
    assert '<option value="printer">' not in clerk.get("/counter/labels").text
    assert clerk.post("/counter/labels/prints").status_code == 503
    assert kiosk.ops.read().execute("select count(*) from shelf_label").fetchone() == (0,), "nothing was written down"


def test_a_damaged_label_is_replaced_and_one_without_offer_taken_away(clerk: FlaskClient, kiosk: world.Kiosk) -> None:
    print_due(clerk, format="a6")
    for label_no in (1, 2, 3):
        clerk.post(f"/counter/labels/{label_no}/confirmation")
    clerk.post("/counter/labels/A2/damage")
    assert "1 étiquette à remplacer." in page(clerk)
    assert "Abîmée : elle ne se lit plus." in page(clerk)
    assert clerk.post("/counter/labels/Z9/damage").status_code == 409

    with kiosk.catalog.writer() as database, write(database):
        database.execute("update seller set suspended = 1")
        catalog.refresh(database, {"seller": {1, 2, 3}}, now=world.NOW)
    assert "3 étiquettes à retirer." in page(clerk)
    for position in ("A1", "A2", "B1"):
        clerk.post(f"/counter/labels/{position}/removal")
    assert "Chaque étiquette dit ce que dit l’écran." in page(clerk)


def test_a_place_may_have_any_name(clerk: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.ops_write() as ops:
        store_corner(ops, world.corner_document() | {"planogram": [{"position": "Rayon 2/3 ?#", "sku_id": 1}]})
    print_due(clerk, format="a6")
    clerk.post("/counter/labels/1/confirmation")
    [where] = re.findall('action="(/counter/labels/[^"]+/damage)"', clerk.get("/counter/labels").text)

    assert clerk.post(where).status_code == 303

    assert "Abîmée : elle ne se lit plus." in page(clerk)


def test_a_label_that_waits_for_paper_is_not_printed_when_it_is_untrue_by_then(
    clerk: FlaskClient, kiosk: world.Kiosk, printer: VirtualPrinter
) -> None:
    printer.faults.paper_out = True
    print_due(clerk, position="A1", newest="0")
    assert "Étiquette A1, n° 1" in plain(clerk.get("/counter/paper").text)
    move_price(kiosk, 31400)

    refused = clerk.post("/counter/paper/1/print")

    assert refused.status_code == 409
    assert "Cette étiquette n’est plus celle qu’il faut." in plain(refused.text)
    print_due(clerk)
    jobs = print_jobs.open_jobs(kiosk.ops.read(), now=clock.now())
    assert [job["subject"] for job in jobs] == ["2:A1", "3:A2", "4:B1"], "the old one was given up"


def test_a_label_that_became_untrue_while_it_waits_keeps_no_printer_from_being_measured(
    clerk: FlaskClient, kiosk: world.Kiosk, printer: VirtualPrinter
) -> None:
    printer.faults.paper_out = True
    print_due(clerk)
    move_price(kiosk, 31400)

    measured = clerk.post("/counter/printers/printer/measures", data={"dots": "384", "letters": "0", "has_cutter": "yes"})

    assert measured.status_code == 303
    jobs = print_jobs.open_jobs(kiosk.ops.read(), now=clock.now())
    assert [job["subject"] for job in jobs] == ["2:A2", "3:B1"]
    assert "1 étiquette à remplacer" in page(clerk)


def test_two_hundred_labels_and_a_corner_with_every_kind_of_place(clerk: FlaskClient, kiosk: world.Kiosk) -> None:
    """Names from HQ stand on the page as they are, and a device the catalogue lost is no reason for no page."""
    spots: list[dict[str, Any]] = [{"position": f"<b>{n}", "sku_id": 1 + n % 5} for n in range(199)]
    with kiosk.ops_write() as ops:
        store_corner(ops, world.corner_document() | {"planogram": [*spots, {"position": "Z", "sku_id": 999}]})

    seen = clerk.get("/counter/labels").text

    assert "199 étiquettes à remplacer" in seen
    assert "<b>1" not in seen
    assert "SKU 999" in seen


def test_the_table_s_page_says_what_there_is_to_do_about_labels(clerk: FlaskClient, kiosk: world.Kiosk) -> None:
    assert "3 étiquettes à remplacer A1 Apple iPhone 13 : pas encore d’étiquette" in plain(clerk.get("/counter/table").text)
    print_due(clerk, format="a6")
    for label_no in (1, 2, 3):
        clerk.post(f"/counter/labels/{label_no}/confirmation")
    assert "étiquette" not in plain(clerk.get("/counter/table").text).partition("La table")[2]

    move_price(kiosk, 31400)

    told = plain(clerk.get("/counter/table").text)
    assert "1 étiquette à remplacer A1 Apple iPhone 13 : 329,00 € → 319,00 € Imprimer l’étiquette" in told
    assert "1 étiquette à remplacer" in plain(clerk.get("/counter/me/handover").text), "whoever takes the shift is told"
