"""Fault 3: the kiosk is killed while it builds a snapshot, before and after the new file takes the old one's place."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pos.db import connect, write
from tests.faults.conftest import Served, versions
from tests.faults.deaths import Step, Workshop

CATALOGUE = ("catalog.db", "catalog.db-wal", "catalog.db.new*")
SPARSE = 20


@pytest.mark.long
@pytest.mark.parametrize("has_catalogue", [True, False])
def test_fault_03_a_kill_while_a_snapshot_is_built_leaves_the_old_file_or_the_new(
    served: Served, workshop: Workshop, tmp_path: Path, has_catalogue: bool
) -> None:
    kept = served.enrol(tmp_path / "kept")
    before = None
    if has_catalogue:
        assert workshop.run("sync", kept, watch=()).status == 0
        served.hq.change(l11={"price": "349.00"})
        before = spoil(kept / "catalog.db")
    whole = Path(shutil.copytree(kept, tmp_path / "whole"))
    life = workshop.run("sync", whole, watch=CATALOGUE)
    after = versions(whole / "catalog.db")
    assert any(step.kind == "rename" and step.path.endswith("catalog.db.new") for step in life.steps), life.output

    found = []
    for kill_at in interesting(life.steps):
        kiosk = Path(shutil.copytree(kept, tmp_path / f"kiosk{kill_at}"))
        assert workshop.run("sync", kiosk, watch=CATALOGUE, kill_at=kill_at).is_killed
        found.append(held(kiosk / "catalog.db"))
        assert workshop.run("sync", kiosk, watch=()).status == 0
        assert versions(kiosk / "catalog.db") == after
        assert list(kiosk.glob("catalog.db.new*")) == []
        shutil.rmtree(kiosk)

    assert after != before
    assert [each for each in found if each not in (before, after)] == []
    assert found[0] == before


def interesting(steps: list[Step]) -> list[int]:
    """Return the numbers of the steps worth dying at: of the long row of page writes to the new file, a few."""
    watched = [step for step in steps if step.kind != "told"]
    return [
        number
        for number, step in enumerate(watched, start=1)
        if step.kind != "write" or not step.path.endswith(".new") or number % SPARSE == 1
    ]


def spoil(catalog: Path) -> dict[str, int]:
    """Change a row that HQ changes next, so that no segment adds up here; return what the catalogue stands at."""
    database = connect(catalog, durable=False)
    with write(database):
        database.execute("update listing set price_cents = 100 where listing_id = 11")
    database.close()
    found = held(catalog)
    assert found is not None
    return found


def held(catalog: Path) -> dict[str, int] | None:
    if not catalog.exists():
        return None
    database = connect(catalog, durable=False, is_new=False)
    try:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        return dict(database.execute("select channel, version from sync_cursor").fetchall())
    finally:
        database.close()
