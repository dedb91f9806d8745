"""What units do when nobody does anything: not accepted in time they are taken away, shipped long ago they have arrived."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, Engine

from marketplace.db import reading, rows, run_tx
from marketplace.orders.parts import ACCEPT_WITHIN
from marketplace.orders.units import Actor, Unit, WrongUnitState, cancel, deliver
from pos import clock

MOST = 500
LATE = "not accepted in time"
"""Why the timer takes a unit from its seller, in its step."""


def move_late_units(engine: Engine, *, now: datetime) -> int:
    """Take units from sellers who let their time pass, note what must have arrived, and return how many units moved."""
    at, too_late = clock.to_text(now), clock.to_text(now - ACCEPT_WITHIN)
    with reading(engine) as connection:
        waiting = _units(connection, "state = 'to_accept' and since < :before", too_late)
        sent = _units(connection, "state = 'shipped' and arrives_by < :before", at)
    taken = _move(engine, waiting, cancel, Actor(by="timer", at=at, why=LATE))
    return taken + _move(engine, sent, deliver, Actor(by="timer", at=at))


def _units(connection: Connection, condition: str, before: str) -> list[Unit]:
    query = f"select * from unit where {condition} order by since limit :most"
    return cast(list[Unit], rows(connection, query, before=before, most=MOST))


def _move(engine: Engine, units: list[Unit], step: Callable[[Connection, Iterable[Unit], Actor], None], actor: Actor) -> int:
    """Move each unit in a transaction of its own; one that somebody moved meanwhile stays where it is."""
    moved = 0
    for unit in units:

        def work(connection: Connection, unit: Unit = unit) -> None:
            step(connection, [unit], actor)

        try:
            run_tx(engine, work)
            moved += 1
        except WrongUnitState:
            continue
    return moved
