from __future__ import annotations

from typing import Any

import pytest

from marketplace.db import reading
from marketplace.fleet.gaps import all_gaps, gaps, sentences, spans
from marketplace.fleet.revocations import revoke_device
from pos import clock
from tests.marketplace.events.test_inbox import slip_body
from tests.marketplace.hq import Hq, words
from tests.marketplace.test_console import log_in


def found(hq: Hq) -> list[dict[str, Any]]:
    with reading(hq.engine) as connection:
        every = all_gaps(connection)
        one = gaps(connection, "nantes-crebillon")
    assert [corner["gaps"] for corner in every] == ([one] if one else []), "the list of all corners says the same"
    return one


def send(hq: Hq, *counters: int) -> None:
    hq.up(*[hq.event("slip_issued", slip_body(hq, counter=counter)) for counter in counters])


@pytest.mark.parametrize(
    ("arrived", "claimed", "next_counter", "missing"),
    [
        ((), (), None, []),
        ((1, 2, 3), (), 4, []),
        ((1, 2, 5, 6, 8), (), None, [(3, 4), (7, 7)]),
        ((1,), (3,), None, [(2, 3)]),
        ((), (), 4, [(1, 3)]),
        ((2,), (2,), 5, [(1, 1), (3, 4)]),
    ],
)
def test_slips_that_exist_and_never_arrived(
    hq: Hq, arrived: tuple[int, ...], claimed: tuple[int, ...], next_counter: int | None, missing: list[tuple[int, int]]
) -> None:
    for counter in claimed:
        hq.claim(hq.digits(counter=counter))
    if arrived:
        send(hq, *arrived)
    if next_counter:
        hq.up(heartbeat={"next_counter": next_counter, "pending": 2})
    assert [gap["slips"] for gap in found(hq)] == ([missing] if missing else [])


def test_a_slip_set_aside_or_not_judged_yet_has_arrived(hq: Hq) -> None:
    body = slip_body(hq, counter=1)
    hq.up(hq.event("slip_issued", {**body, "number": "35-0009-X"}), heartbeat={"next_counter": 2})
    assert hq.rows("select state from inbox") == [{"state": "dead"}]
    assert found(hq) == []


def test_events_that_a_later_one_shows_to_be_missing(hq: Hq) -> None:
    events = [hq.event("demo_checked", {"position": f"A{number}"}) for number in range(1, 7)]
    hq.up(events[0], events[3])
    hq.up(events[5])
    (gap,) = found(hq)
    assert gap["events"] == {hq.stream: [(2, 3), (5, 5)]}
    hq.up(*events[1:5])
    assert found(hq) == []


def test_what_a_withdrawn_key_counted_on_is_no_gap(hq: Hq) -> None:
    hq.up(heartbeat={"next_counter": 9})
    revoke_device(hq.engine, hq.key_id, from_counter=3, now=clock.now())
    with reading(hq.engine) as connection:
        assert [gap["slips"] for gap in gaps(connection, "nantes-crebillon")] == [[(1, 2)]]


def test_the_console_names_what_is_missing(hq: Hq) -> None:
    log_in(hq)
    assert "Rien ne manque." in hq.client.get("/console/gaps").text
    hq.claim(hq.digits(counter=3))
    page = words(hq.client.get("/console/gaps"))
    assert "Nantes Crébillon" in page
    assert "Bons n° 1–3 : ils existent, nous ne les avons jamais reçus" in page


def test_a_gap_as_a_terminal_says_it() -> None:
    gap: dict[str, Any] = {"slips": [(1041, 1043)], "events": {"s1": [(7, 7)]}, "pending": 3, "seen_at": "2026-11-22T09:00:00Z"}
    assert sentences(gap) == [
        "slips 1041–1043 exist but never arrived",
        "events 7 of stream s1 never arrived",
        "3 events wait at the kiosk, last heard of 2026-11-22T09:00:00Z",
    ]
    assert spans([(2, 2), (5, 9)]) == "2, 5–9"
