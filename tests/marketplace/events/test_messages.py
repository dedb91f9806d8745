"""Whatever an enrolled key sends, it is answered in kind, nothing waits behind it, and every page of HQ still shows."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest

from tests.marketplace.events.test_inbox import slip_body
from tests.marketplace.fleet.test_days import told
from tests.marketplace.hq import Hq
from tests.marketplace.test_console import log_in

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 2**31, 2**53, 2**63, 10**30, [], [1], {}, {"a": 1}, [[[]]],
    "", "x", "x" * 9000, "é" * 64, "\x00", "\ud800", "\u2028", 'a\nb"c', "<b>",
    "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1900-01-01T00:00:00Z", "2026-02-30T00:00:00Z",
)  # fmt: skip
AT = "2026-11-22T12:00:00Z"
HEARTBEAT: dict[str, Any] = {
    "catalog": {name: {"epoch": "e", "version": 1, "root": "r"} for name in ("content", "price", "stock")},
    "publication": 1, "line": "", "jumps": {"line": "", "publication": 1, "changed": 1, "jumped": 0},
    "failed": {"line": "", "publication": 1, "code": "gap"}, "ring": "stable", "software": "1", "sqlite": "3",
    "printer": {"name": "p", "state": "ok", "queue": 0},
    "labels": {"due": 2, "places": ["A1", "B2"], "printed": 1, "gone": 1}, "pending": 1, "oldest_at": AT, "next_counter": 1,
    "faults": {"offline": AT}, "clock": {"wall": AT, "up_s": 1, "boot": "b", "known": True}, "corner_sha256": "c",
    "disk_free": 1, "media_bytes": 1,
}  # fmt: skip
NOTED: dict[str, Any] = {
    "demo_id": "7K3M9QXT", "sku_id": 1, "planned": "A1", "position": "A1", "kind": "seen", "detail": "", "clerk_id": "c",
    "at": AT, "state": "present",
    "place": "A1", "since": AT, "seen_at": AT, "seen_by": "c", "back_by": None, "battery": 88, "damage": "",
}  # fmt: skip
CONSOLE = ("", "slips", "orders", "sellers", "fleet", "trials/", "devices/", "dead-letters", "gaps", "corners/nantes-crebillon")


def mutated(value: Any, chance: Random) -> Any:
    """Return a document with one part of it, at any depth, left out or replaced by something odd."""
    if isinstance(value, dict | list) and value and chance.random() < 0.85:
        parts = dict(value) if isinstance(value, dict) else list(value)
        place = chance.choice(list(value)) if isinstance(value, dict) else chance.randrange(len(value))
        if chance.random() < 0.1:
            del parts[place]
        else:
            parts[place] = mutated(parts[place], chance)
        return parts
    return chance.choice(ODD)


def pages_that_fail(hq: Hq) -> list[str]:
    paths = [f"/console/{page}" for page in CONSOLE] + ["/metrics"]
    letters = hq.rows("select corner_id, key_id, stream, seq from inbox where state = 'dead'")
    paths += ["/console/dead-letters/{corner_id}/{key_id}/{stream}/{seq}".format(**letter) for letter in letters]
    return [path for path in paths if hq.client.get(path, environ_base={"REMOTE_ADDR": "127.0.0.1"}).status_code != 200]


@pytest.mark.parametrize("seed", range(2))
def test_no_heartbeat_takes_a_page_down(hq: Hq, seed: int) -> None:
    log_in(hq)
    chance = Random(seed)
    for _ in range(6):
        said = mutated(mutated(mutated(HEARTBEAT, chance), chance), chance)
        assert hq.up(heartbeat=said if isinstance(said, dict) and said else {"line": said}).status_code == 200
        assert pages_that_fail(hq) == []


@pytest.mark.parametrize("seed", range(2))
def test_no_event_takes_a_page_down_or_holds_up_the_next(hq: Hq, seed: int) -> None:
    log_in(hq)
    chance = Random(seed)
    bodies = {
        "slip_issued": slip_body(hq),
        "slip_voided": {"number": "x", "key_id": hq.key_id, "counter": 3, "clerk_id": "c", "reason": "mistake", "voided_at": AT},
        "slip_printed": {"number": "x", "copy_no": 1, "state": "confirmed"},
        "label_confirmed": {
            "label_no": 1,
            "position": "A1",
            "sku_id": 1,
            "price_cents": 32900,
            "clerk_id": "c",
            "confirmed_at": AT,
        },
        "demo_checked": {"position": "A1", "sku_id": 1, "state": "present", "clerk_id": "c", "checked_at": AT},
        "counter_act": {"act": "voided", "clerk_id": "c", "subject": "35-0001-H", "at": AT},
        "demo_device_noted": NOTED,
        "demo_round_ended": {
            **{"kind": "opening", "begun_at": AT, "begun_by": "c", "ended_at": AT, "ended_by": "c"},
            **dict.fromkeys(("right", "elsewhere", "missing", "unseen", "away"), 1),
        },
        "day_report": told(),
    }
    kinds = [chance.choice(list(bodies)) for _ in range(50)]
    events = [hq.event(kind, json.dumps(mutated(bodies[kind], chance))) for kind in kinds]
    assert hq.up(*events, hq.event("slip_issued", slip_body(hq, counter=2))).json["ack"] == 51
    assert hq.rows("select state from inbox where state = 'new' or (seq = 51 and state <> 'judged')") == []
    assert pages_that_fail(hq) == []


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"[]", b"null", b"\xff", b'{"format":"comptoir-up/1"}', b"[" * 100_000, b'{"a":' + b"9" * 6000 + b"}", b'{"a":NaN}',
        b'{"a":1,"a":1}', b'{"code":"a","code":"b","public_key":"c"}', b'{"code":5,"public_key":"c"}', b'{"code":"a"}',
        b'{"code":"\\ud800","public_key":"c"}', b'{"format":"x","code":"a","public_key":"b"}',
        '{"code":"a","public_key":"b"}'.encode("utf-16"),
    ],
)  # fmt: skip
def test_a_request_that_is_no_message_is_refused_as_one(hq: Hq, raw: bytes) -> None:
    answer = hq.client.post("/sync/v1/enrolments", data=raw, content_type="application/json")
    assert (answer.status_code, answer.json["code"]) == (400, "malformed_events")
