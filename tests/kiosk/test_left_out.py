"""A row that no page could show takes itself out, and never a page."""

from __future__ import annotations

from pathlib import Path

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from kiosk.app import create_app
from pos import catalog
from pos.ops import store_setting
from sync.heartbeats import heartbeat_of, read_heartbeat
from tests import world
from tests.kiosk.test_commands import lines
from tests.world import NOW

PAGES = (
    "/",
    "/home",
    "/browse",
    "/browse?q=iphone",
    "/sku/IPHONE-13-128-BLUE",
    "/sku/GALAXY-S22-256-GREEN",
    "/plans",
    "/compare?sku=IPHONE-12-128-BLUE&sku=DYSON-V11-PURPLE",
)
UNFIT = {
    "lenses as text": ("sku", "$.specs.lenses", '"3"'),
    "an inch as text": ("sku", "$.specs.screen_tenths_in", '"6.1"'),
    "thirty digits": ("sku", "$.specs.battery_mah", "9" * 30),
    "no day": ("sku", "$.new_price", '{"cents": 1, "currency": "EUR", "source": "a", "observed_on": "2026-11-31"}'),
    "no data": ("plan", "$.data_gb", "null"),
    "no name": ("category", "$.name", "null"),
    "no legal name": ("seller", "$.legal_name", "[]"),
    "no words": ("law", "$.words", "null"),
    "no looks": ("grade", "$.parts", "5"),
    "no price": ("option", "$.monthly_cents", '"6.99"'),
}


def spoil(kiosk: world.Kiosk, table: str, path: str, value: str) -> None:
    """Change the body of every row of a table, as a publication of HQ would."""
    with kiosk.catalog.write() as database:
        database.execute(f"update {table} set body = json_set(body, ?, json(?))", [path, value])
        catalog.refresh(database, None, now=NOW)


@pytest.mark.parametrize("case", UNFIT)
def test_every_page_answers_and_the_fault_is_told(kiosk: world.Kiosk, client: FlaskClient, case: str) -> None:
    table, path, value = UNFIT[case]
    selection = client.post("/selections", data={"listing": "101", "plan": "2", "option": "1"}).location
    spoil(kiosk, table, path, value)

    answers = {page: client.get(page).status_code for page in (*PAGES, selection, "/counter/", "/readyz")}

    assert {page: status for page, status in answers.items() if status >= 500} == {}
    assert answers["/home"] == answers["/browse"] == answers["/plans"] == 200
    state = client.get("/status.json").json
    assert {"code": "rows_left_out", "short": "C-74", "since": "2026-11-22T14:32:00Z"} in state["faults"]
    assert state["left_out"]["rows"] >= 1
    assert state["left_out"]["examples"][0].startswith(f"{table} ")


def test_one_bad_device_leaves_every_other_on_sale(kiosk: world.Kiosk, client: FlaskClient) -> None:
    with kiosk.catalog.write() as database:
        database.execute("update sku set body = json_set(body, '$.specs.lenses', '3') where sku_id = 2")
        catalog.refresh(database, {"sku": {2}}, now=NOW)

    shown = client.get("/browse").text
    assert "IPHONE-13-128-BLUE" not in shown
    assert "IPHONE-12-128-BLUE" in shown
    assert client.get("/sku/IPHONE-13-128-BLUE").status_code == 404
    assert client.get("/sku/IPHONE-12-128-BLUE").status_code == 200


def test_hq_and_the_doctor_hear_of_what_is_left_out(kiosk: world.Kiosk) -> None:
    assert any(line.startswith("rows         ok") for line in lines(kiosk, "doctor"))
    spoil(kiosk, "plan", "$.data_gb", "null")

    told = read_heartbeat(heartbeat_of(kiosk.catalog, kiosk.ops, software="1", printer={}, now=NOW))
    assert told["faults"] == {"rows_left_out": "2026-11-22T14:32:00Z"}
    assert told["left_out"]["rows"] == len(world.PLANS)
    assert "plan 1: data_gb: not a whole number" in told["left_out"]["examples"]
    [said] = [line for line in lines(kiosk, "doctor") if line.startswith("rows")]
    assert "FAULT" in said
    assert "plan 1: data_gb: not a whole number" in said


@pytest.mark.parametrize(
    ("field", "value"),
    [("time_zone", "Mars/Phobos"), ("partner", None), ("planogram", None), ("clerks", None), ("languages", 3), ("currency", 5)],
)
def test_a_corner_document_no_page_could_show_takes_none_down(kiosk: world.Kiosk, field: str, value: object) -> None:
    with kiosk.ops_write() as ops:
        store_setting(ops, "corner", {**world.corner_document(), field: value})
    client = create_app(kiosk.directory, sync=False).test_client()

    answers = {page: client.get(page).status_code for page in PAGES}
    assert {page: status for page, status in answers.items() if status != 200 and not page.startswith("/compare")} == {}
    assert max(answers.values()) < 500
    assert client.get("/counter/").status_code < 500
    assert "corner_unreadable" in [fault["code"] for fault in client.get("/status.json").json["faults"]]


def test_a_kiosk_of_an_earlier_version_shows_its_catalogue(kiosk: world.Kiosk, tmp_path: Path) -> None:
    with kiosk.catalog.writer() as database:
        database.conn.set_authorizer(None)
        for (name,) in database.execute("select name from sqlite_schema where type = 'view'").fetchall():
            database.execute(f"drop view {name}")
        database.execute("drop table left_out")
        database.execute("update plan set body = '{}'")
        database.execute("pragma user_version = 0")

    with time_machine.travel(NOW, tick=False):
        app: Flask = create_app(kiosk.directory, sync=False)
        state = app.test_client().get("/status.json").json

    assert app.test_client().get("/home").status_code == 200
    assert app.test_client().get("/plans").status_code == 200
    assert [fault["code"] for fault in state["faults"]] == ["rows_left_out"]
