"""Fault 7: a mirror freezes: it serves the same files for ever. The kiosk sells on and says so once they ran out; HQ sees it."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import time_machine

from kiosk.app import create_app
from marketplace.db import reading
from marketplace.fleet import corner_list
from marketplace.running.housekeeping import keep_house
from pos import clock
from tests.faults.conftest import Served
from tests.faults.corners import Corner, slips_at_hq
from tests.faults.test_fault_06_old_head import replaying, told_faults


def behind(served: Served) -> dict[str, object]:
    """Return how Nantes stands in HQ's fleet."""
    with reading(served.hq.engine) as connection:
        return corner_list.corner(connection, "nantes-crebillon", clock.now())


def status_faults(corner: Corner) -> set[str]:
    """Return the faults the kiosk's own status tells."""
    app = create_app(corner.directory, sync=False)
    try:
        return {fault["code"] for fault in app.test_client().get("/status.json").get_json()["faults"]}
    finally:
        app.extensions["comptoir"].catalog.close()
        app.extensions["comptoir"].ops.close()


def test_fault_07_a_frozen_mirror_is_seen_from_hq_at_once_and_by_the_kiosk_when_its_files_run_out(
    served: Served, tmp_path: Path
) -> None:
    corner = Corner(tmp_path / "kiosk", served)
    assert corner.round().faults == ()
    served.before = replaying(Path(shutil.copytree(served.hq.directory / "sync", tmp_path / "frozen")))
    served.hq.change(l11={"price": "349.00"})

    with time_machine.travel(clock.now() + timedelta(hours=1)):
        report = corner.round()
        assert (report.faults, report.moved and report.moved.has_moved) == ((), False)
        seen = behind(served)
        assert (seen["publication"], seen["behind"], seen["state"]) == (1, 1, "behind")

    with time_machine.travel(clock.now() + timedelta(days=8)):
        keep_house(served.hq.engine, served.hq.directory)
        for _ in range(2):
            report = corner.round()
            assert (report.moved, report.faults) == (None, ("metadata_expired",))
        assert "metadata_expired" in told_faults(served)
        assert "metadata_expired" in status_faults(corner)
        assert behind(served)["behind"] == 1
        numbers = corner.make_slips(11)
        corner.round()
        assert slips_at_hq(served) == numbers, "slips are made and sent all the while"

        served.before = lambda path: None
        assert corner.round().faults == ()
        assert corner.holds_hq_s_rows()
        assert "metadata_expired" not in status_faults(corner)
        assert behind(served)["behind"] == 0
    corner.close()


def test_fault_07_a_clock_set_back_does_not_keep_frozen_files_fresh(served: Served, tmp_path: Path) -> None:
    """HQ's signed answers told the time: what ran out by that has run out, whatever the kiosk's clock says later."""
    corner = Corner(tmp_path / "kiosk", served)
    assert corner.round().faults == ()
    start = clock.now()
    frozen = replaying(Path(shutil.copytree(served.hq.directory / "sync", tmp_path / "frozen")))
    served.before = frozen
    with time_machine.travel(start + timedelta(days=8)):
        corner.round()
    served.before = lambda path: ("503 Service Unavailable", b"") if path.endswith("/up") else frozen(path)
    with time_machine.travel(start - timedelta(days=3_000)):
        assert "metadata_expired" in corner.round().faults
    corner.close()
