from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pos.day_reports import FIGURES, OTHERS, day_report
from pos.db import Store
from pos.ops import open_ops
from pos.outbox import MOST_BYTES
from pos.told_days import CAUGHT_UP_DAYS, KIND, MOST_ROWS, RETOLD_DAYS, tell_days
from tests.pos.test_day_reports import NEW_YORK, PARIS, Made, write_down

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SLIP = Made(NOON, (("A", 1),), paper="uncertain", helped_by="camille")


@pytest.fixture
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_ops(tmp_path_factory.mktemp("records") / "ops.db")
    with store.write() as ops:
        write_down(ops, [SLIP])
    yield store
    store.close()


def told(records: Store) -> list[dict[str, Any]]:
    return [json.loads(row[0]) for row in records.read().execute("select body from outbox where kind = ? order by seq", [KIND])]


def editions(records: Store) -> list[tuple[str, int]]:
    return [(each["day"], each["edition"]) for each in told(records)]


def test_a_day_is_told_once_when_it_has_ended(records: Store) -> None:
    assert tell_days(records, PARIS, now=NOON) == 0, "today goes on"

    assert tell_days(records, PARIS, now=NOON + DAY) == 1
    assert tell_days(records, PARIS, now=NOON + DAY) == 0
    assert tell_days(records, PARIS, now=NOON + 2 * DAY) == 1, "a day without a slip is told too"

    assert editions(records) == [("2026-11-22", 1), ("2026-11-23", 1)]


def test_hq_is_told_the_figures_of_the_very_report(records: Store) -> None:
    tell_days(records, PARIS, now=NOON + DAY)

    [event] = told(records)
    report = day_report(records.read(), PARIS, "2026-11-22", now=NOON + DAY)
    nameless = [{**row, "name": {}} if row["figure"] == "bundles_helped" else row for row in report.rows]
    assert {name: event[name] for name in report.facts} == {**report.facts, "figures": nameless}
    assert "Camille" not in json.dumps(event), "whose name it is stays at the corner"
    assert {row["figure"] for row in event["figures"]} <= set(FIGURES)
    assert (event["from_at"], event["until_at"]) == ("2026-11-22T03:00:00Z", "2026-11-23T03:00:00Z")


def test_late_news_of_a_day_are_its_next_edition_for_two_weeks(records: Store) -> None:
    tell_days(records, PARIS, now=NOON + DAY)
    with records.write() as ops:
        ops.execute("update print_job set state = 'confirmed'")
    assert tell_days(records, PARIS, now=NOON + RETOLD_DAYS * DAY) == RETOLD_DAYS
    with records.write() as ops:
        ops.execute("insert into slip_void values ('n-1', 'camille', 'mistake', '2026-12-24T10:00:00Z')")
    tell_days(records, PARIS, now=NOON + (RETOLD_DAYS + 1) * DAY)

    first, second = [event for event in told(records) if event["day"] == "2026-11-22"]
    assert (first["edition"], second["edition"]) == (1, 2)
    assert [row["value"] for row in first["figures"] if row["figure"] == "papers_uncertain"] == [1]
    assert [row["value"] for row in second["figures"] if row["figure"] == "papers_printed"] == [1]


def test_a_kiosk_that_was_off_tells_what_it_never_told(records: Store) -> None:
    assert tell_days(records, PARIS, now=NOON + 40 * DAY) == 40
    assert tell_days(records, PARIS, now=NOON + 40 * DAY) == 0

    assert len({day for day, _ in editions(records)}) == 40


def test_what_is_too_long_ago_is_not_told_any_more(records: Store) -> None:
    assert tell_days(records, PARIS, now=NOON + 300 * DAY) == CAUGHT_UP_DAYS


def test_a_corner_that_moved_tells_its_last_days_anew(records: Store) -> None:
    tell_days(records, PARIS, now=NOON + DAY)

    assert tell_days(records, NEW_YORK, now=NOON + DAY) == 1

    assert [(event["edition"], event["time_zone"]) for event in told(records)] == [(1, "Europe/Paris"), (2, "America/New_York")]


def test_the_fullest_day_can_travel(records: Store) -> None:
    name = "É" * 160
    with records.write() as ops:
        write_down(ops, [Made(NOON, ((f"{number:04}-{name[:60]}", number + 1),)) for number in range(2000)])
        ops.execute("update slip_line set title = ?, plan_name = json_object('fr', ?, 'en', ?)", [name, name, name])

    tell_days(records, PARIS, now=NOON + DAY)

    [event] = told(records)
    models = [row for row in event["figures"] if row["figure"] == "slips_by_sku"]
    assert len(json.dumps(event, ensure_ascii=False).encode()) < MOST_BYTES
    assert (len(models), models[-1]["key"], models[-1]["value"]) == (MOST_ROWS + 1, OTHERS, 2000 - MOST_ROWS)
