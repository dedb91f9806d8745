"""Heartbeats without news are written together, and whatever a person acts on is written at once."""

from __future__ import annotations

import json
from datetime import timedelta
from time import sleep
from typing import Any

import pytest
import time_machine
from sqlalchemy.exc import OperationalError

from marketplace.events import heartbeats
from marketplace.events.heartbeats import QuietHeartbeats, quiet_heartbeats_of
from pos import clock
from sync.heartbeats import read_heartbeat
from tests.marketplace.hq import Hq

NOON = "2026-11-22T12:00:00Z"
NEWS: dict[str, Any] = {
    "another publication": {"publication": 2},
    "a trial": {"line": "t1"},
    "what could not be taken in": {"failed": {"line": "t1", "publication": 2, "code": "wrong_root"}},
    "prices that jumped": {"jumps": {"line": "t1", "publication": 2, "changed": 9, "jumped": 3}},
    "events that wait": {"pending": 3, "oldest_at": NOON},
    "a slip made": {"next_counter": 8},
    "a fault": {"faults": {"wrong_root": NOON}},
    "the printer": {"printer": {"name": "bar", "state": "fault", "queue": 2}},
    "the software": {"software": "2"},
    "the ring": {"ring": "canary"},
    "the corner document": {"corner_sha256": "ab"},
    "a disk that filled up": {"disk_free": 1},
    "a clock that went wrong": {"clock": {"wall": "2026-11-22T11:00:00Z"}},
}


def beat(**said: Any) -> dict[str, Any]:
    """The heartbeat of a kiosk that is well at this moment, with what is said otherwise."""
    well = {
        "publication": 1,
        "catalog": {},
        "ring": "stable",
        "software": "1",
        "printer": {"name": "bar", "state": "ok", "queue": 0},
        "pending": 0,
        "next_counter": 7,
        "faults": {},
        "disk_free": 2**33,
        "clock": {"wall": clock.to_text(clock.now()), "up_s": 60, "boot": "a", "known": True},
    }
    return {**well, **said}


def send(hq: Hq, heartbeat: dict[str, Any]) -> dict[str, Any]:
    """Send a heartbeat alone, and return what stands of the device before anything that waits is written."""
    document = {"format": "comptoir-up/1", "corner_id": "nantes-crebillon", "stream": hq.stream, "events": []}
    answer = hq.post_signed({**document, "heartbeat": heartbeat})
    assert answer.status_code == 200
    return seen(hq)


def seen(hq: Hq) -> dict[str, Any]:
    [device] = hq.rows("select seen_at, heartbeat, next_counter from device")
    [standing] = hq.rows("select seen_at, clock_s from standing where corner_id = 'nantes-crebillon'")
    assert device["seen_at"] == standing["seen_at"]
    return {**device, "clock_s": standing["clock_s"]}


def test_a_heartbeat_without_news_waits_and_is_written_with_the_others(hq: Hq) -> None:
    with time_machine.travel(NOON, tick=False) as time:
        first = send(hq, beat())
        time.shift(timedelta(minutes=10))
        assert send(hq, beat(disk_free=2**32)) == first

        assert quiet_heartbeats_of(hq.app).write() == 1
        assert seen(hq)["seen_at"] == "2026-11-22T12:10:00Z"
        assert json.loads(seen(hq)["heartbeat"])["disk_free"] == 2**32
        assert quiet_heartbeats_of(hq.app).write() == 0


@pytest.mark.parametrize("news", NEWS.values(), ids=list(NEWS))
def test_news_is_written_before_the_answer(hq: Hq, news: dict[str, Any]) -> None:
    with time_machine.travel(NOON, tick=False) as time:
        send(hq, beat())
        time.shift(timedelta(minutes=10))
        assert send(hq, beat(**news))["seen_at"] == "2026-11-22T12:10:00Z"


def test_each_hour_has_a_row_in_the_history(hq: Hq) -> None:
    with time_machine.travel(NOON, tick=False) as time:
        for _ in range(13):
            send(hq, beat())
            time.shift(timedelta(minutes=10))
        hours = hq.rows("select at from heartbeat order by at")
    assert [each["at"][11:16] for each in hours] == ["12:00", "13:00", "14:00"]


def test_what_waits_never_takes_back_what_came_later(hq: Hq) -> None:
    with time_machine.travel(NOON, tick=False) as time:
        send(hq, beat())
        time.shift(timedelta(minutes=10))
        send(hq, beat())
        time.shift(timedelta(minutes=10))
        later = send(hq, beat(software="2"))
        quiet_heartbeats_of(hq.app).write()
        assert seen(hq) == later


def test_nothing_waiting_is_written_for_a_device_that_was_quarantined_since(hq: Hq) -> None:
    with time_machine.travel(NOON, tick=False) as time:
        first = send(hq, beat())
        time.shift(timedelta(minutes=10))
        send(hq, beat())
        hq.write("update device set quarantined_at = :at", at=NOON)
        quiet_heartbeats_of(hq.app).write()
        [device] = hq.rows("select seen_at from device")
    assert device["seen_at"] == first["seen_at"]


def test_heartbeats_wait_on_while_the_database_takes_nothing(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    with time_machine.travel(NOON, tick=False) as time:
        send(hq, beat())
        time.shift(timedelta(minutes=10))
        send(hq, beat())
        with monkeypatch.context() as patch:
            patch.setattr(heartbeats, "run_tx", _refuse)
            with pytest.raises(OperationalError):
                quiet_heartbeats_of(hq.app).write()
        assert quiet_heartbeats_of(hq.app).write() == 1
        assert seen(hq)["seen_at"] == "2026-11-22T12:10:00Z"


def test_a_restart_loses_what_waited_and_the_next_heartbeat_brings_it_again(hq: Hq) -> None:
    with time_machine.travel(NOON, tick=False) as time:
        first = send(hq, beat())
        time.shift(timedelta(minutes=10))
        assert send(hq, beat()) == first
        hq.close()
        time.shift(timedelta(minutes=10))
        send(hq, beat())
        quiet_heartbeats_of(hq.app).write()
        assert seen(hq)["seen_at"] == "2026-11-22T12:20:00Z"


def test_the_thread_writes_by_itself(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "WRITTEN_EVERY_S", 0.01)
    waiting = QuietHeartbeats(hq.engine)
    with time_machine.travel(NOON, tick=True) as time:
        send(hq, beat())
        time.shift(timedelta(minutes=10))
        [device] = hq.rows("select * from device")
        assert waiting.take(device, read_heartbeat(beat()), now=clock.now())
        waiting.start()
        for _ in range(500):
            if seen(hq)["seen_at"] > device["seen_at"]:
                break
            sleep(0.02)
    assert seen(hq)["seen_at"] > device["seen_at"]


def _refuse(*_: object) -> None:
    raise OperationalError("update device", None, Exception("the disk is gone"))
