from __future__ import annotations

import hashlib
import json
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from pos import outbox
from pos.errors import Unrecordable
from tests.world import NOW, Kiosk


def events(database: Database) -> list[tuple[int, str, str, str, str]]:
    return list(database.execute("select seq, kind, body, sha256, prev from outbox order by seq"))


def is_whole(chain: list[tuple[int, str, str, str, str]]) -> bool:
    prev = outbox.CHAIN_START
    for place, (seq, kind, body, sha256, said) in enumerate(chain, 1):
        if seq != place or said != prev or sha256 != outbox.link(seq, kind, body, prev):
            return False
        prev = sha256
    return True


def record(kiosk: Kiosk, *numbers: int) -> None:
    with kiosk.ops_write() as ops:
        for number in numbers:
            outbox.record(ops, "slip_printed", {"number": f"35-{number:04}-H", "état": "€"}, now=NOW)


def test_events_form_a_gapless_chain_across_transactions(kiosk: Kiosk) -> None:
    record(kiosk, 1, 2)
    record(kiosk, 3)

    chain = events(kiosk.ops.read())
    assert [event[0] for event in chain] == [1, 2, 3]
    assert chain[0][4] == "0" * 64
    assert is_whole(chain)


def test_the_link_is_what_the_protocol_says() -> None:
    expected = hashlib.sha256(("0" * 64 + '\n1\nslip_voided\n{"é":1}').encode()).hexdigest()
    assert outbox.link(1, "slip_voided", '{"é":1}', "0" * 64) == expected


def test_the_same_facts_have_one_text(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        outbox.record(ops, "a", {"b": 1, "a": {"d": "é", "c": []}}, now=NOW)
        outbox.record(ops, "a", {"a": {"c": [], "d": "é"}, "b": 1}, now=NOW)

    first, second = events(kiosk.ops.read())
    assert first[2] == second[2] == '{"a":{"c":[],"d":"é"},"b":1}'
    assert first[3] != second[3]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.integers(0, 3), column=st.integers(0, 4))
def test_an_event_missing_or_altered_shows(kiosk: Kiosk, which: int, column: int) -> None:
    if not events(kiosk.ops.read()):
        record(kiosk, 1, 2, 3, 4)
    chain = events(kiosk.ops.read())
    altered = list(chain[which])
    altered[column] = 9 if column == 0 else f"{altered[column]} "

    assert is_whole(chain)
    assert not is_whole([*chain[:which], tuple(altered), *chain[which + 1 :]])  # type: ignore[list-item]
    if which < 3:
        assert not is_whole([*chain[:which], *chain[which + 1 :]])


def test_what_is_rolled_back_leaves_no_gap(kiosk: Kiosk) -> None:
    record(kiosk, 1)
    with pytest.raises(ZeroDivisionError):
        record_and_fail(kiosk)
    record(kiosk, 3)

    numbers = [json.loads(event[2])["number"] for event in events(kiosk.ops.read())]
    assert numbers == ["35-0001-H", "35-0003-H"]
    assert is_whole(events(kiosk.ops.read()))


def record_and_fail(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        outbox.record(ops, "slip_printed", {"number": "35-0002-H"}, now=NOW)
        raise ZeroDivisionError


def test_depth_counts_what_hq_has_not_acknowledged(kiosk: Kiosk) -> None:
    assert outbox.depth(kiosk.ops.read(), acked=0) == (0, None)
    record(kiosk, 1, 2, 3)
    assert outbox.depth(kiosk.ops.read(), acked=1) == (2, "2026-11-22T14:32:00Z")
    assert outbox.depth(kiosk.ops.read(), acked=3) == (0, None)


@pytest.mark.parametrize("name", ["x" * outbox.MOST_BYTES, "half a pair \ud800"])
def test_what_could_not_travel_is_no_event(kiosk: Kiosk, name: str) -> None:
    record(kiosk, 1)
    with pytest.raises(Unrecordable), kiosk.ops_write() as ops:
        outbox.record(ops, "demo_checked", {"name": name}, now=NOW)
    record(kiosk, 2)
    assert [event[0] for event in events(kiosk.ops.read())] == [1, 2]
    assert is_whole(events(kiosk.ops.read()))


def test_the_first_word_about_an_event_set_aside_stays(kiosk: Kiosk) -> None:
    with kiosk.ops_write() as ops:
        outbox.note_set_aside(ops, {3: "too_large"}, now=NOW)
        outbox.note_set_aside(ops, {3: "malformed_events", 5: "too_large"}, now=NOW + timedelta(days=1))
    assert outbox.set_aside(kiosk.ops.read()) == {
        3: {"reason": "too_large", "at": "2026-11-22T14:32:00Z"},
        5: {"reason": "too_large", "at": "2026-11-23T14:32:00Z"},
    }
