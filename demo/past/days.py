"""The last days of the demo's own corner: its table looked at each morning, slips that customers took, and what HQ is told.

Everything is done by the kiosk's own functions: what stands in its records was issued, seen and counted there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from demo.past.corners import BUNDLES, OFFERED
from demo.past.kiosk import PastKiosk
from demo.past.story import Story
from marketplace.feeds.content import DESK_SELLERS_FROM
from pos import demo_devices, demo_rounds, helps
from pos.corners import Corner, corner
from pos.line_facts import Wish
from pos.selections import add_line, start_selection
from pos.slips import Slip, issue_slip, load_device, void_slip
from pos.told_days import tell_days

DAYS = 8
MORNING, FIRST_SLIP, OPEN_H = timedelta(hours=7, minutes=40), timedelta(hours=8, minutes=30), 9
"""When the table is looked at and the first customer comes, in UTC, and for how many hours they do."""
A_DEVICE_S = 15
LEAST_SLIPS, MOST_SLIPS = 2, 5
HELPED, VOIDED, ORDERED = 0.4, 0.05, 0.6
"""Which share of slips a clerk helped with, which are voided at once, and which of the others become orders."""
LANGUAGES = ("fr", "fr", "fr", "fr", "fr", "fr", "en", "es")
LOST_DAY, LOST_AT = 3, "C4"
"""On which of the days a device is not at its place; the morning after it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnDays:
    """What happens at the corner day by day; `claim` is what a customer does with a slip's digits at home."""

    kiosk: PastKiosk
    story: Story
    claim: Callable[[str, datetime], None]

    def plan(self) -> None:
        """Plan the last days before the end, and its own as far as it has come."""
        first = self.story.until.replace(hour=0, minute=0, second=0) - timedelta(days=DAYS)
        for day in range(DAYS + 1):
            midnight = first + timedelta(days=day)
            self.story.plan(midnight + MORNING, partial(self._look_at_table, is_one_lost=day == LOST_DAY))
            for _ in range(self.story.chance.randint(LEAST_SLIPS, MOST_SLIPS)):
                self.story.soon(midnight + FIRST_SLIP, 0, OPEN_H, self._take_slip)

    def _look_at_table(self, at: datetime, *, is_one_lost: bool) -> None:
        """Let a clerk go round the table and the kiosk tell of the days that ended."""
        rounds = self.kiosk.rounds
        with rounds.ops.write() as ops:
            own = corner(ops)
            clerk_id = self._clerk(own)
            running = demo_rounds.begin_round(ops, "opening", clerk_id=clerk_id, now=at)
            now = at
            for device in demo_devices.devices(ops, own):
                now += timedelta(seconds=A_DEVICE_S)
                seen_in = None if is_one_lost and device.position == LOST_AT else device.position
                demo_rounds.answer(ops, own, device, seen_in=seen_in, clerk_id=clerk_id, now=now)
            demo_rounds.end_round(ops, own, running.round_no, is_complete=True, clerk_id=clerk_id, now=now)
        tell_days(rounds.ops, own, now=at)
        self.kiosk.follow()

    def _take_slip(self, at: datetime) -> None:
        chance = self.story.chance
        slip = self._issue(at)
        if chance.random() < VOIDED:
            with self.kiosk.rounds.ops.write() as ops:
                void_slip(ops, slip.number, clerk_id=self._clerk(corner(ops)), reason="mistake", now=at)
        elif chance.random() < ORDERED:
            self.story.soon(at, 0.05, 20, partial(self.claim, slip.digits))

    def _issue(self, at: datetime) -> Slip:
        """Make the slip of somebody who chose one device, perhaps with a plan, perhaps with a clerk's help."""
        chance, rounds = self.story.chance, self.kiosk.rounds
        catalog = rounds.catalog.read()
        listing_id, category_id = chance.choice(catalog.execute(OFFERED, [DESK_SELLERS_FROM]).fetchall())
        plans = [plan_id for (plan_id,) in catalog.execute("select plan_id from plan order by plan_id").fetchall()]
        is_bundle = category_id == "phones" and chance.random() < BUNDLES
        wish = Wish(listing_id=listing_id, plan_id=chance.choice(plans) if is_bundle else None)
        language, device = chance.choice(LANGUAGES), load_device(rounds.directory)
        helped_by = self._clerk(corner(rounds.ops.read())) if chance.random() < HELPED else None
        with rounds.ops.write() as ops:
            selection_id = start_selection(ops.execute, now=at)
            add_line(ops.execute, catalog, selection_id, wish=wish, now=at)
            if helped_by is not None:
                helps.take(ops, selection_id, helped_by, now=at)
                helps.hand_back(ops, selection_id, helped_by, now=at)
            return issue_slip(ops, catalog, selection_id, device=device, seen=None, language=language, now=at)

    def _clerk(self, own: Corner) -> str:
        return self.story.chance.choice([clerk["clerk_id"] for clerk in own.clerks])
