"""What happens when: acts in the order of their moments, each with the product's clock held at its own."""

from __future__ import annotations

import heapq
import itertools
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pos import clock
from pos.errors import PosError

EVENING, MORNING, NIGHT = 21, 5, timedelta(hours=8)
"""The hours, UTC, between which nobody does anything, and how many they are."""
Act = Callable[[datetime], None]
logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Story:
    """Acts that wait for their moment. Nothing of it happens after `until`: what would is left undone, as on any other day.

    `chance` is the one source of chance, drawn from in the order of the acts: the same seed tells the same story.
    """

    until: datetime
    chance: random.Random
    refused: int = 0
    _waiting: list[tuple[datetime, int, Act]] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def plan(self, at: datetime, act: Act) -> None:
        """Let `act` happen at a moment; it is called with that moment."""
        heapq.heappush(self._waiting, (at.replace(microsecond=0), next(self._numbers), act))

    def soon(self, at: datetime, least_h: float, most_h: float, act: Act) -> None:
        """Let `act` happen some hours after a moment, by day: what would happen at night happens the morning after."""
        moment = at + timedelta(hours=least_h + (most_h - least_h) * self.chance.random())
        self.plan(moment + NIGHT if moment.hour >= EVENING or moment.hour < MORNING else moment, act)

    def tell(self) -> None:
        """Let everything happen whose moment comes before the end.

        What the product refuses is left undone: a device sold out meanwhile, a unit that somebody else moved.
        """
        while self._waiting and self._waiting[0][0] < self.until:
            at, _, act = heapq.heappop(self._waiting)
            try:
                with clock.held_at(at):
                    act(at)
            except PosError as problem:
                self.refused += 1
                logger.info("%s: %s", clock.to_text(at), problem.code)
