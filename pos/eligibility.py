"""Whether the plans of a selection are open to a customer's situation, with the reasons and the nearest plan that would do.

Judged over the whole selection (`check_selection`) when it is priced, when its slip is issued and when that is claimed.

Pure and deterministic: two corners without network answer the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from pos.bodies import Acquisition, PlanBody
from pos.totals import PlanTerms

NOTES = frozenset({"no_device_discount"})
"""Reasons that inform without refusing: the device and the plan can be taken together, to no advantage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing to say, by `code`: acquisition_not_offered, no_device_discount, device_below_minimum, too_many_devices."""

    code: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """The nearest plan for which it would hold, and what it adds to the regular month; below zero when it costs less."""

    plan_id: int
    monthly_difference_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """The answer: `reasons` may hold a note although `is_eligible`; `fix` is None when no plan would do better."""

    is_eligible: bool
    reasons: tuple[Reason, ...]
    fix: Fix | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """What of a line with a plan decides: the device's all-in cents (None without one), how many, and how the number comes."""

    line_no: int
    plan_id: int
    device_cents: int | None
    quantity: int
    acquisition: Acquisition


def check_selection(lines: Sequence[PlanLine], plans: Mapping[int, PlanBody]) -> dict[int, Eligibility]:
    """Return the answer for each line with a plan, by line number; `plans` are the bodies of all that may be chosen.

    Devices beside one plan count together: lines take up its limit in their order. What a plan asks for is in its body, as its
    carrier published it (reference/domain.md §3). Raises: Invalid, when a body lacks a figure.
    """
    answers = {}
    for place, line in enumerate(lines):
        others = Counter[int]()
        for other_place, other in enumerate(lines):
            if other.device_cents is not None and (other_place < place or other.plan_id != line.plan_id):
                others[other.plan_id] += other.quantity
        answers[line.line_no] = check_plan(
            plans[line.plan_id],
            plan_id=line.plan_id,
            device_cents=line.device_cents,
            devices=line.quantity if line.device_cents is not None else 0,
            acquisition=line.acquisition,
            other_plans=plans.items(),
            beside=others,
        )
    return answers


def check_plan(
    plan_body: PlanBody,
    *,
    plan_id: int,
    device_cents: int | None,
    devices: int,
    acquisition: Acquisition,
    other_plans: Iterable[tuple[int, PlanBody]],
    beside: Mapping[int, int] = MappingProxyType({}),
) -> Eligibility:
    """Check a plan against the situation: the line's device (all-in cents, None without), and how many of it.

    `beside` is how many devices other lines already have with each plan.
    The fix is of the same partner, without reasons of its own if one exists, then the nearest above in monthly
    price, else the nearest below; ties by rank, then id. Raises: Invalid, when a body lacks a figure.
    """
    taken = devices + beside.get(plan_id, 0)
    reasons = _reasons(plan_body, device_cents=device_cents, devices=taken, acquisition=acquisition)
    is_eligible = _holds(reasons)
    if not reasons:
        return Eligibility(is_eligible=True, reasons=(), fix=None)
    candidates = []
    for other_id, body in other_plans:
        if other_id == plan_id or body["partner_id"] != plan_body["partner_id"]:
            continue
        taken = devices + beside.get(other_id, 0)
        against = _reasons(body, device_cents=device_cents, devices=taken, acquisition=acquisition)
        if not against or (_holds(against) and not is_eligible):
            difference = body["monthly_cents"] - plan_body["monthly_cents"]
            candidates.append((bool(against), difference < 0, abs(difference), body["rank"], other_id, difference))
    nearest = min(candidates, default=None)
    fix = Fix(plan_id=nearest[4], monthly_difference_cents=nearest[5]) if nearest else None
    return Eligibility(is_eligible=is_eligible, reasons=reasons, fix=fix)


def has_advantage(body: PlanBody) -> bool:
    """Tell whether a plan gives anything for a device beside it: a discount, a refund, instalments."""
    return bool(body["device_discount_cents"] or body["refund_cents"] or body["instalment_months"])


def _reasons(body: PlanBody, *, device_cents: int | None, devices: int, acquisition: Acquisition) -> tuple[Reason, ...]:
    reasons = []
    if acquisition not in body["acquisitions"]:
        reasons.append(Reason(code="acquisition_not_offered", data={"offered": list(body["acquisitions"])}))
    if device_cents is None:
        return tuple(reasons)
    terms = PlanTerms.from_body(body)
    if not has_advantage(body):
        # A plan alone limits nothing: the device beside it is bought as if there were no plan.
        reasons.append(Reason(code="no_device_discount", data={}))
        return tuple(reasons)
    if device_cents < terms.min_device_cents:
        data = {"device_cents": device_cents, "min_device_cents": terms.min_device_cents}
        reasons.append(Reason(code="device_below_minimum", data=data))
    if devices > body["max_devices"]:
        reasons.append(Reason(code="too_many_devices", data={"devices": devices, "max_devices": body["max_devices"]}))
    return tuple(reasons)


def _holds(reasons: Iterable[Reason]) -> bool:
    return all(reason.code in NOTES for reason in reasons)
