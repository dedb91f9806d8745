"""What HQ does by itself: each part when it is due, and none held up by another."""

from __future__ import annotations

import os
from datetime import datetime, timedelta

import pytest
import time_machine

from marketplace.installation import sync_path
from marketplace.publishing.publications import sweep_files
from marketplace.running import housekeeping
from marketplace.running.housekeeping import SWEEP_EVERY, keep_house
from pos import clock
from sync.hq.garbage import KEPT
from sync.hq.repository import is_renewal_due
from tests.marketplace.hq import Hq
from tests.marketplace.publishing.test_trials import begin, report, state_of_trial

SOON = timedelta(minutes=10)


def orphan(hq: Hq, *, now: datetime) -> bool:
    """Leave a blob nobody names, long ago; return whether the jobs due spared it."""
    blob = sync_path(hq.directory) / "b" / ("0" * 64)
    blob.write_bytes(b"left by a crash")
    long_ago = (now - KEPT - SOON).timestamp()
    os.utime(blob, (long_ago, long_ago))
    hq.work()
    return blob.exists()


def test_files_are_swept_once_a_day(hq: Hq) -> None:
    start = clock.now()
    with time_machine.travel(start, tick=False) as travel:
        assert not orphan(hq, now=start), "the first time at once"
        for ahead, is_spared in ((SOON, True), (SWEEP_EVERY - SOON, True), (SWEEP_EVERY, False), (SWEEP_EVERY + SOON, True)):
            travel.move_to(start + ahead)
            assert orphan(hq, now=start + ahead) is is_spared, ahead


def test_what_nears_its_expiry_is_signed_anew(hq: Hq) -> None:
    start = clock.now()
    assert not is_renewal_due(sync_path(hq.directory), now=start)
    with time_machine.travel(start + timedelta(days=6, hours=12), tick=False):
        assert is_renewal_due(sync_path(hq.directory), now=clock.now())
        keep_house(hq.engine, hq.directory)
        assert not is_renewal_due(sync_path(hq.directory), now=clock.now())


def test_a_failing_trial_is_halted(hq: Hq) -> None:
    begin(hq)
    report(hq, failed={"line": "t2", "publication": 2, "code": "wrong_root"})
    with time_machine.travel(clock.now() + SOON, tick=True):
        keep_house(hq.engine, hq.directory)
    assert state_of_trial(hq)[0][0] == "halted"


@pytest.mark.parametrize("broken", ["is_renewal_due", "halt_failing", "replica_paths"])
def test_a_part_that_fails_holds_up_none_of_the_others(
    hq: Hq, broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []
    for name in ("is_renewal_due", "halt_failing", "replica_paths"):

        def act(*_: object, name: str = name, **__: object) -> object:
            if name == broken:
                raise OSError("no space left on device")
            done.append(name)
            return () if name == "replica_paths" else False

        monkeypatch.setattr(housekeeping, name, act)
    keep_house(hq.engine, hq.directory)
    assert sorted([*done, broken]) == ["halt_failing", "is_renewal_due", "replica_paths"]
    assert "comes later" in caplog.text


def test_a_sweep_spares_what_a_head_or_a_replica_leads_to(hq: Hq) -> None:
    hq.change(l12={"price": "380.00"})
    begin(hq)
    blobs = sync_path(hq.directory) / "b"
    before = {path.name for path in blobs.iterdir()}
    long_ago = (clock.now() - KEPT - SOON).timestamp()
    for name in before:
        os.utime(blobs / name, (long_ago, long_ago))
    files, size = sweep_files(hq.engine, hq.directory)
    after = {path.name for path in blobs.iterdir()}
    assert after < before, "what the first index alone named went"
    assert (files, size > 0) == (len(before) - len(after), True)
    assert sweep_files(hq.engine, hq.directory) == (0, 0)
    hq.change(l11={"price": "339.00"}, l13={"price": "399.00"})
    assert hq.rows("select max(publication) as n from sync_publication")[0]["n"] > 3
