"""The time HQ vouches for, whatever the clock on the wall."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pos.db import Store
from pos.ops import open_ops
from pos.tokens import EPOCH
from pos.trusted_time import earliest_now, is_clock_wrong, learn_time, trusted_now

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
DEAD = datetime(1970, 1, 1, tzinfo=UTC)


@pytest.fixture
def ops(tmp_path: Path) -> Iterator[Store]:
    store = open_ops(tmp_path / "ops.db")
    yield store
    store.close()


def learn(ops: Store, hq_time: datetime, *, wall: datetime) -> None:
    with ops.write() as database:
        learn_time(database, hq_time, wall=wall)


@pytest.mark.parametrize("wall", [NOW, NOW + 3650 * 24 * HOUR, NOW - 3650 * 24 * HOUR, DEAD])
def test_a_clock_is_corrected_by_what_hq_said(ops: Store, wall: datetime) -> None:
    learn(ops, NOW, wall=wall)
    assert trusted_now(ops.read(), wall) == NOW
    assert trusted_now(ops.read(), wall + HOUR) == NOW + HOUR
    assert is_clock_wrong(ops.read()) is (wall != NOW)


def test_before_hq_said_anything_the_clock_is_all_there_is(ops: Store) -> None:
    assert trusted_now(ops.read(), NOW) == NOW
    assert trusted_now(ops.read(), DEAD) == EPOCH
    assert not is_clock_wrong(ops.read())


def test_time_never_falls_below_what_hq_vouched_for(ops: Store) -> None:
    learn(ops, NOW, wall=NOW)
    assert trusted_now(ops.read(), DEAD) == NOW
    learn(ops, NOW - 5 * HOUR, wall=NOW)
    assert earliest_now(ops.read()) == NOW
    assert trusted_now(ops.read(), NOW + HOUR) == NOW


def test_a_clock_set_right_after_a_wrong_one_is_believed_with_the_next_reply(ops: Store) -> None:
    ahead = NOW + 3650 * 24 * HOUR
    learn(ops, NOW, wall=ahead)
    assert trusted_now(ops.read(), NOW + HOUR) == NOW, "until then time stands still"
    learn(ops, NOW + HOUR, wall=NOW + HOUR)
    assert trusted_now(ops.read(), NOW + 2 * HOUR) == NOW + 2 * HOUR


@pytest.mark.parametrize(("off_s", "is_wrong"), [(299, False), (301, True), (-301, True)])
def test_more_than_five_minutes_is_wrong(ops: Store, off_s: int, is_wrong: bool) -> None:
    learn(ops, NOW, wall=NOW + timedelta(seconds=off_s))
    assert is_clock_wrong(ops.read()) is is_wrong


def test_a_clock_at_the_end_of_time_stops_nothing(ops: Store) -> None:
    learn(ops, NOW, wall=NOW - HOUR)
    assert trusted_now(ops.read(), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)).year == 9999
