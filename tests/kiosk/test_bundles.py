"""The catalogue by hand and from a neighbour: HQ's export, the kiosk's import, and what one kiosk serves another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from comptoir import comptoir
from kiosk.app import create_app
from pos import clock
from pos.db import Store
from pos.ops import open_ops, setting, store_setting
from sync.corner.mirrors import MIRRORS, SHARED, share
from sync.corner.trust import pin_root
from sync.errors import SyncError
from sync.hq.repository import announce, create
from sync.hq.trusted_roots import newest_root
from tests.marketplace import world as marketplace_world


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(comptoir, [str(argument) for argument in arguments])


@pytest.fixture
def hq(tmp_path: Path) -> Path:
    directory = tmp_path / "hq"
    for arguments in (("init",), ("import", marketplace_world.write_feed(tmp_path / "feed")), ("publish",)):
        assert run("marketplace", *arguments, "--dir", directory).exit_code == 0
    return directory


def enrolled(directory: Path, root: str) -> Path:
    directory.mkdir()
    ops = open_ops(directory / "ops.db")
    with ops.write() as database:
        pin_root(database, root)
        store_setting(database, "corner", CORNER)
    ops.close()
    return directory


CORNER = {
    "corner_id": "nantes-crebillon", "corner_no": 101, "name": "Nantes", "city": "Nantes", "market": "fr", "currency": "EUR",
    "tax_included": True, "languages": ["fr"], "time_zone": "Europe/Paris", "phone": "02 40 11 22 33", "paper_mm": 80,
    "slip_prefix": "https://hq.example/k/", "partner": {"partner_id": "p", "name": "P"}, "planogram": [], "clerks": [],
}  # fmt: skip


def test_a_stick_brings_a_kiosk_without_network_to_hqs_publication(hq: Path, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    kiosk = enrolled(tmp_path / "kiosk", newest_root(hq / "sync"))
    assert run("sync", "export", "--dir", hq, "--out", stick, "--market", "fr", "--ring", "stable").exit_code == 0
    first = run("sync", "import", stick, "--dir", kiosk)
    assert (first.exit_code, first.output.startswith("publication 1 of ")) == (0, True)
    assert run("sync", "import", stick, "--dir", kiosk).output == "nothing newer: publication 1 is here already\n"
    assert run("sync", "export", "--dir", hq, "--out", stick, "--market", "us").exit_code == 1


def test_a_stick_of_another_hq_changes_nothing(hq: Path, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    create(tmp_path / "other" / "sync", tmp_path / "other" / "keys", now=clock.now())
    kiosk = enrolled(tmp_path / "kiosk", newest_root(tmp_path / "other" / "sync"))
    assert run("sync", "export", "--dir", hq, "--out", stick).exit_code == 0
    refused = run("sync", "import", stick, "--dir", kiosk)
    assert isinstance(refused.exception, SyncError)
    assert not (kiosk / "catalog.db").exists()


def test_neighbours_are_set_and_taken_back(tmp_path: Path) -> None:
    open_ops(tmp_path / "ops.db").close()

    def known(*arguments: str) -> tuple[object, object]:
        assert run("kiosk", "set", "--dir", tmp_path, *arguments).exit_code == 0
        ops = Store(tmp_path / "ops.db", durable=True)
        found = setting(ops.read(), MIRRORS), setting(ops.read(), SHARED)
        ops.close()
        return found

    two = ("--mirror", "http://192.0.2.7:8001/", "--mirror", "http://192.0.2.8:8001")
    assert known(*two, "--share", "on") == (["http://192.0.2.7:8001", "http://192.0.2.8:8001"], True)
    assert known() == (["http://192.0.2.7:8001", "http://192.0.2.8:8001"], True)
    assert known("--mirror", "", "--share", "off") == ([], False)


@pytest.mark.parametrize("shared", [True, False])
def test_a_kiosk_serves_its_neighbours_when_told_to(tmp_path: Path, shared: bool) -> None:
    static = tmp_path / "hq" / "sync"
    create(static, tmp_path / "hq" / "keys", now=clock.now())
    announce(static, tmp_path / "hq" / "keys", {"fr/stable.json": json.dumps({}).encode()}, now=clock.now())
    kiosk = enrolled(tmp_path / "kiosk", newest_root(static))
    assert isinstance(run("sync", "import", static, "--dir", kiosk).exception, SyncError), "the head is empty"
    ops = open_ops(kiosk / "ops.db")
    with ops.write() as database:
        store_setting(database, SHARED, shared)
    ops.close()
    share(kiosk)
    client = create_app(kiosk, sync=False).test_client()
    answer = client.get("/sync/v1/metadata/timestamp.json")
    assert answer.status_code == (200 if shared else 404)
    assert client.get("/healthz").status_code == 200
    shutil.rmtree(kiosk / "mirror")
    assert client.get("/sync/v1/metadata/timestamp.json").status_code == 404
