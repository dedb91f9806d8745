"""How the number of each plan of an order comes: asked where the order is placed, since a slip does not say it (DESIGN §6).

Invariant: nothing is inferred. Where several ways are open and nobody was asked, the order says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from marketplace.orders.slips import Reading
from pos.eligibility import ACQUISITIONS, Acquisition, PlanLine, check_selection
from pos.errors import NotEligible, Refused

ASKS = "asks_acquisition"
"""What a form carries that puts the question: a choice left open there is a gap, elsewhere it was not asked."""


class AcquisitionMissing(Refused):
    """A plan's number was asked for and left open; `data["fields"]` maps each field to a code."""


def read_acquisitions(form: Mapping[str, str], reading: Reading) -> dict[int, Acquisition | None]:
    """Read `acquisition_<line number>` of every line with a plan, and judge the plans by today's published terms.

    Where nobody was asked, the only way a plan offers is taken, and of several none. Raises: AcquisitionMissing, NotEligible.
    """
    answers: dict[int, Acquisition | None] = {}
    fields = {}
    for line_no, offered in reading.offered.items():
        name = f"acquisition_{line_no}"
        said = next((known for known in ACQUISITIONS if known == form.get(name)), None)
        if said is None and (form.get(name) or ASKS in form):
            fields[name] = "missing"
        answers[line_no] = said or (offered[0] if len(offered) == 1 else None)
    if fields:
        raise AcquisitionMissing("how the number of a plan comes is not said", fields=fields)
    _judge(reading, answers)
    return answers


def _judge(reading: Reading, answers: Mapping[int, Acquisition | None]) -> None:
    plans = dict(reading.plans)
    lines = []
    for line in reading.lines:
        if line.line_no not in answers or line.chosen is None or line.chosen.plan is None:
            continue
        plans.setdefault(line.wish.plan_id, line.chosen.plan)
        offered = reading.offered[line.line_no]
        lines.append(
            PlanLine(
                line_no=line.line_no,
                plan_id=line.wish.plan_id,
                device_cents=line.chosen.line.device_cents,
                quantity=line.wish.quantity,
                acquisition=answers[line.line_no] or offered[0],
            )
        )
    for line_no, answer in check_selection(lines, plans).items():
        if not answer.is_eligible:
            nearest = plans[answer.fix.plan_id]["name"] if answer.fix else None
            raise NotEligible(line_no=line_no, reasons=answer.reasons, fix=answer.fix, nearest=nearest)
