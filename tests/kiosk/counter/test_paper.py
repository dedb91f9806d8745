from __future__ import annotations

import io
import time
from dataclasses import replace

import pytest
import zxingcpp
from flask.testing import FlaskClient
from PIL import Image

from demo.printer import VirtualPrinter
from kiosk.printing import discovery, print_jobs
from kiosk.printing.installed import install, installed_printer, installed_printers, set_address
from kiosk.printing.profiles import usual_paper
from pos import clock
from pos.errors import Invalid
from pos.ops import setting
from tests import world
from tests.kiosk.counter.conftest import NUMBER


def reprint(clerk: FlaskClient) -> None:
    assert clerk.post(f"/counter/slips/{NUMBER}/reprints").status_code == 303


def make_uncertain(kiosk: world.Kiosk) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("update print_job set state = 'uncertain', reason = 'no_answer', ended_at = '2026-11-22T14:32:09Z'")


def states(kiosk: world.Kiosk) -> list[tuple[int, str, str]]:
    rows = kiosk.ops.read().execute("select copy_no, state, printer from print_job order by job_id")
    return [(row[0], row[1], row[2]) for row in rows]


def settled(kiosk: world.Kiosk) -> list[tuple[int, str, str]]:
    until = time.monotonic() + 20
    while any(state in print_jobs.UNDER_WAY for _, state, _ in states(kiosk)) and time.monotonic() < until:
        time.sleep(0.05)
    return states(kiosk)


def test_an_uncertain_paper_asks_the_clerk_who_saw_it(clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    kiosk.set_printer(1)
    reprint(clerk)
    make_uncertain(kiosk)
    page = clerk.get("/counter/paper").text
    assert "Est-ce sorti ?" in page
    assert f"Bon {NUMBER}" in page

    assert clerk.post("/counter/paper/1/outcome", data={"came_out": "yes"}).status_code == 303

    assert states(kiosk) == [(0, "confirmed", "printer")]
    assert "Rien n’attend" in clerk.get("/counter/paper").text
    again = clerk.post("/counter/paper/1/outcome", data={"came_out": "no"})
    assert again.status_code == 409
    assert "Ce papier n’attend plus de réponse." in again.text


def test_what_did_not_come_out_is_printed_again_as_a_duplicate(
    clerk: FlaskClient, kiosk: world.Kiosk, slip: str, printer: VirtualPrinter
) -> None:
    printer.faults.paper_out = True
    reprint(clerk)
    make_uncertain(kiosk)
    printer.faults.paper_out = False

    clerk.post("/counter/paper/1/print")

    assert settled(kiosk) == [(0, "uncertain", "printer"), (1, "confirmed", "printer")]
    assert "DUPLICATA 1" in printer.papers()[1].text
    assert "Est-ce sorti ?" not in clerk.get("/counter/paper").text


def test_a_paper_of_a_dead_printer_is_sent_to_another_or_given_up(
    clerk: FlaskClient, kiosk: world.Kiosk, slip: str, printer: VirtualPrinter
) -> None:
    kiosk.set_printer(1, "dead")
    with kiosk.ops_write() as ops:
        wanted = print_jobs.slip_wanted(ops, NUMBER, requested_by="camille")
        print_jobs.enqueue(ops, wanted, printer="dead", now=clock.now())
    assert "Plutôt sur : Imprimante" in clerk.get("/counter/paper").text

    clerk.post("/counter/paper/1/print", data={"printer": "printer"})
    assert settled(kiosk) == [(0, "confirmed", "printer")]

    assert clerk.post("/counter/paper/1/drop").status_code == 409
    assert clerk.post("/counter/paper/1/print").status_code == 409, "a page that is no longer true prints nothing"
    assert clerk.post("/counter/paper/1/outcome", data={}).status_code == 400
    assert len(printer.papers()) == 1
    assert clerk.post("/counter/paper/99/print").status_code == 404


def test_a_paper_asked_for_too_long_ago_is_offered(clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    kiosk.set_printer(1)
    reprint(clerk)
    with kiosk.ops_write() as ops:
        ops.execute("update print_job set requested_at = '2026-11-22T13:00:00Z'")
    assert "rien ne sort sans votre accord" in clerk.get("/counter/paper").text

    assert clerk.post("/counter/paper/1/drop").status_code == 303

    assert states(kiosk) == [(0, "failed", "printer")]


def test_a_voided_slip_does_not_come_out_any_more(
    clerk: FlaskClient, kiosk: world.Kiosk, slip: str, printer: VirtualPrinter
) -> None:
    printer.faults.paper_out = True
    reprint(clerk)

    clerk.post(f"/counter/slips/{NUMBER}/void", data={"reason": "mistake"})

    assert states(kiosk) == [(0, "failed", "printer")]
    assert clerk.post(f"/counter/slips/{NUMBER}/reprints").status_code == 409


def test_what_waits_is_made_anew_when_its_printer_is_measured(
    clerk: FlaskClient, kiosk: world.Kiosk, slip: str, printer: VirtualPrinter
) -> None:
    printer.faults.paper_out = True
    reprint(clerk)
    before = kiosk.ops.read().execute("select bytes from print_job").fetchone()

    clerk.post("/counter/printers/printer/measures", data={"dots": "384", "letters": "0", "has_cutter": "yes"})

    assert kiosk.ops.read().execute("select bytes from print_job").fetchone() != before
    assert states(kiosk) == [(0, "queued", "printer")]


def test_an_address_serves_one_printer_and_moves_with_what_was_measured(kiosk: world.Kiosk) -> None:
    measured = replace(usual_paper(58), slot=53)
    with kiosk.ops_write() as ops:
        install(ops, "caisse", "/dev/ttyUSB0@38400", profile="clone-58", paper=measured)
        with pytest.raises(Invalid, match="address"):
            install(ops, "other", "/dev/ttyUSB0@9600")
        set_address(ops, "192.0.2.9:9100")

    assert [(each.name, each.address, each.paper) for each in installed_printers(kiosk.ops.read())] == [
        ("caisse", "192.0.2.9:9100", measured)
    ]


def test_a_printer_is_found_measured_and_kept(
    clerk: FlaskClient, kiosk: world.Kiosk, slip: str, printer: VirtualPrinter, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"localhost:{printer.port}"
    monkeypatch.setattr(discovery, "find_printers", lambda *, is_wide: ["/dev/usb/lp0", address][: 1 + is_wide])
    assert address not in clerk.get("/counter/printers/new").text
    assert address in clerk.get("/counter/printers/new?network=1").text
    made = clerk.post("/counter/printers", data={"found": address, "profile": "clone-80"}).headers["Location"]
    assert made == "/counter/printers/printer-2"
    assert "Imprimez la règle" in clerk.get(made).text

    clerk.post("/counter/printers/printer-2/papers", data={"which": "ruler"})
    assert settled(kiosk)[-1][1] == "confirmed"
    assert " 1 Téléphone 19,99 €" in printer.papers()[1].text
    clerk.post("/counter/printers/printer-2/measures", data={"dots": "576", "letters": "0", "has_cutter": "yes"})
    clerk.post("/counter/printers/printer-2/papers", data={"which": "proof"})
    assert settled(kiosk)[-1][1] == "confirmed"
    assert "1 234,56 €" in printer.papers()[2].text
    clerk.post("/counter/printers/printer-2/first")
    ops = kiosk.ops.read()
    assert [each.name for each in installed_printers(ops)] == ["printer-2", "printer"]
    assert (installed_printer(ops).paper.slot, installed_printer(ops).paper.code_page) == (19, "cp858")

    clerk.post("/counter/printers/printer-2/removal")

    assert [each.name for each in installed_printers(kiosk.ops.read())] == ["printer"]


def test_a_printer_whose_letters_cannot_be_trusted_gets_them_drawn(
    clerk: FlaskClient, kiosk: world.Kiosk, slip: str, printer: VirtualPrinter
) -> None:
    clerk.post("/counter/printers/printer/measures", data={"dots": "384", "letters": "raster", "has_cutter": "yes"})

    reprint(clerk)

    assert settled(kiosk) == [(0, "confirmed", "printer")]
    picture = Image.open(io.BytesIO(printer.papers()[1].png))
    digits = kiosk.ops.read().execute("select token from slip").fetchone()[0]
    assert [code.text.rpartition("/")[2] for code in zxingcpp.read_barcodes(picture)] == [str(int.from_bytes(digits))]
    assert printer.papers()[1].errors == ()


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("", {"address": "nowhere", "profile": "clone-80"}),
        ("", {"address": "/etc/passwd", "profile": ""}),
        ("", {"address": "127.0.0.1:9100", "profile": "unheard-of"}),
        ("/printer/measures", {"dots": "9", "letters": "0"}),
        ("/printer/measures", {"dots": "576", "letters": "99"}),
        ("/printer/measures", {}),
    ],
)
def test_what_cannot_be_a_printer_is_refused_and_changes_nothing(
    clerk: FlaskClient, kiosk: world.Kiosk, path: str, form: dict[str, str]
) -> None:
    kiosk.set_printer(1)
    before = installed_printers(kiosk.ops.read())

    assert clerk.post(f"/counter/printers{path}", data=form).status_code == 400

    assert installed_printers(kiosk.ops.read()) == before
    assert setting(kiosk.ops.read(), "printer") is None
