"""Until when each right lasts: the vectors of reference/domain.md §1, the edges of days, and what holds for any dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.orders.cases import UnitCase
from marketplace.orders.rights import RETURN_DAYS, guarantees_of, months_after, return_period, withdrawal_period
from marketplace.orders.units import Unit
from pos import clock
from pos.laws import GuaranteeLaw

PARIS, NEW_YORK = "Europe/Paris", "America/New_York"
MOMENTS = st.datetimes(datetime(2022, 1, 1), datetime(2035, 12, 31), timezones=st.just(UTC)).map(  # noqa: DTZ001 - in UTC
    lambda at: clock.to_text(at.replace(microsecond=0))
)


def unit(state: str = "delivered", *, delivered: str | None = None, arrives_by: str | None = None) -> Unit:
    facts: dict[str, Any] = {"state": state, "delivered_at": delivered, "arrives_by": arrives_by}
    return facts  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("delivered", "last_day", "ends_at"),
    [
        ("2026-11-09T09:00:00Z", "2026-11-23", "2026-11-23T23:00:00Z"),
        ("2026-11-09T22:59:59Z", "2026-11-23", "2026-11-23T23:00:00Z"),
        ("2026-11-09T23:00:00Z", "2026-11-24", "2026-11-24T23:00:00Z"),
        ("2026-07-01T21:59:00Z", "2026-07-15", "2026-07-15T22:00:00Z"),
        ("2026-10-14T08:00:00Z", "2026-10-28", "2026-10-28T23:00:00Z"),
        ("2026-11-07T09:00:00Z", "2026-11-23", "2026-11-23T23:00:00Z"),
        ("2026-11-08T09:00:00Z", "2026-11-23", "2026-11-23T23:00:00Z"),
        ("2026-12-11T09:00:00Z", "2026-12-28", "2026-12-28T23:00:00Z"),
        ("2026-03-23T09:00:00Z", "2026-04-07", "2026-04-07T22:00:00Z"),
        ("2026-04-30T09:00:00Z", "2026-05-15", "2026-05-15T22:00:00Z"),
        ("2026-05-11T09:00:00Z", "2026-05-26", "2026-05-26T22:00:00Z"),
    ],
    ids=[
        "a Monday",
        "the last second of the day",
        "the first second of the next day",
        "in summer",
        "across the end of summer time",
        "ends on a Saturday",
        "ends on a Sunday",
        "ends on Christmas, then a weekend",
        "ends on Easter Monday",
        "ends on Ascension Day",
        "ends on Whit Monday",
    ],
)
def test_a_withdrawal_lasts_fourteen_days_to_the_end_of_a_working_day(delivered: str, last_day: str, ends_at: str) -> None:
    period = withdrawal_period([unit(delivered=delivered)], 14, PARIS)
    assert period is not None
    assert (period.last_day, period.ends_at) == (last_day, ends_at)
    last_second = clock.to_text(clock.from_text(ends_at) - timedelta(seconds=1))
    assert (period.is_open(last_second), period.is_open(ends_at)) == (True, False)


def test_the_last_unit_of_a_part_decides() -> None:
    first, last = unit(delivered="2026-11-02T09:00:00Z"), unit(delivered="2026-11-10T09:00:00Z")
    period = withdrawal_period([first, unit("cancelled"), last], 14, PARIS)
    assert period is not None
    assert period.last_day == "2026-11-24"


def test_before_everything_left_the_right_has_no_end() -> None:
    period = withdrawal_period([unit(delivered="2026-11-02T09:00:00Z"), unit("accepted")], 14, PARIS)
    assert period is not None
    assert period.last_day is None
    assert period.is_open("2999-01-01T00:00:00Z")


def test_a_parcel_nobody_speaks_of_ends_the_right_by_its_promised_days() -> None:
    sent = unit("shipped", arrives_by="2026-11-10T09:00:00Z")
    period = withdrawal_period([sent], 14, PARIS)
    assert period is not None
    assert (period.last_day, period.ends_at) == (None, "2026-11-24T23:00:00Z")


def test_what_was_cancelled_is_not_withdrawn_from_and_a_market_without_the_law_has_our_own_days_alone() -> None:
    assert withdrawal_period([unit("cancelled")], 14, PARIS) is None
    assert withdrawal_period([unit(delivered="2026-11-02T09:00:00Z")], None, NEW_YORK) is None
    period = return_period([unit(delivered="2026-11-02T09:00:00Z")], NEW_YORK)
    assert period is not None
    assert (period.last_day, period.ends_at) == ("2026-12-02", "2026-12-03T05:00:00Z")


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2026, 11, 29), 24, date(2028, 11, 29)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2026, 8, 31), 6, date(2027, 2, 28)),
        (date(2026, 12, 31), 1, date(2027, 1, 31)),
    ],
)
def test_months_end_on_the_same_day_or_the_last_of_a_shorter_month(day: date, months: int, later: date) -> None:
    assert months_after(day, months) == later


@given(MOMENTS, st.sampled_from([PARIS, NEW_YORK, "Pacific/Auckland"]))
def test_no_delivery_gives_fewer_than_the_promised_days_and_our_own_period_is_no_longer_by_a_day(at: str, zone: str) -> None:
    law, own = withdrawal_period([unit(delivered=at)], 14, zone), return_period([unit(delivered=at)], zone)
    assert law is not None
    assert own is not None
    assert law.last_day is not None
    # A day that loses an hour in spring is a day of the calendar all the same.
    assert law.is_open(clock.to_text(clock.from_text(at) + timedelta(days=14, hours=-1)))
    assert date.fromisoformat(law.last_day).weekday() < 5
    begins = date.fromisoformat(clock.local_day(clock.from_text(at), zone))
    assert timedelta(14) <= date.fromisoformat(law.last_day) - begins <= timedelta(19)
    assert own.last_day == (begins + timedelta(RETURN_DAYS)).isoformat()


def case(state: str, since: str, *, ground: str = "legal", wish: str = "repair") -> UnitCase:
    facts: dict[str, Any] = {"ground": ground, "state": state, "since": since, "wish": wish}
    return facts  # type: ignore[return-value]


FRANCE: GuaranteeLaw = {"months": 24, "presumed_months": 12, "repair_adds_months": 6, "renewed_by_replacement": True}
GERMANY: GuaranteeLaw = {"months": 24, "presumed_months": 12}


def guarantees(
    *cases: UnitCase, at: str = "2026-11-09T23:30:00Z", law: GuaranteeLaw = FRANCE
) -> tuple[str | None, str | None, str | None]:
    """Return the last days of the law's guarantee, of its presumption, and of a seller's twelve months."""
    given = guarantees_of(unit(delivered=at), cases, legal_months=24, law=law, own_months=12, zone=PARIS)
    assert given is not None
    assert given.legal is not None
    assert given.presumed is not None
    assert given.commercial is not None
    return given.legal.last_day, given.presumed.last_day, given.commercial.last_day


def test_each_guarantee_has_its_own_clock_from_the_local_day_of_delivery() -> None:
    assert guarantees() == ("2028-11-10", "2027-11-10", "2027-11-10")


def test_each_repair_under_the_law_adds_six_months_to_the_laws_guarantee_alone() -> None:
    once, twice = case("repaired", "2027-02-01T10:00:00Z"), case("repaired", "2027-06-01T10:00:00Z")
    assert guarantees(once) == ("2029-05-10", "2027-11-10", "2027-11-10")
    assert guarantees(twice, once) == ("2029-11-10", "2027-11-10", "2027-11-10")
    for other in (case("repaired", "2027-02-01T10:00:00Z", ground="commercial"), case("received", "2027-02-01T10:00:00Z")):
        assert guarantees(other) == guarantees()


def test_a_replacement_that_the_seller_chose_begins_the_guarantee_anew() -> None:
    assert guarantees(case("replaced", "2027-03-31T22:30:00Z")) == ("2029-04-01", "2028-04-01", "2027-11-10")
    assert guarantees(case("replaced", "2027-03-31T22:30:00Z", wish="replacement")) == guarantees()


def test_where_the_law_gives_nothing_more_for_it_neither_repair_nor_replacement_prolongs_the_guarantee() -> None:
    for done in (case("repaired", "2027-02-01T10:00:00Z"), case("replaced", "2027-03-31T22:30:00Z")):
        assert guarantees(done, law=GERMANY) == guarantees(law=GERMANY) == ("2028-11-10", "2027-11-10", "2027-11-10")


def test_what_did_not_arrive_or_went_back_has_no_guarantee_to_claim_under() -> None:
    for state in ("shipped", "returned", "cancelled"):
        gone = unit(state, delivered="2026-11-09T09:00:00Z")
        assert guarantees_of(gone, [], legal_months=24, law=FRANCE, own_months=12, zone=PARIS) is None


@given(MOMENTS, st.lists(st.sampled_from(["repaired", "refused", "replaced"]), max_size=4))
def test_nothing_a_seller_does_shortens_a_guarantee(at: str, states: list[str]) -> None:
    cases = [
        case(state, clock.to_text(clock.from_text(at) + timedelta(days=60 * number)), wish="repair")
        for number, state in enumerate(states, start=1)
    ]
    assert guarantees(*cases, at=at)[0] >= guarantees(at=at)[0]  # type: ignore[operator]
