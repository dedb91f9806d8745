"""A key sends so much an hour and a day; what is over stays with its kiosk, and nothing else waits for it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from marketplace.events import quotas
from pos import clock
from tests.marketplace.hq import Hq


def held(hq: Hq) -> int:
    return len(hq.rows("select seq from inbox"))


def checks(hq: Hq, count: int, position: str = "A1") -> list[dict[str, Any]]:
    return [hq.event("demo_checked", {"position": position}) for _ in range(count)]


def on_the_hour() -> datetime:
    return clock.now().replace(minute=0, second=0)


def test_events_over_the_hour_s_quota_wait_at_the_kiosk_and_come_later(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "EVENTS_AN_HOUR", 3)
    start = on_the_hour()
    with time_machine.travel(start, tick=False) as travel:
        assert hq.up(*checks(hq, 2)).json["ack"] == 2
        over = checks(hq, 2)
        refused = hq.up(*over, heartbeat={"software": "7.7"})
        assert (refused.status_code, refused.json["code"], refused.headers["Retry-After"]) == (429, "too_many_events", "300")
        assert held(hq) == 2
        assert '"software": "7.7"' in hq.rows("select heartbeat from device")[0]["heartbeat"], "it is heard all the same"
        assert hq.up().json["ack"] == 2
        travel.move_to(start + timedelta(hours=1))
        assert hq.up(*over).json["ack"] == 4


def test_a_day_has_its_own_quota(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "EVENTS_A_DAY", 3)
    start = on_the_hour()
    with time_machine.travel(start, tick=False) as travel:
        hq.up(*checks(hq, 3))
        travel.move_to(start + timedelta(hours=5))
        late = checks(hq, 1)
        assert hq.up(*late).status_code == 429
        travel.move_to(start + timedelta(hours=24))
        assert hq.up(*late).json["ack"] == 4
        assert [each["events"] for each in hq.rows("select events from sent")] == [1], "hours gone by are forgotten"


@pytest.mark.parametrize("limit", ["BYTES_AN_HOUR", "BYTES_A_DAY"])
def test_bytes_count_as_events_do(hq: Hq, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(quotas, limit, 1000)
    assert hq.up(*checks(hq, 1, "é" * 300)).status_code == 200
    assert hq.up(*checks(hq, 1, "é" * 300)).status_code == 429


def test_what_is_sent_again_counts_once(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quotas, "EVENTS_AN_HOUR", 3)
    events = checks(hq, 3)
    for _ in range(3):
        assert hq.up(*events).json["ack"] == 3


def test_a_kiosk_back_after_three_days_is_through_at_once(hq: Hq) -> None:
    events = checks(hq, 4500)
    for start in range(0, len(events), 500):
        assert hq.up(*events[start : start + 500]).json["ack"] == start + 500
