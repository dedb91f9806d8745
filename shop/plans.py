"""A plan alone: the partner's plans for somebody who keeps their phone, each with what it costs and what leaving would cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request

from pos import plans as published
from pos.eligibility import ACQUISITIONS, Acquisition
from pos.errors import Invalid
from pos.months import Span, spans
from pos.plans import Plan
from pos.totals import Line, Totals, line_totals
from shop import door, web
from shop.tariffs import tariffs

routes = Blueprint("plans", __name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAlone:
    """A plan without a device. `exit_cents` is what leaving after 12 months costs, None where nobody is bound that long."""

    plan: Plan
    totals: Totals
    spans: tuple[Span, ...]
    exit_cents: int | None


@routes.get("/plans")
def plans() -> Response:
    """Show the plans open to this situation: a new number, one's own number kept, or a customer already."""
    acquisition = _acquisition()
    catalog, partner_id = door.catalog(), door.visitor().partner_id
    law = published.law(catalog, "early_exit", door.today())
    known = tariffs(catalog)
    rows = [
        PlanAlone(plan=plan, totals=line_totals(line), spans=spans((line,)), exit_cents=_exit_cents(plan, law))
        for plan in known.plans
        for line in (Line(quantity=1, device_cents=None, plan=known.terms[plan.plan_id], options=()),)
        if acquisition in plan.body["acquisitions"] and partner_id in (None, plan.partner_id)
    ]
    situations = [(name, web.with_query("/plans", acquisition=name, s=request.args.get("s"))) for name in ACQUISITIONS]
    return web.page("shop/plans.html", rows=rows, acquisition=acquisition, situations=situations)


def _acquisition() -> Acquisition:
    wished = request.args.get("acquisition") or "new"
    if wished not in ACQUISITIONS:
        raise Invalid("not a way to get a plan", field="acquisition")
    return wished


def _exit_cents(plan: Plan, law: dict[str, Any] | None) -> int | None:
    terms = plan.terms
    if terms.commitment_months <= published.EXIT_MONTH:
        return None
    return published.exit_cents(terms, device_cents=None, law=law, after_month=published.EXIT_MONTH)
