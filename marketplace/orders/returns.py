"""Withdrawals and returns: what a customer declares, the record of it, and what then happens to each unit.

Invariant: a declaration and its record are one transaction; the record is written once, and a mail with the same words leaves
with it (D221-5: content, date and time, on a durable medium).
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import NotRequired, TypedDict, cast

from sqlalchemy import Connection, Engine

from marketplace import tables
from marketplace.db import changed, reading, row, rows, run_tx
from marketplace.orders.activations import withdraw_plan
from marketplace.orders.cases import (
    MOST_WORDS,
    OPEN,
    CaseIncomplete,
    CaseRequest,
    UnitCase,
    WrongCaseState,
    cases_of_order,
    is_case_of,
    open_case,
    settle,
    supersede,
    unit_of_case,
)
from marketplace.orders.contacts import UNWRITABLE
from marketplace.orders.mails import mail_case_moved, mail_case_opened, mail_withdrawal
from marketplace.orders.orders import Order
from marketplace.orders.plan_rights import LeftPlan, PlanRight, plan_rights, plans_to_spare, standing_plans
from marketplace.orders.rights import Period, return_period, withdrawal_period
from marketplace.orders.timeline import PartOfOrder, UnitOfOrder
from marketplace.orders.units import Actor, Unit, cancel, units_of_order
from pos import clock
from pos.bodies import Names
from pos.errors import Conflict, NotFound, PosError

MOST_OVERDUE = 200
UNSHIPPED = ("to_accept", "accepted")
KEPT = (*UNSHIPPED, "shipped", "delivered")
TAKEN_BACK = "sent back and not answered in time"
"""Why the timer settles a case, in its step."""
logger = logging.getLogger(__name__)


class RightOver(Conflict):
    """The period of this right is over, or it never began; nothing was declared."""


class WithdrawnUnit(TypedDict):
    """What was withdrawn from: a device with its seller and the number of that seller's part, or a plan of a carrier."""

    title: str
    plan: NotRequired[Names]
    seller: str
    number: str
    is_sent_back: bool


class Declaration(TypedDict):
    """What was declared, as acknowledged: the order's number, the units, and whom it came from, masked.

    `left` are the plans that stay though the devices they were sold with go back.
    """

    number: str
    name: str
    email: str
    units: list[WithdrawnUnit]
    left: NotRequired[list[LeftPlan]]
    zone: str
    withdrawal_no: NotRequired[int]
    declared_at: NotRequired[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartRights:
    """Until when one seller's part can be withdrawn from or sent back, and the units that either can be said of now."""

    part: PartOfOrder
    withdrawal: Period | None
    returns: Period | None
    withdrawable: list[UnitOfOrder]
    returnable: list[UnitOfOrder]


def rights_of(order: Order, parts: Sequence[PartOfOrder], cases: Sequence[UnitCase], *, zone: str, at: str) -> list[PartRights]:
    """Return the rights to change one's mind about each part, at a moment (UTC text)."""
    return [_rights(order, part, cases, zone, at) for part in parts]


def withdraw(
    connection: Connection, order: Order, parts: Sequence[PartOfOrder], named: set[str], statement: Declaration, actor: Actor
) -> int:
    """Declare that units are withdrawn from, and return the number of the record, in the caller's transaction.

    What was not shipped is cancelled and refunded at once, with its plan; the rest is to be sent back, and leaves its plan unless
    that is named, too. Raises: NotFound, RightOver, CaseOpen, CaseIncomplete.
    """
    cases = cases_of_order(connection, order["order_id"])
    every = rights_of(order, parts, cases, zone=statement["zone"], at=actor.at)
    chosen = [(rights.part, each) for rights in every for each in rights.withdrawable if each.name in named]
    plans = [each for each in plan_rights(connection, order, zone=statement["zone"], at=actor.at) if each.name in named]
    devices = {name for name in named if not name.startswith("plan:")}
    if len(devices) + len(plans) < len(named):
        raise RightOver("no plan that can be withdrawn from any more")
    if devices or not plans:
        _refuse_others(parts, devices, {each.name for _, each in chosen})
    early = [each.unit for _, each in chosen if each.unit["state"] in UNSHIPPED]
    cancel(connection, early, actor)
    asked = CaseRequest(ground="withdrawal", wish="refund", said="", is_granted=True)
    sent_back = [each.unit for _, each in chosen if each.unit["state"] not in UNSHIPPED]
    for case in cases:
        if case["state"] in OPEN and any(is_case_of(case, unit) for unit in sent_back):
            supersede(connection, case, actor)
    opened = [open_case(connection, unit, asked, actor) for unit in sent_back]
    left = _withdraw_plans(connection, order, plans, zone=statement["zone"], at=actor.at)
    lines = {each.unit["line_no"] for _, each in chosen}
    frozen: Declaration = {
        **statement,
        "left": [_left(plan) for plan in left if plan.line_no in lines],
        "units": [_withdrawn(part, each) for part, each in chosen] + [_withdrawn_plan(plan) for plan in plans],
    }
    withdrawal_no = _record(connection, order, frozen, actor.at)
    mail_withdrawal(connection, order["customer_id"], order["order_id"], withdrawal_no, {**frozen, "declared_at": actor.at})
    for case in opened:
        mail_case_opened(connection, case)
    return withdrawal_no


def ask_return(
    connection: Connection, order: Order, parts: Sequence[PartOfOrder], named: set[str], said: str, *, zone: str, actor: Actor
) -> None:
    """Announce that units come back by our promise of 30 days. Raises: NotFound, RightOver, CaseOpen, CaseIncomplete."""
    asked = CaseRequest(ground="return", wish="refund", said=read_words(said), is_granted=True)
    cases = cases_of_order(connection, order["order_id"])
    every = rights_of(order, parts, cases, zone=zone, at=actor.at)
    chosen = [each for rights in every for each in rights.returnable if each.name in named]
    _refuse_others(parts, named, {each.name for each in chosen})
    for each in chosen:
        mail_case_opened(connection, open_case(connection, each.unit, asked, actor))


def withdrawals_of(connection: Connection, order: Order) -> list[Declaration]:
    """Return the records of an order's withdrawals, the newest first."""
    query = """
        select withdrawal_no, declared_at, statement from withdrawal
        where customer_id = :customer_id and order_id = :order_id order by withdrawal_no desc
    """
    records = rows(connection, query, customer_id=order["customer_id"], order_id=order["order_id"])
    return [cast(Declaration, {**json.loads(record.pop("statement")), **record}) for record in records]


def withdrawal_of(connection: Connection, order: Order, withdrawal_no: int) -> Declaration:
    """Return one record. Raises: NotFound."""
    for statement in withdrawals_of(connection, order):
        if statement["withdrawal_no"] == withdrawal_no:
            return statement
    raise NotFound("no such withdrawal")


def read_words(text: str, *, least: int = 0) -> str:
    """Return what a person wrote, without what nobody types. Raises: CaseIncomplete."""
    words = UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\t", " ")).strip()
    if len(words) > MOST_WORDS or len(words) < least:
        raise CaseIncomplete("too long or too short", fields={"said": "too_long" if len(words) > MOST_WORDS else "missing"})
    return words


def settle_overdue(engine: Engine, *, now: datetime) -> int:
    """Refund in full what came back and was not answered in time, and return how many cases that were.

    A repair or a replacement that is late is for people to look at; a case that cannot be settled holds up no other.
    """
    at = clock.to_text(now)
    query = """
        select * from unit_case where due_at < :at and remedy = 'refund' and state in ('sent', 'received')
        order by due_at limit :most
    """
    with reading(engine) as connection:
        late = cast(list[UnitCase], rows(connection, query, at=at, most=MOST_OVERDUE))
    return sum(_settled(engine, case, at) for case in late)


def _settled(engine: Engine, case: UnitCase, at: str) -> bool:
    actor = Actor(by="timer", at=at, why=TAKEN_BACK)
    try:
        run_tx(engine, partial(_settle, case=case, actor=actor))
    except WrongCaseState:
        return False
    except PosError:
        logger.exception("a case cannot be settled")
        return False
    return True


def _settle(connection: Connection, *, case: UnitCase, actor: Actor) -> None:
    settle(connection, case, unit_of_case(connection, case), None, actor)
    mail_case_moved(connection, {**case, "state": "refunded"}, "")


def _rights(order: Order, part: PartOfOrder, cases: Sequence[UnitCase], zone: str, at: str) -> PartRights:
    units = [each.unit for each in part.units]
    withdrawal = withdrawal_period(units, order["facts"]["guarantees"]["withdrawal_days"], zone)
    returns = return_period(units, zone)
    kept = [each for each in part.units if each.unit["state"] in KEPT]
    withdrawn = [case for case in cases if case["ground"] == "withdrawal"]
    bound = [each for each in kept if not _is_busy(each.unit, withdrawn)]
    free = [each for each in kept if not _is_busy(each.unit, cases)]
    return PartRights(
        part=part,
        withdrawal=withdrawal,
        returns=returns,
        withdrawable=bound if withdrawal and withdrawal.is_open(at) else [],
        returnable=[each for each in free if each.unit["state"] not in UNSHIPPED] if returns and returns.is_open(at) else [],
    )


def _is_busy(unit: Unit, cases: Sequence[UnitCase]) -> bool:
    return any(is_case_of(case, unit) and case["state"] in OPEN for case in cases)


def _refuse_others(parts: Sequence[PartOfOrder], named: set[str], chosen: set[str]) -> None:
    """Raises: NotFound for a name of no unit of these parts, RightOver for a unit that this cannot be said of."""
    known = {each.name for part in parts for each in part.units}
    if not named or not named <= known:
        raise NotFound("no such unit")
    if named != chosen:
        raise RightOver("the time for this is over, or it was said already")


def _record(connection: Connection, order: Order, statement: Declaration, at: str) -> int:
    key = {"customer_id": order["customer_id"], "order_id": order["order_id"]}
    # Writing the order's row makes two declarations at once number their records one after the other.
    changed(
        connection, "update customer_order set state = state where customer_id = :customer_id and order_id = :order_id", **key
    )
    last = row(
        connection,
        "select coalesce(max(withdrawal_no), 0) as n from withdrawal where customer_id = :customer_id and order_id = :order_id",
        **key,
    )
    withdrawal_no = (last["n"] if last else 0) + 1
    frozen = json.dumps(statement, ensure_ascii=False, sort_keys=True)
    record = {**key, "withdrawal_no": withdrawal_no, "declared_at": at, "statement": frozen}
    connection.execute(tables.withdrawal.insert(), record)
    return int(withdrawal_no)


def _withdraw_plans(connection: Connection, order: Order, plans: Sequence[PlanRight], *, zone: str, at: str) -> list[PlanRight]:
    """Give up the plans that were named, and return those that devices leave which go back. Raises: CaseIncomplete."""
    units, cases = units_of_order(connection, order["order_id"]), cases_of_order(connection, order["order_id"])
    standing, names = standing_plans(connection, order, zone=zone, at=at), {plan.name for plan in plans}
    # One that went with a device cancelled just now stands no more, and needs no word.
    chosen = [plan for plan in standing if plan.name in names]
    spare = Counter(plan.line_no for plan in plans_to_spare(standing, units, cases))
    if Counter(plan.line_no for plan in chosen) - spare:
        raise CaseIncomplete("a plan sold with a device goes with it", fields={"plan": "device"})
    for plan in chosen:
        withdraw_plan(connection, plan.activation, at=at)
    kept = [plan for plan in standing if plan.name not in names and plan.device]
    return plans_to_spare(kept, units, cases)


def _left(plan: PlanRight) -> LeftPlan:
    return {"plan": plan.plan, "last_day": plan.period.last_day if plan.is_open else None}


def _withdrawn_plan(right: PlanRight) -> WithdrawnUnit:
    partner = right.activation["partner_id"]
    return {"title": "", "plan": right.plan, "seller": partner, "number": "", "is_sent_back": False}


def _withdrawn(part: PartOfOrder, device: UnitOfOrder) -> WithdrawnUnit:
    return {
        "title": device.listing["title"],
        "seller": part.seller,
        "number": part.number,
        "is_sent_back": device.unit["state"] in ("shipped", "delivered"),
    }
