"""What any place that keeps selections must do, the kiosk's records and HQ's database alike."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlite_utils import Database

from pos import selections
from pos.errors import NotFound, PriceChanged, TooManyLines
from pos.line_facts import Wish
from pos.selections import Priced
from pos.throttle import Execute
from pos.tokens import MAX_LINES
from tests.world import CHARGER, FORFAIT_5, NOW, REPAIR, SERIE_100, Kiosk

PHONE = Wish(listing_id=101)
BUNDLE = Wish(listing_id=101, plan_id=SERIE_100, option_ids=(REPAIR, CHARGER), acquisition="port")


@dataclass(frozen=True, slots=True)
class Kept:
    """A place that keeps selections, and the catalogue they are priced from."""

    read: Callable[[], AbstractContextManager[Execute]]
    write: Callable[[Callable[[Execute], Any]], Any]
    kiosk: Kiosk
    market: str

    @property
    def catalog(self) -> Database:
        """The small world's catalogue."""
        return self.kiosk.catalog.read()

    def start(self, *wishes: Wish) -> str:
        """Start a selection of these lines."""

        def work(execute: Execute) -> str:
            selection_id = selections.start_selection(execute, now=NOW, market=self.market)
            for wish in wishes:
                selections.add_line(execute, self.catalog, selection_id, wish=wish, now=NOW)
            return selection_id

        return str(self.write(work))

    def add(self, selection_id: str, wish: Wish) -> None:
        """Add a line."""
        self.write(lambda execute: selections.add_line(execute, self.catalog, selection_id, wish=wish, now=NOW))

    def remove(self, selection_id: str, line_no: int, *, minutes: int = 0) -> None:
        """Take a line away, some minutes later."""
        now = NOW + timedelta(minutes=minutes)
        self.write(lambda execute: selections.remove_line(execute, selection_id, line_no, now=now))

    def accept(self, selection_id: str, line_no: int) -> None:
        """Take today's price."""
        self.write(lambda execute: selections.accept_line(execute, self.catalog, selection_id, line_no, now=NOW))

    def priced(self, selection_id: str) -> Priced:
        """Return the selection at today's prices."""
        with self.read() as execute:
            return selections.priced_selection(execute, self.catalog, selection_id, now=NOW)


class SelectionsContract:
    """Runs against the fixture `kept`."""

    def test_lines_come_back_as_they_were_chosen(self, kept: Kept) -> None:
        shown = kept.priced(kept.start(BUNDLE, Wish(plan_id=FORFAIT_5), Wish(listing_id=109, quantity=2)))

        assert [(line.line_no, line.wish.quantity) for line in shown.lines] == [(1, 1), (2, 1), (3, 2)]
        first = shown.lines[0].wish
        assert (first.listing_id, first.plan_id, first.acquisition) == (101, SERIE_100, "port")
        assert (first.option_ids, first.seen_cents) == ((REPAIR, CHARGER), 36900)
        assert shown.lines[1].wish == Wish(plan_id=FORFAIT_5)

    def test_two_selections_never_mix(self, kept: Kept) -> None:
        left, right = kept.start(PHONE), kept.start(Wish(listing_id=109))
        for _ in range(2):
            kept.remove(left, 1)

        assert kept.priced(left).lines == ()
        assert [line.wish.listing_id for line in kept.priced(right).lines] == [109]

    def test_a_line_refused_leaves_nothing(self, kept: Kept) -> None:
        selection_id = kept.start()
        with pytest.raises(PriceChanged):
            kept.add(selection_id, Wish(listing_id=101, seen_cents=36400))

        assert kept.priced(selection_id).lines == ()

    def test_twelve_lines_fit(self, kept: Kept) -> None:
        selection_id = kept.start(*[Wish(plan_id=FORFAIT_5)] * MAX_LINES)
        with pytest.raises(TooManyLines):
            kept.add(selection_id, PHONE)

    def test_a_price_that_moved_can_be_taken(self, kept: Kept) -> None:
        selection_id = kept.start(PHONE)
        with kept.kiosk.catalog.write() as catalog:
            catalog.execute("update listing set price_cents = 35400 where listing_id = 101")
        assert kept.priced(selection_id).lines[0].state in ("changed", "ok")

        kept.accept(selection_id, 1)

        [line] = kept.priced(selection_id).lines
        assert line.state == "ok"

    def test_a_number_is_not_given_again_while_later_lines_stand(self, kept: Kept) -> None:
        selection_id = kept.start(PHONE, Wish(listing_id=109))
        kept.remove(selection_id, 1)
        kept.add(selection_id, Wish(plan_id=FORFAIT_5))

        assert [line.line_no for line in kept.priced(selection_id).lines] == [2, 3]

    def test_what_nobody_touched_is_forgotten_with_its_lines(self, kept: Kept) -> None:
        old, touched = kept.start(PHONE), kept.start(PHONE, Wish(listing_id=109))
        kept.remove(touched, 1, minutes=2)
        spared = kept.write(lambda execute: selections.wipe_old_selections(execute, before=NOW + timedelta(minutes=1), most=0))
        forgotten = kept.write(lambda execute: selections.wipe_old_selections(execute, before=NOW + timedelta(minutes=1), most=9))

        assert (spared, forgotten) == (0, 1)
        with pytest.raises(NotFound):
            kept.priced(old)
        assert len(kept.priced(touched).lines) == 1
        with kept.read() as execute:
            assert execute("select count(*) from selection_line", {}).fetchone()[0] == 1

    def test_nobody_guesses_an_id(self, kept: Kept) -> None:
        """128 bits of chance, after the market."""
        ids = {kept.start() for _ in range(20)}

        assert len(ids) == 20
        assert {selections.market_of(each) for each in ids} == {kept.market}
        assert all(len(each.rpartition(".")[2]) >= 22 for each in ids)

    def test_an_unknown_selection_is_not_found(self, kept: Kept) -> None:
        acts: tuple[Callable[[], object], ...] = (
            lambda: kept.priced("nobody"),
            lambda: kept.add("nobody", PHONE),
            lambda: kept.remove("nobody", 1),
            lambda: kept.accept("nobody", 1),
        )
        for act in acts:
            with pytest.raises(NotFound):
                act()
