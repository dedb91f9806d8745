"""Each degraded state, brought about for real: at the counter, in `status.json`, in what HQ hears, on the diagnostic paper."""

from __future__ import annotations

import io
import json
import shutil
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import zxingcpp
from flask.testing import FlaskClient
from PIL import Image

from demo.printer import VirtualPrinter
from kiosk import background
from kiosk.faults import own_faults
from kiosk.files import Kiosk
from pos import clock
from pos.ops import store_setting
from pos.trusted_time import learn_time
from shop.filters import told_fault
from sync.corner.client import Client
from sync.corner.rounds import KioskSide, RoundReport
from sync.faults import fault
from sync.heartbeats import heartbeat_of
from tests import world
from tests.sentences import plain


@pytest.fixture
def served(clerk: FlaskClient) -> Kiosk:
    """The kiosk as its app holds it."""
    found: Kiosk = clerk.application.extensions["comptoir"]
    return found


def told_to_hq(served: Kiosk) -> dict[str, Any]:
    assert served.ops is not None
    now = clock.now()
    said = heartbeat_of(served.catalog, served.ops, software="1", printer={}, own_faults=own_faults(served, now=now), now=now)
    return dict(said["faults"])


def is_everywhere(clerk: FlaskClient, served: Kiosk, code: str) -> None:
    """See the fault on the page with its words, in `status.json` and in the heartbeat."""
    told, page = told_fault(code, "fr"), clerk.get("/counter/state").text
    assert f'data-fault="{code}"' in page
    assert all(words in plain(page) for words in (told.short, told.name, told.meaning, told.remedy))
    said = {each["code"]: each["short"] for each in clerk.get("/status.json").json["faults"]}
    assert said[code] == told.short
    assert code in told_to_hq(served)


def test_a_corner_that_lacks_nothing_says_so(clerk: FlaskClient) -> None:
    page = plain(clerk.get("/counter/state").text)
    assert "Tout va bien" in page
    assert "Rien ne manque à ce comptoir" in page
    clerk.post("/language", data={"language": "en"})
    assert "All is well" in clerk.get("/counter/state").text


@pytest.mark.parametrize(
    ("flaw", "code"),
    [
        ("paper_out", "printer_paper_out"),
        ("paper_near_end", "printer_near_end"),
        ("cover_open", "printer_cover_open"),
        ("cutter_stuck", "printer_cutter"),
        ("is_silent", "printer_unknown"),
    ],
)
def test_what_a_printer_lacks_is_said_until_it_is_mended(
    clerk: FlaskClient, served: Kiosk, printer: VirtualPrinter, flaw: str, code: str
) -> None:
    setattr(printer.faults, flaw, True)
    look(clerk)
    is_everywhere(clerk, served, code)
    assert "depuis 22 novembre 2026, 15:32" in plain(clerk.get("/counter/state").text)

    setattr(printer.faults, flaw, False)
    look(clerk)
    assert f'data-fault="{code}"' not in clerk.get("/counter/state").text


def test_of_several_printers_the_one_that_is_not_there_is_named(
    clerk: FlaskClient, served: Kiosk, kiosk: world.Kiosk, printer: VirtualPrinter
) -> None:
    look(clerk)
    assert "P-25" not in clerk.get("/counter/state").text
    kiosk.set_printer(1, "kitchen")
    look(clerk)
    is_everywhere(clerk, served, "printer_offline")
    assert "Imprimante muette kitchen" in plain(clerk.get("/counter/state").text)


def test_every_round_of_the_app_tells_hq_what_the_kiosk_sees_of_itself(
    served: Kiosk, kiosk: world.Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Mapping[str, str | None]] = []

    def run_round(side: KioskSide, **_: object) -> RoundReport:
        (kiosk.directory / "device.key").unlink()
        told.append(side.own_faults())
        return RoundReport(moved=None, pushed=None, problems=())

    monkeypatch.setattr(background, "run_round", run_round)
    rounds = background.Rounds(served.directory, served.catalog, kiosk.ops, served.media, served.version)
    background._run_round(rounds, served, background._Pace(), Client("http://127.0.0.1:1"))

    assert "key_missing" in told[0]


def nearly_full(_: world.Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=2**30, used=2**30, free=100 * 2**20))


def clock_off(kiosk: world.Kiosk, _: pytest.MonkeyPatch) -> None:
    with kiosk.ops_write() as ops:
        learn_time(ops, clock.now() + timedelta(hours=3), wall=clock.now())


def never_told_the_time(kiosk: world.Kiosk, _: pytest.MonkeyPatch) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("delete from setting where name = 'hq_time'")


def unconfirmed_for_two_days(kiosk: world.Kiosk, _: pytest.MonkeyPatch) -> None:
    with kiosk.ops_write() as ops:
        store_setting(ops, "checked_at", "2026-11-20T10:00:00Z")


def never_copied(kiosk: world.Kiosk, _: pytest.MonkeyPatch) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("update outbox set recorded_at = '2026-11-19T09:00:00Z' where seq = 1")


def key_gone(kiosk: world.Kiosk, _: pytest.MonkeyPatch) -> None:
    (kiosk.directory / "device.key").unlink()


STATES: dict[str, Callable[[world.Kiosk, pytest.MonkeyPatch], None]] = {
    "disk_low": nearly_full,
    "clock_wrong": clock_off,
    "clock_unconfirmed": never_told_the_time,
    "catalog_old": unconfirmed_for_two_days,
    "backup_old": never_copied,
    "key_missing": key_gone,
}


@pytest.mark.parametrize("code", STATES)
def test_what_the_kiosk_sees_of_itself_is_said(
    clerk: FlaskClient, served: Kiosk, kiosk: world.Kiosk, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    STATES[code](kiosk, monkeypatch)
    is_everywhere(clerk, served, code)


@pytest.mark.parametrize("code", ["offline", "metadata_expired", "stream_forked", "revoked", "rejected"])
def test_what_rounds_met_is_said_with_since_when(clerk: FlaskClient, kiosk: world.Kiosk, code: str) -> None:
    with kiosk.ops_write() as ops:
        store_setting(ops, "sync_faults", {code: "2026-11-22T09:00:00Z"})
    page = plain(clerk.get("/counter/state").text)
    assert f"{told_fault(code, 'fr').meaning} À faire {told_fault(code, 'fr').remedy} {fault(code).short}" in page
    assert "depuis 22 novembre 2026, 10:00" in page


def test_every_page_of_the_counter_counts_what_asks_for_somebody(clerk: FlaskClient, kiosk: world.Kiosk) -> None:
    assert 'class="count" aria-label="1 chose' not in clerk.get("/counter/paper").text
    with kiosk.ops_write() as ops:
        store_setting(ops, "sync_faults", {"wrong_root": None, "offline": None})
    for path in ("/counter/", "/counter/paper", "/counter/table"):
        assert 'class="count" aria-label="1 chose demande quelqu’un">1</span>' in clerk.get(path).text


def test_records_that_fail_are_named_to_whoever_opens_the_counter_and_not_to_customers(
    clerk: FlaskClient, served: Kiosk, kiosk: world.Kiosk
) -> None:
    for path in kiosk.directory.glob("ops.db*"):
        path.unlink()

    told = told_fault("records_missing", "fr")
    at_the_counter = plain(clerk.get("/counter/state").text)
    assert all(words in at_the_counter for words in (told.short, told.meaning, told.remedy))
    for_a_customer = clerk.post("/selections", data={"listing": "101"})
    assert for_a_customer.status_code == 503
    assert not any(words in plain(for_a_customer.text) for words in (told.short, told.meaning, told.remedy))


def test_who_to_call_is_hq_s_support_where_the_corner_document_names_it(clerk: FlaskClient, kiosk: world.Kiosk) -> None:
    assert "Votre responsable, ou l’assistance du siège" in plain(clerk.get("/counter/state").text)
    with kiosk.ops_write() as ops:
        store_setting(ops, "corner", {**world.corner_document(), "support_phone": "02 40 99 88 77"})
    assert "02 40 99 88 77" in clerk.get("/counter/state").text


def test_one_tap_prints_the_state_with_a_code_for_support(
    clerk: FlaskClient, served: Kiosk, kiosk: world.Kiosk, printer: VirtualPrinter
) -> None:
    printer.faults.paper_near_end = True
    with kiosk.ops_write() as ops:
        store_setting(ops, "sync_faults", {"offline": "2026-11-22T09:00:00Z"})
    look(clerk)

    assert clerk.post("/counter/state/papers").headers["Location"] == "/counter/state"
    [paper] = await_papers(printer)

    for words in ("DIAGNOSTIC", "Nantes Crébillon", "P-22", "Bientôt plus de papier", "S-81", "Aucune donnée personnelle"):
        assert words in plain(paper.text), words
    facts = json.loads(zxingcpp.read_barcode(Image.open(io.BytesIO(paper.png))).text)
    assert facts["faults"] == {"P-22": "2026-11-22T14:32:00Z", "S-81": "2026-11-22T09:00:00Z"}
    assert (facts["corner"], facts["printers"]) == ("nantes-crebillon", [["printer", "ok", "paper_near_end"]])
    assert "imprimé" in clerk.get("/counter/state").text
    assert "Camille" not in paper.text


def test_a_diagnosis_that_waits_is_named_among_the_papers(clerk: FlaskClient, printer: VirtualPrinter) -> None:
    printer.faults.paper_out = True
    clerk.post("/counter/state/papers")
    assert "attend l’imprimante" in plain(clerk.get("/counter/state").text)
    assert "Diagnostic" in plain(clerk.get("/counter/paper").text)
    clerk.post("/counter/paper/1/print", data={"printer": "printer"})
    printer.faults.paper_out = False
    assert len(await_papers(printer)) == 1


def look(clerk: FlaskClient) -> None:
    assert clerk.post("/counter/state/looks").headers["Location"] == "/counter/state"


def await_papers(printer: VirtualPrinter) -> list[Any]:
    until = time.monotonic() + 20
    while not printer.papers() and time.monotonic() < until:
        time.sleep(0.02)
    return list(printer.papers().values())
