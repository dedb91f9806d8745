"""Fault 28: wrong prices are on trial while an urgent one goes to all. The trial reaches its share alone and is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from comptoir import comptoir
from marketplace.db import reading
from marketplace.fleet.corners import set_ring
from marketplace.publishing.publications import publish_market
from marketplace.publishing.trials import halt_trial, roll_back_all, trial_standing
from marketplace.running.housekeeping import keep_house
from sync.channels import sync_cursors
from sync.heads import trial_rank
from sync.hq.log import open_trial
from sync.hq.trials import NoTrial, halt, promote, set_shares, try_out, whole_ring
from tests.faults.conftest import Served
from tests.faults.corners import Corner
from tests.sync.conftest import Hq, Kiosk, Line, listing

CORNERS = [f"corner-{number}" for number in range(5)]
SHARE_BP = 4_000
WRONG = {f"l{number}": {"price": "1.00"} for number in range(1_000, 1_040)}
RIGHT = {
    f"l{number}": {"seller_id": "1", "sku_id": "1", "grade": "GOOD", "price": f"{Random(number).randint(300, 400)}.00"}
    for number in range(1_000, 1_040)
}


@pytest.fixture
def fleet(hq: Hq, tmp_path: Path) -> Iterator[dict[str, Kiosk]]:
    """A stable kiosk in each of five corners, all at publication 1."""
    hq.publish()
    kiosks = {}
    for name in CORNERS:
        (tmp_path / name).mkdir()
        kiosks[name] = Kiosk(tmp_path / name, Line(hq.static))
        kiosks[name].follow(corner_id=name)
    yield kiosks
    for kiosk in kiosks.values():
        kiosk.catalog.close()
        kiosk.ops.close()


def roots(kiosk: Kiosk) -> dict[str, str]:
    return {name: cursor.root for name, cursor in sync_cursors(kiosk.catalog.read()).items()}


def test_fault_28_a_share_gets_the_trial_and_everybody_the_urgent_price_and_the_way_back_costs_nothing(
    hq: Hq, fleet: dict[str, Kiosk]
) -> None:
    at_x = roots(fleet[CORNERS[0]])
    hq.put("listing", *(listing(number, price_cents=100) for number in range(10, 60)))
    published = try_out(hq.place, shares={"canary": 10_000, "stable": SHARE_BP}, now=hq.tick())
    assert published is not None
    trial = f"t{published.publication}"
    inside = {name for name in CORNERS if trial_rank(name, hq.head().trial.salt) < SHARE_BP}  # type: ignore[union-attr]
    assert 0 < len(inside) < len(CORNERS)
    late = min(inside)
    for name, kiosk in fleet.items():
        if name != late:
            kiosk.follow(corner_id=name)
    wrong = {name for name, kiosk in fleet.items() if kiosk.rows()["listing"][10][4] == 100}
    assert wrong == inside - {late}

    hq.put("listing", listing(5, price_cents=77_700))
    hq.publish()
    for name, kiosk in fleet.items():
        if name != late:
            assert kiosk.follow(corner_id=name).parts == 0
            assert kiosk.rows()["listing"][5][4] == 77_700, "an urgent price waits for no trial"
            assert (kiosk.rows()["listing"][10][4] == 100) is (name in inside)

    halt(hq.place, reason="wrong prices", now=hq.tick())
    for name, kiosk in fleet.items():
        moved = kiosk.follow(corner_id=name)
        assert (moved.track, moved.parts) == ("", 0)
        # Whoever took the trial in needs the few rows back, who missed it the urgent price, the others nothing at all.
        assert (moved.segments > 0) is (name in inside), (name, trial)
        assert kiosk.is_sound()
    assert len({str(kiosk.rows()) for kiosk in fleet.values()}) == 1
    assert roots(fleet[late])["content"] == at_x["content"]


def test_fault_28_a_revert_has_the_root_of_before_and_costs_nobody_who_is_there_a_byte(hq: Hq, fleet: dict[str, Kiosk]) -> None:
    """Nothing else was published meanwhile: the rows of X are the rows of now."""
    inside, outside = fleet[CORNERS[0]], fleet[CORNERS[1]]
    at_x, rows_of_x = roots(inside), inside.rows()
    hq.put("listing", *(listing(number, price_cents=100) for number in range(10, 60)))
    try_out(hq.place, shares=whole_ring("canary"), now=hq.tick())
    inside.follow("canary")
    assert roots(inside) != at_x
    halt(hq.place, reason="by hand", now=hq.tick())
    inside.follow("canary")
    assert (roots(inside), inside.rows()) == (at_x, rows_of_x)
    moved = outside.follow("canary")
    assert (moved.segments, moved.parts, moved.fetches) == (0, 0, 0)
    assert roots(outside) == at_x


def test_fault_28_a_promotion_costs_the_canary_no_blob(hq: Hq, fleet: dict[str, Kiosk]) -> None:
    canary, stable = fleet[CORNERS[0]], fleet[CORNERS[1]]
    hq.put("listing", *(listing(number, price_cents=33_300) for number in range(10, 60)))
    try_out(hq.place, shares=whole_ring("canary"), now=hq.tick())
    canary.follow("canary")
    set_shares(hq.place, shares=whole_ring("early"), now=hq.tick())
    promote(hq.place, now=hq.tick())
    moved = canary.follow("canary")
    assert (moved.segments, moved.parts, moved.fetches) == (0, 0, 0)
    stable.follow()
    assert canary.rows() == stable.rows() == hq.rows


@pytest.fixture
def canary(served: Served, tmp_path: Path) -> Iterator[tuple[Corner, Corner]]:
    """Nantes in the canary ring with wrong prices on trial, and Paris, which is stable."""
    served.hq.change(**RIGHT)
    set_ring(served.hq.engine, "nantes-crebillon", "canary")
    made = (
        Corner(tmp_path / "canary", served),
        Corner(tmp_path / "stable", served, corner="paris-beaubourg"),
    )
    for corner in made:
        assert corner.round().faults == ()
    served.hq.import_world(**{name: {**RIGHT[name], **WRONG[name]} for name in RIGHT})
    publish_market(served.hq.engine, served.hq.directory, "fr", shares=whole_ring("canary"))
    yield made
    for corner in made:
        corner.close()


def price(corner: Corner, listing_id: int = 1_000) -> int:
    query = "select price_cents from listing where listing_id = ?"
    return int(corner.catalog.read().execute(query, [listing_id]).fetchone()[0])


def is_open(served: Served) -> bool:
    with reading(served.hq.engine) as connection:
        return open_trial(connection, "fr") is not None


def test_fault_28_reports_of_jumping_prices_halt_the_trial_by_themselves(served: Served, canary: tuple[Corner, Corner]) -> None:
    trying, stable = canary
    right = price(stable)
    keep_house(served.hq.engine, served.hq.directory)
    assert is_open(served), "nobody has reported anything yet"
    for corner in canary:
        assert corner.round().faults == ()
    assert (price(trying), price(stable)) == (100, right)

    served.hq.import_world(**{name: {**RIGHT[name], **WRONG[name]} for name in RIGHT}, l11={"price": "349.00"})
    served.hq.publish()
    for corner in canary:
        assert corner.round().faults == ()
        assert price(corner, 11) == 34_900

    keep_house(served.hq.engine, served.hq.directory)

    assert not is_open(served)
    ended = served.hq.rows("select state, reason from sync_trial")
    assert [each["state"] for each in ended] == ["halted"]
    assert "40 of 41 changed prices jumped" in ended[0]["reason"]
    for corner in canary:
        assert corner.round().faults == ()
        assert (price(corner), price(corner, 11)) == (right, 34_900)
        assert corner.holds_hq_s_rows()
    assert served.hq.publish() is None, "the wrong prices stay back until the feed says others"


def test_fault_28_a_halt_by_hand_and_a_rollback_lead_to_the_rows_of_before(served: Served, canary: tuple[Corner, Corner]) -> None:
    trying, stable = canary
    right = price(stable)
    assert trying.round().faults == ()
    with reading(served.hq.engine) as connection:
        seen = trial_standing(connection, "fr")
    assert seen is not None
    assert (seen.corners, seen.arrived, seen.failed) == (1, 1, ())

    ended = CliRunner().invoke(comptoir, ["marketplace", "halt", "--reason", "wrong", "--dir", str(served.hq.directory)])

    assert (ended.exit_code, ended.output.startswith("fr: trial t3 halted")) == (0, True)
    for corner in canary:
        assert corner.round().faults == ()
        assert price(corner) == right
    served.hq.change(**{name: {**RIGHT[name], "price": "2.00"} for name in RIGHT})
    for corner in canary:
        corner.round()
        assert price(corner) == 200
    roll_back_all(served.hq.engine, served.hq.directory, 2)
    for corner in canary:
        assert corner.round().faults == ()
        assert price(corner) == right
        assert corner.holds_hq_s_rows()
    with pytest.raises(NoTrial):
        halt_trial(served.hq.engine, served.hq.directory, "fr", reason="again")
