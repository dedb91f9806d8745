"""Each state of a kiosk's files has its own name: on the page, in the status, for machines and at the doctor's."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from comptoir import kiosk as commands
from kiosk.app import create_app
from pos.db import Store, connect, write
from pos.errors import DiskFull
from pos.ops import RESERVE, open_kept_ops
from sync.faults import fault
from tests import world

NOBODY = 65534


@pytest.fixture
def place() -> Iterator[Path]:
    """A kiosk's directory that belongs to a user without privileges, whoever runs the tests."""
    directory = Path(tempfile.mkdtemp(prefix="comptoir-"))
    made = world.make_kiosk(directory)
    made.ops.close()
    made.catalog.close()
    (directory / "media").mkdir()
    if os.geteuid() == 0:
        for path in (directory, *directory.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
    yield directory
    directory.chmod(0o700)
    shutil.rmtree(directory)


@contextmanager
def unprivileged() -> Iterator[None]:
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each start of the rounds found the records open; of the app's threads only the one that awaits them runs."""
    started: list[bool] = []
    monkeypatch.setattr("kiosk.app.OPENED_AGAIN_S", 0.05)
    monkeypatch.setattr("kiosk.app.start_rounds", lambda kiosk, **_: started.append(kiosk.ops is not None))
    for name in ("start_rescans", "prices.start_watch", "paper.warm_up"):
        monkeypatch.setattr(f"kiosk.app.{name}", lambda *_, **__: None)
    return started


def newer(directory: Path) -> None:
    database = connect(directory / "ops.db", durable=True)
    with write(database):
        row = ["comptoir-ops", "m999_of_a_later_release", "2030-01-01"]
        database.execute("insert into _sqlite_migrations (migration_set, name, applied_at) values (?, ?, ?)", row)
        database.execute("update setting set value = ? where name = 'oldest_reader'", [json.dumps(row[1])])
    database.close()


def folder_in_its_place(directory: Path) -> None:
    (directory / "ops.db").unlink()
    (directory / "ops.db").mkdir()


STATES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "a file nobody may open": ("records_unreadable", lambda directory: (directory / "ops.db").chmod(0)),
    "a folder in its place": ("records_unreadable", folder_in_its_place),
    "a file nobody may write": ("records_read_only", lambda directory: (directory / "ops.db").chmod(0o444)),
    "a folder nobody may write": ("records_read_only", lambda directory: directory.chmod(0o555)),
    "no file": ("records_missing", lambda directory: (directory / "ops.db").unlink()),
    "a file of a later release": ("records_newer", newer),
    "no database": ("records_damaged", lambda directory: (directory / "ops.db").write_bytes(b"not a database" * 500)),
    "half a database": ("records_damaged", lambda directory: os.truncate(directory / "ops.db", 9000)),
}


@pytest.mark.parametrize("state", STATES)
def test_records_that_cannot_be_used_are_called_what_they_are(place: Path, state: str) -> None:
    code, bring_about = STATES[state]
    bring_about(place)
    before = contents(place / "ops.db")
    with unprivileged():
        client = create_app(place, sync=False).test_client()

        assert client.get("/home").status_code == (503 if state == "a folder nobody may write" else 200)
        refused = client.post("/selections", data={"listing": "101"})
        assert (refused.status_code, f'data-code="{code}"' in refused.text) == (503, True)
        assert "Ce comptoir ne peut pas faire de bon pour l’instant." in refused.text
        assert code in [fault["code"] for fault in client.get("/status.json").json["faults"]]
        assert code in client.get("/readyz").json["detail"].split(", ")
        said = CliRunner().invoke(commands, ["doctor", "--dir", str(place)]).output
        assert said.splitlines()[0].startswith(f"records      FAULT    {fault(code).short}   {code}: ")
    assert contents(place / "ops.db") == before


def test_a_catalogue_nobody_may_read_is_not_called_on_its_way(place: Path) -> None:
    (place / "catalog.db").chmod(0)
    with unprivileged():
        client = create_app(place, sync=False).test_client()
        answer = client.get("/browse")

        assert (answer.status_code, 'data-code="catalog_unreadable"' in answer.text) == (503, True)
        assert "en cours de réception" not in answer.text
        assert [fault["code"] for fault in client.get("/status.json").json["faults"]] == ["catalog_unreadable"]
        assert client.get("/readyz").json["code"] == "catalog_unreadable"


@pytest.mark.parametrize(
    ("code", "bring_about"),
    [
        ("key_unreadable", lambda path: path.chmod(0)),
        ("key_damaged", lambda path: path.write_bytes(b"short")),
        ("key_missing", lambda path: path.unlink()),
    ],
)
def test_a_key_that_signs_nothing_is_called_what_it_is(place: Path, code: str, bring_about: Callable[[Path], object]) -> None:
    bring_about(place / "device.key")
    with unprivileged():
        client = create_app(place, sync=False).test_client()
        selection = client.post("/selections", data={"listing": "101"}).headers["Location"]
        refused = client.post(f"{selection}/slip")

        assert (refused.status_code, f'data-code="{code}"' in refused.text) == (503, True)
        assert [fault["code"] for fault in client.get("/status.json").json["faults"]] == [code]


def test_media_nobody_may_read_are_replaced_by_drawings_and_said(place: Path) -> None:
    (place / "media").chmod(0)
    with unprivileged():
        client = create_app(place, sync=False).test_client()

        assert client.get("/home").status_code == 200
        assert [fault["code"] for fault in client.get("/status.json").json["faults"]] == ["media_unreadable"]


def test_records_that_turn_read_only_while_people_browse_are_not_called_damaged(place: Path) -> None:
    with unprivileged():
        client = create_app(place, sync=False).test_client()
        assert client.post("/selections", data={"listing": "101"}).status_code == 303
        for path in place.glob("ops.db*"):
            path.chmod(0o444)
        client = create_app(place, sync=False).test_client()

        assert 'data-code="records_read_only"' in client.post("/selections", data={"listing": "101"}).text


def test_records_held_by_another_program_are_asked_for_again(client: FlaskClient, kiosk: world.Kiosk) -> None:
    holder = connect(kiosk.ops.path, durable=True)
    writer = client.application.extensions["comptoir"].ops._current_writer()
    writer.execute("pragma busy_timeout=10").fetchall()
    with write(holder):
        refused = client.post("/selections", data={"listing": "101"})
    holder.close()

    assert (refused.status_code, 'data-code="records_busy"' in refused.text) == (503, True)
    assert client.post("/selections", data={"listing": "101"}).status_code == 303


def test_records_held_at_the_start_are_opened_once_they_are_let_go(kiosk: world.Kiosk, rounds: list[bool]) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("insert into setting (name, value) values ('held', '1')")
        app = create_app(kiosk.directory, sync=True)
        client = app.test_client()
        assert 'data-code="records_busy"' in client.post("/selections", data={"listing": "101"}).text
        assert not any(rounds)
    await_records()

    assert client.post("/selections", data={"listing": "101"}).status_code == 303
    assert rounds[-1]


@pytest.mark.usefixtures("rounds")
def test_a_disk_full_at_the_start_is_given_the_reserve(kiosk: world.Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    reserve = kiosk.directory / RESERVE
    reserve.touch()

    def opened(directory: Path) -> Store:
        if reserve.exists():
            raise DiskFull("the disk is full")
        return open_kept_ops(directory)

    monkeypatch.setattr("kiosk.app.open_kept_ops", opened)
    app = create_app(kiosk.directory, sync=True)
    await_records()

    assert app.test_client().post("/selections", data={"listing": "101"}).status_code == 303
    assert "disk_full" in app.extensions["comptoir"].faults


def await_records() -> None:
    for thread in threading.enumerate():
        if thread.name == "records":
            thread.join(30)


def contents(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
