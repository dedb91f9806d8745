"""Fault 1: the kiosk is killed at any step of applying changes. It stands at the old version or the new one, whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.faults.conftest import Served, versions
from tests.faults.deaths import Workshop

CATALOGUE = ("catalog.db", "catalog.db-wal", "blobs/*")


@pytest.mark.long
def test_fault_01_a_kill_at_each_write_of_an_apply_leaves_the_old_catalogue_or_the_new(
    served: Served, workshop: Workshop, tmp_path: Path
) -> None:
    kept = served.enrol(tmp_path / "kept")
    assert workshop.run("sync", kept, watch=()).status == 0
    before = versions(kept / "catalog.db")
    served.hq.change(l11={"price": "349.00"}, l21=None)

    found, mended = [], []
    is_killed, kill_at = True, 0
    while is_killed:
        kill_at += 1
        kiosk = Path(shutil.copytree(kept, tmp_path / f"kiosk{kill_at}"))
        is_killed = workshop.run("sync", kiosk, watch=CATALOGUE, kill_at=kill_at).is_killed
        found.append(versions(kiosk / "catalog.db"))
        assert workshop.run("sync", kiosk, watch=()).status == 0
        mended.append(versions(kiosk / "catalog.db"))
        shutil.rmtree(kiosk)

    after = found[-1]
    assert kill_at > 30
    assert after != before
    # Once the new catalogue is there it stays: the old ones come first.
    assert found == [before] * found.count(before) + [after] * found.count(after)
    assert mended == [after] * kill_at
