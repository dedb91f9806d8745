from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pos import clock


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_reads_as_it_was_written(at: datetime) -> None:
    assert clock.from_text(clock.to_text(at)) == at.replace(microsecond=0)


@given(st.lists(st.datetimes(timezones=st.just(UTC)), min_size=2, max_size=5))
def test_texts_sort_as_times(moments: list[datetime]) -> None:
    assert sorted(map(clock.to_text, moments)) == list(map(clock.to_text, sorted(moments)))


def test_a_moment_of_another_zone_is_written_in_utc() -> None:
    at = datetime(2026, 11, 22, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert clock.to_text(at) == "2026-11-21T23:30:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-22",
        "2026-11-22 09:00:00Z",
        "2026-11-22T09:00:00",
        "2026-11-22T09:00:00z",
        "2026-11-22T09:00:00+00:00",
        "2026-11-22T09:00:00.5Z",
        "2026-1-2T3:4:5Z",
        "2026-13-01T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-11-22T24:00:01Z",
        "2026-11-22T09:00:60Z",
        "0000-01-01T00:00:00Z",
        "٢٠٢٦-11-22T09:00:00Z",
        "2026-11-22T09:00:00Z\n",
    ],
)
def test_no_other_form_is_a_moment(text: str) -> None:
    assert not clock.is_text(text)
    with pytest.raises(ValueError, match=r"."):
        clock.from_text(text)


@pytest.mark.parametrize("value", [None, 3, True, [], {"at": 1}, b"2026-11-22T09:00:00Z"])
def test_what_is_no_text_is_no_moment(value: object) -> None:
    assert not clock.is_text(value)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00Z", "1899-12-31T23:59:59Z", "3000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_year_that_some_time_zone_cannot_show_is_not_believed(text: str) -> None:
    assert not clock.is_text(text)


@pytest.mark.parametrize(
    ("at", "zone", "day"),
    [
        ("2026-11-30T23:30:00Z", "Europe/Paris", "2026-12-01"),
        ("2026-12-01T01:00:00Z", "America/New_York", "2026-11-30"),
        ("2026-06-30T22:00:00Z", "Europe/Paris", "2026-07-01"),
        ("2026-11-30T15:30:00Z", "Asia/Tokyo", "2026-12-01"),
    ],
)
def test_a_day_belongs_to_a_place(at: str, zone: str, day: str) -> None:
    assert clock.local_day(clock.from_text(at), zone) == day
