"""A trial reaches its corners and nobody else; what is urgent passes it; ending it costs no rows that are already there."""

from __future__ import annotations

import pytest

from sync.errors import Busy
from sync.heads import trial_rank
from sync.hq.log import held_rows
from sync.hq.trials import NotKept, NoTrial, TrialOpen, halt, promote, reached, roll_back, set_shares, try_out, whole_ring
from sync.locks import hold
from tests.sync.conftest import Hq, Kiosk, Line, listing

CANARY = whole_ring("canary")


@pytest.fixture
def canary(kiosk: Kiosk, line: Line, tmp_path: object) -> Kiosk:
    directory = kiosk.directory.parent / "canary"
    directory.mkdir()
    return Kiosk(directory, line)


def price(kiosk: Kiosk, listing_id: int = 1) -> int:
    return int(kiosk.rows()["listing"][listing_id][4])


def begin(hq: Hq, kiosk: Kiosk, canary: Kiosk) -> None:
    """Publish, and put a wrong price on trial in the canary ring."""
    hq.publish()
    kiosk.follow()
    canary.follow("canary")
    hq.put("listing", listing(1, price_cents=100))
    try_out(hq.place, shares=CANARY, now=hq.tick())


def test_a_trial_reaches_its_ring_alone(hq: Hq, kiosk: Kiosk, canary: Kiosk) -> None:
    begin(hq, kiosk, canary)
    moved = canary.follow("canary")
    assert (moved.parts, moved.track, price(canary)) == (0, "t2", 100)
    assert not kiosk.follow().has_moved or price(kiosk) == 36_900
    assert price(kiosk) == 36_900
    assert canary.is_sound()


def test_only_the_channel_on_trial_forks(hq: Hq, kiosk: Kiosk, canary: Kiosk) -> None:
    begin(hq, kiosk, canary)
    trial = hq.head("canary").trial
    assert trial is not None
    assert set(trial.track.channels) == {"price"}
    assert hq.head("early").trial is None


def test_an_urgent_price_passes_the_trial(hq: Hq, kiosk: Kiosk, canary: Kiosk) -> None:
    begin(hq, kiosk, canary)
    canary.follow("canary")
    hq.put("listing", listing(2, price_cents=50_000))
    hq.put("stock", (3, 0))
    hq.publish()
    for each, ring in ((kiosk, "stable"), (canary, "canary")):
        assert each.follow(ring).parts == 0
        assert price(each, 2) == 50_000
        assert each.rows()["stock"][3] == (3, 0)
        assert each.is_sound()
    assert (price(kiosk), price(canary)) == (36_900, 100)


def test_an_urgent_price_of_the_very_row_on_trial_goes_to_everybody(hq: Hq, kiosk: Kiosk, canary: Kiosk) -> None:
    begin(hq, kiosk, canary)
    canary.follow("canary")
    hq.put("listing", listing(1, price_cents=37_500))
    hq.publish()
    kiosk.follow()
    canary.follow("canary")
    assert (price(kiosk), price(canary)) == (37_500, 37_500)


def test_promotion_gives_it_to_everybody_and_costs_the_canary_nothing(hq: Hq, kiosk: Kiosk, canary: Kiosk) -> None:
    begin(hq, kiosk, canary)
    canary.follow("canary")
    promote(hq.place, now=hq.tick())
    moved = canary.follow("canary")
    assert (moved.track, moved.segments, moved.parts) == ("", 0, 0)
    assert kiosk.follow().segments == 1
    assert kiosk.rows() == canary.rows() == hq.rows
    assert kiosk.is_sound()
    assert canary.is_sound()
    with pytest.raises(NoTrial):
        promote(hq.place, now=hq.tick())


def test_a_halt_leads_the_canary_back_and_costs_the_others_nothing(hq: Hq, kiosk: Kiosk, canary: Kiosk) -> None:
    begin(hq, kiosk, canary)
    canary.follow("canary")
    halt(hq.place, reason="prices jumped", now=hq.tick())
    assert kiosk.follow().segments == 0
    moved = canary.follow("canary")
    assert (moved.segments, moved.parts, price(canary)) == (1, 0, 36_900)
    assert canary.rows() == kiosk.rows()
    assert canary.is_sound()


def test_what_was_halted_stays_back_until_business_says_something_else(hq: Hq, kiosk: Kiosk, canary: Kiosk) -> None:
    begin(hq, kiosk, canary)
    halt(hq.place, reason="", now=hq.tick())
    hq.mark("listing", None)
    hq.put("stock", (1, 0))
    hq.publish()
    kiosk.follow()
    assert (price(kiosk), kiosk.rows()["stock"][1]) == (36_900, (1, 0))
    hq.put("listing", listing(1, price_cents=36_000))
    hq.publish()
    kiosk.follow()
    assert price(kiosk) == 36_000
    with hq.engine.connect() as connection:
        assert held_rows(connection, "fr") == {}


def test_a_kiosk_that_missed_the_trial_s_middle_comes_back_too(hq: Hq, kiosk: Kiosk, canary: Kiosk) -> None:
    begin(hq, kiosk, canary)
    canary.follow("canary")
    for price_cents in (200, 300):
        hq.put("listing", listing(2, price_cents=price_cents))
        try_out(hq.place, shares=CANARY, now=hq.tick())
    hq.put("listing", listing(5, price_cents=777))
    hq.publish()
    halt(hq.place, reason="", now=hq.tick())
    hq.put("stock", (9, 0))
    hq.publish()
    assert canary.follow("canary").parts == 0
    kiosk.follow()
    assert canary.rows() == kiosk.rows()
    assert canary.is_sound()


def test_a_share_of_a_ring_is_the_same_corners_each_time(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    hq.put("listing", listing(1, price_cents=100))
    try_out(hq.place, shares={"canary": 10_000, "stable": 3_000}, now=hq.tick())
    corners = [f"corner-{number}" for number in range(400)]
    inside = [corner for corner in corners if trial_rank(corner, "t2") < 3_000]
    assert 80 < len(inside) < 160
    kiosk.follow("stable", inside[0])
    assert price(kiosk) == 100
    set_shares(hq.place, shares={"canary": 10_000, "stable": 0}, now=hq.tick())
    moved = kiosk.follow("stable", inside[0])
    assert (moved.parts, price(kiosk)) == (0, 36_900)
    set_shares(hq.place, shares={"canary": 10_000, "stable": 10_000}, now=hq.tick())
    moved = kiosk.follow("stable", inside[0])
    assert (moved.parts, price(kiosk)) == (0, 100)


def test_a_corner_that_changes_its_ring_follows_the_other_track(hq: Hq, kiosk: Kiosk, canary: Kiosk) -> None:
    begin(hq, kiosk, canary)
    canary.follow("canary")
    assert canary.follow("stable").parts == 0
    assert price(canary) == 36_900
    assert canary.follow("canary").parts == 0
    assert price(canary) == 100


def test_a_rollback_is_a_forward_publication_of_the_old_rows(hq: Hq, kiosk: Kiosk) -> None:
    hq.publish()
    kiosk.follow()
    before = kiosk.rows()
    hq.put("listing", listing(1, price_cents=100), listing(500))
    hq.drop("stock", 9)
    hq.publish()
    kiosk.follow()
    done = roll_back(hq.place, 1, now=hq.tick())
    assert done is not None
    assert done.publication == 3
    moved = kiosk.follow()
    assert (moved.parts, moved.segments) == (0, 2)
    assert kiosk.rows() == before
    assert roll_back(hq.place, 1, now=hq.tick()) is None
    hq.mark("listing", None)
    assert hq.publish() is None
    hq.put("listing", listing(1, price_cents=36_500))
    hq.publish()
    kiosk.follow()
    assert price(kiosk) == 36_500
    assert 500 not in kiosk.rows()["listing"]


def test_a_rollback_waits_for_the_trial_and_needs_its_blobs(hq: Hq, kiosk: Kiosk, canary: Kiosk) -> None:
    begin(hq, kiosk, canary)
    first = hq.head().track.channels["stock"].index
    with pytest.raises(TrialOpen):
        roll_back(hq.place, 1, now=hq.tick())
    halt(hq.place, reason="", now=hq.tick())
    hq.put("stock", (1, 0))
    hq.publish()
    (hq.static / "b" / first.sha256).unlink()
    with pytest.raises(NotKept):
        roll_back(hq.place, 1, now=hq.tick())
    assert hq.publish() is None


def test_publications_have_no_gap_over_all_tracks(hq: Hq, kiosk: Kiosk, canary: Kiosk) -> None:
    begin(hq, kiosk, canary)
    hq.put("stock", (1, 1))
    hq.publish()
    promote(hq.place, now=hq.tick())
    with hq.engine.connect() as connection:
        found = connection.exec_driver_sql("select publication, line from sync_publication order by 1").fetchall()
    assert [tuple(row) for row in found] == [(1, ""), (2, ""), (3, "t2"), (4, ""), (5, "t2"), (6, "")]


def test_the_desk_is_one_for_everything_that_publishes(hq: Hq) -> None:
    hq.publish()
    with hold(hq.replica.with_name("publish.lock")), pytest.raises(Busy):
        try_out(hq.place, shares=CANARY, now=hq.tick())


def test_a_trial_s_reach_is_said_by_its_furthest_ring() -> None:
    assert reached(whole_ring("canary", 500)) == "canary"
    assert whole_ring("early", 2_500) == {"canary": 10_000, "early": 2_500, "stable": 0}
    assert reached(whole_ring("early", 2_500)) == "early"


def test_publishing_nothing_new_to_more_corners_gives_them_the_trial(hq: Hq, kiosk: Kiosk, canary: Kiosk) -> None:
    begin(hq, kiosk, canary)
    assert try_out(hq.place, shares=whole_ring("stable", 10_000), now=hq.tick()) is None
    kiosk.follow("stable")
    assert price(kiosk) == 100
