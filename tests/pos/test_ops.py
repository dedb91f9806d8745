from __future__ import annotations

from pos.db import connect
from pos.ops import back_up, store_setting
from tests.world import Kiosk


def test_a_copy_of_each_day_is_kept_for_a_week(kiosk: Kiosk) -> None:
    copies = [back_up(kiosk.ops.path, day=f"2026-11-{day:02}") for day in range(10, 20)]

    kept = sorted(path.name for path in (kiosk.directory / "backup").iterdir())
    assert kept == [f"ops-2026-11-{day}.db" for day in range(13, 20)]
    assert copies[-1].stat().st_mode & 0o077 == 0
    copy = connect(copies[-1], durable=True, wal=False)
    assert copy.execute("pragma integrity_check").fetchone() == ("ok",)
    assert copy.execute("select value from setting where name = 'stream'").fetchone() == ('"' + "a" * 32 + '"',)
    copy.close()


def test_copies_dated_by_a_clock_that_ran_ahead_go_before_true_ones(kiosk: Kiosk) -> None:
    for day in range(10, 17):
        back_up(kiosk.ops.path, day=f"2030-01-{day}")

    kept = []
    for day in range(10, 20):
        assert back_up(kiosk.ops.path, day=f"2026-11-{day}").exists()
        kept.append(sorted(path.name[4:-3] for path in (kiosk.directory / "backup").iterdir()))

    assert kept[0] == ["2026-11-10", *(f"2030-01-{day}" for day in range(11, 17))]
    assert kept[6] == [f"2026-11-{day}" for day in range(10, 17)]
    assert kept[-1] == [f"2026-11-{day}" for day in range(13, 20)]


def test_a_copy_of_a_clock_that_ran_behind_is_kept(kiosk: Kiosk) -> None:
    for day in range(10, 17):
        back_up(kiosk.ops.path, day=f"2026-11-{day}")

    assert [back_up(kiosk.ops.path, day=f"1970-01-{day:02}").exists() for day in range(1, 10)] == [True] * 9


def test_a_day_is_copied_once(kiosk: Kiosk) -> None:
    first = back_up(kiosk.ops.path, day="2026-11-22").read_bytes()
    with kiosk.ops_write() as ops:
        store_setting(ops, "acked", 5)

    assert back_up(kiosk.ops.path, day="2026-11-22").read_bytes() == first


def test_a_copy_cut_short_is_begun_again(kiosk: Kiosk) -> None:
    half = kiosk.directory / "backup" / "ops-2026-11-22.part"
    half.parent.mkdir()
    half.write_bytes(b"half")

    assert back_up(kiosk.ops.path, day="2026-11-22").stat().st_size > 4
    assert not half.exists()
