"""How the number of each plan of an order comes, read from the form that places it: a slip does not say it (DESIGN §6)."""

from __future__ import annotations

from collections.abc import Mapping

from marketplace.orders.pricing import Pricing
from pos.acquisitions import answers, left_open
from pos.bodies import Acquisition
from pos.eligibility import PlanLine, check_selection
from pos.errors import NotEligible, Refused

ASKS = "asks_acquisition"
"""What a form carries that puts the question: a choice left open there is a gap, elsewhere it was not asked."""


class AcquisitionMissing(Refused):
    """A plan's number was asked for and left open; `data["fields"]` maps each field to a code."""


def read_acquisitions(form: Mapping[str, str], pricing: Pricing) -> dict[int, Acquisition | None]:
    """Read `acquisition_<line number>` of every line with a plan, and judge the plans by today's published terms.

    Raises: AcquisitionMissing, NotEligible.
    """
    said = {line_no: form.get(_field(line_no)) for line_no in pricing.offered}
    if missing := left_open(said, is_asked=ASKS in form):
        fields = {_field(line_no): "missing" for line_no in missing}
        raise AcquisitionMissing("how the number of a plan comes is not said", fields=fields)
    found = answers(said, pricing.offered)
    _judge(pricing, found)
    return found


def _field(line_no: int) -> str:
    return f"acquisition_{line_no}"


def _judge(pricing: Pricing, asked: Mapping[int, Acquisition | None]) -> None:
    plans = dict(pricing.plans)
    lines = []
    for line in pricing.lines:
        if line.line_no not in asked or line.chosen is None or line.chosen.plan is None:
            continue
        plans.setdefault(line.wish.plan_id, line.chosen.plan)
        offered = pricing.offered[line.line_no]
        lines.append(
            PlanLine(
                line_no=line.line_no,
                plan_id=line.wish.plan_id,
                device_cents=line.chosen.line.device_cents,
                quantity=line.wish.quantity,
                acquisition=asked[line.line_no] or offered[0],
            )
        )
    for line_no, answer in check_selection(lines, plans).items():
        if not answer.is_eligible:
            nearest = plans[answer.fix.plan_id]["name"] if answer.fix else None
            raise NotEligible(line_no=line_no, reasons=answer.reasons, fix=answer.fix, nearest=nearest)
