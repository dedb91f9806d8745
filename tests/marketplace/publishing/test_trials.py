"""Trials at HQ: who gets what, what speaks against a trial, how it ends, and what its corners' slips cost meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from marketplace.db import reading
from marketplace.feeds.imports import import_feed
from marketplace.fleet.corners import corner_document, rings, set_ring
from marketplace.installation import sync_path
from marketplace.publishing.publications import publish_all, publish_market
from marketplace.publishing.trials import (
    Standing,
    advance,
    corners_in,
    halt_failing,
    halt_trial,
    next_ring,
    outlook_of_publication,
    roll_back_all,
    shares_of,
    trial_standing,
)
from pos import clock
from pos.errors import Invalid, NotFound
from pos.tokens import TokenLine
from sync.errors import Busy
from sync.heads import decode_head, head_name
from sync.hq.log import TrialState
from sync.hq.publisher import Published
from sync.hq.repository import announced
from sync.hq.trials import NoTrial, TrialOpen, whole_ring
from sync.locks import hold
from tests.marketplace import world
from tests.marketplace.hq import IPHONE_13, Hq, quiet, words

NANTES, PARIS = "nantes-crebillon", "paris-beaubourg"
CANARY = whole_ring("canary")
ON_TRIAL_CENTS, USUAL_CENTS = 34_900, 36_900
OPENED = TrialState(trial_id="t2", opened_at="2026-11-26T10:00:00Z", shares=CANARY, forks={})


def begin(hq: Hq, **shares: int) -> Published:
    """Put a lower price of the iPhone 13 on trial at Nantes, the only canary."""
    set_ring(hq.engine, NANTES, "canary")
    hq.import_world(l11={"price": "349.00"})
    done = publish_market(hq.engine, hq.directory, "fr", shares=shares or CANARY)
    assert done is not None
    return done


def report(hq: Hq, **said: Any) -> None:
    """Let the Nantes kiosk say how it does, some time after the trial opened."""
    with later():
        assert hq.up(heartbeat={"publication": 2, "catalog": {}, **said}).status_code == 200


@contextmanager
def later(**ahead: int) -> Iterator[None]:
    with time_machine.travel(clock.now() + timedelta(**(ahead or {"seconds": 5})), tick=True):
        yield


def seen(hq: Hq) -> Standing | None:
    with reading(hq.engine) as connection:
        return trial_standing(connection, "fr")


def state_of_trial(hq: Hq) -> list[tuple[str, str | None]]:
    return [(each["state"], each["reason"]) for each in hq.rows("select state, reason from sync_trial order by trial_id")]


def published_cents(hq: Hq, *, track: str = "") -> int:
    found = hq.rows(
        "select price_cents from listing_terms where listing_id = 11 and line = :track order by publication desc limit 1",
        track=track,
    )
    return int(found[0]["price_cents"])


def repriced(hq: Hq, *, publication: int, counter: int) -> int:
    """Claim a slip made at a publication and return what the order costs."""
    answer = hq.claim(hq.digits(IPHONE_13, publication=publication, counter=counter))
    assert answer.status_code == 303
    found = hq.rows(
        "select total_cents from order_line join claim on claim.order_id = order_line.order_id where claim.counter = :counter",
        counter=counter,
    )
    return int(found[0]["total_cents"])


@pytest.mark.parametrize(
    ("ring", "percent", "shares"),
    [
        ("canary", 100, {"canary": 10_000, "early": 0, "stable": 0}),
        ("canary", 0, {"canary": 0, "early": 0, "stable": 0}),
        ("early", 25, {"canary": 10_000, "early": 2_500, "stable": 0}),
        ("stable", 1, {"canary": 10_000, "early": 10_000, "stable": 100}),
        ("stable", 100, None),
    ],
)
def test_a_ring_and_a_percentage_make_shares(ring: str, percent: int, shares: dict[str, int] | None) -> None:
    assert shares_of(ring, percent) == shares


@pytest.mark.parametrize(("ring", "percent"), [("everybody", 100), ("", 100), ("canary", 101), ("canary", -1)])
def test_other_rings_and_percentages_are_refused(ring: str, percent: int) -> None:
    with pytest.raises(Invalid):
        shares_of(ring, percent)


@pytest.mark.parametrize(
    ("shares", "corners"),
    [
        (None, 113),
        (CANARY, 3),
        (whole_ring("early", 5_000), 8),
        (whole_ring("stable", 100), 14),
        (whole_ring("canary", 0), 0),
    ],
)
def test_the_corners_of_a_share_are_counted_by_ring(shares: dict[str, int] | None, corners: int) -> None:
    assert corners_in({"canary": 3, "early": 10, "stable": 100}, shares) == corners


@pytest.mark.parametrize(
    ("shares", "ring"),
    [
        (whole_ring("canary", 500), "canary"),
        (CANARY, "early"),
        (whole_ring("early", 5_000), "early"),
        (whole_ring("early"), "stable"),
        (whole_ring("stable", 100), "stable"),
    ],
)
def test_a_trial_goes_on_where_it_stopped(shares: dict[str, int], ring: str) -> None:
    assert next_ring(TrialState(trial_id="t2", opened_at="", shares=shares, forks={})) == ring


@pytest.mark.parametrize(
    ("arrived", "failed", "changed", "jumped", "reason"),
    [
        (0, 0, 0, 0, ""),
        (400, 0, 0, 0, ""),
        (0, 1, 0, 0, "1 of 1 corners could not take it in: c0"),
        (4, 1, 0, 0, "1 of 5 corners could not take it in: c0"),
        (5, 1, 0, 0, ""),
        (400, 4, 0, 0, ""),
        (400, 5, 0, 0, "5 of 405 corners could not take it in: c0, c1, c2, c3, c4"),
        (400, 6, 0, 0, "6 of 406 corners could not take it in: c0, c1, c2, c3, c4"),
        (5, 0, 19, 19, ""),
        (5, 0, 20, 3, ""),
        (5, 0, 20, 4, "4 of 20 changed prices jumped"),
        (5, 0, 1_000, 199, ""),
        (5, 0, 1_000, 200, "200 of 1000 changed prices jumped"),
    ],
)
def test_what_speaks_against_a_trial(arrived: int, failed: int, changed: int, jumped: int, reason: str) -> None:
    names = tuple(f"c{number}" for number in range(failed))
    about = Standing(market="fr", trial=OPENED, corners=500, arrived=arrived, failed=names, changed=changed, jumped=jumped)
    assert about.reason_to_halt == reason


MANY = {f"l{listing_id}": {"seller_id": "1", "sku_id": "1", "grade": "GOOD", "price": "300.00"} for listing_id in range(31, 52)}


def take_away(hq: Hq, change: dict[str, str], number: int) -> Standing:
    """Put on trial that so many of twenty-five offers are as `change` says; return how the trial stands."""
    hq.change(**MANY)
    taken = {name: MANY[name] | change for name in list(MANY)[:number]}
    feed = world.write_feed(hq.directory / "taken", None, world.listings(**(MANY | taken)))
    import_feed(hq.engine, feed, static=sync_path(hq.directory), progress=quiet, is_withdrawal_meant=True)
    assert publish_market(hq.engine, hq.directory, "fr", shares=CANARY) is not None
    about = seen(hq)
    assert about is not None
    return about


@pytest.mark.parametrize("change", [{"state": "offline"}, {"quantity": "0"}], ids=["withdrawn", "sold out"])
def test_a_trial_from_which_offers_vanish_is_halted_by_itself(hq: Hq, change: dict[str, str]) -> None:
    about = take_away(hq, change, 6)
    assert (about.vanished, about.offered, about.reason_to_halt) == (6, 25, "6 of 25 offers vanish")
    assert halt_failing(hq.engine, hq.directory) == ["fr"]
    assert state_of_trial(hq) == [("halted", "6 of 25 offers vanish")]


def test_a_trial_from_which_a_fifth_of_the_offers_vanish_goes_on(hq: Hq) -> None:
    about = take_away(hq, {"state": "offline"}, 5)
    assert (about.vanished, about.offered, about.reason_to_halt) == (5, 25, "")
    assert halt_failing(hq.engine, hq.directory) == []


def test_offers_that_vanish_with_their_seller_are_counted(hq: Hq) -> None:
    hq.change(**MANY)
    suspended = world.world()
    suspended["sellers"][0]["status"] = "suspended"
    feed = world.write_feed(hq.directory / "suspended", suspended, world.listings(**MANY))
    import_feed(hq.engine, feed, static=sync_path(hq.directory), progress=quiet, is_withdrawal_meant=True)
    assert publish_market(hq.engine, hq.directory, "fr", shares=CANARY) is not None
    about = seen(hq)
    assert about is not None
    assert (about.vanished, about.offered) == (23, 25)


def test_the_rings_of_a_market_are_counted_and_changed(hq: Hq) -> None:
    with reading(hq.engine) as connection:
        assert rings(connection, "fr") == {"canary": 0, "early": 0, "stable": 2}
    for ring in ("early", "canary"):
        set_ring(hq.engine, NANTES, ring)
    with reading(hq.engine) as connection:
        assert rings(connection, "fr") == {"canary": 1, "early": 0, "stable": 1}
        assert [corner_document(connection, corner, slip_prefix="")["ring"] for corner in (NANTES, PARIS)] == ["canary", "stable"]
    with pytest.raises(NotFound):
        set_ring(hq.engine, "nowhere", "canary")


def test_a_kiosk_hears_of_its_ring_with_its_next_message(hq: Hq) -> None:
    before = hq.corner_sha256()
    set_ring(hq.engine, NANTES, "canary")
    answer = hq.up(heartbeat={"publication": 1, "catalog": {}, "corner_sha256": before})
    assert answer.json is not None
    assert answer.json["corner"]["document"]["ring"] == "canary"


def test_a_trial_is_in_the_heads_of_its_rings_alone(hq: Hq) -> None:
    begin(hq)
    on_trial = {}
    for ring in ("canary", "early", "stable"):
        content = announced(sync_path(hq.directory), head_name("fr", ring))
        assert content is not None
        head = decode_head(content)
        on_trial[ring] = head.trial is not None and head.trial.share_bp > 0
    assert on_trial == {"canary": True, "early": False, "stable": False}


def test_a_trial_before_the_first_publication_is_refused(tmp_path: Any) -> None:
    hq = Hq(tmp_path / "hq", None)
    feed = world.write_feed(tmp_path / "two", markets=world.TWO_MARKETS)
    import_feed(hq.engine, feed, static=sync_path(hq.directory), progress=quiet)
    with pytest.raises(NotFound, match="published to everybody first"):
        publish_market(hq.engine, hq.directory, "us", shares=CANARY)
    with pytest.raises(NotFound, match="no market de"):
        publish_market(hq.engine, hq.directory, "de")


def test_an_outlook_says_what_and_for_how_many_and_makes_nothing(hq: Hq) -> None:
    set_ring(hq.engine, NANTES, "canary")
    hq.import_world(l11={"price": "149.00"}, l21=None)
    files = sorted(path.name for path in sync_path(hq.directory).rglob("*"))
    whole = outlook_of_publication(hq.engine, hq.directory, "fr", shares=None)
    some = outlook_of_publication(hq.engine, hq.directory, "fr", shares=CANARY)
    assert whole.preview is not None
    assert (whole.preview.changed["listing"], whole.preview.removed["listing"]) == (1, 1)
    assert [(move.listing_id, move.was_cents, move.now_cents) for move in whole.preview.moves] == [(11, 36_900, 14_900)]
    assert (whole.preview.movement.changed, whole.preview.movement.raised, whole.preview.movement.jumped) == (1, 0, 1)
    assert whole.preview.bytes > 0
    assert (whole.corners, some.corners) == (2, 1)
    assert sorted(path.name for path in sync_path(hq.directory).rglob("*")) == files
    assert hq.rows("select max(publication) as n from sync_publication") == [{"n": 1}]
    assert published_cents(hq) == USUAL_CENTS


def test_a_trial_stands_as_its_corners_report(hq: Hq) -> None:
    assert seen(hq) is None
    done = begin(hq)
    assert done.trial is not None
    name = done.trial.name
    about = seen(hq)
    assert about is not None
    assert (about.trial.trial_id, about.corners, about.arrived, about.failed, about.reason_to_halt) == (name, 1, 0, (), "")
    report(hq, line=name, jumps={"line": name, "publication": 2, "changed": 40, "jumped": 7})
    about = seen(hq)
    assert about is not None
    assert (about.arrived, about.failed, about.changed, about.jumped) == (1, (), 40, 7)
    report(hq, line="", failed={"line": name, "publication": 2, "code": "wrong_root"})
    about = seen(hq)
    assert about is not None
    assert (about.arrived, about.failed) == (0, (NANTES,))


@pytest.mark.parametrize(
    "said",
    [
        {"line": "t1", "failed": {"line": "", "publication": 2, "code": "wrong_root"}},
        {"line": "", "failed": {"line": "t1", "publication": 2, "code": "wrong_root"}},
        {"line": "", "jumps": {"line": "", "publication": 2, "changed": 100, "jumped": 100}},
        {"line": ["t2"], "failed": "t2", "jumps": 7},
        {"line": "t2", "jumps": {"line": "t2", "publication": 2, "changed": "many", "jumped": -4}},
    ],
)
def test_what_is_said_of_other_tracks_or_makes_no_sense_halts_nothing(hq: Hq, said: dict[str, Any]) -> None:
    begin(hq)
    report(hq, **said)
    with later(minutes=1):
        assert halt_failing(hq.engine, hq.directory) == []
    assert state_of_trial(hq) == [("open", None)]


def test_a_report_from_before_the_trial_does_not_count(hq: Hq) -> None:
    hq.up(heartbeat={"publication": 1, "catalog": {}, "failed": {"line": "t2", "publication": 2, "code": "wrong_root"}})
    with later(minutes=1):
        begin(hq)
    assert halt_failing(hq.engine, hq.directory) == []


@pytest.mark.parametrize("column", ["quarantined_at", "superseded_at"])
def test_a_device_that_counts_no_more_halts_nothing(hq: Hq, column: str) -> None:
    name = begin(hq).trial.name  # type: ignore[union-attr]
    report(hq, failed={"line": name, "publication": 2, "code": "wrong_root"})
    hq.write(f"update device set {column} = :now", now=clock.to_text(clock.now()))
    assert halt_failing(hq.engine, hq.directory) == []


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"failed": {"publication": 2, "code": "wrong_root"}}, f"1 of 1 corners could not take it in: {NANTES}"),
        ({"jumps": {"publication": 2, "changed": 20, "jumped": 4}}, "4 of 20 changed prices jumped"),
    ],
)
def test_a_trial_that_fails_is_halted_by_itself(hq: Hq, said: dict[str, dict[str, Any]], reason: str) -> None:
    name = begin(hq).trial.name  # type: ignore[union-attr]
    report(hq, **{what: {"line": name, **about} for what, about in said.items()})
    with later(minutes=1):
        assert halt_failing(hq.engine, hq.directory) == ["fr"]
        assert halt_failing(hq.engine, hq.directory) == []
    assert state_of_trial(hq) == [("halted", reason)]
    assert published_cents(hq) == USUAL_CENTS


def test_a_halt_waits_for_a_publisher_at_work(hq: Hq) -> None:
    name = begin(hq).trial.name  # type: ignore[union-attr]
    report(hq, failed={"line": name, "publication": 2, "code": "wrong_root"})
    with later(minutes=1):
        with at_work(hq):
            assert halt_failing(hq.engine, hq.directory) == []
        assert halt_failing(hq.engine, hq.directory) == ["fr"]


@contextmanager
def at_work(hq: Hq) -> Iterator[None]:
    lock = next((hq.directory / "replica").glob("*.lock"))
    with hold(lock):
        with pytest.raises(Busy):
            halt_trial(hq.engine, hq.directory, "fr", reason="by hand")
        yield


def test_a_trial_advances_ring_by_ring_until_everybody_has_it(hq: Hq) -> None:
    begin(hq)
    assert advance(hq.engine, hq.directory, "fr", ring="early", percent=50) is None
    about = seen(hq)
    assert about is not None
    assert about.trial.shares == {"canary": 10_000, "early": 5_000, "stable": 0}
    assert published_cents(hq) == USUAL_CENTS
    done = advance(hq.engine, hq.directory, "fr", ring="stable", percent=100)
    assert done is not None
    assert published_cents(hq) == ON_TRIAL_CENTS
    assert (seen(hq), state_of_trial(hq)) == (None, [("promoted", "")])
    for act in (
        lambda: advance(hq.engine, hq.directory, "fr", ring="early", percent=100),
        lambda: advance(hq.engine, hq.directory, "fr", ring="stable", percent=100),
        lambda: halt_trial(hq.engine, hq.directory, "fr", reason=""),
    ):
        with pytest.raises(NoTrial):
            act()


def test_what_was_halted_stays_back_until_the_feed_says_something_else(hq: Hq) -> None:
    begin(hq)
    halt_trial(hq.engine, hq.directory, "fr", reason="too cheap")
    assert state_of_trial(hq) == [("halted", "too cheap")]
    hq.change(l11={"price": "349.00"}, l13={"price": "399.00"})
    assert published_cents(hq) == USUAL_CENTS, "the feed still says what was halted"
    hq.change(l11={"price": "355.00"}, l13={"price": "399.00"})
    assert published_cents(hq) == 35_500


def test_slips_cost_what_the_track_of_their_kiosk_said(hq: Hq) -> None:
    """A canary's slip carries the trial's publication, a stable kiosk's the one of HQ's track, before and after the end."""
    done = begin(hq)
    assert done.trial is not None
    trial, stable = done.trial.publication, 1
    hq.import_world(l11={"price": "349.00"}, l13={"price": "399.00"})
    urgent = hq.publish()
    assert urgent is not None
    assert urgent != trial
    assert repriced(hq, publication=trial, counter=1) == ON_TRIAL_CENTS
    assert repriced(hq, publication=stable, counter=2) == USUAL_CENTS
    assert repriced(hq, publication=urgent, counter=3) == (ON_TRIAL_CENTS if track_of(hq, urgent) else USUAL_CENTS)


@pytest.mark.parametrize("end", ["halted", "promoted"])
def test_slips_still_cost_that_after_the_trial_ended(hq: Hq, end: str) -> None:
    """Or what everybody pays by now, where that is less."""
    done = begin(hq)
    assert done.trial is not None
    trial, stable = done.trial.publication, 1
    if end == "halted":
        ended = halt_trial(hq.engine, hq.directory, "fr", reason="").publication
    else:
        ended = advance(hq.engine, hq.directory, "fr", ring="stable", percent=100).publication  # type: ignore[union-attr]
    everybodys = USUAL_CENTS if end == "halted" else ON_TRIAL_CENTS
    assert repriced(hq, publication=trial, counter=1) == ON_TRIAL_CENTS
    assert repriced(hq, publication=stable, counter=2) == everybodys
    assert repriced(hq, publication=ended, counter=3) == everybodys


def test_a_slip_page_says_that_the_price_on_trial_did_not_change(hq: Hq) -> None:
    done = begin(hq)
    assert done.trial is not None
    line = TokenLine(listing_id=11, one_off_cents=ON_TRIAL_CENTS, monthly_cents=0)
    halt_trial(hq.engine, hq.directory, "fr", reason="")
    page = words(hq.client.get(f"/k/{hq.digits(line, publication=done.trial.publication)}"))
    assert "349,00 €" in page
    assert "annonce d’autres montants" not in page


def track_of(hq: Hq, publication: int) -> str:
    found = hq.rows(
        "select line from sync_publication where market = 'fr' and publication = :publication", publication=publication
    )
    return str(found[0]["line"])


def two_markets(hq: Hq, **listings: dict[str, str]) -> None:
    """Import a feed in which listing 13 is sold in dollars."""
    hq.feeds += 1
    supply = world.listings(**{"l13": {"market": "us", "currency": "USD"}, **listings})
    feed = world.write_feed(hq.directory / f"two{hq.feeds}", None, supply, markets=world.TWO_MARKETS)
    import_feed(hq.engine, feed, static=sync_path(hq.directory), progress=quiet)


def test_a_roll_back_goes_through_the_markets_that_have_the_publication(hq: Hq) -> None:
    two_markets(hq)
    publish_all(hq.engine, hq.directory)
    two_markets(hq, l11={"price": "349.00"})
    publish_all(hq.engine, hq.directory)
    assert (last(hq, "fr"), last(hq, "us")) == (3, 1)
    done = roll_back_all(hq.engine, hq.directory, 2)
    assert list(done) == ["fr"], "the other market has no publication 2"
    assert (done["fr"] is not None, published_cents(hq)) == (True, USUAL_CENTS)
    assert roll_back_all(hq.engine, hq.directory, 2) == {"fr": None}
    assert roll_back_all(hq.engine, hq.directory, 1, chosen=["us"]) == {"us": None}
    with pytest.raises(NotFound, match="no publication 99"):
        roll_back_all(hq.engine, hq.directory, 99)
    with pytest.raises(NotFound, match="no market de"):
        roll_back_all(hq.engine, hq.directory, 1, chosen=["de"])


def test_a_roll_back_of_all_markets_does_nothing_while_one_has_a_trial(hq: Hq) -> None:
    two_markets(hq)
    publish_all(hq.engine, hq.directory)
    two_markets(hq, l11={"price": "349.00"})
    publish_all(hq.engine, hq.directory)
    two_markets(hq, l11={"price": "349.00"}, l13={"market": "us", "currency": "USD", "price": "299.00"})
    publish_market(hq.engine, hq.directory, "us", shares=CANARY)
    with pytest.raises(TrialOpen, match="of us"):
        roll_back_all(hq.engine, hq.directory, 1)
    assert published_cents(hq) == ON_TRIAL_CENTS
    assert roll_back_all(hq.engine, hq.directory, 2, chosen=["fr"])["fr"] is not None
    assert published_cents(hq) == USUAL_CENTS


def last(hq: Hq, market: str) -> int:
    return int(hq.rows("select max(publication) as n from sync_publication where market = :market", market=market)[0]["n"])
