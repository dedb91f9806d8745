"""What an order's page says of its customer's rights: until when each can be used, what was declared, what came of each case."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict, cast

from sqlalchemy import Connection

from marketplace.db import row, rows
from marketplace.orders.cases import OPEN, UnitCase, case_name, cases_of_order, is_case_of
from marketplace.orders.messages import PartMessage, messages_of_order
from marketplace.orders.order_lines import OrderedListing
from marketplace.orders.orders import Order
from marketplace.orders.plan_rights import PlanRight, plan_rights
from marketplace.orders.returns import Declaration, PartRights, rights_of, withdrawals_of
from marketplace.orders.timeline import PartOfOrder

STEPS = """
    select case_step.* from case_step
    join part on part.seller_id = case_step.seller_id and part.part_id = case_step.part_id
    where part.order_id = :order_id order by case_step.at, case_step.step_no
"""


class CaseStep(TypedDict):
    """A step of a case: the state it came to, who took it, when (UTC text) and why, and the money that went back with it."""

    seller_id: int
    part_id: str
    line_no: int
    unit_no: int
    case_no: int
    step_no: int
    state: str
    at: str
    by: str
    why: str
    cents: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCase:
    """A case with the device it is of, where that is sent back to, and its steps."""

    case: UnitCase
    listing: OrderedListing
    address: str
    steps: list[CaseStep]

    @property
    def name(self) -> str:
        """How a form names it."""
        return case_name(self.case)

    @property
    def is_open(self) -> bool:
        """Whether it is not settled yet."""
        return self.case["state"] in OPEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """The rights of each part, records of withdrawals, cases, the newest first, and whether a guarantee covers a device."""

    rights: list[PartRights]
    withdrawals: list[Declaration]
    cases: list[ShownCase]
    has_guarantees: bool
    messages: list[PartMessage]
    plans: list[PlanRight]

    @property
    def can_withdraw(self) -> bool:
        """Whether anything can be withdrawn from now."""
        return bool(self.plans) or any(rights.withdrawable for rights in self.rights)

    @property
    def can_send_back(self) -> bool:
        """Whether anything can be sent back now by our own promise."""
        return any(rights.returnable for rights in self.rights)


def care_of(connection: Connection, order: Order, parts: Sequence[PartOfOrder], *, zone: str, at: str) -> Care:
    """Return what can be said of an order's rights at a moment (UTC text)."""
    cases = cases_of_order(connection, order["order_id"])
    rights = rights_of(order, parts, cases, zone=zone, at=at)
    messages = messages_of_order(connection, order["order_id"])
    has_arrived = any(device.unit["state"] == "delivered" for part in parts for device in part.units)
    return Care(
        rights=rights,
        withdrawals=withdrawals_of(connection, order),
        cases=shown_cases(connection, cases, parts),
        has_guarantees=has_arrived,
        messages=messages,
        plans=plan_rights(connection, order, zone=zone, at=at),
    )


def shown_cases(connection: Connection, cases: Sequence[UnitCase], parts: Sequence[PartOfOrder]) -> list[ShownCase]:
    """Return cases of one order with their devices, which its parts hold."""
    steps = cast(list[CaseStep], rows(connection, STEPS, order_id=cases[0]["order_id"])) if cases else []
    return [
        ShownCase(
            case=case,
            listing=device.listing,
            address=address_of(connection, case["seller_id"]),
            steps=[step for step in steps if _is_of(step, case)],
        )
        for case in cases
        for part in parts
        for device in part.units
        if is_case_of(case, device.unit)
    ]


def address_of(connection: Connection, seller_id: int) -> str:
    """Return where a seller's devices are sent back to: its company's address, or the town that a feed says."""
    query = """
        select seller.body, seller_application.body as company
        from seller left join seller_application on seller_application.seller_id = seller.seller_id
        where seller.seller_id = :seller_id
    """
    stored = row(connection, query, seller_id=seller_id)
    if stored is None:
        return ""
    said = {**json.loads(stored["body"]), **json.loads(stored["company"] or "{}")}
    names = ("legal_name", "address", "city", "country")
    return ", ".join(" ".join(said[name].split()) for name in names if said.get(name))


def _is_of(step: CaseStep, case: UnitCase) -> bool:
    names = ("part_id", "line_no", "unit_no", "case_no")
    return all(step[name] == case[name] for name in names)  # type: ignore[literal-required]
