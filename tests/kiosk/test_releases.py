"""A kiosk's two files as each landed version left them, byte for byte, opened by this one: every row is there, and all works.

`releases/VERSION/` holds `ops.db` and `catalog.db` of a small system with a row in every table that a corner fills, and what
is needed to use them.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from kiosk.app import create_app
from pos.db import connect
from tests.pos.test_outbox import events, is_whole

RELEASES = sorted((Path(__file__).parent / "releases").iterdir())
FILES = ("ops.db", "catalog.db")

Rows = dict[str, list[tuple[Any, ...]]]


@pytest.fixture(params=RELEASES, ids=lambda path: path.name)
def release(request: pytest.FixtureRequest) -> Path:
    """A landed version's folder."""
    return Path(request.param)


@pytest.fixture
def facts(release: Path) -> dict[str, Any]:
    """What is known of its kiosk: device key, slips, PIN of Camille, and when it was left."""
    return dict(json.loads((release / "facts.json").read_text(encoding="utf-8")))


@pytest.fixture
def directory(release: Path, facts: dict[str, Any], tmp_path: Path) -> Path:
    """The kiosk's directory as that version left it."""
    for name in FILES:
        (tmp_path / name).write_bytes(lzma.decompress((release / f"{name}.xz").read_bytes()))
    (tmp_path / "device.key").write_bytes(bytes.fromhex(facts["device_key"]))
    return tmp_path


@pytest.fixture
def before(directory: Path) -> Rows:
    """Every row of both files, before this version opens them."""
    return rows_of(directory)


@pytest.fixture
def client(directory: Path, facts: dict[str, Any], before: Rows) -> Iterator[FlaskClient]:
    """A visitor in front of the kiosk, some minutes after it was left."""
    with time_machine.travel(datetime.fromisoformat(facts["at"]) + timedelta(minutes=5), tick=False):
        app = create_app(directory, sync=False)
        yield app.test_client()
        close(app)


def test_every_row_is_still_there(client: FlaskClient, directory: Path, before: Rows) -> None:
    assert client.get("/browse").status_code == 200
    after = rows_of(directory)

    assert {"slip", "outbox", "print_job", "listing", "sku", "offer"} <= set(before)
    printer, prints = ("printer", '{"host": "127.0.0.1", "port": 9}'), before.pop("print_job")
    before["setting"].remove(printer)
    # The document itself is there; an edition that came since judged it anew.
    before["setting"] = [row for row in before["setting"] if row[0] != "corner_judged"]
    checks = before.pop("demo_check")
    after["slip"] = [row[:-1] for row in after["slip"] if row[-1] is None]
    for table, rows in before.items():
        # A column that came since stands behind those there were.
        lost = [row for row in rows if row not in [kept[: len(row)] for kept in after[table]]]
        assert not lost, table
    assert after["printer"] == [("printer", 1, "127.0.0.1:9", "", None, "unknown", "", None)], "as the setting was"
    looked = {"present": "seen", "missing": "missing"}
    noted = sorted((row[2], row[3], row[4], row[6], row[7]) for row in after["demo_device_event"])
    assert noted == sorted((row[0], row[1], looked[row[2]], row[3], row[4]) for row in checks), (
        "each check a device's first event"
    )
    assert checks
    assert [(job[0], *job[2:8], job[8]) for job in after["print_job"]] == [row[:8] for row in prints], "each of a slip"


def test_slips_open_the_chain_is_whole_and_the_next_slip_follows(
    client: FlaskClient, directory: Path, facts: dict[str, Any]
) -> None:
    assert client.post("/counter/session", data={"clerk": "camille", "pin": facts["pin"]}).status_code == 303
    for number in facts["slips"]:
        answer = client.get(f"/counter/slips/{number}")
        assert (answer.status_code, number in answer.text) == (200, True)

    selection = client.post("/selections", data={"listing": "13"}).headers["Location"]
    issued = client.post(f"{selection}/slip").headers["Location"]

    assert issued.startswith("/slips/35-0003-")
    with closing(connect(directory / "ops.db", durable=True)) as ops:
        chain = events(ops)
    assert len(chain) > len(facts["slips"]) + 1
    assert is_whole(chain)


@pytest.mark.parametrize("page", ["/", "/browse", "/sku/IPHONE-13-128-BLUE", "/compare?sku=IPHONE-13-128-BLUE", "/plans"])
def test_pages_show_its_catalogue(client: FlaskClient, page: str) -> None:
    answer = client.get(page, follow_redirects=True)

    assert answer.status_code == 200
    assert ("Série 100 Go" if page == "/plans" else "iPhone 13") in answer.text


def test_a_file_opened_twice_is_opened_as_it_is(client: FlaskClient, directory: Path, before: Rows) -> None:
    close(client.application)
    once = rows_of(directory)
    close(create_app(directory, sync=False))

    assert rows_of(directory) == once


def rows_of(directory: Path) -> Rows:
    """Return the rows of both files by table; those of the search index by what it holds."""
    found: Rows = {}
    for name in FILES:
        with closing(connect(directory / name, durable=True)) as database:
            tables = [row[0] for row in database.execute("select name from sqlite_master where type = 'table'")]
            for table in tables:
                if not table.startswith("sku_search_"):
                    found[table] = sorted(map(tuple, database.execute(f'select * from "{table}"')), key=repr)
    return found


def close(app: Flask) -> None:
    for store in (app.extensions["comptoir"].catalog, app.extensions["comptoir"].ops):
        store.close()
