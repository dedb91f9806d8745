"""Fault 14: HQ is killed between blob, record and head. The next publication makes it good: no gap, orphans at most."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

from marketplace.db import open_engine
from marketplace.installation import read_installation
from tests.faults.conftest import versions
from tests.faults.deaths import Step, Workshop
from tests.marketplace.hq import CopiedHq, copy_place
from tests.sync.conftest import rows_of

HQ_FILES = ("marketplace.db*", "replica/*", "sync/*")
SPARSE = 15


@pytest.mark.long
def test_fault_14_a_publisher_killed_at_any_step_leaves_no_gap(copied: CopiedHq, workshop: Workshop, tmp_path: Path) -> None:
    copied.import_world(l11={"price": "349.00"}, l21=None)
    copied.close()
    whole = copy_place(tmp_path / "hq", tmp_path / "whole")
    life = workshop.run("publish", whole, watch=HQ_FILES)
    assert life.status == 0, life.output
    expected = rows_of(whole / "replica" / "fr.db")
    after = versions(whole / "replica" / "fr.db")

    for kill_at in interesting(life.steps):
        here = copy_place(tmp_path / "hq", tmp_path / f"hq{kill_at}")
        assert workshop.run("publish", here, watch=HQ_FILES, kill_at=kill_at).is_killed
        assert workshop.run("publish", here, watch=()).status == 0
        assert publications(here) in ([1, 2], [1, 2, 3])
        assert rows_of(here / "replica" / "fr.db") == expected
        assert versions(here / "replica" / "fr.db") == after or publications(here) == [1, 2, 3]
        assert "nothing changed" in workshop.run("publish", here, watch=()).output
        shutil.rmtree(here)


def interesting(steps: list[Step]) -> list[int]:
    """Return the numbers of the steps worth dying at: changes of names and of what the fleet is served, and some page writes."""
    watched = [step for step in steps if step.kind != "told"]
    return [
        number
        for number, step in enumerate(watched, start=1)
        if step.kind in ("rename", "unlink") or ("/sync/" in step.path and step.kind == "write") or number % SPARSE == 0
    ]


def publications(hq: Path) -> list[int]:
    engine = open_engine(read_installation(hq).database)
    with engine.connect() as connection:
        found = connection.execute(text("select publication from sync_publication where market = 'fr' order by 1"))
        numbers = [row[0] for row in found]
    engine.dispose()
    return numbers
