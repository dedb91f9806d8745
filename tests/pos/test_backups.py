"""Copies of the records, and how one comes back: nothing that stood there is lost, and no number is given twice."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from pos import clock, outbox
from pos.backups import RESERVE_BYTES, back_up, copies_of, restore
from pos.db import connect
from pos.errors import DiskFull, NotFound, RecordsDamaged, RecordsNewer
from pos.ops import open_ops, setting, store_setting
from tests.world import NOW, Kiosk


def back_up_day(path: Path, *, day: str) -> Path:
    return back_up(path, period="day", now=clock.from_text(f"{day}T14:00:00Z"))


def test_a_copy_of_each_day_is_kept_for_a_week(kiosk: Kiosk) -> None:
    copies = [back_up_day(kiosk.ops.path, day=f"2026-11-{day:02}") for day in range(10, 20)]

    kept = sorted(path.name for path in (kiosk.directory / "backup").iterdir())
    assert kept == [f"ops-2026-11-{day}.db" for day in range(13, 20)]
    assert copies[-1].stat().st_mode & 0o077 == 0
    copy = connect(copies[-1], durable=True, wal=False)
    assert copy.execute("pragma integrity_check").fetchone() == ("ok",)
    assert copy.execute("select value from setting where name = 'stream'").fetchone() == ('"' + "a" * 32 + '"',)
    copy.close()


def test_copies_dated_by_a_clock_that_ran_ahead_go_before_true_ones(kiosk: Kiosk) -> None:
    for day in range(10, 17):
        back_up_day(kiosk.ops.path, day=f"2030-01-{day}")

    kept = []
    for day in range(10, 20):
        assert back_up_day(kiosk.ops.path, day=f"2026-11-{day}").exists()
        kept.append(sorted(path.name[4:-3] for path in (kiosk.directory / "backup").iterdir()))

    assert kept[0] == ["2026-11-10", *(f"2030-01-{day}" for day in range(11, 17))]
    assert kept[6] == [f"2026-11-{day}" for day in range(10, 17)]
    assert kept[-1] == [f"2026-11-{day}" for day in range(13, 20)]


def test_a_copy_of_a_clock_that_ran_behind_is_kept(kiosk: Kiosk) -> None:
    for day in range(10, 17):
        back_up_day(kiosk.ops.path, day=f"2026-11-{day}")

    assert [back_up_day(kiosk.ops.path, day=f"1970-01-{day:02}").exists() for day in range(1, 10)] == [True] * 9


def test_a_day_is_copied_once(kiosk: Kiosk) -> None:
    first = back_up_day(kiosk.ops.path, day="2026-11-22").read_bytes()
    with kiosk.ops_write() as ops:
        store_setting(ops, "acked", 5)

    assert back_up_day(kiosk.ops.path, day="2026-11-22").read_bytes() == first


def test_a_copy_cut_short_is_begun_again(kiosk: Kiosk) -> None:
    half = kiosk.directory / "backup" / "ops-2026-11-22.part"
    half.parent.mkdir()
    half.write_bytes(b"half")

    assert back_up_day(kiosk.ops.path, day="2026-11-22").stat().st_size > 4
    assert not half.exists()


def test_an_hour_s_copies_are_kept_for_a_day_and_push_out_no_day_s(kiosk: Kiosk) -> None:
    day = back_up(kiosk.ops.path, period="day", now=NOW)
    for hours in range(30):
        back_up(kiosk.ops.path, period="hour", now=NOW + timedelta(hours=hours))

    kept = sorted(path.name for path in day.parent.iterdir())
    assert len(kept) == 1 + 24
    assert kept[0] == day.name == "ops-2026-11-22.db"
    assert kept[-1] == "ops-2026-11-23T19.db"


def test_a_copy_that_cannot_be_read_through_is_not_kept_and_pushes_out_none(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = back_up_day(kiosk.ops.path, day="2026-11-21")

    def spoil(path: Path, target: Path) -> Path:
        shutil.copyfile(path, target)
        with target.open("r+b") as file:
            file.seek(4096)
            file.write(bytes(8192))
        return target

    monkeypatch.setattr("pos.backups.copy_database", spoil)
    with pytest.raises(RecordsDamaged):
        back_up_day(kiosk.ops.path, day="2026-11-22")
    assert list(good.parent.iterdir()) == [good]


def test_no_copy_takes_the_room_of_slips(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(kiosk.directory)
    monkeypatch.setattr("pos.backups.shutil.disk_usage", lambda _: usage._replace(free=2 * RESERVE_BYTES))
    with pytest.raises(DiskFull):
        back_up_day(kiosk.ops.path, day="2026-11-22")


def test_a_copy_that_holds_all_comes_back_and_the_device_goes_on_under_its_key(kiosk: Kiosk) -> None:
    copy = back_up(kiosk.ops.path, period="hour", now=NOW)
    with kiosk.ops_write() as ops:
        store_setting(ops, "acked", 5)
    kiosk.ops.close()

    restored = restore(kiosk.directory, copy, now=NOW)

    assert not restored.must_enrol
    assert (kiosk.directory / "device.key").exists()
    assert setting(open_ops(restored.kept / "ops.db").read(), "acked") == 5
    assert setting(open_ops(kiosk.ops.path).read(), "acked") != 5


def test_records_that_went_on_since_the_copy_take_their_key_with_them(kiosk: Kiosk) -> None:
    copy = back_up(kiosk.ops.path, period="hour", now=NOW)
    with kiosk.ops_write() as ops:
        outbox.record(ops, "demo_checked", {"position": "A1"}, now=NOW)
    kiosk.ops.close()

    restored = restore(kiosk.directory, copy, now=NOW)

    assert restored.must_enrol
    assert not (kiosk.directory / "device.key").exists()
    assert (restored.kept / "device.key").exists()
    kept = open_ops(restored.kept / "ops.db").read()
    assert kept.execute("select count(*) from outbox").fetchone() == (1,)


@pytest.mark.parametrize("how", ["missing", "damaged"])
def test_records_that_cannot_be_read_take_their_key_with_them(kiosk: Kiosk, how: str) -> None:
    copy = back_up(kiosk.ops.path, period="hour", now=NOW)
    kiosk.ops.close()
    if how == "missing":
        kiosk.ops.path.unlink()
    else:
        kiosk.ops.path.write_bytes(b"nothing of the kind" * 1000)

    restored = restore(kiosk.directory, copy, now=NOW)

    assert restored.must_enrol
    assert (restored.kept / "ops.db").exists() == (how == "damaged")
    assert [each.slips for each in copies_of(kiosk.directory)] == [0]


@pytest.mark.parametrize("problem", [NotFound, RecordsDamaged, RecordsNewer])
def test_a_copy_that_cannot_be_used_changes_nothing(kiosk: Kiosk, problem: type[Exception]) -> None:
    copy = back_up(kiosk.ops.path, period="hour", now=NOW)
    if problem is NotFound:
        copy.unlink()
    elif problem is RecordsDamaged:
        copy.write_bytes(b"nothing of the kind" * 1000)
    else:
        newer = connect(copy, durable=True, wal=False)
        newer.execute("insert into _sqlite_migrations (migration_set, name, applied_at) values ('comptoir-ops', 'm999', '')")
        newer.execute("insert or replace into setting (name, value) values ('oldest_reader', '\"m999\"')")
        newer.close()
    before = {path.name: path.read_bytes() for path in kiosk.directory.iterdir() if path.is_file()}
    kiosk.ops.close()

    with pytest.raises(problem):
        restore(kiosk.directory, copy, now=NOW)

    after = {path.name: path.read_bytes() for path in kiosk.directory.iterdir() if path.is_file()}
    assert {name: content for name, content in after.items() if name in ("ops.db", "device.key")}.keys() == {
        "ops.db",
        "device.key",
    }
    assert after["device.key"] == before["device.key"]
    assert open_ops(kiosk.ops.path).read().execute("pragma integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("moves", range(5))
def test_a_restore_cut_short_after_any_step_is_done_by_the_next(
    kiosk: Kiosk, moves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = back_up(kiosk.ops.path, period="hour", now=NOW)
    with kiosk.ops_write() as ops:
        outbox.record(ops, "demo_checked", {"position": "A1"}, now=NOW)
    left, rename = [moves], Path.rename

    def die(path: Path, target: Path) -> Path:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", die)
        try:
            restore(kiosk.directory, copy, now=NOW)
        except KeyboardInterrupt:
            # Whatever was moved, no key stands beside records that know less than it signed.
            assert kiosk.ops.path.exists() or not (kiosk.directory / "device.key").exists()
    kiosk.ops.close()
    restore(kiosk.directory, copy, now=NOW)

    assert not (kiosk.directory / "device.key").exists()
    assert open_ops(kiosk.ops.path).read().execute("select count(*) from outbox").fetchone() == (0,)
    kept = {path.name for path in (kiosk.directory / "set-aside").glob("*/*")}
    assert {"device.key", "ops.db"} <= kept
