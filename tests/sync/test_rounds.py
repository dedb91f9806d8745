"""One round: slips up first, catalogue down, and the truth about it in the report."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pos import outbox
from pos.errors import NotFound
from pos.ops import setting, store_setting
from sync.errors import Busy
from sync.keys import REPLY, read_key
from sync.locks import hold
from sync.repository import rotate
from sync.rounds import RoundReport, run_round
from tests.sync.conftest import NOW, Hq, Kiosk, Line
from tests.sync.test_uplink import CORNER, Inbox


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

    def round(self) -> RoundReport:
        return run_round(
            self.kiosk.directory,
            self.kiosk.catalog,
            self.ops,
            self.kiosk.client,
            software="0.1.0",
            printer={"state": "unknown"},
            now=lambda: NOW + self.off,
        )


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
    channels = hq.head()["channels"]
    expected = {name: {field: channels[name][field] for field in ("epoch", "version", "root")} for name in channels}
    assert last == {
        "catalog": expected,
        "publication": 1,
        "software": "0.1.0",
        "printer": {"state": "unknown"},
        "pending": 0,
        "corner_sha256": "c0",
        "faults": {},
    }


def test_a_quiet_round_is_one_head_and_one_heartbeat(hq: Hq, corner: Corner, line: Line) -> None:
    hq.publish()
    corner.round()
    line.asked.clear()
    corner.round()
    assert [request.path_url for request in line.asked] == ["/sync/v1/metadata/timestamp.json", "/sync/v1/up"]


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
