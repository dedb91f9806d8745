"""What a seller does with units it sold, from the desk and over the API alike: which are meant, and what goes back of which."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from sqlalchemy import Connection

from marketplace.db import rows
from marketplace.orders.units import Actor, RefundTooHigh, Unit, WrongUnitState, refund, refundable_cents
from marketplace.sellers.orders import PART_ID
from pos.errors import NotFound, Refused

CANCEL_REASONS = ("stock", "defect", "price", "address", "other")
REFUND_REASONS = ("return", "defect", "transit", "late", "goodwill", "other")
BEFORE = {"acceptance": ("to_accept",), "shipment": ("accepted",), "cancellation": ("to_accept", "accepted")}
"""The states in which units may be accepted, shipped or cancelled."""
REFUNDED = ("shipped", "delivered", "returned")
"""What was not shipped is cancelled instead, and all its money goes back."""


class ReasonNeeded(Refused):
    """Units are cancelled and refunded for one of the reasons we know; `data["fields"]` names the field."""


class InvalidAmount(Refused):
    """What was typed is no amount; nothing was refunded."""


class NoUnitChosen(Refused):
    """The form names no unit; nothing was done."""


def read_reason(reason: str, known: Collection[str]) -> str:
    """Return a reason that is known. Raises: ReasonNeeded."""
    if reason not in known:
        raise ReasonNeeded(f"one of {', '.join(known)}", fields={"reason": f"one of {', '.join(known)}"})
    return reason


def units_of_part(connection: Connection, seller_id: int, part_id: str) -> list[Unit]:
    """Return the units of a seller's part. Raises: NotFound, also for another seller's."""
    query = "select * from unit where seller_id = :seller_id and part_id = :part_id order by line_no, unit_no"
    found = rows(connection, query, seller_id=seller_id, part_id=part_id) if PART_ID.fullmatch(part_id) else []
    if not found:
        raise NotFound("no such order")
    return cast(list[Unit], found)


def meant(units: Sequence[Unit], states: Collection[str], named: Collection[tuple[int, int]] | None) -> list[Unit]:
    """Return the units that are named by line and unit, whatever their state; without names those in one of `states`.

    Raises: NotFound, WrongUnitState where none is in such a state.
    """
    if named:
        chosen = [unit for unit in units if (unit["line_no"], unit["unit_no"]) in named]
        if len(chosen) < len(set(named)):
            raise NotFound("no such unit")
        return chosen
    chosen = [unit for unit in units if unit["state"] in states]
    if not chosen:
        raise WrongUnitState(state=units[0]["state"], unit=units[0]["unit_no"])
    return chosen


def refund_units(connection: Connection, units: Sequence[Unit], cents: int | None, actor: Actor) -> None:
    """Give so much of each unit's money back, all that is left of it without `cents`.

    Raises: WrongUnitState for one that was not shipped, RefundTooHigh.
    """
    for unit in units:
        if unit["state"] not in REFUNDED:
            raise WrongUnitState(state=unit["state"], unit=unit["unit_no"])
        left = refundable_cents(unit)
        if not left or cents == 0:
            raise RefundTooHigh(refundable_cents=left, cents=cents)
        refund(connection, unit, left if cents is None else cents, actor)
