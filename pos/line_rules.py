"""What law and trade say of one line: the notice its instalments need, what leaving its plan costs, what it compares with.

Kiosk, paper and marketplace all ask here. Pure and deterministic; where the market has no law of a kind, nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from pos.credit import CreditNotice, credit_notice
from pos.eligibility import has_advantage
from pos.laws import Laws
from pos.plans import Plan
from pos.totals import Line, PlanTerms, Totals, device_plus_sim_only, device_price_cents, early_exit_cents, line_totals

EXIT_MONTH = 12
"""After how many months leaving is priced, where a plan commits for longer (L224-28)."""
EXIT_MONTHS = (3, 6, EXIT_MONTH, 18)
LONGEST_FREE_MONTHS = 12
"""A plan to compare with binds nobody for longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedWay:
    """One way to get the same things over the same months: with this plan, and what all of it costs."""

    plan: Plan
    line: Line
    totals: Totals


def credit_of(line: Line, laws: Laws) -> CreditNotice | None:
    """Return the notice that an instalment of the device needs, for one unit; None where nothing is lent (L312-5, L312-6)."""
    law = laws.get("credit_notice")
    if law is None or line.plan is None or line.device_cents is None:
        return None
    return credit_notice(device_price_cents(line), line.plan.deposit_cents, line.plan.instalment_months, law_body=law)


def exit_cents(line: Line, laws: Laws, *, after_month: int) -> int:
    """Return what leaving the plan costs after so many months, all units together; 0 without a plan (L224-28).

    Where no law caps it, every month of the commitment is due.
    """
    if line.plan is None:
        return 0
    law = laws.get("early_exit")
    return line.quantity * early_exit_cents(
        line.plan,
        after_month=after_month,
        with_device=line.plan.subsidises(line.device_cents),
        rate_bp=law["rate_bp"] if law else 0,
        from_month=law["from_month"] if law else line.plan.commitment_months,
    )


def exit_after_a_year(line: Line, laws: Laws) -> int | None:
    """Return what leaving after `EXIT_MONTH` months costs, all units together; None where nobody is bound that long."""
    return exit_cents(line, laws, after_month=EXIT_MONTH) if is_bound_longer(line.plan) else None


def is_bound_longer(plan: PlanTerms | None) -> bool:
    """Tell whether a plan commits for more than `EXIT_MONTH` months, so that leaving before its end is worth a sentence."""
    return plan is not None and plan.commitment_months > EXIT_MONTH


def exits(line: Line, laws: Laws) -> list[tuple[int, int]]:
    """Return (months run, cents of leaving then) at a few moments of the commitment, all units together (L224-28)."""
    months = [month for month in EXIT_MONTHS if line.plan is not None and month < line.plan.commitment_months]
    return [(month, exit_cents(line, laws, after_month=month)) for month in months]


def sim_only_beside(chosen: Plan, every: Iterable[Plan]) -> Plan | None:
    """Return the plan to compare with: no device advantage, at most a year's commitment, as much data for the least money."""
    free = [
        plan
        for plan in every
        if plan.partner_id == chosen.partner_id
        and plan.body["commitment_months"] <= LONGEST_FREE_MONTHS
        and not has_advantage(plan.body)
    ]
    enough = [plan for plan in free if plan.body["data_gb"] >= chosen.body["data_gb"]]
    if enough:
        return min(enough, key=lambda plan: (plan.body["monthly_cents"], plan.rank))
    return max(free, key=lambda plan: (plan.body["data_gb"], -plan.rank), default=None)


def ways(line: Line, plan: Plan, every: Iterable[Plan]) -> list[PricedWay]:
    """Return a line with its plan and, where there is one, the same device alone with a SIM-only plan beside it."""
    both = [PricedWay(plan=plan, line=line, totals=line_totals(line))]
    other = sim_only_beside(plan, every)
    if other is not None and other.plan_id != plan.plan_id:
        terms = other.terms
        both.append(PricedWay(plan=other, line=replace(line, plan=terms.alone()), totals=device_plus_sim_only(line, terms)))
    return both
