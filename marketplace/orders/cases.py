"""Cases of units after they were shipped: sent back or claimed for, granted, received, settled, each step a row.

Invariant: a unit has one open case at most; a case moves forward only, by one conditional update; money goes back once, with
the step that says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypedDict, cast

from sqlalchemy import Connection

from marketplace import tables
from marketplace.db import changed, row, rows
from marketplace.orders.parts import note_change
from marketplace.orders.units import Actor, Unit, refund, refundable_cents, take_back
from pos import clock
from pos.errors import Conflict, NotFound, Refused

Ground = Literal["withdrawal", "return", "legal", "commercial"]
Wish = Literal["refund", "repair", "replacement", "reduction"]
CaseState = Literal["asked", "granted", "sent", "received", "refunded", "repaired", "replaced", "refused", "dropped"]
OPEN: tuple[CaseState, ...] = ("asked", "granted", "sent", "received")
BEFORE: Mapping[CaseState, tuple[CaseState, ...]] = {
    "granted": ("asked",),
    "sent": ("granted",),
    "received": ("granted", "sent"),
    "refunded": OPEN,
    "repaired": ("received",),
    "replaced": ("received",),
    "refused": ("asked", "received"),
    "dropped": OPEN,
}
REMEDIES = ("refund", "repair", "replacement")
"""What a seller may grant a claim with; the device is sent back for each."""
ANSWER_WITHIN = timedelta(hours=48)
"""How long a seller may take to answer a claim (reference/domain.md §2)."""
REFUND_WITHIN = timedelta(days=14)
"""By when a withdrawal is refunded (L221-24); it may wait for the device, or for the proof that it was sent."""
LOOKED_AT_WITHIN = timedelta(days=5)
"""How long a seller may look at what came back before it is refunded (reference/domain.md §2)."""
MENDED_WITHIN = timedelta(days=30)
"""By when a device is repaired or replaced, from the day it was asked for (L217-10)."""
TRACKING = re.compile(r"[0-9A-Za-z][0-9A-Za-z -]{4,49}", re.ASCII)
MOST_WORDS = 1000

KEY = """
    seller_id = :seller_id and part_id = :part_id and line_no = :line_no and unit_no = :unit_no and case_no = :case_no
"""


class UnitCase(TypedDict):
    """A case of one unit; `said` is what the customer wrote, `cents` what went back with it; `presumed` tells that
    the defect counts as there from the start (L217-7). Times are UTC texts."""

    seller_id: int
    part_id: str
    line_no: int
    unit_no: int
    case_no: int
    customer_id: str
    order_id: str
    ground: Ground
    wish: Wish
    state: CaseState
    remedy: str | None
    said: str
    opened_at: str
    since: str
    due_at: str | None
    tracking: str | None
    cents: int | None
    presumed: int


class CaseOpen(Conflict):
    """The unit has a case that is not settled yet; nothing was done to any unit."""


class WrongCaseState(Conflict):
    """A case is not where this step begins; `data["state"]` is where it is. Nothing was changed."""


class CaseIncomplete(Refused):
    """Something that a step needs is missing or cannot be; `data["fields"]` maps each field to a code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRequest:
    """What a customer asks for: on which ground, what they wish, in their own words, and whether a seller has to agree first."""

    ground: Ground
    wish: Wish
    said: str
    is_granted: bool
    is_presumed: bool = False


def open_case(connection: Connection, unit: Unit, asked: CaseRequest, actor: Actor) -> UnitCase:
    """Open a case of a unit, in the caller's transaction. Raises: CaseOpen."""
    earlier = [case for case in cases_of_order(connection, unit["order_id"]) if is_case_of(case, unit)]
    if any(case["state"] in OPEN for case in earlier):
        raise CaseOpen(unit=unit["unit_no"])
    state: CaseState = "granted" if asked.is_granted else "asked"
    case: UnitCase = {
        "seller_id": unit["seller_id"],
        "part_id": unit["part_id"],
        "line_no": unit["line_no"],
        "unit_no": unit["unit_no"],
        "case_no": len(earlier) + 1,
        "customer_id": unit["customer_id"],
        "order_id": unit["order_id"],
        "ground": asked.ground,
        "wish": asked.wish,
        "state": state,
        "remedy": "refund" if asked.is_granted else None,
        "said": asked.said,
        "opened_at": actor.at,
        "since": actor.at,
        "due_at": None if asked.is_granted else _later(actor.at, ANSWER_WITHIN),
        "tracking": None,
        "cents": None,
        "presumed": int(asked.is_presumed),
    }
    # Two posts at once count the same cases: the second finds its number taken.
    names = ", ".join(case)
    opened = f"insert into unit_case ({names}) values ({', '.join(f':{name}' for name in case)}) on conflict do nothing"
    if not changed(connection, opened, **case):
        raise CaseOpen(unit=unit["unit_no"])
    _note(connection, case, state, actor)
    return case


def grant(connection: Connection, case: UnitCase, remedy: str, actor: Actor) -> None:
    """Agree to a claim: the device is to be sent back and is refunded, repaired or replaced. Raises: WrongCaseState."""
    if remedy not in REMEDIES:
        raise CaseIncomplete("no such remedy", fields={"remedy": "missing"})
    _move(connection, case, "granted", actor, remedy=remedy)


def send(connection: Connection, case: UnitCase, tracking: str, actor: Actor) -> None:
    """Note that the customer sent the device back. Raises: WrongCaseState, CaseIncomplete."""
    if not TRACKING.fullmatch(tracking.strip()):
        raise CaseIncomplete("no tracking number", fields={"tracking": "malformed" if tracking.strip() else "missing"})
    _move(connection, case, "sent", actor, due_at=_due(case, actor.at), tracking=tracking.strip())


def receive(connection: Connection, case: UnitCase, actor: Actor) -> None:
    """Note that the seller has the device. Raises: WrongCaseState."""
    _move(connection, case, "received", actor, due_at=case["due_at"] or _due(case, actor.at))


def settle(connection: Connection, case: UnitCase, unit: Unit, cents: int | None, actor: Actor) -> None:
    """Give money back and end the case: all that is left without `cents`.

    Less than that takes a reason, and the device in the seller's hands or a customer who wished to keep it for less.
    A device that was noted as back before the case ended is only refunded.
    Raises: WrongCaseState, CaseIncomplete, RefundTooHigh, NothingToRefund.
    """
    left = refundable_cents(unit)
    given = left if cents is None else cents
    is_back = case["state"] in ("sent", "received") and unit["state"] in ("shipped", "delivered")
    if given < left and not actor.why:
        raise CaseIncomplete("less than all takes a reason", fields={"why": "missing"})
    if given < left and case["state"] != "received" and case["wish"] != "reduction":
        raise CaseIncomplete("less than all takes the device", fields={"cents": "too_low"})
    _move(connection, case, "refunded", actor, cents=given)
    if is_back:
        take_back(connection, [unit], actor)
    refund(connection, unit, given, actor)


def mend(connection: Connection, case: UnitCase, tracking: str, actor: Actor) -> None:
    """Note that the device was repaired or replaced, as granted, and is on its way. Raises: WrongCaseState, CaseIncomplete."""
    ends: Mapping[str | None, CaseState] = {"repair": "repaired", "replacement": "replaced"}
    if case["remedy"] not in ends:
        raise WrongCaseState(state=case["state"])
    if not TRACKING.fullmatch(tracking.strip()):
        raise CaseIncomplete("no tracking number", fields={"tracking": "malformed" if tracking.strip() else "missing"})
    _move(connection, case, ends[case["remedy"]], actor, tracking=tracking.strip())


def refuse(connection: Connection, case: UnitCase, actor: Actor) -> None:
    """Refuse a claim, or a device that did not come back as it left, with a reason. Raises: WrongCaseState, CaseIncomplete."""
    if not actor.why:
        raise CaseIncomplete("a refusal says why", fields={"why": "missing"})
    _move(connection, case, "refused", actor)


def drop(connection: Connection, case: UnitCase, actor: Actor) -> None:
    """Give a case up before anything was sent; a withdrawal stays what it is. Raises: WrongCaseState."""
    if case["ground"] == "withdrawal" or case["state"] not in ("asked", "granted"):
        raise WrongCaseState(state=case["state"])
    _move(connection, case, "dropped", actor)


def supersede(connection: Connection, case: UnitCase, actor: Actor) -> None:
    """End an open return or claim because the order is withdrawn from, wherever its device is. Raises: WrongCaseState."""
    _move(connection, case, "dropped", actor)


def cases_of_order(connection: Connection, order_id: str) -> list[UnitCase]:
    """Return the cases of an order's units, the newest first."""
    query = "select * from unit_case where order_id = :order_id order by opened_at desc, part_id, line_no, unit_no, case_no desc"
    return cast(list[UnitCase], rows(connection, query, order_id=order_id))


def case_of(connection: Connection, name: str, *, seller_id: int | None = None, order_id: str | None = None) -> UnitCase:
    """Return the case a form names, `part:line:unit:case`, of this seller or this order. Raises: NotFound."""
    part_id, _, numbers = name.partition(":")
    parts = numbers.split(":")
    if len(parts) != len(("line", "unit", "case")) or not all(re.fullmatch("[0-9]{1,6}", part, re.ASCII) for part in parts):
        raise NotFound("no such case")
    line_no, unit_no, case_no = map(int, parts)
    owner = "seller_id = :seller_id" if seller_id is not None else "order_id = :order_id"
    query = f"""
        select * from unit_case where part_id = :part_id and line_no = :line_no and unit_no = :unit_no and case_no = :case_no
          and {owner}
    """
    key = {"part_id": part_id[:40], "line_no": line_no, "unit_no": unit_no, "case_no": case_no}
    stored = row(connection, query, **key, **({"order_id": order_id} if seller_id is None else {"seller_id": seller_id}))
    if stored is None:
        raise NotFound("no such case")
    return cast(UnitCase, stored)


def unit_of_case(connection: Connection, case: UnitCase) -> Unit:
    """Return the unit a case is of."""
    query = """
        select * from unit
        where seller_id = :seller_id and part_id = :part_id and line_no = :line_no and unit_no = :unit_no
    """
    key = {"seller_id": case["seller_id"], "part_id": case["part_id"], "line_no": case["line_no"], "unit_no": case["unit_no"]}
    stored = row(connection, query, **key)
    if stored is None:
        raise NotFound("no such unit")
    return cast(Unit, stored)


def case_name(case: UnitCase) -> str:
    """Return how a form names a case."""
    return f"{case['part_id']}:{case['line_no']}:{case['unit_no']}:{case['case_no']}"


def is_case_of(case: UnitCase, unit: Unit) -> bool:
    """Tell whether a case is of this unit."""
    return all(case[name] == unit[name] for name in ("seller_id", "part_id", "line_no", "unit_no"))


def _due(case: UnitCase, at: str) -> str:
    """Return by when the seller settles a case whose device is known to be under way at `at`."""
    if case["remedy"] in ("repair", "replacement"):
        return _later(case["opened_at"], MENDED_WITHIN)
    return max(_later(case["opened_at"], REFUND_WITHIN), _later(at, LOOKED_AT_WITHIN))


def _later(at: str, period: timedelta) -> str:
    return clock.to_text(clock.from_text(at) + period)


def _key(case: UnitCase) -> dict[str, int | str]:
    names = ("seller_id", "part_id", "line_no", "unit_no", "case_no")
    return {name: case[name] for name in names}  # type: ignore[literal-required]


def _move(connection: Connection, case: UnitCase, state: CaseState, actor: Actor, **facts: object) -> None:
    """Bring a case to a state; of its facts those change that are given, and `due_at` ends where none is."""
    values = {"remedy": case["remedy"], "tracking": case["tracking"], "cents": case["cents"], "due_at": None} | facts
    states = ", ".join(f"'{before}'" for before in BEFORE[state])
    moved = changed(
        connection,
        f"""
        update unit_case
        set state = :state, since = :at, remedy = :remedy, tracking = :tracking, cents = :cents, due_at = :due_at
        where {KEY} and state in ({states})
        """,
        **_key(case),
        state=state,
        at=actor.at,
        **values,
    )
    if not moved:
        raise WrongCaseState(state=case["state"])
    _note(connection, case, state, actor, cents=values["cents"])


def _note(connection: Connection, case: UnitCase, state: CaseState, actor: Actor, *, cents: object = None) -> None:
    steps = row(connection, f"select coalesce(max(step_no), 0) as steps from case_step where {KEY}", **_key(case))
    step = {"step_no": (steps["steps"] if steps else 0) + 1, "state": state, "at": actor.at, "by": actor.by, "why": actor.why}
    connection.execute(tables.case_step.insert(), {**_key(case), **step, "cents": cents})
    note_change(connection, case["seller_id"], case["part_id"])
