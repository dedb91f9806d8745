from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from pos import clerks, corners
from pos.errors import WrongPin
from tests.world import NOW, PIN, Kiosk

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def log_in(kiosk: Kiosk, *, clerk_id: str = "camille", pin: str = PIN, now: datetime = NOW) -> str:
    return clerks.log_in(kiosk.ops, corners.corner(kiosk.ops.read()), clerk_id, pin, now=now)


def clerk(kiosk: Kiosk, token: str, *, now: datetime = NOW) -> str | None:
    found = clerks.clerk_of_session(kiosk.ops.read(), corners.corner(kiosk.ops.read()), token, now=now)
    return found["clerk_id"] if found else None


def fail(kiosk: Kiosk, *, times: int, now: datetime = NOW) -> list[int]:
    waits = []
    for _ in range(times):
        with pytest.raises(WrongPin) as refusal:
            log_in(kiosk, pin="000000", now=now)
        waits.append(refusal.value.data["wait_s"])
    return waits


def test_a_pin_opens_a_session(kiosk: Kiosk) -> None:
    token = log_in(kiosk)

    assert clerk(kiosk, token) == "camille"
    assert clerk(kiosk, log_in(kiosk, clerk_id="idriss")) == "idriss"
    assert clerk(kiosk, token) == "camille"


@pytest.mark.parametrize("pin", ["", "246811", "24681", " 246810", "2468100", "٢٤٦٨١٠", "x" * 5000, "\x00"])
def test_a_wrong_pin_opens_nothing(kiosk: Kiosk, pin: str) -> None:
    with pytest.raises(WrongPin):
        log_in(kiosk, pin=pin)
    assert kiosk.ops.read().execute("select count(*) from clerk_session").fetchone() == (0,)


def test_nobody_unknown_gets_in_or_leaves_a_trace(kiosk: Kiosk) -> None:
    for clerk_id in ("mallory", "", "CAMILLE"):
        with pytest.raises(WrongPin):
            log_in(kiosk, clerk_id=clerk_id)
    assert kiosk.ops.read().execute("select count(*) from pin_failure").fetchone() == (0,)


def test_after_five_failures_every_try_waits_twice_as_long(kiosk: Kiosk) -> None:
    assert fail(kiosk, times=6) == [0, 0, 0, 0, 60, 60]
    assert fail(kiosk, times=1, now=NOW + MINUTE) == [120]
    assert fail(kiosk, times=1, now=NOW + MINUTE + 119 * SECOND) == [1]
    assert fail(kiosk, times=1, now=NOW + 3 * MINUTE) == [240]


def test_even_the_right_pin_waits_and_then_wipes_the_slate(kiosk: Kiosk) -> None:
    fail(kiosk, times=5)

    with pytest.raises(WrongPin):
        log_in(kiosk, now=NOW + 59 * SECOND)
    assert clerk(kiosk, log_in(kiosk, now=NOW + MINUTE), now=NOW + MINUTE) == "camille"
    assert fail(kiosk, times=1, now=NOW + MINUTE) == [0]


def test_many_wrong_pins_at_once_are_judged_no_more_often_than_in_turn(kiosk: Kiosk) -> None:
    corner = corners.corner(kiosk.ops.read())

    def guess(number: int) -> int:
        with pytest.raises(WrongPin) as refusal:
            clerks.log_in(kiosk.ops, corner, "camille", f"{number:06}", now=NOW)
        return int(refusal.value.data["wait_s"])

    with ThreadPoolExecutor(60) as crowd:
        waits = list(crowd.map(guess, range(60)))

    assert kiosk.ops.read().execute("select failures from pin_failure").fetchall() == [(clerks.PINS.free_tries,)]
    assert sum(wait == 0 for wait in waits) < clerks.PINS.free_tries


def test_a_day_without_a_try_begins_anew_and_leaves_nothing(kiosk: Kiosk) -> None:
    fail(kiosk, times=5)
    with pytest.raises(WrongPin):
        log_in(kiosk, clerk_id="idriss", pin="000000", now=NOW + 25 * HOUR)

    assert kiosk.ops.read().execute("select clerk_id from pin_failure").fetchall() == [("idriss",)]


def test_the_wait_is_one_clerk_s_and_one_hour_at_most(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("insert into pin_failure values ('camille', 4000, '2026-11-22T14:32:00Z')")

    assert fail(kiosk, times=1) == [3600]
    assert log_in(kiosk, clerk_id="idriss")


def test_a_clock_set_back_does_not_lock_the_counter(kiosk: Kiosk) -> None:
    fail(kiosk, times=5, now=NOW + timedelta(days=3000))
    assert log_in(kiosk)


def test_a_session_ends_when_idle_and_lives_on_while_kept(kiosk: Kiosk) -> None:
    token = log_in(kiosk)

    assert clerk(kiosk, token, now=NOW + 2 * MINUTE) == "camille"
    assert clerk(kiosk, token, now=NOW + 2 * MINUTE + SECOND) is None
    with kiosk.ops_write() as ops:
        clerks.keep_session(ops, token, now=NOW + 2 * MINUTE)
    assert clerk(kiosk, token, now=NOW + 4 * MINUTE) == "camille"


def test_no_session_outlives_twelve_hours(kiosk: Kiosk) -> None:
    token = log_in(kiosk)
    for now in (NOW + 12 * HOUR, NOW + 12 * HOUR + SECOND):
        with kiosk.ops_write() as ops:
            clerks.keep_session(ops, token, now=now)

    assert clerk(kiosk, token, now=NOW + 12 * HOUR) == "camille"
    assert clerk(kiosk, token, now=NOW + 12 * HOUR + SECOND) is None


def test_a_clock_set_back_does_not_keep_a_session_open(kiosk: Kiosk) -> None:
    assert clerk(kiosk, log_in(kiosk, now=NOW + 24 * HOUR)) is None


def test_logging_out_ends_the_session(kiosk: Kiosk) -> None:
    token, other = log_in(kiosk), log_in(kiosk)
    with kiosk.ops_write() as ops:
        clerks.log_out(ops, token, now=NOW)

    assert (clerk(kiosk, token), clerk(kiosk, other)) == (None, "camille")
    assert clerk(kiosk, "") is None
    assert clerk(kiosk, "made-up") is None


def test_a_clerk_hq_took_away_is_out_at_once(kiosk: Kiosk) -> None:
    token = log_in(kiosk)
    with kiosk.ops_write() as ops:
        ops.execute("update setting set value = json_set(value, '$.clerks', json('[]')) where name = 'corner'")
    assert clerk(kiosk, token) is None


def test_the_token_stands_nowhere_in_the_file(kiosk: Kiosk) -> None:
    token = log_in(kiosk)

    kiosk.ops.read().execute("pragma wal_checkpoint(full)").fetchall()
    written = b"".join(path.read_bytes() for path in kiosk.directory.glob("ops.db*"))
    assert token.encode() not in written
    assert PIN.encode() not in written
    assert len(token) >= 40
