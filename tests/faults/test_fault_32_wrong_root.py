"""Fault 32: HQ announces a root its rows do not have. The canary refuses and says so, the trial ends, stable never sees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import sync.hq.drafts
from marketplace.db import reading
from marketplace.fleet.corners import set_ring
from marketplace.publishing.publications import publish_market
from marketplace.publishing.trials import trial_standing
from marketplace.running.housekeeping import keep_house
from sync.channels import root_of
from sync.hq.log import open_trial
from sync.hq.trials import whole_ring
from sync.roots import RootState
from tests.faults.conftest import Served, versions
from tests.faults.corners import Corner
from tests.sync.conftest import rows_of


def wrong_root(channel: str, state: RootState) -> str:
    """Return a root as it should be, but for one digit."""
    right = root_of(channel, state)
    return right[:-1] + ("0" if right[-1] != "0" else "1") if channel == "price" else right


@pytest.fixture
def corners(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Corner, Corner]]:
    """Nantes in the canary ring, Paris stable, both at publication 1; the bug has published a trial."""
    set_ring(served.hq.engine, "nantes-crebillon", "canary")
    made = Corner(tmp_path / "canary", served), Corner(tmp_path / "stable", served, corner="paris-beaubourg")
    for corner in made:
        assert corner.round().faults == ()
    served.hq.import_world(l11={"price": "349.00"})
    with monkeypatch.context() as patch:
        patch.setattr(sync.hq.drafts, "root_of", wrong_root)
        publish_market(served.hq.engine, served.hq.directory, "fr", shares=whole_ring("canary"))
    yield made
    for corner in made:
        corner.close()


def test_fault_32_the_canary_refuses_and_tells_and_the_trial_is_halted(served: Served, corners: tuple[Corner, Corner]) -> None:
    canary, stable = corners
    rows, at = rows_of(canary.directory / "catalog.db"), versions(canary.directory / "catalog.db")

    for _ in range(2):
        assert canary.round().faults == ("wrong_root",)
        assert rows_of(canary.directory / "catalog.db") == rows
        assert versions(canary.directory / "catalog.db") == at

    (device,) = served.hq.rows(
        "select heartbeat from device where corner_id = 'nantes-crebillon' and acked = 0 and seen_at > ''"
    )[-1:]
    failed = json.loads(device["heartbeat"])["failed"]
    assert (failed["line"], failed["code"]) == ("t2", "wrong_root")
    with reading(served.hq.engine) as connection:
        seen = trial_standing(connection, "fr")
    assert seen is not None
    assert seen.failed == ("nantes-crebillon",)
    assert stable.round().faults == ()
    assert rows_of(stable.directory / "catalog.db") == rows

    keep_house(served.hq.engine, served.hq.directory)

    with reading(served.hq.engine) as connection:
        assert open_trial(connection, "fr") is None
    assert [each["state"] for each in served.hq.rows("select state from sync_trial")] == ["halted"]
    for corner in corners:
        assert corner.round().faults == ()
        assert corner.holds_hq_s_rows()
        assert rows_of(corner.directory / "catalog.db") == rows


def test_fault_32_stable_goes_on_while_the_broken_trial_is_open(served: Served, corners: tuple[Corner, Corner]) -> None:
    """What is urgent is published past a trial that is broken, and slips are made at the canary all the while."""
    canary, stable = corners
    assert canary.round().faults == ("wrong_root",)
    assert len(canary.make_slips(12)) == 1
    served.hq.import_world(l11={"price": "349.00"}, l13={"price": "399.00"})
    served.hq.publish()
    assert stable.round().faults == ()
    assert rows_of(stable.directory / "catalog.db")["listing"][13][4] == 39_900
    assert stable.holds_hq_s_rows()


def test_fault_32_after_the_bug_is_mended_the_same_change_goes_out(served: Served, corners: tuple[Corner, Corner]) -> None:
    canary, stable = corners
    canary.round()
    canary.round()
    keep_house(served.hq.engine, served.hq.directory)
    served.hq.change(l11={"price": "348.00"})
    for corner in (canary, stable):
        assert corner.round().faults == ()
        assert corner.catalog.read().execute("select price_cents from listing where listing_id = 11").fetchone() == (34_800,)
        assert corner.holds_hq_s_rows()
