"""HQ reads a heartbeat without believing it: known fields of known kinds, small, whatever came."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pos.corners import corner
from pos.labels import label_facts
from pos.shelf_labels import print_label
from sync.heartbeats import MOST_BYTES, heartbeat_of, read_heartbeat
from tests.world import IPHONE_13, NOW, make_kiosk

NOTHING = read_heartbeat({})
HUGE = {"epoch": "é" * 10**5, "version": 10**400, "root": "\x00" * 10**5}


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        "x",
        7,
        {},
        {"unknown": 1},
        {"faults": [1]},
        {"clock": "noon"},
        {"pending": True},
        {"pending": -1},
        {"printer": "ok"},
        {"catalog": {"price": 3}},
        {"oldest_at": "yesterday"},
        {"publication": 2**53},
        {"labels": [1]},
    ],
)
def test_what_makes_no_sense_is_unknown(said: Any) -> None:
    read = read_heartbeat(said)
    assert {**read, "clock": None, "printer": None} == {**NOTHING, "clock": None, "printer": None}


@pytest.mark.parametrize(
    "said",
    [
        {"catalog": dict.fromkeys(("content", "price", "stock"), HUGE), "faults": {f"f{n}": "x" for n in range(10**4)}},
        {"software": "\ud800" * 10**4, "sqlite": "\U0001f600" * 10**4, "line": "<" * 10**4, "ring": "x" * 10**4},
        {"printer": {"name": "\\" * 10**5, "state": {"deep": []}, "queue": 1.5}, "jumps": {"publication": "1"}},
    ],
)
def test_whatever_comes_is_kept_small_and_can_be_stored(said: Any) -> None:
    kept = json.dumps(read_heartbeat(said), ensure_ascii=False)
    assert len(kept.encode("utf-8")) <= MOST_BYTES
    assert "\x00" not in kept


def test_what_makes_sense_is_kept() -> None:
    said = {
        "publication": 7,
        "ring": "early",
        "faults": {"offline": "2026-11-22T09:00:00Z", "Bad Code": None},
        "pending": 3,
        "labels": {"due": 2, "places": ["A1", 7, "B" * 400], "printed": -1, "gone": 0},
        "jumps": {"line": "t6", "publication": 7, "changed": 100, "jumped": 2},
        "clock": {"wall": "2026-11-22T09:00:00Z", "known": True},
    }
    read = read_heartbeat(said)
    assert (read["publication"], read["ring"], read["pending"]) == (7, "early", 3)
    assert read["faults"] == {"offline": "2026-11-22T09:00:00Z"}
    assert read["jumps"] == said["jumps"]
    assert read["labels"] == {"due": 2, "places": ["A1", "B" * 16], "printed": None, "gone": 0}
    assert read["clock"] == {"wall": "2026-11-22T09:00:00Z", "up_s": None, "boot": None, "known": True}


def test_a_kiosk_tells_which_places_want_another_label(tmp_path: Path) -> None:
    kiosk = make_kiosk(tmp_path)

    def told() -> Any:
        return heartbeat_of(kiosk.catalog, kiosk.ops, software="1", printer={}, now=NOW)["labels"]

    assert told() == {"due": 3, "places": ["A1", "A2", "B1"], "printed": 0, "gone": 0}
    with kiosk.ops_write() as ops:
        facts = label_facts(kiosk.catalog.read(), corner(ops), IPHONE_13, now=NOW)
        assert facts is not None
        print_label(ops, "A1", facts, newest=0, clerk_id="camille", now=NOW, format="a6")
    assert told() == {"due": 2, "places": ["A2", "B1"], "printed": 1, "gone": 0}

    (kiosk.directory / "catalog.db").unlink()
    assert told() is None, "nothing to compare them with"
