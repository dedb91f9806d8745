"""Fault 24: the kiosk's disk is full. Slips are still made, from space held back for them; the catalogue stays as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from kiosk.app import create_app
from kiosk.status import describe
from pos.ops import RESERVE_BYTES, keep_reserve
from sync.corner.room import check_room
from sync.errors import NoRoom
from tests import world

SLIPS = 60


def test_fault_24_a_full_disk_still_makes_slips_and_says_so(small_disk: Path) -> None:
    kiosk = world.make_kiosk(small_disk)
    assert keep_reserve(small_disk)
    app = create_app(small_disk, sync=False)
    client, clerk = app.test_client(), app.test_client()
    assert clerk.post("/counter/session", data={"clerk": "camille", "pin": world.PIN}).status_code == 303
    fill(small_disk)
    try:
        made = [make_slip(client) for _ in range(SLIPS)]
        with app.app_context():
            faults = {fault["code"] for fault in describe()["faults"]}

        assert len(set(made)) == SLIPS
        assert faults == {"disk_full", "disk_low"}
        assert {code for code in faults if f'data-fault="{code}"' in clerk.get("/counter/state").text} == faults
        assert not (small_disk / "reserve").exists()
        assert kiosk.ops.read().execute("select count(*), max(counter) from slip").fetchone() == (SLIPS, SLIPS)
        assert kiosk.ops.read().execute("pragma integrity_check").fetchone() == ("ok",)
        with pytest.raises(NoRoom):
            check_room(kiosk.catalog)
        assert not keep_reserve(small_disk)

        (small_disk / "filler").unlink()
        assert keep_reserve(small_disk)
        check_room(kiosk.catalog)
    finally:
        for store in (kiosk.catalog, kiosk.ops, app.extensions["comptoir"].catalog, app.extensions["comptoir"].ops):
            store.close()


def test_fault_24_without_a_reserve_the_tap_is_refused_and_nothing_recorded_is_lost(small_disk: Path) -> None:
    kiosk = world.make_kiosk(small_disk)
    app = create_app(small_disk, sync=False)
    client = app.test_client()
    number = make_slip(client)
    fill(small_disk)
    try:
        answers = [client.post("/selections", data={"listing": "101"}).status_code for _ in range(100)]
        assert answers[-1] == 503
        assert client.get(f"/slips/{number}").status_code == 200
        assert kiosk.ops.read().execute("pragma integrity_check").fetchone() == ("ok",)
    finally:
        for store in (kiosk.catalog, kiosk.ops, app.extensions["comptoir"].catalog, app.extensions["comptoir"].ops):
            store.close()


def test_fault_24_the_reserve_is_real_space_and_held_once(small_disk: Path) -> None:
    free = os.statvfs(small_disk).f_bavail
    assert keep_reserve(small_disk)
    assert keep_reserve(small_disk)
    taken = (free - os.statvfs(small_disk).f_bavail) * os.statvfs(small_disk).f_frsize
    assert taken >= RESERVE_BYTES


def make_slip(client: FlaskClient) -> str:
    selection = client.post("/selections", data={"listing": "101"})
    assert selection.status_code == 303, selection.text
    answer = client.post(f"{selection.headers['Location']}/slip")
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"].rpartition("/")[2]


def fill(directory: Path) -> None:
    """Take all the space there is, to the last block."""
    with (directory / "filler").open("wb", buffering=0) as file:
        for size in (2**20, 4096):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                continue
