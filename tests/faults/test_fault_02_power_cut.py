"""Fault 2: the power goes, and what was not flushed with it, or a part of that. The catalogue is older; no slip told is lost."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from pos.db import connect
from tests import world
from tests.faults.conftest import Served, versions
from tests.faults.deaths import Disk, Workshop
from tests.sync.conftest import rows_of

TORN = 7


def test_fault_02_a_power_cut_in_an_apply_leaves_an_older_catalogue_that_catches_up(
    served: Served, workshop: Workshop, tmp_path: Path
) -> None:
    kiosk = served.enrol(tmp_path / "kiosk")
    assert workshop.run("sync", kiosk, watch=()).status == 0
    before = versions(kiosk / "catalog.db")
    served.hq.change(l11={"price": "349.00"}, l21=None)
    disk = Disk.of(kiosk)
    life = workshop.run("sync", kiosk)
    after, rows = versions(kiosk / "catalog.db"), rows_of(kiosk / "catalog.db")

    found = []
    for number, step in enumerate(life.steps):
        disk.play(step)
        if not Path(step.path).name.startswith("catalog.db") or step.path.endswith("-shm"):
            continue
        for chance in (None, random.Random(TORN + number)):
            left = tmp_path / "left"
            disk.cut(kiosk, left, chance=chance)
            found.append(versions(left / "catalog.db"))
            shutil.rmtree(left)
    disk.cut(kiosk, tmp_path / "last", chance=None)

    assert after != before
    assert {str(each) for each in found} == {str(before), str(after)}
    assert workshop.run("sync", tmp_path / "last", watch=()).status == 0
    assert rows_of(tmp_path / "last" / "catalog.db") == rows


def test_fault_02_a_power_cut_takes_no_slip_that_was_told(workshop: Workshop, tmp_path: Path) -> None:
    kiosk = tmp_path / "kiosk"
    kiosk.mkdir()
    made = world.make_kiosk(kiosk)
    made.catalog.close()
    made.ops.close()
    disk = Disk.of(kiosk)
    life = workshop.run("slips", kiosk, "101", "104", "107", watch=("ops.db*",))
    assert life.status == 0, life.output

    told: list[str] = []
    most = 0
    for number, step in enumerate(life.steps):
        disk.play(step)
        if step.kind == "told":
            told.append(step.data.decode().strip())
        elif step.path.endswith("-shm"):
            continue
        for chance in (None, random.Random(TORN + number)):
            left = tmp_path / "left"
            disk.cut(kiosk, left, chance=chance)
            numbers, events = recorded(left / "ops.db")
            assert set(told) <= set(numbers)
            assert len(numbers) == events
            most = max(most, events)
            shutil.rmtree(left)

    assert len(told) == most == 3


def recorded(path: Path) -> tuple[list[str], int]:
    """Return the slips of ops.db, and how many events tell of slips."""
    database = connect(path, durable=True, is_new=False)
    try:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        numbers = [number for (number,) in database.execute("select number from slip order by counter")]
        (events,) = database.execute("select count(*) from outbox where kind = 'slip_issued'").fetchone()
        return numbers, events
    finally:
        database.close()
