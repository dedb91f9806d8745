"""What units do when nobody acts: their seller is reminded, then they are taken away; shipped long ago they have arrived.

Invariant: each unit moves in a transaction of its own, so that one which cannot be moved holds up no other.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, cast

from sqlalchemy import Connection, Engine

from marketplace.db import changed, reading, rows, run_tx
from marketplace.orders.mails import mail_reminder
from marketplace.orders.parts import ACCEPT_WITHIN
from marketplace.orders.plan_waits import end_plans, remind_of_plans
from marketplace.orders.returns import settle_overdue
from marketplace.orders.substitutions import expire_offers, give_up
from marketplace.orders.units import Actor, Unit, WrongUnitState, deliver
from marketplace.running.jobs import Work
from pos import clock
from pos.errors import PosError

EVERY = timedelta(minutes=1)
REMIND_BEFORE = timedelta(hours=6)
"""How long before their time is over a seller's people are reminded: at 18 of 24 hours."""
MOST = 500
LATE = "not accepted in time"
"""Why the timer takes a unit from its seller, in its step."""
logger = logging.getLogger(__name__)


def move_units(work: Work, _body: Mapping[str, Any]) -> str:
    """Do the job of the timer; return who was reminded, units moved, offers that ran out, cases settled, plans given up."""
    reminded = remind_sellers(work.engine, now=work.now) + remind_of_plans(work.engine, now=work.now)
    moved, expired = move_late_units(work.engine, now=work.now), expire_offers(work.engine, now=work.now)
    settled, ended = settle_overdue(work.engine, now=work.now), end_plans(work.engine, now=work.now)
    return f"{reminded} reminded, {moved} moved, {expired} not decided about, {settled} settled, {ended} plans given up"


def remind_sellers(engine: Engine, *, now: datetime) -> int:
    """Remind sellers, once a part, of units they did not accept yet, and return how many parts that were."""
    at = clock.to_text(now)
    query = """
        select seller_id, part_id from part
        where reminded_at is null and accept_by > :at and accept_by <= :soon and exists (
          select 1 from unit
          where unit.seller_id = part.seller_id and unit.part_id = part.part_id and unit.state = 'to_accept'
        )
        order by accept_by limit :most
    """
    with reading(engine) as connection:
        waiting = rows(connection, query, at=at, soon=clock.to_text(now + REMIND_BEFORE), most=MOST)
    return sum(run_tx(engine, partial(_remind, **part, at=at)) for part in waiting)


def _remind(connection: Connection, seller_id: int, part_id: str, *, at: str) -> bool:
    update = "update part set reminded_at = :at where seller_id = :seller_id and part_id = :part_id and reminded_at is null"
    if not changed(connection, update, seller_id=seller_id, part_id=part_id, at=at):
        return False
    mail_reminder(connection, seller_id, part_id)
    return True


def move_late_units(engine: Engine, *, now: datetime) -> int:
    """Take units from sellers who let their time pass, note what must have arrived, and return how many units moved."""
    at, too_late = clock.to_text(now), clock.to_text(now - ACCEPT_WITHIN)
    with reading(engine) as connection:
        waiting = _units(connection, "state = 'to_accept' and since < :before", too_late)
        sent = _units(connection, "state = 'shipped' and arrives_by < :before", at)
    taken = _move(engine, waiting, give_up, Actor(by="timer", at=at, why=LATE))
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
        except PosError:
            logger.exception("a unit cannot be moved")
    return moved
