"""The day report against a count by hand of the same rows, and how it finds them."""

from __future__ import annotations

import json
import lzma
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from pos import clock
from pos.business_days import business_day
from pos.corners import Corner, read_corner
from pos.day_reports import FIGURES, DayReport, day_report
from pos.db import Store
from pos.errors import NotFound
from pos.ops import open_ops
from tests import world
from tests.pos.test_slips import BUNDLE, issue, selection_of
from tests.world import Kiosk

PARIS = read_corner(world.corner_document())
NEW_YORK = replace(PARIS, time_zone="America/New_York")
CHANGES = {"Europe/Paris": ("2026-03-29", "2026-10-25"), "America/New_York": ("2026-03-08", "2026-11-01")}
OF_SLIPS = ("slips", "slips_by_hour", "slips_by_sku", "slips_by_plan", "bundles_helped", "claimed")
STATES = {"confirmed": "papers_printed", "uncertain": "papers_uncertain", "failed": "papers_failed", "queued": "papers_waiting"}


@dataclass(frozen=True)
class Made:
    """A slip of the test: when, its lines as (SKU, plan), whether voided, how its paper ended, what became of it; and what was
    noted of a demo device at that moment.
    """

    at: datetime
    lines: tuple[tuple[str | None, int | None], ...]
    is_void: bool = False
    paper: str | None = None
    claim: str | None = None
    noted: str | None = None
    helped_by: str | None = None


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = open_ops(tmp_path_factory.mktemp("records") / "ops.db")
    yield store
    store.close()


def write_down(ops: Database, slips: list[Made]) -> None:
    """Put these slips in the place of what there is, straight into the tables."""
    for table in ("slip_void", "slip_line", "slip", "print_job", "slip_claim", "demo_device_event"):
        ops.execute(f"delete from {table}")
    for counter, slip in enumerate(slips, start=1):
        number, at = f"n-{counter}", clock.to_text(slip.at)
        lines = [
            {"listing": {"sku": sku, "title": f"The {sku}"} if sku else None, "plan": _plan(plan_id) if plan_id else None}
            for sku, plan_id in slip.lines
        ]
        row = ["k", counter, number, f"s-{counter}", "f", b"", json.dumps({"lines": lines}), at, at, slip.helped_by]
        names = "key_id, counter, number, selection_id, fingerprint, token, facts, issued_at, valid_until, helped_by"
        ops.execute(f"insert into slip ({names}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        if slip.is_void:
            ops.execute("insert into slip_void values (?, 'camille', 'mistake', '2027-01-01T00:00:00Z')", [number])
        if slip.paper:
            names = "kind, subject, copy_no, printer, state, requested_by, requested_at"
            ops.execute(f"insert into print_job ({names}) values ('slip', ?, 0, 'p', ?, 'c', ?)", [number, slip.paper, at])
        if slip.claim:
            ops.execute("insert into slip_claim values ('k', ?, ?, ?, ?)", [counter, slip.claim, at, at])
        if slip.noted:
            names = "demo_id, position, kind, clerk_id, at"
            ops.execute(f"insert into demo_device_event ({names}) values ('D1', 'A1', ?, 'c', ?)", [slip.noted, at])


def _plan(plan_id: int) -> dict[str, Any]:
    return {"plan_id": plan_id, "name": {"fr": f"Forfait {plan_id}", "en": f"Plan {plan_id}"}}


def counted(slips: list[Made], *, zone: str, begins_hour: int, name: str) -> dict[str, dict[str, tuple[int, int]]]:
    """Count by hand: every figure's keys with their value and how many of it were voided, without the noughts."""
    figures: dict[str, dict[str, tuple[int, int]]] = {figure: {} for figure in FIGURES}
    for slip in slips:
        local = slip.at.astimezone(ZoneInfo(zone))
        day = local.date() - timedelta(days=local.hour < begins_hour)
        if day.isoformat() != name:
            continue
        hour = local.replace(minute=0, second=0).isoformat()
        keys = {("slips", ""), ("slips_by_hour", f"{hour[:16]}{hour[19:]}")}
        keys |= {("slips_by_sku", sku) for sku, _ in slip.lines if sku}
        keys |= {("slips_by_plan", str(plan_id)) for _, plan_id in slip.lines if plan_id}
        keys |= {(STATES[slip.paper], "slip")} if slip.paper else set()
        if slip.helped_by and any(sku and plan_id for sku, plan_id in slip.lines):
            keys.add(("bundles_helped", slip.helped_by))
        keys |= {("claimed", slip.claim)} if slip.claim else set()
        keys |= {("demo_events", slip.noted)} if slip.noted else set()
        for figure, key in keys:
            value, voided = figures[figure].get(key, (0, 0))
            figures[figure][key] = value + 1, voided + (slip.is_void and figure in OF_SLIPS)
    return figures


def figures_of(report: DayReport) -> dict[str, dict[str, tuple[int, int]]]:
    """Return the report's figures as `counted` does."""
    return {
        figure: {row["key"]: (row["value"], row["voided"] or 0) for row in report.of(figure) if row["value"]}
        for figure in FIGURES
    }


LINES = st.lists(st.tuples(st.sampled_from([None, "A", "B", "C"]), st.sampled_from([None, 1, 2])), min_size=1, max_size=3).map(
    tuple
)


@st.composite
def a_night_of_slips(draw: st.DrawFn) -> tuple[Corner, str, list[Made]]:
    """Slips around a clock change, or around a plain night, in one of two time zones, the day's hour anywhere."""
    corner = draw(st.sampled_from([PARIS, NEW_YORK]))
    corner = replace(corner, day_begins_hour=draw(st.sampled_from([0, 2, 4, 6])))
    name = draw(st.sampled_from([*CHANGES[corner.time_zone], "2026-06-14"]))
    middle = datetime.fromisoformat(name).replace(hour=6, tzinfo=UTC)
    minutes = st.integers(-40 * 60, 40 * 60)
    made = st.builds(
        lambda minute, *facts: Made(middle + timedelta(minutes=minute), *facts),
        minutes, LINES, st.booleans(), st.sampled_from([None, *STATES]), st.sampled_from([None, "ordered", "shipped"]),
        st.sampled_from([None, "seen", "missing"]), st.sampled_from([None, "camille", "gone"]),
    )  # fmt: skip
    day = datetime.fromisoformat(name) + timedelta(days=draw(st.integers(-1, 1)))
    return corner, day.date().isoformat(), draw(st.lists(made, max_size=25))


@settings(max_examples=60)
@given(night=a_night_of_slips())
def test_the_figures_are_those_of_a_count_by_hand(records: Store, night: tuple[Corner, str, list[Made]]) -> None:
    corner, name, slips = night
    first = Made(datetime(2026, 1, 5, 12, tzinfo=UTC), (("A", None),))
    with records.write() as ops:
        write_down(ops, [first, *slips])

    report = day_report(records.read(), corner, name, now=datetime(2027, 1, 5, tzinfo=UTC))

    zone, begins_hour = corner.time_zone, corner.day_begins_hour
    assert figures_of(report) == counted(slips, zone=zone, begins_hour=begins_hour, name=name)
    assert report.total("slips_by_hour") == report.total("slips"), "no slip falls between two hours"
    assert sum(row["voided"] or 0 for row in report.of("slips_by_hour")) == report.of("slips")[0]["voided"]


def test_a_slip_s_lines_are_kept_with_it_and_cannot_differ(kiosk: Kiosk) -> None:
    issue(kiosk, selection_of(kiosk, BUNDLE))
    ops = kiosk.ops.read()

    [(facts, number, issued_at)] = ops.execute("select facts, number, issued_at from slip").fetchall()
    lines = ops.execute("select number, line_no, issued_at, sku, title, plan_id, plan_name from slip_line").fetchall()
    assert [(*line[:6], json.loads(line[6])) for line in lines] == [
        (
            number,
            place,
            issued_at,
            line["listing"]["sku"],
            line["listing"]["title"],
            line["plan"]["plan_id"],
            line["plan"]["name"],
        )
        for place, line in enumerate(json.loads(facts)["lines"], start=1)
    ]


@pytest.mark.parametrize("facts", ["", "{", "[]", '{"lines": {"a": 1, "b": 2}}', '{"lines": [{"plan": {"plan_id": "x"}}, 7]}'])
def test_facts_that_a_disk_broke_keep_no_slip_from_its_row(records: Store, facts: str) -> None:
    with records.write() as ops:
        write_down(ops, [])
        ops.execute(
            """
            insert into slip (key_id, counter, number, selection_id, fingerprint, token, facts, issued_at, valid_until)
            values ('k', 1, 'n', 's', 'f', x'', ?, '2026-11-22T10:00:00Z', '2026-11-22T10:00:00Z')
            """,
            [facts],
        )

    assert day_report(records.read(), PARIS, now=world.NOW).total("slips") == 1


def test_today_is_compared_with_a_week_before_until_the_same_time_of_day(records: Store) -> None:
    """In October the clock changed in between: half past three is half past three."""
    now = datetime(2026, 10, 26, 14, 30, tzinfo=UTC)
    week_before = [datetime(2026, 10, 19, 13, minute, tzinfo=UTC) for minute in (29, 31)]
    with records.write() as ops:
        write_down(ops, [Made(at, (("A", None),)) for at in (*week_before, now - timedelta(hours=1))])

    report = day_report(records.read(), PARIS, now=now)
    yesterday = day_report(records.read(), PARIS, "2026-10-25", now=now)
    first = day_report(records.read(), PARIS, "2026-10-19", now=now)

    assert report.compared is not None
    assert (report.is_over, report.total("slips"), report.compared.slips, report.compared.until) == (
        False, 1, 1, "2026-10-19T13:30:00Z",
    )  # fmt: skip
    assert (yesterday.compared, first.compared, first.first_day) == (None, None, "2026-10-19"), "nothing is no nought"
    whole = day_report(records.read(), PARIS, "2026-10-26", now=now + timedelta(days=1))
    assert whole.compared is not None
    assert (whole.is_over, whole.compared.slips) == (True, 2), "a whole day is compared with a whole day"


@pytest.mark.parametrize("name", ["2026-11-21", "2026-11-23", "soon"])
def test_a_day_without_a_report_is_not_found(records: Store, name: str) -> None:
    with records.write() as ops:
        write_down(ops, [Made(world.NOW, (("A", None),))])

    with pytest.raises(NotFound):
        day_report(records.read(), PARIS, name, now=world.NOW)


def test_a_corner_that_moved_counts_its_past_by_the_clock_it_has_now(records: Store) -> None:
    at = datetime(2026, 11, 22, 6, tzinfo=UTC)
    with records.write() as ops:
        write_down(ops, [Made(at, (("A", None),))])

    there = [day_report(records.read(), corner, now=at).day.name for corner in (PARIS, NEW_YORK)]

    assert there == ["2026-11-22", "2026-11-21"]


@pytest.mark.parametrize("figure", FIGURES)
def test_no_figure_reads_a_table_from_end_to_end(records: Store, figure: str) -> None:
    day = business_day("2026-11-22", zone="Europe/Paris", begins_hour=4)
    values = {"start": day.start, "end": day.end, "hours": json.dumps(day.hours)}

    plan = [row[3] for row in records.read().execute(f"explain query plan {FIGURES[figure]}", values)]

    reads = [step for step in plan if step.startswith(("SCAN", "SEARCH")) and "hour" not in step.split()[1]]
    assert reads
    assert [step for step in reads if not step.startswith("SEARCH")] == [], plan
    assert not [step for step in reads if step.startswith("SEARCH slip USING INDEX")], "its rows are three kilobytes each"


def test_every_figure_stands_once_in_the_order_of_its_rows(records: Store) -> None:
    with records.write() as ops:
        write_down(
            ops,
            [Made(world.NOW, (("A", 1),), paper=state, claim="ordered", noted="seen", helped_by="camille") for state in STATES],
        )

    rows = day_report(records.read(), PARIS, now=world.NOW).rows

    assert list(Counter(row["figure"] for row in rows)) == list(FIGURES)


def test_the_records_of_an_earlier_version_have_their_lines_counted(tmp_path: Path) -> None:
    """As `tests/kiosk/releases` keeps them: the lines of slips made before are there after the upgrade."""
    release = sorted((Path(__file__).parents[1] / "kiosk" / "releases").iterdir())[0]
    (tmp_path / "ops.db").write_bytes(lzma.decompress((release / "ops.db.xz").read_bytes()))
    store = open_ops(tmp_path / "ops.db")

    lines = store.read().execute("select number, sku, plan_id from slip_line order by number").fetchall()
    facts = store.read().execute("select number, facts from slip order by number").fetchall()

    store.close()
    assert lines == [
        (number, line["listing"] and line["listing"]["sku"], line["plan"] and line["plan"]["plan_id"])
        for number, text in facts
        for line in json.loads(text)["lines"]
    ]
    assert lines


def test_a_clerk_is_named_at_the_corner_and_by_id_where_gone(records: Store) -> None:
    with records.write() as ops:
        write_down(ops, [Made(world.NOW, (("A", 1),), helped_by=clerk) for clerk in ("camille", "gone", None)])

    rows = day_report(records.read(), PARIS, now=world.NOW).of("bundles_helped")

    assert [(row["key"], row["name"], row["value"]) for row in rows] == [("camille", {"": "Camille"}, 1), ("gone", {}, 1)]
