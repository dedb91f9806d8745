from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from pos import clerks, corners
from pos.clerks import KIOSK_ROW
from pos.clock import Uptime
from pos.errors import WrongPin
from tests.world import NOW, PIN, Kiosk

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def up(now: datetime, boot: str = "first") -> Uptime:
    """How long the machine has been on when it is `now`, started a week before the tests' own moment."""
    return Uptime(boot, int((now - NOW).total_seconds()) + 7 * 86_400)


def log_in(kiosk: Kiosk, *, clerk_id: str = "camille", pin: str = PIN, now: datetime = NOW, uptime: Uptime | None = None) -> str:
    corner = corners.corner(kiosk.ops.read())
    return clerks.log_in(kiosk.ops, corner, clerk_id, pin, directory=kiosk.directory, now=now, uptime=uptime or up(now))


def clerk(kiosk: Kiosk, token: str, *, now: datetime = NOW) -> str | None:
    session = clerks.session_of(kiosk.ops.read(), corners.corner(kiosk.ops.read()), token, now=now)
    return session.clerk["clerk_id"] if session and not session.is_locked else None


def fail(kiosk: Kiosk, *, times: int, now: datetime = NOW) -> list[int]:
    waits = []
    for _ in range(times):
        with pytest.raises(WrongPin) as refusal:
            log_in(kiosk, pin="000000", now=now)
        waits.append(refusal.value.data["wait_s"])
    return waits


def failures(kiosk: Kiosk) -> dict[str, int]:
    return dict(kiosk.ops.read().execute("select clerk_id, failures from pin_failure where failures > 0").fetchall())


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
    assert failures(kiosk) == {KIOSK_ROW: 3}, "but as tries at this kiosk"


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


def test_many_wrong_pins_at_once_are_judged_no_more_often_than_in_turn(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    corner = corners.corner(kiosk.ops.read())
    judged = list[str]()
    monkeypatch.setattr(clerks, "is_pin", lambda _ops, _member, pin, _directory: judged.append(pin))

    def guess(number: int) -> int:
        with pytest.raises(WrongPin) as refusal:
            clerks.log_in(kiosk.ops, corner, "camille", f"{number:06}", directory=kiosk.directory, now=NOW, uptime=up(NOW))
        return int(refusal.value.data["wait_s"])

    with ThreadPoolExecutor(10) as crowd:
        waits = list(crowd.map(guess, range(100)))

    assert len(judged) == clerks.PINS.free_tries
    assert failures(kiosk) == {"camille": clerks.PINS.free_tries, KIOSK_ROW: clerks.PINS.free_tries}
    assert sum(wait == 0 for wait in waits) < clerks.PINS.free_tries


def test_a_day_without_a_try_begins_anew_and_leaves_nothing(kiosk: Kiosk) -> None:
    fail(kiosk, times=5)
    with pytest.raises(WrongPin):
        log_in(kiosk, clerk_id="idriss", pin="000000", now=NOW + 25 * HOUR)

    assert failures(kiosk) == {"idriss": 1, KIOSK_ROW: 1}


def test_the_wait_is_one_clerk_s_and_one_hour_at_most(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("insert into pin_failure values ('camille', 4000, '2026-11-22T14:32:00Z')")

    assert fail(kiosk, times=1) == [3600]
    assert log_in(kiosk, clerk_id="idriss")


@pytest.mark.parametrize("years", [-30, -1, 1, 30])
def test_a_clock_set_during_a_lock_out_neither_ends_nor_lengthens_it(kiosk: Kiosk, years: int) -> None:
    fail(kiosk, times=5)
    elsewhere = NOW + timedelta(days=365 * years)

    for seconds in (1, 59):
        with pytest.raises(WrongPin) as refusal:
            log_in(kiosk, now=elsewhere, uptime=up(NOW + seconds * SECOND))
        assert refusal.value.data["wait_s"] == 60 - seconds
    assert log_in(kiosk, now=elsewhere, uptime=up(NOW + MINUTE))


def test_a_restart_of_the_machine_does_not_shorten_a_lock_out_and_one_minute_on_is_enough(kiosk: Kiosk) -> None:
    fail(kiosk, times=5)
    kiosk.ops.close()

    for seconds in (5, 59):
        with pytest.raises(WrongPin):
            log_in(kiosk, now=NOW + 9 * HOUR, uptime=Uptime("second", seconds))
    assert log_in(kiosk, now=NOW + 9 * HOUR, uptime=Uptime("second", 60))


def test_a_machine_that_names_no_start_waits_no_longer_for_it(kiosk: Kiosk) -> None:
    for _ in range(5):
        with pytest.raises(WrongPin):
            log_in(kiosk, pin="000000", uptime=Uptime("", 90_000))

    with pytest.raises(WrongPin):
        log_in(kiosk, uptime=Uptime("", 59))
    assert log_in(kiosk, uptime=Uptime("", 60))


def test_names_tried_in_turn_make_the_whole_kiosk_wait_for_minutes_at_most(kiosk: Kiosk) -> None:
    for number in range(clerks.KIOSK.free_tries):
        with pytest.raises(WrongPin):
            log_in(kiosk, clerk_id=f"nobody-{number}")

    with pytest.raises(WrongPin) as refusal:
        log_in(kiosk)
    assert refusal.value.data["wait_s"] == 30
    with kiosk.ops_write() as ops:
        ops.execute("update pin_failure set failures = 9000")
    with pytest.raises(WrongPin):
        log_in(kiosk, now=NOW + 299 * SECOND)
    assert log_in(kiosk, now=NOW + 300 * SECOND)


def test_who_knows_their_own_pin_does_not_wipe_the_kiosk_s_slate(kiosk: Kiosk) -> None:
    """An insider would else try others' PINs for ever, logging in between."""
    for _ in range(4):
        with pytest.raises(WrongPin):
            log_in(kiosk, clerk_id="idriss", pin="000000")
    fail(kiosk, times=3)
    log_in(kiosk)

    assert failures(kiosk) == {"idriss": 4, KIOSK_ROW: 4}


def test_a_session_ends_when_idle_and_lives_on_while_kept(kiosk: Kiosk) -> None:
    token = log_in(kiosk)

    assert clerk(kiosk, token, now=NOW + 2 * MINUTE) == "camille"
    assert clerk(kiosk, token, now=NOW + 2 * MINUTE + SECOND) is None
    with kiosk.ops_write() as ops:
        clerks.keep_session(ops, token, now=NOW + 2 * MINUTE)
    assert clerk(kiosk, token, now=NOW + 4 * MINUTE) == "camille"


def test_what_was_under_way_as_a_clerk_locked_the_counter_does_not_open_it(kiosk: Kiosk) -> None:
    token = log_in(kiosk, now=NOW)
    with kiosk.ops_write() as ops:
        clerks.lock(ops, token)
        clerks.keep_session(ops, token, now=NOW)

    session = clerks.session_of(kiosk.ops.read(), corners.corner(kiosk.ops.read()), token, now=NOW)
    assert session is not None
    assert session.is_locked


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
