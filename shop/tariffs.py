"""The plans of one publication, read once: a page of a device asks the same questions of them at every tap.

Holds nothing that the catalogue does not say; a new publication makes new ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlite_utils import Database

from pos import plans
from pos.bodies import Acquisition
from pos.db import remembered
from pos.eligibility import Eligibility, check_plan
from pos.laws import Laws, PortingKind, laws_on
from pos.plans import Plan
from pos.porting import porting_kind
from pos.totals import PlanTerms
from shop import door

MOST_ANSWERS = 20_000

Situation = tuple[int, int, Acquisition, bool]


@dataclass(slots=True)
class Tariffs:
    """Plans in HQ's order, their terms by plan, and the answers given so far."""

    edition: tuple[str, str, str]
    plans: list[Plan]
    terms: dict[int, PlanTerms]
    answers: dict[Situation, Eligibility] = field(default_factory=dict)

    def answer(self, plan: Plan, *, device_cents: int, acquisition: Acquisition, with_fix: bool) -> Eligibility:
        """Say whether a plan is open to this situation and, if asked, which is the nearest that would do better."""
        situation = (plan.plan_id, device_cents, acquisition, with_fix)
        known = self.answers.get(situation)
        if known is None:
            if len(self.answers) >= MOST_ANSWERS:
                self.answers.clear()
            others: Sequence[Plan] = self.plans if with_fix else ()
            known = self.answers[situation] = check_plan(
                plan.body,
                plan_id=plan.plan_id,
                device_cents=device_cents,
                devices=1,
                acquisition=acquisition,
                other_plans=[(other.plan_id, other.body) for other in others],
            )
        return known


def porting() -> PortingKind:
    """Return what the operator that a number leaves asks for where the visitor is."""
    return porting_kind(laws())


def laws() -> Laws:
    """Return the laws in force where the visitor is."""
    return laws_on(door.catalog(), door.today())


def has_plans(catalog: Database) -> bool:
    """Tell whether there is any plan for who stands here."""
    partner_id = door.visitor().partner_id
    return any(partner_id in (None, plan.partner_id) for plan in tariffs(catalog).plans)


def tariffs(catalog: Database) -> Tariffs:
    """Return the plans of the published catalogue."""
    facts = _facts(catalog)
    market = facts.get("market", "")
    edition = (market, facts.get("publication", ""), facts.get("published_at", ""))
    remembered = door.current().tariffs
    known = remembered.get(market)
    if known is None or known.edition != edition:
        every = plans.plans(catalog)
        known = remembered[market] = Tariffs(edition, every, {plan.plan_id: plan.terms for plan in every})
    return known


@remembered
def _facts(catalog: Database) -> dict[str, str]:
    return dict(catalog.execute("select name, value from catalog_fact"))
