from __future__ import annotations

from typing import Any

import pytest

from pos.planogram import planned_devices
from tests.marketplace.events.test_messages import AT, NOTED
from tests.marketplace.fleet.test_corner_list import NANTES, beat, log_in
from tests.marketplace.hq import Hq
from tests.sentences import plain

TABLE = "/console/corners/nantes-crebillon/table"
[A1] = planned_devices(NANTES, [{"position": "A1", "sku_id": 1}])
ROUND: dict[str, Any] = {
    **{"kind": "opening", "begun_at": AT, "begun_by": "camille", "ended_at": "2026-11-22T12:05:00Z", "ended_by": "camille"},
    **{"right": 11, "elsewhere": 0, "missing": 1, "unseen": 0, "away": 0},
}


def noted(hq: Hq, **said: Any) -> dict[str, object]:
    return hq.event("demo_device_noted", {**NOTED, "demo_id": A1.demo_id, "clerk_id": "camille", "seen_by": "camille", **said})


def page(hq: Hq) -> str:
    return plain(hq.client.get(TABLE).text)


def test_hq_sees_planned_and_actual_places_and_who_saw_what(hq: Hq) -> None:
    log_in(hq)
    assert "pas encore vu" in page(hq)

    hq.up(noted(hq, kind="moved", place="B2", battery=78, damage="screen"), hq.event("demo_round_ended", ROUND))

    shown = page(hq)
    for words in ("A1", "B2", "présent", "Camille", "batterie à 78 %", "écran abîmé", "ouverture", "11"):
        assert words in shown
    assert TABLE in hq.client.get(f"/console/corners/{NANTES}").text
    assert hq.client.get("/console/corners/nowhere/table").status_code == 404


def test_a_missing_device_is_an_alarm_until_it_is_seen_again(hq: Hq) -> None:
    log_in(hq)
    hq.up(noted(hq, kind="missing", state="missing"), heartbeat=beat(faults={"demo_missing": AT}))
    assert "Introuvables" in page(hq)
    assert "T-92" in plain(hq.client.get(f"/console/corners/{NANTES}").text)
    assert NANTES in hq.client.get("/console/fleet?fault=demo_missing").text

    hq.up(noted(hq, at="2026-11-22T12:01:00Z"), heartbeat=beat())

    assert "Introuvables" not in page(hq)
    assert "T-92 Appareil" not in plain(hq.client.get(f"/console/corners/{NANTES}").text)


def test_a_tag_outside_the_plan_is_shown_where_it_was_seen(hq: Hq) -> None:
    log_in(hq)
    hq.up(noted(hq, demo_id="00000000", sku_id=None, planned=None, place="C3"))

    assert "étiquette hors du plan" in page(hq)
    assert "00000000" in page(hq)


def test_an_older_word_told_again_changes_nothing(hq: Hq) -> None:
    """A corner enrolled anew tells its whole story once more."""
    hq.up(noted(hq, at="2026-11-22T12:00:00Z", state="present"), noted(hq, at="2026-11-22T13:00:00Z", state="missing"))
    hq.write("update demo_device set stream = 'before'")
    for again, state in (("2026-11-22T12:00:00Z", "missing"), ("2026-11-22T13:00:00Z", "present")):
        hq.up(noted(hq, at=again, state="present"))
        assert hq.rows("select state from demo_device") == [{"state": state}]


def test_a_clock_that_ran_ahead_does_not_make_hq_deaf_to_what_follows(hq: Hq) -> None:
    ahead = {**ROUND, "begun_at": "2031-01-01T08:00:00Z", "ended_at": "2031-01-01T08:05:00Z"}
    hq.up(
        hq.event("demo_round_ended", ROUND), hq.event("demo_round_ended", ahead), noted(hq, at=ahead["ended_at"], state="missing")
    )
    hq.up(noted(hq, at=AT, state="present"))

    assert hq.rows("select state from demo_device") == [{"state": "present"}]
    assert [each["begun_at"] for each in hq.rows("select begun_at from demo_round order by begun_at")] == [AT, ahead["begun_at"]]


def test_a_round_told_twice_is_one_and_old_ones_go(hq: Hq) -> None:
    old = {**ROUND, "begun_at": "2026-01-01T08:00:00Z", "ended_at": "2026-01-01T08:05:00Z"}
    hq.up(*(hq.event("demo_round_ended", each) for each in (old, ROUND, ROUND)))

    assert hq.rows("select begun_at, in_place from demo_round") == [{"begun_at": AT, "in_place": 11}]


@pytest.mark.parametrize("said", [{"demo_id": "x"}, {"state": "sold"}, {"battery": -1}, {"back_by": "soon"}, {"at": "now"}])
def test_an_odd_word_is_a_dead_letter(hq: Hq, said: dict[str, Any]) -> None:
    hq.up(noted(hq, **said))

    assert hq.rows("select state from inbox") == [{"state": "dead"}]
    assert hq.rows("select * from demo_device") == []
