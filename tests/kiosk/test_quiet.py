"""When the app may be started anew without disturbing anybody."""

from __future__ import annotations

from datetime import datetime

import pytest
from flask import Flask
from flask.testing import FlaskClient

from kiosk.releases import is_quiet
from pos.db import Store
from tests import world

DAY, NIGHT = world.NOW.replace(hour=12), world.NOW.replace(hour=2)


@pytest.mark.parametrize(
    ("now", "idle_s", "quiet"), [(DAY, 1799, False), (DAY, 1801, True), (NIGHT, 599, False), (NIGHT, 601, True)]
)
def test_it_is_quiet_once_nobody_was_there_for_a_while(app: Flask, now: datetime, idle_s: float, quiet: bool) -> None:
    ops: Store = app.extensions["comptoir"].ops
    assert is_quiet(ops, idle_s=idle_s, now=now) is quiet


def test_it_is_not_quiet_while_a_paper_is_under_way(app: Flask) -> None:
    ops: Store = app.extensions["comptoir"].ops
    with ops.write() as database:
        database.execute(
            "insert into print_job (kind, subject, copy_no, printer, state, requested_by, requested_at)"
            " values ('test', 't', 1, 'printer', 'sending', '', '2026-11-22T09:00:00Z')"
        )
    assert not is_quiet(ops, idle_s=100_000, now=NIGHT)


def test_who_touches_a_page_is_there_and_a_page_that_asks_by_itself_is_nobody(app: Flask, client: FlaskClient) -> None:
    kiosk = app.extensions["comptoir"]
    kiosk.touched_s -= 100_000
    client.get("/home", headers={"Sec-Fetch-Dest": "document"})
    assert client.get("/status.json").json["quiet"] is True
    client.get("/home", headers={"Sec-Fetch-Dest": "document", "Sec-Fetch-User": "?1"})
    assert client.get("/status.json").json["quiet"] is False
    kiosk.touched_s -= 100_000
    client.post("/selections", data={"listing": "101"})
    assert client.get("/status.json").json["quiet"] is False
