"""Plans that wait for their customer: given up by choice, reminded of, and given up when the time for an answer is over.

Invariant: a device that was to be sold with a plan given up here is not sold without it: it is cancelled and its money goes back,
since its price was that of both (DESIGN §8).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine

from marketplace.db import changed, reading, rows, run_tx
from marketplace.orders.activations import Activation, ActivationMoved, activation_of, give_up
from marketplace.orders.step_mails import mail_plan, mail_step
from marketplace.orders.substitutions import OFFERS, decide
from marketplace.orders.units import Actor, Unit, cancel, units_of_order
from pos import clock
from pos.errors import PosError

REMIND_BEFORE = timedelta(days=2)
"""How long before its end the customer of a waiting plan is reminded."""
MOST = 200
UNANSWERED = "no answer about its plan in time"
"""Why a unit is cancelled whose plan waited in vain, in its step."""
logger = logging.getLogger(__name__)


def drop_plan(connection: Connection, asked: Activation, actor: Actor) -> list[Unit]:
    """Give a waiting plan up with the device it was sold with, and return that; none where it left before or was none.

    Of a device that its seller gave up, the offer that stands in for it ends. In the caller's transaction.
    Raises: ActivationMoved, ChoiceMade.
    """
    give_up(connection, asked, at=actor.at)
    offers = rows(connection, OFFERS, order_id=asked["order_id"])
    offered = {(offer["part_id"], offer["line_no"], offer["unit_no"]) for offer in offers}
    of_line = [unit for unit in units_of_order(connection, asked["order_id"]) if unit["line_no"] == asked["line_no"]]
    kept = [unit for unit in of_line if unit["state"] in ("to_accept", "accepted")]
    lost = [unit for unit in of_line if (unit["part_id"], unit["line_no"], unit["unit_no"]) in offered]
    sold_with = sorted([*lost, *kept], key=lambda unit: unit["unit_no"] != asked["unit_no"])[:1]
    if sold_with and sold_with[0] in lost:
        decide(connection, sold_with[0], "declined" if actor.by == "customer" else "expired", actor)
        mail_step(connection, "units_cancelled", sold_with, facts={"by": actor.by})
    else:
        cancel(connection, sold_with, actor)
    return sold_with


def remind_of_plans(engine: Engine, *, now: datetime) -> int:
    """Remind customers, once a wait, of plans that are soon given up, and return how many that were."""
    with reading(engine) as connection:
        soon = _waiting(connection, "reminded_at is null and decide_by <= :until", now + REMIND_BEFORE)
    return sum(_tried(engine, partial(_remind, plan=plan, at=clock.to_text(now))) for plan in soon)


def end_plans(engine: Engine, *, now: datetime) -> int:
    """Give up the plans that waited in vain, each in a transaction of its own, and return how many that were."""
    actor = Actor(by="plan", at=clock.to_text(now), why=UNANSWERED)
    with reading(engine) as connection:
        late = _waiting(connection, "decide_by < :until", now)
    return sum(_tried(engine, partial(_end, plan=plan, actor=actor)) for plan in late)


def _waiting(connection: Connection, condition: str, until: datetime) -> list[dict[str, Any]]:
    query = f"""
        select customer_id, activation_id, order_id, line_no, unit_no, decide_by from activation
        where {condition} order by decide_by limit :most
    """
    return rows(connection, query, until=clock.to_text(until), most=MOST)


def _tried(engine: Engine, step: Any) -> bool:
    """Take a step of one plan; one that moved meanwhile, or cannot be helped, holds up no other."""
    try:
        return bool(run_tx(engine, step))
    except ActivationMoved:
        return False
    except PosError:
        logger.exception("a plan that waits cannot be moved")
        return False


def _remind(connection: Connection, *, plan: Mapping[str, Any], at: str) -> bool:
    update = """
        update activation set reminded_at = :at
        where customer_id = :customer_id and activation_id = :activation_id and decide_by = :decide_by and reminded_at is null
    """
    key = {name: plan[name] for name in ("customer_id", "activation_id", "decide_by")}
    if not changed(connection, update, **key, at=at):
        return False
    mail_plan(connection, activation_of(connection, plan["order_id"], plan["line_no"], plan["unit_no"]), unique=":again")
    return True


def _end(connection: Connection, *, plan: Mapping[str, Any], actor: Actor) -> bool:
    asked = activation_of(connection, plan["order_id"], plan["line_no"], plan["unit_no"])
    if asked["decide_by"] != plan["decide_by"]:
        return False
    if not drop_plan(connection, asked, actor):
        mail_plan(connection, asked, template="plan_ended")
    return True
