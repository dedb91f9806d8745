"""A seller's parts of orders as the desk and the API show them: what waits for somebody, and what there is in which state.

Invariant: the seller stands in every query; of the customer nothing leaves here but what a parcel needs, while one is to go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypedDict, cast

from sqlalchemy import Connection, bindparam, text

from marketplace.db import rows
from marketplace.orders.order_lines import agreed_listing
from marketplace.orders.parts import ACCEPT_WITHIN
from marketplace.orders.shipments import needs_imei
from marketplace.orders.timeline import UnitOfOrder, UnitStep
from marketplace.orders.units import Unit
from marketplace.sellers.quality_rules import rules_of
from pos import clock
from pos.errors import NotFound

STATES = ("to_accept", "accepted", "shipped", "delivered", "returned", "cancelled")
PAGE, MOST_WAITING = 50, 100
PART_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
NUMBER = re.compile(r"[0-9A-Za-z-]{1,40}", re.ASCII)
AFTER_ALL = "g"
"""Sorts after every part's id, a UUID, in any collation."""

PARTS = """
    select part.part_id, part.number, part.market, part.currency, part.paid_at, part.accept_by, part.changed_no,
      customer_order.facts
    from part
    join customer_order on customer_order.customer_id = part.customer_id and customer_order.order_id = part.order_id
    where part.seller_id = :seller_id and {condition}
"""
UNITS = text(
    "select * from unit where seller_id = :seller_id and part_id in :part_ids order by part_id, line_no, unit_no"
).bindparams(bindparam("part_ids", expanding=True))
PARCELS = text(
    """
    select part.part_id, customer_order.name, customer_order.address
    from part
    join customer_order on customer_order.customer_id = part.customer_id and customer_order.order_id = part.order_id
    where part.seller_id = :seller_id and part.part_id in :part_ids and exists (
      select 1 from unit
      where unit.seller_id = part.seller_id and unit.part_id = part.part_id and unit.state in ('accepted', 'shipped')
    )
    """
).bindparams(bindparam("part_ids", expanding=True))
STEPS = """
    select * from unit_step where seller_id = :seller_id and part_id = :part_id order by at, step_no
"""
PLANS = text(
    """
    select unit.part_id, unit.line_no, max(plan.acknowledged_at) as acknowledged_at,
      max(case when plan.state in ('needs_number', 'to_send', 'sent', 'refused') then 1 else 0 end) as is_waiting
    from unit
    join activation plan on plan.customer_id = unit.customer_id and plan.order_id = unit.order_id and plan.line_no = unit.line_no
    where unit.seller_id = :seller_id and unit.part_id in :part_ids and unit.state = 'accepted'
    group by unit.part_id, unit.line_no
    """
).bindparams(bindparam("part_ids", expanding=True))
IN_STATE = """
    part.part_id in (
      select unit.part_id from unit where unit.seller_id = :seller_id and unit.state = :state and unit.part_id < :before
    )
"""


class Parcel(TypedDict):
    """Whom the parcel of a part goes to."""

    part_id: str
    name: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SellerPart:
    """What a seller sends of one order; `changed_no` grows with every change of it."""

    part_id: str
    number: str
    market: str
    currency: str
    paid_at: str
    accept_by: str
    changed_no: int
    units: list[UnitOfOrder]

    def units_in(self, *states: str) -> list[UnitOfOrder]:
        """Return the units in one of these states."""
        return [unit for unit in self.units if unit.unit["state"] in states]

    def lines_in(self, *states: str) -> dict[int, list[UnitOfOrder]]:
        """Return the units in one of these states by their line."""
        units = self.units_in(*states)
        return {line_no: [each for each in units if each.unit["line_no"] == line_no] for line_no in _lines(units)}

    @property
    def states(self) -> list[str]:
        """The states its units are in, the earliest first."""
        present = {each.unit["state"] for each in self.units}
        return [state for state in STATES if state in present]

    @property
    def owed_cents(self) -> int:
        """What was promised for the units that were not cancelled, before our fee."""
        return sum(each.unit["owed_cents"] for each in self.units if each.unit["state"] != "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingUnits:
    """Units of a part that wait for their seller until `due_at` (UTC text); `left_minutes` of `whole_minutes` may be negative."""

    part: SellerPart
    units: list[UnitOfOrder]
    due_at: str
    left_minutes: int
    whole_minutes: int

    @property
    def owed_cents(self) -> int:
        """What was promised for these units."""
        return sum(each.unit["owed_cents"] for each in self.units)


@dataclass(frozen=True, slots=True, kw_only=True)
class LineToShip:
    """The accepted units of one line, which go in one parcel; `is_phone` tells that each needs its IMEI."""

    wait: WaitingUnits
    is_phone: bool


def waiting(connection: Connection, seller_id: int, state: str, *, now: datetime) -> list[WaitingUnits]:
    """Return what waits to be accepted ("to_accept") or shipped ("accepted"; by the day's rules), the most pressing first."""
    query = PARTS.format(condition=IN_STATE) + " order by part.part_id limit :most"
    pressing = rows(connection, query, seller_id=seller_id, state=state, before=AFTER_ALL, most=MOST_WAITING)
    parts = _parts(connection, seller_id, pressing)
    within, ready = _within(connection, state, now), _ready(connection, seller_id, parts, now)
    waits = [_waiting(part, part.units_in(state), within, ready, now) for part in parts]
    return sorted(waits, key=lambda each: each.due_at)


def lines_to_ship(connection: Connection, part: SellerPart, *, now: datetime) -> list[LineToShip]:
    """Return the lines of a part that wait to be shipped, each with its time."""
    within, lines = _within(connection, "accepted", now), part.lines_in("accepted").values()
    ready = _ready(connection, part.units[0].unit["seller_id"], [part], now)
    return [
        LineToShip(wait=_waiting(part, units, within, ready, now), is_phone=needs_imei(connection, units[0].unit["sku_id"]))
        for units in lines
    ]


def parts_of_seller(
    connection: Connection, seller_id: int, *, state: str | None, number: str, before: str | None, most: int = PAGE
) -> list[SellerPart]:
    """Return a seller's parts, the newest first: those with a unit in `state`, whose number begins so, older than `before`."""
    conditions = ["part.part_id < :before"]
    values: dict[str, Any] = {"before": before if before and PART_ID.fullmatch(before) else AFTER_ALL}
    if state is not None:
        conditions.append(IN_STATE)
        values["state"] = state
    if number and not NUMBER.fullmatch(number):
        return []
    if number:
        conditions.append("upper(part.number) like :number")
        values["number"] = f"{number.upper()}%"
    query = PARTS.format(condition=" and ".join(conditions)) + " order by part.part_id desc limit :most"
    return _parts(connection, seller_id, rows(connection, query, seller_id=seller_id, most=most, **values))


def part_of_seller(connection: Connection, seller_id: int, part_id: str) -> SellerPart:
    """Return one part with the steps of its units. Raises: NotFound, also for another seller's."""
    query = PARTS.format(condition="part.part_id = :part_id")
    own = rows(connection, query, seller_id=seller_id, part_id=part_id) if PART_ID.fullmatch(part_id) else []
    if not own:
        raise NotFound("no such order")
    steps = cast(list[UnitStep], rows(connection, STEPS, seller_id=seller_id, part_id=part_id))
    return _parts(connection, seller_id, own, steps)[0]


def changed_parts(connection: Connection, seller_id: int, *, since: int, most: int) -> list[SellerPart]:
    """Return a seller's parts that changed after `since`, in the order in which they last did."""
    query = PARTS.format(condition="part.changed_no > :since") + " order by part.changed_no limit :most"
    return _parts(connection, seller_id, rows(connection, query, seller_id=seller_id, since=since, most=most))


def parcels(connection: Connection, seller_id: int, part_ids: Sequence[str]) -> dict[str, Parcel]:
    """Return by part whom its parcel goes to, where a unit of it is to be sent or on its way."""
    keys = {"seller_id": seller_id, "part_ids": list(part_ids)}
    found = connection.execute(PARCELS, keys).mappings() if part_ids else ()
    return {to["part_id"]: cast(Parcel, dict(to)) for to in found}


def _parts(
    connection: Connection, seller_id: int, stored: list[dict[str, Any]], steps: Sequence[UnitStep] = ()
) -> list[SellerPart]:
    if not stored:
        return []
    keys = {"seller_id": seller_id, "part_ids": [part["part_id"] for part in stored]}
    units = [cast(Unit, dict(unit)) for unit in connection.execute(UNITS, keys).mappings()]
    parts = []
    for part in stored:
        lines = json.loads(part.pop("facts"))["lines"]
        own = [unit for unit in units if unit["part_id"] == part["part_id"]]
        parts.append(SellerPart(**part, units=[_unit(unit, lines, steps) for unit in own]))
    return parts


def _unit(unit: Unit, lines: Any, steps: Sequence[UnitStep]) -> UnitOfOrder:
    own = [step for step in steps if (step["line_no"], step["unit_no"]) == (unit["line_no"], unit["unit_no"])]
    return UnitOfOrder(unit=unit, listing=agreed_listing(lines, unit), steps=own)


def _within(connection: Connection, state: str, now: datetime) -> timedelta:
    """Return how long units may be in a state before they are late, by the day's rules."""
    return timedelta(hours=rules_of(connection, clock.to_text(now)[:10]).ship_h) if state == "accepted" else ACCEPT_WITHIN


def _ready(connection: Connection, seller_id: int, parts: Sequence[SellerPart], now: datetime) -> dict[tuple[str, int], str]:
    """Return since when accepted lines with a plan can be shipped, by part and line: from now on at best while it waits."""
    keys = {"seller_id": seller_id, "part_ids": [part.part_id for part in parts]}
    plans = connection.execute(PLANS, keys).mappings() if parts else ()
    at = clock.to_text(now)
    return {(plan["part_id"], plan["line_no"]): at if plan["is_waiting"] else plan["acknowledged_at"] or "" for plan in plans}


def _waiting(
    part: SellerPart, units: list[UnitOfOrder], within: timedelta, ready: dict[tuple[str, int], str], now: datetime
) -> WaitingUnits:
    begun = (max(each.unit["since"], ready.get((part.part_id, each.unit["line_no"]), "")) for each in units)
    due = clock.from_text(min(begun)) + within
    left, whole = (int(time.total_seconds() // 60) for time in (due - now, within))
    return WaitingUnits(part=part, units=units, due_at=clock.to_text(due), left_minutes=left, whole_minutes=whole)


def _lines(units: Sequence[UnitOfOrder]) -> list[int]:
    return sorted({each.unit["line_no"] for each in units})
