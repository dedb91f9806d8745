"""What came back in the past: announced by its customer, sent, received by its seller and paid back; some are under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Engine

from demo.past.story import Story
from marketplace.db import run_tx
from marketplace.orders.cases import UnitCase, cases_of_order, is_case_of, receive, send, settle, unit_of_case
from marketplace.orders.order_pages import zone_of
from marketplace.orders.orders import order
from marketplace.orders.returns import ask_return
from marketplace.orders.timeline import parts_of_order, unit_name
from marketplace.orders.units import Actor, Unit
from pos import clock

SAID = (
    "La couleur ne me plaît pas.",
    "L’écran a un point lumineux en bas à gauche.",
    "Trop grand pour la poche.",
    "La batterie tient moins longtemps que je ne pensais.",
    "",
)
Move = Callable[[Connection, UnitCase, Actor], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class WayBack:
    """A unit on its way back to its seller, whose person `by` acts for it."""

    engine: Engine
    story: Story
    unit: Unit
    by: str

    def announce(self, at: datetime) -> None:
        """Announce it at the order's page; the rest follows in days."""
        said = self.story.chance.choice(SAID)

        def work(connection: Connection) -> None:
            placed = order(connection, self.unit["order_id"])
            actor = Actor(by="customer", at=clock.to_text(at))
            parts = parts_of_order(connection, placed)
            ask_return(connection, placed, parts, {unit_name(self.unit)}, said, zone=zone_of(placed), actor=actor)

        run_tx(self.engine, work)
        sent = partial(_send, f"8R{self.story.chance.randrange(10**11):011}")
        moves = (((12, 60), sent, "customer"), ((84, 132), receive, self.by), ((134, 170), _pay_back, self.by))
        for (least_h, most_h), move, by in moves:
            self.story.soon(at, least_h, most_h, partial(self._move, move, by))

    def _move(self, move: Move, by: str, at: datetime) -> None:
        def work(connection: Connection) -> None:
            cases = cases_of_order(connection, self.unit["order_id"])
            case = next(case for case in cases if is_case_of(case, self.unit))
            move(connection, case, Actor(by=by, at=clock.to_text(at)))

        run_tx(self.engine, work)


def _send(tracking: str, connection: Connection, case: UnitCase, actor: Actor) -> None:
    send(connection, case, tracking, actor)


def _pay_back(connection: Connection, case: UnitCase, actor: Actor) -> None:
    settle(connection, case, unit_of_case(connection, case), None, actor)
