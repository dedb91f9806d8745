"""Fault 23: the disk was cloned, or ops.db restored from a backup. HQ notices two stories and stops until re-enrolment."""

from __future__ import annotations

import shutil
from pathlib import Path

from marketplace.fleet.enrolments import start_enrolment
from pos import clock
from pos.ops import open_ops, setting
from sync.corner.client import Client
from sync.corner.enrolment import enrol
from tests.faults.conftest import Served
from tests.faults.corners import Corner, slips_at_hq


def enrol_again(corner: Corner) -> None:
    code = start_enrolment(corner.served.hq.engine, "nantes-crebillon", now=clock.now())
    corner.catalog.close()
    enrol(corner.directory, corner.ops, Client(corner.url), code, now=clock.now)


def test_fault_23_a_cloned_disk_is_noticed_and_both_stop_until_enrolled_again(served: Served, tmp_path: Path) -> None:
    corner = Corner(tmp_path / "kiosk", served)
    corner.round()
    before = corner.make_slips(11)
    corner.round()
    corner.close()
    shutil.copytree(corner.directory, tmp_path / "clone")
    ours = Corner(tmp_path / "kiosk", served, is_enrolled=True)
    clone = Corner(tmp_path / "clone", served, is_enrolled=True)
    assert ours.make_slips(12) == clone.make_slips(13)  # one number on two papers: what must not go on

    assert ours.round().faults == ()
    assert {problem.data["code"] for problem in clone.round().problems} == {"stream_forked"}
    assert served.hq.rows("select count(*) as n from device where quarantined_at is not null") == [{"n": 1}]
    assert ours.round().faults == ("stream_forked",)

    stopped = slips_at_hq(served)
    ours.make_slips(13)
    ours.round()
    assert slips_at_hq(served) == stopped

    for device in (ours, clone):
        enrol_again(device)
        assert device.round().faults == ()
    fresh = ours.make_slips(11), clone.make_slips(11)
    assert fresh[0] != fresh[1]
    for device in (ours, clone):
        assert device.round().faults == ()
        device.close()
    at_hq = slips_at_hq(served)
    assert len(at_hq) == len({(each["key_id"], each["counter"]) for each in served.hq.rows("select key_id, counter from slip")})
    assert {*before, *fresh[0], *fresh[1]} <= set(at_hq)


def test_fault_23_restored_records_are_noticed_and_number_no_slip_twice_after_enrolment(served: Served, tmp_path: Path) -> None:
    corner = Corner(tmp_path / "kiosk", served)
    corner.round()
    kept = corner.make_slips(11)
    corner.round()
    corner.close()
    backup = shutil.copy(corner.directory / "ops.db", tmp_path / "ops.backup")
    corner = Corner(corner.directory, served, is_enrolled=True)
    lost = corner.make_slips(12, 13)
    corner.round()
    corner.close()
    shutil.copy(backup, corner.directory / "ops.db")

    restored = Corner(corner.directory, served, is_enrolled=True)
    assert {problem.data["code"] for problem in restored.round().problems} == {"stream_forked"}
    assert setting(restored.ops.read(), "sync_faults").keys() == {"stream_forked"}

    enrol_again(restored)
    assert restored.round().faults == ()
    fresh = restored.make_slips(11)
    assert restored.round().faults == ()
    assert not set(fresh) & {*kept, *lost}
    assert {*kept, *lost, *fresh} == set(slips_at_hq(served))
    restored.close()
    open_ops(corner.directory / "ops.db").close()
