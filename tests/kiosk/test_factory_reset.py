"""A device becomes nobody's: never before what HQ has not heard is safe, and then wholly."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from comptoir import comptoir
from kiosk import factory_reset
from pos import backups, outbox
from pos.backups import back_up
from pos.ops import open_ops, store_setting
from sync.locks import hold_directory
from tests import world
from tests.faults.conftest import Served, served
from tests.marketplace.conftest import founded

__all__ = ["founded", "served"]
CORNER = "nantes-crebillon"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A memory stick."""
    made = tmp_path / "stick"
    made.mkdir()
    return made


@pytest.fixture
def used(tmp_path: Path) -> world.Kiosk:
    """A kiosk in service, HQ out of reach, one event waiting and a copy of the records beside them."""
    directory = tmp_path / "kiosk"
    directory.mkdir()
    made = world.make_kiosk(directory)
    with made.ops_write() as ops:
        store_setting(ops, "marketplace_url", "http://127.0.0.1:9")
        outbox.record(ops, "demo_checked", {"position": "A1"}, now=world.NOW)
    back_up(made.ops.path, period="day", now=world.NOW)
    made.ops.close()
    made.catalog.close()
    return made


def reset(kiosk: world.Kiosk, *arguments: str, corner: str = CORNER) -> Result:
    return CliRunner().invoke(comptoir, ["kiosk", "factory-reset", "--dir", str(kiosk.directory), "--corner", corner, *arguments])


def left(kiosk: world.Kiosk) -> list[str]:
    return sorted(path.name for path in kiosk.directory.rglob("*"))


def test_what_hq_has_not_heard_keeps_everything_where_it_is(used: world.Kiosk) -> None:
    refused = reset(used)

    assert "1 events never reached HQ" in str(refused.exception)
    assert {"ops.db", "device.key", "catalog.db", "backup"} <= set(left(used))


def test_what_was_saved_holds_it_and_nothing_stays_here(used: world.Kiosk, place: Path) -> None:
    done = reset(used, "--save", str(place))

    assert done.exit_code == 0, (done.output, done.exception)
    assert left(used) == []
    [saved] = place.iterdir()
    assert open_ops(saved).read().execute("select kind from outbox").fetchall() == [("demo_checked",)]


def test_a_stick_that_does_not_give_back_what_was_written_wipes_nothing(
    used: world.Kiosk, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy_badly(path: Path, target: Path) -> Path:
        target.write_bytes(path.read_bytes()[:4096] + bytes(8192))
        return target

    monkeypatch.setattr(backups, "copy_database", copy_badly)
    refused = reset(used, "--save", str(place))

    assert "could not be read through" in str(refused.exception)
    assert {"ops.db", "device.key"} <= set(left(used))
    assert list(place.iterdir()) == []


def test_another_corner_s_name_changes_nothing(used: world.Kiosk, place: Path) -> None:
    before = left(used)

    assert "this is corner nantes-crebillon, not paris-opera; nothing was changed" in str(
        reset(used, "--save", str(place), corner="paris-opera").exception
    )
    assert [name for name in before if name not in left(used)] == []
    assert list(place.iterdir()) == []


def test_a_kiosk_that_serves_is_not_reset(used: world.Kiosk, place: Path) -> None:
    with hold_directory(used.directory, doing="serving"):
        assert "is held already" in str(reset(used, "--save", str(place)).exception)
    assert "device.key" in left(used)


def test_records_that_cannot_be_read_are_saved_as_they_are(used: world.Kiosk, place: Path) -> None:
    used.ops.path.write_bytes(b"nothing of the kind" * 1000)

    assert "save them as they are" in str(reset(used).exception)
    assert "device.key" in left(used)
    assert reset(used, "--save", str(place)).exit_code == 0
    assert left(used) == []
    assert [path.read_bytes()[:7] for path in place.glob("*/ops.db")] == [b"nothing"]


def test_a_reset_cut_short_has_no_key_any_more_and_goes_on(
    used: world.Kiosk, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(factory_reset.shutil, "rmtree", lambda _: (_ for _ in ()).throw(OSError("power cut")))
        assert reset(used, "--save", str(place)).exit_code == 1
    assert "device.key" not in left(used)
    assert "backup" in left(used)

    assert reset(used).exit_code == 0
    assert left(used) == []


def test_what_waits_is_sent_and_needs_no_stick(served: Served, tmp_path: Path) -> None:
    directory = served.enrol(tmp_path / "kiosk")
    store = open_ops(directory / "ops.db")
    with store.write() as ops:
        outbox.record(ops, "demo_checked", {"position": "A1"}, now=world.NOW)
    store.close()

    done = CliRunner().invoke(comptoir, ["kiosk", "factory-reset", "--dir", str(directory), "--corner", CORNER])

    assert done.exit_code == 0, (done.output, done.exception)
    assert list(directory.iterdir()) == []
    [event] = served.hq.rows("select kind from inbox")
    assert event["kind"] == "demo_checked"
