"""One round: slips up first, catalogue down, and the truth about it in the report."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pos import outbox
from pos.errors import NotFound
from pos.ops import setting, store_setting
from sync.corner.rounds import KioskSide, RoundReport, run_round
from sync.errors import Busy
from sync.heartbeats import read_heartbeat
from sync.hq.keys import REPLY, read_key
from sync.hq.repository import rotate
from sync.locks import hold
from tests.sync.conftest import NOW, Hq, Kiosk, Line, json_answer
from tests.sync.corner.test_uplink import CORNER, Inbox


class Corner:
    def __init__(self, kiosk: Kiosk) -> None:
        self.kiosk = kiosk
        self.off = timedelta()
        self.key = Ed25519PrivateKey.generate()
        self.inbox = Inbox(self.key, read_key(kiosk.line.static.with_name("keys") / REPLY))
        kiosk.line.posts["/sync/v1/up"] = self.inbox
        self.ops = kiosk.ops

    def enrol(self) -> None:
        (self.kiosk.directory / "device.key").write_bytes(self.key.private_bytes_raw())
        with self.ops.write() as database:
            for name, value in (("corner", CORNER), ("corner_sha256", "c0"), ("stream", "s-1"), ("acked", 0)):
                store_setting(database, name, value)

    def record(self) -> None:
        with self.ops.write() as database:
            outbox.record(database, "demo_checked", {"position": "A1"}, now=NOW)

    def round(
        self, *, printer: dict[str, Any] | None = None, own_faults: dict[str, str] | None = None, **options: Any
    ) -> RoundReport:
        side = KioskSide(
            directory=self.kiosk.directory,
            catalog=self.kiosk.catalog,
            ops=self.ops,
            client=self.kiosk.client,
            software="0.1.0",
            printer=printer or {"state": "unknown"},
            own_faults=lambda: own_faults or {},
            now=lambda: NOW + self.off,
        )
        return run_round(side, **options)


@pytest.fixture
def corner(kiosk: Kiosk) -> Corner:
    corner = Corner(kiosk)
    corner.enrol()
    return corner


def test_a_round_brings_both_sides_to_agree(hq: Hq, corner: Corner, line: Line) -> None:
    hq.publish()
    corner.record()
    report = corner.round()
    assert (report.faults, report.moved and report.moved.publication, report.pushed and report.pushed.acked) == ((), 1, 1)
    assert [request.path_url for request in line.asked[:2]] == ["/sync/v1/up", "/sync/v1/metadata/timestamp.json"]
    last = corner.inbox.heartbeats[-1]
    held = hq.head().track.channels
    shown = {name: {"epoch": there.epoch[:8], "version": 1, "root": there.root[:16]} for name, there in held.items()}
    assert last == {
        **read_heartbeat(last),
        "catalog": shown,
        "publication": 1,
        "line": "",
        "jumps": None,
        "ring": "stable",
        "software": "0.1.0",
        "printer": {"name": None, "state": "unknown", "queue": None},
        "pending": 0,
        "oldest_at": None,
        "next_counter": 1,
        "corner_sha256": "c0",
        "faults": {},
        "media_bytes": 0,
    }
    assert last["clock"]["wall"] == "2026-11-22T09:00:00Z"
    assert len(json.dumps(last)) <= 780


def test_a_round_counts_the_events_of_all_its_messages(hq: Hq, corner: Corner) -> None:
    hq.publish()
    for _ in range(3):
        corner.record()
    report = corner.round()
    assert len(corner.inbox.heartbeats) == 2
    assert report.pushed is not None
    assert (report.pushed.sent, report.pushed.acked) == (3, 3)


def test_a_week_long_a_person_is_told_of_an_event_that_stayed_here(hq: Hq, corner: Corner) -> None:
    hq.publish()
    with corner.ops.write() as database:
        outbox.note_set_aside(database, {1: "too_large"}, now=NOW)
    corner.round()
    assert setting(corner.ops.read(), "sync_faults").keys() == {"event_set_aside"}
    corner.off = timedelta(days=7, seconds=1)
    corner.round()
    assert "event_set_aside" not in setting(corner.ops.read(), "sync_faults")


def test_a_heartbeat_is_cut_to_its_limits_when_it_is_made(hq: Hq, corner: Corner) -> None:
    hq.publish()
    faults = {f"fault_{number}": "2026-11-22T09:00:00Z" for number in range(40)} | {"records_damaged": "2026-11-22T09:00:00Z"}
    corner.round(printer={"name": "x" * 100_000 + "\n", "state": "ok", "queue": 0}, own_faults=faults)
    last = corner.inbox.heartbeats[-1]
    assert last["printer"]["name"] == "x" * 64
    assert len(last["faults"]) == 12
    assert "records_damaged" in last["faults"]


def test_a_quiet_round_is_one_head_and_one_heartbeat(hq: Hq, corner: Corner, line: Line) -> None:
    hq.publish()
    corner.round()
    line.asked.clear()
    corner.round()
    assert [request.path_url for request in line.asked] == ["/sync/v1/metadata/timestamp.json", "/sync/v1/up"]


def test_a_brief_round_says_nothing_where_hq_knows(hq: Hq, corner: Corner, line: Line) -> None:
    hq.publish()
    corner.round(is_brief=True)
    line.asked.clear()
    corner.round(is_brief=True)
    assert [request.path_url for request in line.asked] == ["/sync/v1/metadata/timestamp.json"]
    hq.put("stock", (1, 0))
    hq.publish()
    corner.round(is_brief=True)
    assert "/sync/v1/up" not in [request.path_url for request in line.asked], "a publication is no news to HQ"


@pytest.mark.parametrize("news", ["event", "printer", "fault", "silence", "clock set back"])
def test_a_brief_round_tells_what_hq_should_hear(hq: Hq, corner: Corner, line: Line, news: str) -> None:
    hq.publish()
    corner.round(is_brief=True)
    line.asked.clear()
    if news == "event":
        corner.record()
    corner.off = {"silence": timedelta(minutes=10), "clock set back": -timedelta(days=400)}.get(news, timedelta())
    printer = {"state": "fault" if news == "printer" else "unknown"}
    corner.round(is_brief=True, printer=printer, own_faults={"disk_full": "2026-11-22T09:00:00Z"} if news == "fault" else {})
    assert [request.path_url for request in line.asked].count("/sync/v1/up") == 1


def test_an_hq_that_takes_no_more_for_now_is_no_silent_one(hq: Hq, corner: Corner) -> None:
    hq.publish()
    corner.record()
    status, headers, body = json_answer({"code": "too_many_events"}, 429)
    corner.kiosk.line.posts["/sync/v1/up"] = lambda request: (status, {**headers, "Retry-After": "300"}, body)
    report = corner.round()
    assert (report.faults, report.retry_after_s, report.moved and report.moved.publication) == (("throttled",), 300, 1)
    corner.kiosk.line.posts["/sync/v1/up"] = corner.inbox
    assert corner.round().faults == ()
    assert len(corner.inbox.stored) == 1


def test_without_network_the_report_says_so_and_since_when(hq: Hq, corner: Corner, line: Line) -> None:
    def cut(request: requests.PreparedRequest) -> None:
        raise requests.ConnectionError("no route")

    corner.record()
    line.before = cut
    report = corner.round()
    assert (report.moved, report.pushed, report.faults) == (None, None, ("offline",))
    assert setting(corner.ops.read(), "sync_faults") == {"offline": "2026-11-22T09:00:00Z"}
    hq.publish()
    line.before = lambda request: None
    assert corner.round().faults == ()
    assert setting(corner.ops.read(), "sync_faults") == {}


def test_a_catalogue_that_fails_does_not_hold_back_slips(hq: Hq, corner: Corner, line: Line) -> None:
    corner.record()
    report = corner.round()
    assert report.faults == ("rejected",)
    assert report.pushed is not None
    assert len(corner.inbox.stored) == 1


@pytest.mark.parametrize("code", ["revoked", "stream_forked"])
def test_a_refusal_a_person_must_act_upon_is_a_fault_by_its_own_name(hq: Hq, corner: Corner, line: Line, code: str) -> None:
    hq.publish()
    accepted = line.posts["/sync/v1/up"]
    said = json_answer({"code": code, "detail": "", "status": 403}, 403)
    line.posts["/sync/v1/up"] = lambda request: said
    assert corner.round().faults == ("rejected",), "anybody can say so: only HQ's signature makes it HQ's word"
    line.posts["/sync/v1/up"] = lambda request: corner.inbox.signed(request, said)
    assert corner.round().faults == (code,)
    line.before = lambda request: json_answer({}, 503)
    corner.round()
    still = set(setting(corner.ops.read(), "sync_faults"))
    assert still == ({"offline", "revoked"} if code == "revoked" else {"offline"}), "a silent HQ takes no revocation back"
    line.before = lambda request: None
    line.posts["/sync/v1/up"] = accepted
    corner.round()
    assert setting(corner.ops.read(), "sync_faults") == {}


def test_a_device_that_another_replaced_says_so_until_hq_takes_it_back(hq: Hq, corner: Corner, line: Line) -> None:
    hq.publish()
    corner.inbox.replaced_at = "2026-11-21T08:00:00Z"
    assert corner.round().faults == (), "the round itself went well"
    assert setting(corner.ops.read(), "sync_faults") == {"replaced": "2026-11-21T08:00:00Z"}
    corner.round(is_brief=True)
    line.before = lambda request: json_answer({}, 503)
    corner.round()
    assert set(setting(corner.ops.read(), "sync_faults")) == {"offline", "replaced"}, "silence takes nothing back"
    line.before = lambda request: None
    corner.inbox.replaced_at = None
    corner.round()
    assert setting(corner.ops.read(), "sync_faults") == {}


@pytest.mark.parametrize("said", [7, "yesterday", ["2026-11-21T08:00:00Z"]])
def test_a_word_about_its_place_that_is_no_time_is_left_out(hq: Hq, corner: Corner, said: Any) -> None:
    hq.publish()
    corner.inbox.replaced_at = said
    report = corner.round()
    assert (report.faults, report.pushed and report.pushed.replaced_at) == ((), None)
    assert not setting(corner.ops.read(), "sync_faults")


def test_a_quiet_round_writes_its_record_once(hq: Hq, corner: Corner) -> None:
    hq.publish()
    corner.round(is_brief=True)
    said: list[str] = []
    corner.ops.read()
    with corner.ops.write() as database:
        database.conn.set_trace_callback(said.append)
    corner.round(is_brief=True)
    with corner.ops.write() as database:
        database.conn.set_trace_callback(None)
    assert [each for each in said if each.lower() == "begin immediate"] == ["begin immediate"] * 2, "the record, and this test's"


def test_a_damaged_catalogue_is_told_as_empty_and_rebuilt(hq: Hq, corner: Corner) -> None:
    hq.publish()
    corner.round()
    corner.kiosk.catalog.close()
    corner.kiosk.catalog.path.write_bytes(b"no database" * 1_000)
    corner.record()
    report = corner.round()
    assert report.faults == ()
    assert corner.inbox.heartbeats[-2]["catalog"] == {}
    assert corner.kiosk.rows() == hq.rows


@pytest.mark.parametrize("years", [-10, 10])
def test_a_clock_years_off_is_put_right_by_the_first_round(hq: Hq, corner: Corner, years: int) -> None:
    hq.publish()
    corner.off = timedelta(days=365 * years)
    report = corner.round()
    assert (report.faults, report.moved and report.moved.publication) == ((), 1)
    assert list(setting(corner.ops.read(), "sync_faults")) == ["clock_wrong"]
    corner.off = timedelta()
    corner.round()
    assert setting(corner.ops.read(), "sync_faults") == {}


def test_what_has_run_out_is_a_fault_and_the_catalogue_stays(hq: Hq, corner: Corner) -> None:
    hq.publish()
    corner.round()
    corner.off = timedelta(days=8)
    corner.inbox.time = "2026-11-30T09:00:00Z"
    report = corner.round()
    assert report.faults == ("metadata_expired",)
    assert corner.kiosk.rows() == hq.rows


def test_a_reply_that_is_not_hqs_changes_nothing(hq: Hq, corner: Corner) -> None:
    hq.publish()
    corner.record()
    corner.inbox.reply_key = Ed25519PrivateKey.generate()
    report = corner.round()
    assert (report.faults, report.pushed) == (("untrusted",), None)
    assert report.moved is not None
    assert setting(corner.ops.read(), "acked") == 0
    assert setting(corner.ops.read(), "hq_offset_s") is None


def test_after_a_rotation_the_next_round_knows_the_new_keys(hq: Hq, corner: Corner) -> None:
    hq.publish()
    corner.round()
    rotate(hq.static, hq.keys, now=NOW)
    corner.inbox.reply_key = read_key(hq.keys / REPLY)
    corner.record()
    report = corner.round()
    assert (report.faults, report.pushed and report.pushed.acked) == ((), 1)


def test_two_processes_do_not_sync_one_directory(corner: Corner) -> None:
    with hold(corner.kiosk.directory / "sync.lock"), pytest.raises(Busy):
        corner.round()


def test_a_kiosk_not_enrolled_does_not_sync(tmp_path: Path, kiosk: Kiosk) -> None:
    corner = Corner(kiosk)
    with pytest.raises(NotFound):
        corner.round()
