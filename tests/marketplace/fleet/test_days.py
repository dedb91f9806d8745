"""What kiosks tell of their days, kept and summed at HQ."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from marketplace.db import changed, reading, run_tx
from marketplace.fleet.day_reports import corner_days, summed
from pos import clock
from tests.marketplace.events.test_inbox import slip_body
from tests.marketplace.hq import Hq, words
from tests.marketplace.test_console import log_in

DAY = "2026-11-22"
FIGURES = [
    {"figure": "slips", "key": "", "name": {}, "value": 3, "voided": 1},
    {"figure": "slips_by_hour", "key": f"{DAY}T10:00+01:00", "name": {}, "value": 2, "voided": 1},
    {"figure": "slips_by_hour", "key": f"{DAY}T11:00+01:00", "name": {}, "value": 1, "voided": 0},
    {"figure": "slips_by_sku", "key": "IPHONE-13", "name": {"": "=Apple iPhone 13"}, "value": 3, "voided": 1},
    {"figure": "papers_printed", "key": "slip", "name": {}, "value": 2, "voided": None},
]


def told(day: str = DAY, **changes: Any) -> dict[str, Any]:
    """A day as the Nantes kiosk tells it: three slips, one of them voided."""
    return {
        "format": 1,
        "day": day,
        "edition": 1,
        "time_zone": "Europe/Paris",
        "day_begins_hour": 4,
        "from_at": f"{day}T03:00:00Z",
        "until_at": "2026-11-23T03:00:00Z",
        "counted_at": "2026-11-23T03:10:00Z",
        "figures": FIGURES,
        **changes,
    }


def another_corner_tells(hq: Hq, corner_id: str) -> None:
    """Let a corner in New York tell the same day."""
    figures = [{**row, "key": row["key"].replace("+01:00", "-05:00")} for row in FIGURES]
    there = {"corner_id": corner_id, "figures": json.dumps(figures)}

    def work(connection: Connection) -> None:
        changed(connection, "insert into corner select :corner_id, 999, market, body from corner limit 1", corner_id=corner_id)
        changed(
            connection,
            """
            insert into day_report
            select :corner_id, day, stream, edition, 'America/New_York', day_begins_hour, from_at, until_at, counted_at,
              received_at, :figures
            from day_report where corner_id = 'nantes-crebillon'
            """,
            **there,
        )

    run_tx(hq.engine, work)


def states(hq: Hq) -> list[str]:
    return [row["state"] for row in hq.rows("select state from inbox order by seq")]


def test_a_day_is_kept_once_and_its_next_edition_takes_its_place(hq: Hq) -> None:
    first, second = hq.event("day_report", told()), hq.event("day_report", told(edition=2, figures=FIGURES[:1]))
    hq.up(first)
    hq.up(first)
    assert hq.rows("select edition from day_report") == [{"edition": 1}]

    hq.up(second)
    hq.up(first, second)

    assert hq.rows("select corner_id, day, edition from day_report") == [
        {"corner_id": "nantes-crebillon", "day": DAY, "edition": 2}
    ]
    assert states(hq) == ["judged", "judged"]


def test_an_edition_that_comes_late_changes_nothing(hq: Hq) -> None:
    late, newer = hq.event("day_report", told()), hq.event("day_report", told(edition=2))
    hq.up(newer)
    hq.up(late)

    assert hq.rows("select edition from day_report") == [{"edition": 2}]


UNFIT: list[dict[str, Any]] = [
    {"day": "yesterday"},
    {"edition": 0},
    {"time_zone": "Mars/Olympus"},
    {"from_at": "3 a.m."},
    {"figures": None},
    {"figures": [{**FIGURES[0], "value": -1}]},
    {"figures": [{**FIGURES[1], "key": "ten"}]},
    {"day_begins_hour": 30},
]


def test_a_day_that_no_page_could_show_is_set_aside_and_holds_nothing_up(hq: Hq) -> None:
    hq.up(*[hq.event("day_report", told(**change)) for change in UNFIT], hq.event("day_report", told("2026-11-21")))

    assert states(hq) == [*["dead"] * len(UNFIT), "judged"]
    assert hq.rows("select day from day_report") == [{"day": "2026-11-21"}]


def test_hq_says_where_its_own_slips_differ_from_what_was_counted(hq: Hq) -> None:
    log_in(hq)
    day = clock.to_text(clock.now())[:10]
    until_at = clock.to_text(clock.now() + timedelta(hours=2))
    hq.up(*[hq.event("slip_issued", slip_body(hq, counter=counter)) for counter in (1, 2)])
    hq.up(hq.event("day_report", told(day, from_at=f"{day}T00:00:00Z", until_at=until_at)))

    page = words(hq.client.get(f"/console/days?on={day}"))
    assert "2 1 bon compté là-bas n’est pas arrivé" in " ".join(_text(page).split())

    hq.up(hq.event("slip_issued", slip_body(hq, counter=3)))
    assert "autant" in _text(words(hq.client.get(f"/console/corners/nantes-crebillon/days/{day}")))


def _text(page: str) -> str:
    return re.sub(r"<[^>]+>", " ", page)


def test_sums_are_of_what_can_be_added(hq: Hq) -> None:
    """An hour of the wall clock is one, wherever its corner stands; of people nothing is compared."""
    helped = {"figure": "bundles_helped", "name": {}, "voided": 0}
    figures = [*FIGURES, {**helped, "key": "camille", "value": 2}, {**helped, "key": "idriss", "value": 3}]
    hq.up(hq.event("day_report", told(figures=figures)))
    another_corner_tells(hq, "lyon-bellecour-2")

    with reading(hq.engine) as connection:
        days = corner_days(connection, DAY)
    sums = {(row["figure"], row["key"]): (row["value"], row["voided"]) for row in summed(days, DAY)}

    assert len(days) == 2
    assert sums == {
        ("slips", ""): (6, 2),
        ("slips_by_hour", f"{DAY}T10:00"): (4, 2),
        ("slips_by_hour", f"{DAY}T11:00"): (2, 0),
        ("slips_by_sku", "IPHONE-13"): (6, 2),
        ("papers_printed", "slip"): (4, None),
        ("bundles_helped", ""): (5, 0),
    }


def test_the_console_shows_the_days_and_says_which_are_missing(hq: Hq) -> None:
    log_in(hq)
    enrolled = hq.rows("select min(enrolled_at) as at from device")[0]["at"]
    later = (datetime.fromisoformat(enrolled) + timedelta(days=1)).date().isoformat()
    before = (datetime.fromisoformat(enrolled) - timedelta(days=9)).date().isoformat()

    assert "comptoir n’a pas fini cette journée" in words(hq.client.get(f"/console/days?on={later}"))
    assert "Il manque" not in words(hq.client.get(f"/console/days?on={before}")), "there was no device"
    run_tx(hq.engine, lambda connection: changed(connection, "update device set enrolled_at = '2026-01-01T00:00:00Z'"))
    missing = words(hq.client.get(f"/console/days?on={DAY}"))
    assert "Il manque la journée de 1 comptoir" in missing
    assert "Nantes Crébillon" in missing

    hq.up(hq.event("day_report", told()))
    page = words(hq.client.get(f"/console/days?on={DAY}"))

    assert "Il manque" not in page
    assert "Bons par heure" in page
    assert f"/console/corners/nantes-crebillon/days/{DAY}" in page
    one = words(hq.client.get(f"/console/corners/nantes-crebillon/days/{DAY}"))
    assert "22 novembre 2026" in one
    assert "heure de Europe/Paris" in one
    assert f"/console/corners/nantes-crebillon/days/{DAY}" in words(hq.client.get("/console/corners/nantes-crebillon"))
    assert hq.client.get(f"/console/corners/lyon-bellecour-2/days/{DAY}").status_code == 404
    assert hq.client.get("/console/days?on=soon").status_code == 400


def test_the_file_has_every_corner_s_figures_and_no_formula(hq: Hq) -> None:
    log_in(hq)
    hq.up(hq.event("day_report", told(figures=[*FIGURES, {"figure": "of_tomorrow", "key": "=1", "name": {}, "value": 7}])))
    another_corner_tells(hq, "lyon-bellecour-2")

    answer = hq.client.get(f"/console/days/{DAY}/figures.csv")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";"))

    assert answer.mimetype == "text/csv"
    assert {(row["corner"], row["figure"], row["value"]) for row in rows} >= {
        ("nantes-crebillon", "slips", "3"),
        ("lyon-bellecour-2", "slips", "3"),
        ("nantes-crebillon", "of_tomorrow", "7"),
    }, "a figure that only a newer kiosk knows goes by its id"
    assert {row["name"] for row in rows if row["figure"] == "slips_by_sku"} == {"'=Apple iPhone 13"}
    assert {row["key"] for row in rows if row["figure"] == "of_tomorrow"} == {"'=1"}


def test_the_days_are_for_hq(hq: Hq) -> None:
    assert hq.client.get("/console/days").status_code == 303
