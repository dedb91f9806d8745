"""Fault 6: a mirror replays what it served last week. It is left aside and reported, and nothing goes back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from marketplace.running.housekeeping import keep_house
from pos import clock
from pos.ops import setting, store_setting
from sync.corner.mirrors import MIRRORS
from tests.faults.conftest import Served, serving_folder
from tests.faults.corners import Corner


def replaying(static: Path) -> Callable[[str], tuple[str, bytes] | None]:
    """Answer for the static files of the protocol out of a folder; what goes up still reaches HQ."""

    def answer(path: str) -> tuple[str, bytes] | None:
        if not path.startswith(("/sync/v1/metadata/", "/sync/v1/targets/", "/sync/v1/b/")):
            return None
        file = static / path.removeprefix("/sync/v1/")
        return ("200 OK", file.read_bytes()) if file.exists() else ("404 Not Found", b"{}")

    return answer


def told_faults(served: Served) -> set[str]:
    """Return the faults HQ was told of by Nantes."""
    rows = served.hq.rows("select heartbeat from device where heartbeat is not null and heartbeat <> ''")
    return {code for each in rows for code in json.loads(each["heartbeat"]).get("faults") or {}}


@pytest.mark.parametrize("loss", ["nothing", "trust"])
def test_fault_06_what_was_served_last_week_is_left_aside_and_reported(served: Served, tmp_path: Path, loss: str) -> None:
    """The old files are still within their dates. A lost directory of trust forgets nothing: the newest is kept in ops.db."""
    corner = Corner(tmp_path / "kiosk", served)
    assert corner.round().faults == ()
    week_old = Path(shutil.copytree(served.hq.directory / "sync", tmp_path / "week-old"))
    with time_machine.travel(clock.now() + timedelta(days=5)):
        served.hq.change(l11={"price": "349.00"})
        assert corner.round().faults == ()
        assert corner.holds_hq_s_rows()
        if loss == "trust":
            shutil.rmtree(corner.directory / "trust")

        served.before = replaying(week_old)
        for _ in range(2):
            report = corner.round()
            assert (report.moved, report.faults) == (None, ("stale",))
            assert corner.holds_hq_s_rows()
        assert setting(corner.ops.read(), "sync_faults").keys() == {"stale"}
        assert "stale" in told_faults(served)

        served.before = lambda path: None
        assert corner.round().faults == ()
        corner.round()
        assert "stale" not in told_faults(served)
    corner.close()


def test_fault_06_a_neighbour_that_replays_holds_nothing_back(served: Served, tmp_path: Path) -> None:
    """The neighbour is asked first and said to have failed, and HQ's news arrive all the same."""
    corner = Corner(tmp_path / "kiosk", served)
    assert corner.round().faults == ()
    week_old = Path(shutil.copytree(served.hq.directory / "sync", tmp_path / "week-old"))
    with serving_folder(week_old) as (url, asked):
        with corner.ops.write() as database:
            store_setting(database, MIRRORS, [url])
        with time_machine.travel(clock.now() + timedelta(days=8)):
            keep_house(served.hq.engine, served.hq.directory)
            for price in ("349.00", "339.00"):
                served.hq.change(l11={"price": price})
                assert corner.round().faults == ("neighbour_failed",)
                assert corner.holds_hq_s_rows()
    assert asked != []
    corner.close()
