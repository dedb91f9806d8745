from __future__ import annotations

import re
import time

import pytest
from flask.testing import FlaskClient
from sqlite_utils import Database

from demo.printer import VirtualPrinter
from kiosk.printing import print_jobs
from tests import world

NUMBER = "35-0001-H"


@pytest.fixture
def slip(client: FlaskClient) -> str:
    where = client.post("/selections", data={"listing": "101", "plan": world.SERIE_100}).headers["Location"]
    return str(client.post(f"{where}/slip").headers["Location"])


def jobs(kiosk: world.Kiosk) -> list[tuple[int, str, str]]:
    return [tuple(row) for row in kiosk.ops.read().execute("select copy_no, state, requested_by from print_job order by job_id")]


def settled(kiosk: world.Kiosk) -> list[tuple[int, str, str]]:
    """The jobs once nothing is under way any more."""
    until = time.monotonic() + 20
    while any(state in ("queued", "sending", "sent") for _, state, _ in jobs(kiosk)) and time.monotonic() < until:
        time.sleep(0.05)
    return jobs(kiosk)


def leave(client: FlaskClient, kiosk: world.Kiosk) -> None:
    [(selection_id,)] = kiosk.ops.read().execute("select selection_id from selection")
    client.post("/leave", data={"s": selection_id})


def add_job(ops: Database, *, state: str) -> None:
    job = {"kind": "slip", "subject": NUMBER, "copy_no": 0, "printer": "printer", "state": state, "requested_by": "customer"}
    ops.table("print_job").insert({**job, "requested_at": "2026-11-22T14:32:00Z"})


def test_the_slip_shows_number_code_and_validity_and_that_nothing_is_ordered(client: FlaskClient, slip: str) -> None:
    page = client.get(slip).text

    assert slip == f"/slips/{NUMBER}"
    assert NUMBER in page
    assert "Rien n’est encore commandé." in page
    assert "170,00\u00a0€" in page
    assert "6 décembre 2026" in page
    assert "Ni facture ni ticket de caisse" in page
    assert "Imprimer le bon" in page


def test_the_code_is_drawn_without_script_or_style(client: FlaskClient, slip: str) -> None:
    drawing = client.get("/slips/35-0001-H/qr.svg")

    assert drawing.mimetype == "image/svg+xml"
    assert "<path" in drawing.text
    assert not re.search(r"<script|style=", drawing.text)


@pytest.mark.parametrize("typed", ["35-0001-h", "350001H", "35 0001 H"])
def test_a_number_is_found_however_it_is_typed(client: FlaskClient, slip: str, typed: str) -> None:
    assert client.get(f"/slips/{typed}").status_code == 200


@pytest.mark.parametrize("part", ["", "/qr.svg", "/paper"])
def test_a_number_nobody_issued_leads_to_a_clerk(client: FlaskClient, slip: str, part: str) -> None:
    answer = client.get(f"/slips/35-0002-F{part}")

    assert answer.status_code == 404
    assert "Demandez à une personne de la boutique" in answer.text


@pytest.mark.parametrize("typed", ["35-0001-X", "nonsense", "9" * 2000])
def test_a_number_that_cannot_be_is_to_be_read_again_on_the_paper(
    client: FlaskClient, clerk: FlaskClient, slip: str, typed: str
) -> None:
    for path in (f"/slips/{typed}", f"/slips/{typed}/qr.svg", f"/counter/slips/{typed}"):
        answer = clerk.get(path, follow_redirects=True)
        assert answer.status_code == 404
        assert "vérifiez chaque signe sur le papier" in answer.text


@pytest.mark.parametrize("way", [("get", ""), ("get", "/qr.svg"), ("get", "/paper"), ("post", "/print")], ids=str)
def test_after_the_visit_a_slip_is_as_one_that_never_was(
    client: FlaskClient, kiosk: world.Kiosk, slip: str, way: tuple[str, str]
) -> None:
    method, part = way
    never = client.open(f"/slips/35-0002-F{part}", method=method)
    leave(client, kiosk)

    answer = client.open(f"{slip}{part}", method=method)

    assert (answer.status_code, answer.text.replace(NUMBER, "35-0002-F")) == (404, never.text)
    assert jobs(kiosk) == []


@pytest.mark.parametrize("form", [{}, {"s": "of-another-page"}], ids=str)
def test_leaving_from_a_page_that_knows_no_slip_ends_the_visit_of_every_slip(
    client: FlaskClient, kiosk: world.Kiosk, slip: str, form: dict[str, str]
) -> None:
    started = client.post("/selections", data={"listing": "101"}).headers["Location"]

    assert client.post("/leave", data=form).status_code == 303

    assert [client.get(f"{slip}{part}").status_code for part in ("", "/qr.svg", "/paper")] == [404, 404, 404]
    assert client.get(started).status_code == 200
    assert kiosk.ops.read().execute("select count(*) from slip").fetchone() == (1,)


def test_the_ways_on_from_a_slip_know_its_selection(client: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    [(selection_id,)] = kiosk.ops.read().execute("select selection_id from selection")

    for page in (client.get(slip), client.post(f"{slip}/print")):
        assert f'<a class="mark" href="/home?s={selection_id}">' in page.text
        leaving = page.text.partition('<form id="leave"')[2].partition("</form>")[0]
        assert f'name="s" value="{selection_id}"' in leaving


def test_nothing_of_a_slip_is_kept_by_the_browser(client: FlaskClient, clerk: FlaskClient, slip: str) -> None:
    pages = [client.get(f"{slip}{part}") for part in ("", "/qr.svg", "/paper")] + [clerk.get(f"/counter{slip}/qr.svg")]

    assert {page.headers["Cache-Control"] for page in pages} == {"no-store"}


def test_the_counter_opens_any_slip_with_its_code(client: FlaskClient, clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    shown = client.get(f"{slip}/qr.svg").data
    leave(client, kiosk)

    assert f'src="/counter/slips/{NUMBER}/qr.svg"' in clerk.get(f"/counter{slip}").text
    assert clerk.get(f"/counter/slips/{NUMBER}/qr.svg").data == shown


def test_a_stranger_gets_no_code_at_the_counter(client: FlaskClient, slip: str) -> None:
    assert client.get(f"/counter/slips/{NUMBER}/qr.svg").status_code == 303


def test_printing_is_confirmed_by_the_printer_and_told_to_hq(
    client: FlaskClient, kiosk: world.Kiosk, slip: str, printer: VirtualPrinter
) -> None:
    answer = client.post("/slips/35-0001-H/print")

    assert answer.headers["Location"] == f"{slip}#paper"
    assert settled(kiosk) == [(0, "confirmed", "customer")]
    assert len(printer.papers()) == 1
    assert "L’imprimante confirme : le papier est sorti." in client.get(slip).text
    assert kiosk.ops.read().execute("select kind from outbox order by seq").fetchall() == [("slip_issued",), ("slip_printed",)]


def test_a_second_tap_prints_nothing_more(client: FlaskClient, kiosk: world.Kiosk, slip: str, printer: VirtualPrinter) -> None:
    client.post("/slips/35-0001-H/print")
    settled(kiosk)
    client.post("/slips/35-0001-H/print")

    assert settled(kiosk) == [(0, "confirmed", "customer")]
    assert len(printer.papers()) == 1


def test_a_paper_waits_for_a_printer_that_is_away_and_comes_out_once_it_is_back(
    client: FlaskClient, kiosk: world.Kiosk, slip: str, printer: VirtualPrinter
) -> None:
    kiosk.set_printer(1)
    client.post("/slips/35-0001-H/print")
    assert jobs(kiosk) == [(0, "queued", "customer")]
    page = client.get(f"{slip}/paper").text
    assert "Sortira dès que l’imprimante sera prête" in page
    assert "L’imprimante ne répond pas. Le code à l’écran suffit." in page

    kiosk.set_printer(printer.port)
    client.post("/slips/35-0001-H/print")

    assert settled(kiosk) == [(0, "confirmed", "customer")]
    assert len(printer.papers()) == 1


def test_a_print_interrupted_by_a_crash_asks_a_person(client: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    with kiosk.ops_write() as ops:
        add_job(ops, state="sending")
        print_jobs.settle_interrupted(ops, now=world.NOW)

    page = client.get(slip).text
    assert "L’imprimante n’a pas confirmé." in page
    assert 'name="again" value="1"' in page


def test_a_paper_asked_for_by_a_clock_that_ran_ahead_is_offered_and_printed_on_a_tap(
    client: FlaskClient, kiosk: world.Kiosk, slip: str, printer: VirtualPrinter
) -> None:
    kiosk.set_printer(1)
    client.post("/slips/35-0001-H/print")
    with kiosk.ops_write() as ops:
        ops.execute("update print_job set requested_at = '2030-01-01T00:00:00Z'")
    kiosk.set_printer(printer.port)
    assert "Imprimer le bon" in client.get(f"{slip}/paper").text
    assert printer.papers() == {}

    client.post("/slips/35-0001-H/print")

    assert settled(kiosk) == [(0, "confirmed", "customer")]


def test_an_uncertain_print_is_repeated_only_on_purpose_and_as_a_duplicate(
    client: FlaskClient, kiosk: world.Kiosk, slip: str, printer: VirtualPrinter
) -> None:
    with kiosk.ops_write() as ops:
        add_job(ops, state="uncertain")

    client.post("/slips/35-0001-H/print")
    assert jobs(kiosk) == [(0, "uncertain", "customer")]
    client.post("/slips/35-0001-H/print", data={"again": "1"})

    assert settled(kiosk) == [(0, "uncertain", "customer"), (1, "confirmed", "customer")]


def test_without_a_printer_the_code_is_enough(client: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    answer = client.post("/slips/35-0001-H/print")

    assert answer.status_code == 503
    assert "L’imprimante ne répond pas." in answer.text
    assert jobs(kiosk) == []
    assert "Pas d’imprimante ici." in client.get("/slips/35-0001-H/paper").text


def test_the_printer_s_state_is_said_as_it_is(
    client: FlaskClient, kiosk: world.Kiosk, slip: str, printer: VirtualPrinter
) -> None:
    assert "Imprimante prête." in client.get("/slips/35-0001-H/paper").text
    kiosk.set_printer(1)
    assert "L’imprimante ne répond pas." in client.get("/slips/35-0001-H/paper").text


def test_a_slip_in_english_stays_in_the_language_it_was_made_in(client: FlaskClient, kiosk: world.Kiosk) -> None:
    client.post("/language", data={"language": "en"})
    where = client.post("/selections", data={"listing": "101"}).headers["Location"]
    client.post(f"{where}/slip")

    assert "Your slip is ready." in client.get("/slips/35-0001-H").text
    assert kiosk.ops.read().execute("select facts ->> '$.language' from slip").fetchone() == ("en",)
