"""A plan alone: the partner's plans for somebody who keeps their phone, each with what it costs and what leaving would cost."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, request

from pos.acquisitions import ACQUISITIONS, read_acquisition
from pos.bodies import Acquisition
from pos.errors import Invalid
from pos.laws import laws_on
from pos.line_rules import exit_after_a_year
from pos.months import Span, spans
from pos.plans import Plan
from pos.totals import Line, Totals, line_totals
from shop import door, forms, web
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
    """Show the plans open to this situation: a new number, one's own number kept, or a customer already.

    One of them is chosen, the first where no other was: what it costs in all stands at the foot, with the one thing to do next.
    """
    acquisition = _acquisition()
    catalog, partner_id = door.catalog(), door.visitor().partner_id
    laws = laws_on(catalog, door.today())
    known = tariffs(catalog)
    rows = [
        PlanAlone(plan=plan, totals=line_totals(line), spans=spans((line,)), exit_cents=exit_after_a_year(line, laws))
        for plan in known.plans
        for line in (Line(quantity=1, device_cents=None, plan=known.terms[plan.plan_id], options=()),)
        if acquisition in plan.body["acquisitions"] and partner_id in (None, plan.partner_id)
    ]
    chosen = next((row for row in rows if str(row.plan.plan_id) == request.args.get("plan")), rows[0] if rows else None)
    situations = [(name, forms.with_query("/plans", acquisition=name, s=request.args.get("s"))) for name in ACQUISITIONS]
    return web.page("shop/plans.html", rows=rows, chosen=chosen, acquisition=acquisition, situations=situations)


def _acquisition() -> Acquisition:
    wished = read_acquisition(request.args.get("acquisition") or ACQUISITIONS[0])
    if wished is None:
        raise Invalid("not a way to get a plan", field="acquisition")
    return wished
