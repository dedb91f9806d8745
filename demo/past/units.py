"""What became of the units of the past's orders: accepted, shipped and delivered, given up, sent back, or paid back in part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from sqlalchemy import Connection, Engine
from stdnum import luhn

from demo.past.returns import WayBack
from demo.past.sellers import DeskSeller
from demo.past.story import Act, Story
from marketplace.db import reading, run_tx
from marketplace.orders.activations import ActivationPending
from marketplace.orders.orders import Order
from marketplace.orders.shipments import Shipment
from marketplace.orders.substitutions import give_up
from marketplace.orders.units import (
    Actor,
    Unit,
    accept,
    cancel,
    deliver,
    refund,
    refundable_cents,
    ship,
    units_of_order,
)
from pos import clock

CARRIERS = (("Colissimo", "6A"), ("Chronopost", "XK"), ("Mondial Relay", "24"))
PHONES_FROM = 35_700_000_000_000
CHANGED_MIND = 0.04
"""Which share of units their customer cancels."""
GIVEN_UP, WAITED_OUT = {False: 0.02, True: 0.1}, {False: 0.0, True: 0.1}
"""Which share their seller gives up, and lets pass, by whether it is a slow one; the others give up one at most, as HQ asks."""
SAID_SO = 0.7
"""Which share of arrivals their customer confirms."""
EVERY, SENT_BACK, GOODWILL = 10, 2, 5
"""Of so many arrivals, which one comes back, and which is paid back in part."""
Step = Callable[[Connection, Iterable[Unit], Actor], None]


@dataclass(slots=True, kw_only=True)
class Handling:
    """What sellers and customers do about units that were paid; `phones` are the SKUs that ship with an IMEI.

    `disputed` are the orders whose money the customer's bank claims back: nothing else goes back of them.
    """

    engine: Engine
    story: Story
    sellers: Mapping[int, DeskSeller]
    phones: frozenset[int]
    disputed: set[str] = field(default_factory=set)
    gave_up: set[int] = field(default_factory=set)
    shipped: int = 0
    arrived: int = 0

    def plan(self, placed: Order, *, at: datetime) -> None:
        """Plan the life of each unit of an order that was paid."""
        with reading(self.engine) as connection:
            units = units_of_order(connection, placed["order_id"])
        for unit in sorted(units, key=lambda unit: (unit["seller_id"], unit["line_no"], unit["unit_no"])):
            seller = self.sellers.get(unit["seller_id"])
            if seller is not None:
                self._plan(unit, seller, at)

    def _plan(self, unit: Unit, seller: DeskSeller, at: datetime) -> None:
        chance = self.story.chance.random() if unit["order_id"] not in self.disputed else 1.0
        may_give_up = seller.is_slow or seller.seller_id not in self.gave_up
        given_up = CHANGED_MIND + (GIVEN_UP[seller.is_slow] if may_give_up else 0)
        by = f"seller:{seller.person}"
        if chance < CHANGED_MIND:
            self.story.soon(at, 0.5, 6, self._step(unit, cancel, "customer"))
        elif chance < given_up:
            self.gave_up.add(seller.seller_id)
            self.story.soon(at, 1, 20, self._step(unit, give_up, by, "stock"))
        elif chance > given_up + WAITED_OUT[seller.is_slow]:
            self.story.soon(at, 1, 12, partial(self._accept, unit, by))

    def _accept(self, unit: Unit, by: str, at: datetime) -> None:
        self._step(unit, accept, by)(at)
        self.story.soon(at, 4, 30, partial(self._ship, unit, by))

    def _ship(self, unit: Unit, by: str, at: datetime) -> None:
        self.shipped += 1
        carrier, start = self.story.chance.choice(CARRIERS)
        tracking = f"{start}{self.story.chance.randrange(10**11):011}"
        body = str(PHONES_FROM + self.shipped * 7919)[:14]
        imeis = {unit["unit_no"]: body + luhn.calc_check_digit(body)} if unit["sku_id"] in self.phones else {}
        serials = {} if imeis else {unit["unit_no"]: f"C0{self.story.chance.randrange(16**8):08X}"}
        shipment = Shipment(carrier=carrier, tracking=tracking, imeis=imeis, serials=serials)

        def work(connection: Connection, units: Iterable[Unit], actor: Actor) -> None:
            ship(connection, units, shipment, actor)

        try:
            self._step(unit, work, by)(at)
        except ActivationPending:
            self.story.soon(at, 12, 24, partial(self._ship, unit, by))
            return
        if self.story.chance.random() < SAID_SO:
            self.story.soon(at, 24, 80, partial(self._arrive, unit, by))

    def _arrive(self, unit: Unit, by: str, at: datetime) -> None:
        self._step(unit, deliver, "customer")(at)
        if unit["order_id"] in self.disputed:
            return
        self.arrived += 1
        if self.arrived % EVERY == SENT_BACK:
            back = WayBack(engine=self.engine, story=self.story, unit=unit, by=by)
            self.story.soon(at, 10, 90, back.announce)
        elif self.arrived % EVERY == GOODWILL:
            self.story.soon(at, 4, 60, self._step(unit, _make_good, by, "goodwill"))

    def _step(self, unit: Unit, step: Step, by: str, why: str = "") -> Act:
        """Return the act that takes a unit, as it then is, one step further."""

        def act(at: datetime) -> None:
            def work(connection: Connection) -> None:
                step(connection, [_now(connection, unit)], Actor(by=by, at=clock.to_text(at), why=why))

            run_tx(self.engine, work)

        return act


def _now(connection: Connection, unit: Unit) -> Unit:
    key = ("part_id", "line_no", "unit_no")
    units = units_of_order(connection, unit["order_id"])
    return next(each for each in units if all(each[name] == unit[name] for name in key))  # type: ignore[literal-required]


def _make_good(connection: Connection, units: Iterable[Unit], actor: Actor) -> None:
    """Give a tenth of units' money back for a scratch nobody had mentioned."""
    for unit in units:
        refund(connection, unit, refundable_cents(unit) // 10, actor)
