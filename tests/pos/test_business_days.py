from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pos import clock
from pos.business_days import business_day, business_day_at
from pos.errors import NotFound

ZONES = st.sampled_from(["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "UTC"])
MOMENTS = st.integers(1_420_000_000, 2_050_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
HOURS = st.integers(0, 11)


@given(at=MOMENTS, zone=ZONES, begins_hour=HOURS)
def test_every_moment_belongs_to_one_day_and_to_one_of_its_hours(at: datetime, zone: str, begins_hour: int) -> None:
    day = business_day_at(at, zone=zone, begins_hour=begins_hour)
    text = clock.to_text(at)

    assert day.start <= text < day.end
    assert (day.later(-1).end, day.later(1).start) == (day.start, day.end), "days follow each other without a gap"
    hours = day.hours
    assert (hours[0].start, hours[-1].end) == (day.start, day.end)
    assert [hour.end for hour in hours[:-1]] == [hour.start for hour in hours[1:]]
    assert len({hour.key for hour in hours}) == len(hours)
    [hour] = [hour for hour in hours if hour.start <= text < hour.end]
    assert hour.key[:13] == at.astimezone(ZoneInfo(zone)).isoformat()[:13]


@pytest.mark.parametrize(
    ("zone", "begins_hour", "name", "count"),
    [
        ("Europe/Paris", 4, "2026-03-28", 23),
        ("Europe/Paris", 4, "2026-03-29", 24),
        ("Europe/Paris", 0, "2026-03-29", 23),
        ("Europe/Paris", 4, "2026-10-24", 25),
        ("Europe/Paris", 0, "2026-10-25", 25),
        ("America/New_York", 4, "2026-03-07", 23),
        ("America/New_York", 0, "2026-03-08", 23),
        ("America/New_York", 4, "2026-10-31", 25),
        ("America/New_York", 0, "2026-11-01", 25),
    ],
)
def test_the_day_of_a_clock_change_has_23_or_25_hours(zone: str, begins_hour: int, name: str, count: int) -> None:
    day = business_day(name, zone=zone, begins_hour=begins_hour)

    assert len(day.hours) == count
    assert clock.from_text(day.end) - clock.from_text(day.start) == timedelta(hours=count)


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    keys = [hour.key for hour in business_day("2026-10-24", zone="Europe/Paris", begins_hour=4).hours]

    assert keys[-3:] == ["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", "2026-10-25T03:00+01:00"]


def test_a_minute_before_the_hour_belongs_to_the_day_before() -> None:
    night = datetime(2026, 11, 22, 3, 59, tzinfo=ZoneInfo("Europe/Paris"))

    assert business_day_at(night, zone="Europe/Paris", begins_hour=4).name == "2026-11-21"
    assert business_day_at(night + timedelta(minutes=1), zone="Europe/Paris", begins_hour=4).name == "2026-11-22"
    assert business_day_at(night, zone="Europe/Paris", begins_hour=0).name == "2026-11-22"


def test_an_hour_that_the_clock_skips_begins_the_day_as_it_is_skipped() -> None:
    assert business_day("2026-03-29", zone="Europe/Paris", begins_hour=2).start == "2026-03-29T01:00:00Z"


def test_the_same_time_a_week_before_is_that_of_the_wall_clock() -> None:
    after_the_change = business_day("2026-10-26", zone="Europe/Paris", begins_hour=4)

    assert after_the_change.same_time(-7, "2026-10-26T14:00:00Z") == "2026-10-19T13:00:00Z"


@pytest.mark.parametrize("name", ["", "yesterday", "2026-02-30", "20261122x", "9999-12-31", "0000-01-01", "2026-11-22T04:00"])
def test_what_is_no_day_is_not_found(name: str) -> None:
    with pytest.raises(NotFound):
        business_day(name, zone="Europe/Paris", begins_hour=4)


def test_the_calendar_ends_without_a_failure() -> None:
    last = business_day((date.max - timedelta(days=1)).isoformat(), zone="UTC", begins_hour=4)

    with pytest.raises(NotFound):
        last.later(1)
