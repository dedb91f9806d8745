"""Fault 22: an event HQ can make no sense of. It is stored and set aside; everything after it flows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pos import outbox
from tests.faults.conftest import Served
from tests.faults.corners import Corner, inbox_states, slips_at_hq

POISON: dict[str, tuple[str, dict[str, Any]]] = {
    "another schema": ("slip_issued", {"v": 2, "slip": {}}),
    "not a token": ("slip_issued", {"digits": "9" * 120, "number": "35-0001-H", "counter": 1, "key_id": "00", "facts": {}}),
    "a kind of the future": ("loyalty_earned", {"points": -5}),
    "a void of nothing": ("slip_voided", {"number": None, "reason": 7}),
    "a negative quantity": ("slip_issued", {"digits": "1", "counter": -1, "facts": {"lines": [{"quantity": -3}]}}),
    "a NUL in its text": ("slip_issued", {"digits": "\x00"}),
    "far too deep": ("demo_seen", {"a": [[[[[[]]]]]]}),
}


@pytest.mark.parametrize("name", POISON)
def test_fault_22_a_poison_event_is_set_aside_and_the_slip_after_it_arrives(served: Served, tmp_path: Path, name: str) -> None:
    corner = Corner(tmp_path / "kiosk", served)
    corner.round()
    corner.record(*POISON[name])
    numbers = corner.make_slips(11)

    assert corner.round().faults == ()
    assert corner.acked() == 2
    assert inbox_states(served) == [(1, "dead"), (2, "judged")]
    assert slips_at_hq(served) == numbers
    reasons = served.hq.rows("select reason from inbox where state = 'dead'")
    assert all(each["reason"] for each in reasons)
    corner.close()


def test_fault_22_a_slip_of_a_seller_s_name_of_three_megabytes_holds_up_nobody(served: Served, tmp_path: Path) -> None:
    """No version makes such an event any more; the records of an earlier one may hold it."""
    corner = Corner(tmp_path / "kiosk", served)
    corner.round()
    before = corner.make_slips(11)
    fits, outbox.MOST_BYTES = outbox.MOST_BYTES, 4_000_000
    try:
        corner.record("slip_issued", {"number": "35-0002-8", "counter": 2, "facts": {"legal_name": "x" * 3_000_000}})
    finally:
        outbox.MOST_BYTES = fits
    after = corner.make_slips(12)

    report = corner.round()
    assert (report.faults, report.pushed and (report.pushed.sent, report.pushed.pending)) == ((), (3, 0))
    assert inbox_states(served) == [(1, "judged"), (2, "dead"), (3, "judged")]
    assert slips_at_hq(served) == [*before, *after]
    corner.round()
    [device] = served.hq.rows("select heartbeat from device where heartbeat is not null")
    assert json.loads(device["heartbeat"])["faults"].keys() == {"event_set_aside"}
    corner.close()


def test_fault_22_a_slip_that_comes_twice_under_two_numbers_counts_once(served: Served, tmp_path: Path) -> None:
    corner = Corner(tmp_path / "kiosk", served)
    corner.round()
    numbers = corner.make_slips(11)
    (kind, body) = corner.ops.read().execute("select kind, body from outbox").fetchone()
    corner.record(kind, json.loads(body))
    assert corner.round().faults == ()
    assert slips_at_hq(served) == numbers
    corner.close()
