"""The doctor: every part with its code and its remedy, whatever state the files are in, with and without the app."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from comptoir import comptoir
from demo.printer import VirtualPrinter
from kiosk import checks
from kiosk.faults import screen_fault
from kiosk.machine import machine_faults
from pos import clock
from pos.ops import store_setting
from pos.trusted_time import learn_time
from shop.filters import told_fault
from sync.locks import hold_directory
from tests import world
from tests.processes import PATIENCE_S


def doctor(directory: Path) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Return the exit status, and the rows by part."""
    answer = CliRunner().invoke(comptoir, ["kiosk", "doctor", "--dir", str(directory), "--json"])
    parts: dict[str, list[dict[str, Any]]] = {}
    for row in json.loads(answer.output):
        parts.setdefault(row["part"], []).append(row)
    return answer.exit_code, parts


@pytest.fixture
def lonely(kiosk: world.Kiosk) -> world.Kiosk:
    """A kiosk whose marketplace is a closed port of this machine."""
    with kiosk.ops_write() as ops:
        store_setting(ops, "marketplace_url", "http://127.0.0.1:1")
    return kiosk


def test_a_kiosk_that_is_well_but_for_its_network_needs_nobody(lonely: world.Kiosk) -> None:
    status, parts = doctor(lonely.directory)
    assert (status, parts["marketplace"][0]["state"], parts["marketplace"][0]["short"]) == (0, "warning", "S-81")
    assert parts["browser"][0]["state"] == "unknown"
    others = [row for part in ("records", "catalogue", "rows", "privacy", "enrolment", "outbox", "clock") for row in parts[part]]
    assert [row for row in others if row["state"] != "ok"] == []


def gone(name: str) -> Callable[[world.Kiosk], None]:
    def bring_about(kiosk: world.Kiosk) -> None:
        for path in kiosk.directory.glob(f"{name}*"):
            path.unlink()

    return bring_about


def broken(name: str) -> Callable[[world.Kiosk], None]:
    def bring_about(kiosk: world.Kiosk) -> None:
        gone(f"{name}-")(kiosk)
        (kiosk.directory / name).write_bytes(b"not a database" * 500)

    return bring_about


def clock_off(kiosk: world.Kiosk) -> None:
    with kiosk.ops_write() as ops:
        learn_time(ops, clock.now() + timedelta(hours=3), wall=clock.now())


def never_heard(kiosk: world.Kiosk) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("delete from setting where name = 'hq_time'")


STATES: dict[str, tuple[str, Callable[[world.Kiosk], None]]] = {
    "records_missing": ("records", gone("ops.db")),
    "records_damaged": ("records", broken("ops.db")),
    "catalog_missing": ("catalogue", broken("catalog.db")),
    "key_missing": ("enrolment", gone("device.key")),
    "key_damaged": ("enrolment", lambda kiosk: (kiosk.directory / "device.key").write_bytes(b"short")),
    "files_exposed": ("privacy", lambda kiosk: (kiosk.directory / "ops.db").chmod(0o644)),
    "clock_wrong": ("clock", clock_off),
    "clock_unconfirmed": ("clock", never_heard),
}


@pytest.mark.parametrize("code", STATES)
def test_each_state_has_its_row_its_code_and_its_remedy(lonely: world.Kiosk, code: str) -> None:
    part, bring_about = STATES[code]
    bring_about(lonely)

    status, parts = doctor(lonely.directory)

    told, [row] = told_fault(code, "en"), parts[part]
    assert (row["code"], row["short"], row["remedy"]) == (code, told.short, told.repair)
    assert status == (0 if code == "clock_unconfirmed" else 1)


def test_the_table_says_each_remedy_once_and_in_the_language_asked_for(lonely: world.Kiosk) -> None:
    gone("ops.db")(lonely)
    said = CliRunner().invoke(comptoir, ["kiosk", "doctor", "--dir", str(lonely.directory), "--language", "fr"]).output
    assert said.count(told_fault("records_missing", "fr").repair) == 1
    assert said.count("R-52") > 1


@pytest.fixture
def printer(lonely: world.Kiosk) -> Iterator[VirtualPrinter]:
    made = VirtualPrinter(0, None)
    made.start()
    lonely.set_printer(made.port)
    yield made
    made.stop()


def test_printers_are_asked_where_no_app_serves(lonely: world.Kiosk, printer: VirtualPrinter) -> None:
    printer.faults.paper_near_end = True
    lonely.set_printer(1, "labels")

    status, parts = doctor(lonely.directory)

    assert [(row["code"], row["what"]) for row in parts["printer"]] == [
        ("printer_near_end", "printer ok, paper_near_end"),
        ("printer_offline", "labels offline, unreachable"),
    ]
    assert status == 1


@pytest.fixture
def stand_in() -> Flask:
    made = Flask("app")

    @made.get("/status.json")
    def status() -> dict[str, Any]:
        fault = {"code": "printer_cover_open", "short": "P-23", "since": "2026-11-22T09:00:00Z"}
        media = {"code": "media_paused", "short": "D-34", "since": None}
        return {"printers": [{"name": "printer", "state": "fault", "queue": 2}], "faults": [fault, media]}

    return made


def test_a_printer_that_the_app_holds_is_not_disturbed(lonely: world.Kiosk, printer: VirtualPrinter, stand_in: Flask) -> None:
    server = make_server("127.0.0.1", 0, stand_in)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    printer.stop()  # whoever connected to it now would say that it is offline

    with hold_directory(lonely.directory, doing=f"serving on http://127.0.0.1:{server.server_port}/"):
        _, parts = doctor(lonely.directory)
    server.shutdown()
    thread.join(PATIENCE_S)
    server.server_close()

    assert [(row["code"], row["what"]) for row in parts["printer"]] == [
        ("printer_cover_open", "printer fault, 2 in hand (as the app knows them)")
    ]
    assert [row["short"] for row in parts["app"]] == ["D-34"]


def test_what_rounds_met_is_told_where_no_app_serves(lonely: world.Kiosk) -> None:
    with lonely.ops_write() as ops:
        store_setting(ops, "sync_faults", {"wrong_root": "2026-11-22T09:00:00Z"})
    _, parts = doctor(lonely.directory)
    assert [(row["short"], row["what"]) for row in parts["rounds"]] == [("C-75", "wrong_root since 2026-11-22T09:00:00Z")]


def test_a_screen_without_browser_or_rules_is_a_fault(tmp_path: Path) -> None:
    def state() -> str | None:
        return checks._finding("browser", lambda: checks._browser(tmp_path)).code

    for path in (checks.SCREEN, checks.POLICIES, Path("usr/bin/chromium")):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    assert state() is None  # no screen is set up here
    (tmp_path / checks.SCREEN).touch()
    assert state() == "browser_missing"
    browser = tmp_path / "usr/bin/chromium"
    browser.write_text("#!/bin/sh\necho Chromium 142.0\n")
    browser.chmod(0o755)
    assert state() == "browser_unlocked"
    (tmp_path / checks.POLICIES).write_bytes((Path(__file__).parents[2] / "deploy/root" / checks.POLICIES).read_bytes())
    assert checks._browser(tmp_path) == "Chromium 142.0, with its rules"


def test_a_screen_that_fell_silent_is_noticed_until_it_asks_again(client: FlaskClient, tmp_path: Path) -> None:
    served = client.application.extensions["comptoir"]
    served.screen_seen_s = time.monotonic() - 400
    assert screen_fault(served, now=world.NOW, system=tmp_path) == {}, "no screen here"
    (tmp_path / checks.SCREEN).parent.mkdir(parents=True)
    (tmp_path / checks.SCREEN).touch()

    client.get("/healthz")
    client.get("/healthz", headers={"Sec-Fetch-Dest": "empty"}, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert list(screen_fault(served, now=world.NOW, system=tmp_path)) == ["browser_silent"]
    client.get("/healthz", headers={"Sec-Fetch-Dest": "empty"})
    assert screen_fault(served, now=world.NOW, system=tmp_path) == {}


def test_little_memory_and_much_heat_are_read_from_the_system(tmp_path: Path) -> None:
    assert "memory_low" not in machine_faults(tmp_path, system=tmp_path)
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:  2000000 kB\nMemAvailable:   20000 kB\n")
    for name, degrees in (("thermal_zone0", "41000\n"), ("thermal_zone1", "97000\n"), ("thermal_zone2", "")):
        (tmp_path / "sys/class/thermal" / name).mkdir(parents=True)
        (tmp_path / "sys/class/thermal" / name / "temp").write_text(degrees)
    assert {"memory_low", "too_hot"} <= set(machine_faults(tmp_path, system=tmp_path))
    (tmp_path / "sys/class/thermal/thermal_zone1/temp").write_text("61000\n")
    assert "too_hot" not in machine_faults(tmp_path, system=tmp_path)
