"""How well each seller serves, reckoned every night from the steps of its units and from messages, and what follows from it.

Invariant: a night's figures rest on steps and messages from before its day and on the rules of that day, so that they can be
reckoned again. A feed speaks for its own sellers: theirs are kept and shown, and rank nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Engine

from marketplace import tables
from marketplace.bodies import compact
from marketplace.db import changed, reading, row, rows, run_tx, upsert
from marketplace.running.jobs import Work
from marketplace.sellers.decision_mails import mail_move
from marketplace.sellers.quality_rules import QualityRules, rules_of
from marketplace.sellers.standing import QUALITY, Reasons, mark_seller, move_seller, steps
from pos import clock
from pos.offers import quality_bp

JOB = "quality"
EVERY = timedelta(hours=1)
"""How often is looked whether a day's figures are missing; each day is reckoned once."""
AT_ONCE = 50

UNITS = """
    select unit_step.part_id, unit_step.line_no, unit_step.unit_no,
      min(case when unit_step.state = 'accepted' then unit_step.at end) as accepted_at,
      min(case when unit_step.state = 'shipped' then unit_step.at end) as shipped_at,
      max(case when unit_step.state = 'cancelled' then unit_step.by end) as cancelled_by,
      max(case when unit_step.state = 'returned' then 1 else 0 end) as is_returned,
      max(case when unit_step.state = 'refunded' and unit_step.why in ('defect', 'transit') then 1 else 0 end) as is_defect,
      max(case when claimed.part_id is null then 0 else 1 end) as is_claimed,
      max(plan.acknowledged_at) as acknowledged_at,
      max(
        case when plan.activation_id is null or (plan.state = 'given_up' and plan.since < :until) then 0
        when plan.state <> 'refused' and plan.acknowledged_at < :until then 0 else 1 end
      ) as has_waiting_plan
    from part
    join unit_step on unit_step.seller_id = part.seller_id and unit_step.part_id = part.part_id
    left join activation plan on plan.customer_id = part.customer_id and plan.order_id = part.order_id
      and plan.line_no = unit_step.line_no
    left join unit_case claimed on claimed.seller_id = unit_step.seller_id and claimed.part_id = unit_step.part_id
      and claimed.line_no = unit_step.line_no and claimed.unit_no = unit_step.unit_no
      and claimed.ground in ('legal', 'commercial') and claimed.opened_at < :until and not exists (
        select 1 from case_step
        where case_step.seller_id = claimed.seller_id and case_step.part_id = claimed.part_id
          and case_step.line_no = claimed.line_no and case_step.unit_no = claimed.unit_no
          and case_step.case_no = claimed.case_no and case_step.state in ('refused', 'dropped') and case_step.at < :until
      )
    where part.seller_id = :seller_id and part.paid_at >= :since and part.paid_at < :until and unit_step.at < :until
    group by unit_step.part_id, unit_step.line_no, unit_step.unit_no
"""
MESSAGES = """
    select part_id, at, by from message
    where seller_id = :seller_id and at < :until and part_id in (
      select part_id from message where seller_id = :seller_id and at >= :since and at < :until
    )
    order by part_id, message_no
"""
UNRATED = """
    select seller.seller_id from seller
    where seller.state <> 'closed' and not exists (
      select 1 from seller_quality where seller_quality.seller_id = seller.seller_id and seller_quality.day = :day
    )
    order by seller.seller_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFigures:
    """A seller's figures of one night: counts of the units that were paid in the days before `day`.

    `taken` are those of the `cancelled` that the timer took; `due` had to be shipped by then, `late` of them were not in time,
    which counts from when the seller accepted and the carrier acknowledged the plan sold with it.
    `asked` counts what customers wrote that is answered or should be, `slow` what of it was not in time; half of the answers took
    `reply_h` hours or less.
    """

    seller_id: int
    day: str
    units: int
    cancelled: int
    taken: int
    due: int
    late: int
    shipped: int
    returned: int
    defects: int
    asked: int
    slow: int
    reply_h: int
    quality_bp: int

    @property
    def cancel_bp(self) -> int:
        """The share of units that the seller cancelled or let pass."""
        return _share(self.cancelled, self.units)

    @property
    def late_bp(self) -> int:
        """The share of late units among those due."""
        return _share(self.late, self.due)

    @property
    def defect_bp(self) -> int:
        """The share of shipped units that were refunded for a defect or damage, or claimed for and not refused."""
        return _share(self.defects, self.shipped)

    @property
    def answer_bp(self) -> int:
        """The share of answers that came late, or not at all."""
        return _share(self.slow, self.asked)

    def broken(self, rules: QualityRules) -> list[str]:
        """Return the names of the thresholds passed; none while too few units were sold to judge by."""
        if self.units < rules.least_units:
            return []
        names = ("cancel_bp", "late_bp", "defect_bp", *(("answer_bp",) if self.asked >= rules.least_units else ()))
        return [name for name in names if getattr(self, name) > getattr(rules, name)]


def rate_sellers(engine: Engine, *, now: datetime) -> int:
    """Reckon the figures of this day's night for whom they are missing, apply them, and return how many sellers that were."""
    day = clock.to_text(now)[:10]
    with reading(engine) as connection:
        rules, unrated = rules_of(connection, day), rows(connection, UNRATED, day=day)
    for first in range(0, len(unrated), AT_ONCE):
        with reading(engine) as connection:
            some = unrated[first : first + AT_ONCE]
            figures = [figures_of(connection, seller["seller_id"], day, rules) for seller in some]
        run_tx(engine, partial(_apply, figures=figures, rules=rules, now=now))
    return len(unrated)


def rate(work: Work, _body: Mapping[str, Any]) -> str:
    """Do the job of the timer."""
    return f"{rate_sellers(work.engine, now=work.now)} sellers"


def figures_of(connection: Connection, seller_id: int, day: str, rules: QualityRules) -> QualityFigures:
    """Reckon a seller's figures of the night before a day (UTC) by that day's rules; the same whenever it is done."""
    until = f"{day}T00:00:00Z"
    since = clock.to_text(clock.from_text(until) - timedelta(days=rules.days))
    window = {"seller_id": seller_id, "since": since, "until": until}
    counts = _count(rows(connection, UNITS, **window), until, rules)
    counts |= _count_answers(rows(connection, MESSAGES, **window), since, until, rules)
    bare = QualityFigures(seller_id=seller_id, day=day, quality_bp=0, **counts)
    missing = max(0, rules.least_units - bare.units)
    served = quality_bp(metrics(bare)) * min(bare.units, rules.least_units) + rules.start_quality_bp * missing
    return QualityFigures(**{**asdict(bare), "quality_bp": served // rules.least_units})


def metrics(figures: QualityFigures) -> dict[str, int]:
    """Return figures as the ranking weighs them."""
    return {name: getattr(figures, name) for name in ("cancel_bp", "defect_bp", "late_bp", "reply_h")}


def newest_figures(connection: Connection, seller_id: int) -> QualityFigures | None:
    """Return a seller's figures of the last night, None before the first."""
    query = "select * from seller_quality where seller_id = :seller_id order by day desc limit 1"
    stored = row(connection, query, seller_id=seller_id)
    return QualityFigures(**stored) if stored else None


def _count(units: Iterable[Mapping[str, Any]], until: str, rules: QualityRules) -> dict[str, int]:
    counts = dict.fromkeys(("units", "cancelled", "taken", "due", "late", "shipped", "returned", "defects"), 0)
    for unit in units:
        by, shipped_at = unit["cancelled_by"] or "", unit["shipped_at"]
        counts["units"] += 1
        counts["taken"] += by == "timer"
        counts["cancelled"] += by == "timer" or by.startswith("seller:")
        counts["shipped"] += shipped_at is not None
        counts["returned"] += unit["is_returned"]
        counts["defects"] += unit["is_defect"] or unit["is_claimed"]
        if unit["accepted_at"] and not by and (shipped_at or not unit["has_waiting_plan"]):
            ship_from = max(unit["accepted_at"], unit["acknowledged_at"] or "")
            ship_by = clock.to_text(clock.from_text(ship_from) + timedelta(hours=rules.ship_h))
            is_late = (shipped_at or until) > ship_by
            counts["due"] += shipped_at is not None or is_late
            counts["late"] += is_late
    return counts


def _count_answers(messages: Iterable[Mapping[str, Any]], since: str, until: str, rules: QualityRules) -> dict[str, int]:
    """Count what customers asked in the window: from the first message that nobody had answered to the next that is not theirs.

    What waits for less than its hours counts in a later night. `messages` stand by part, each part's in order.
    """
    waits: list[timedelta] = []
    allowed, end = timedelta(hours=rules.answer_h), clock.from_text(until)
    for _, thread in groupby(messages, lambda message: message["part_id"]):
        asked_at: str | None = None
        answered: list[tuple[str, str | None]] = []
        for message in thread:
            if message["by"] == "customer":
                asked_at = asked_at or message["at"]
            elif asked_at is not None:
                answered.append((asked_at, message["at"]))
                asked_at = None
        if asked_at is not None:
            answered.append((asked_at, None))
        for asked, at in answered:
            wait = (clock.from_text(at) if at else end) - clock.from_text(asked)
            if asked >= since and (at or wait > allowed):
                waits.append(wait)
    hours = int(sorted(waits)[(len(waits) - 1) // 2] / timedelta(hours=1)) if waits else 0
    return {"asked": len(waits), "slow": sum(wait > allowed for wait in waits), "reply_h": hours}


def _share(part: int, whole: int) -> int:
    return 10_000 * part // whole if whole else 0


def _apply(connection: Connection, *, figures: list[QualityFigures], rules: QualityRules, now: datetime) -> None:
    """Keep figures; a desk's seller is ranked by them, and warned or relieved where they pass its thresholds."""
    for night in figures:
        connection.execute(upsert(tables.seller_quality), asdict(night))
        query = "select quality_bp, body, source, state from seller where seller_id = :seller_id"
        seller = row(connection, query, seller_id=night.seller_id)
        if seller is None or seller["source"] != "desk":
            continue
        body = compact({**json.loads(seller["body"]), "metrics": metrics(night)})
        if (seller["quality_bp"], seller["body"]) != (night.quality_bp, body):
            update = "update seller set quality_bp = :quality_bp, body = :body where seller_id = :seller_id"
            changed(connection, update, quality_bp=night.quality_bp, body=body, seller_id=night.seller_id)
            mark_seller(connection, night.seller_id)
        _move(connection, night, rules, state=seller["state"], now=now)


def _move(connection: Connection, figures: QualityFigures, rules: QualityRules, *, state: str, now: datetime) -> None:
    """Warn an active seller whose figures pass a threshold, and relieve one that was warned for that; HQ does all else."""
    broken = figures.broken(rules)
    if state == "active" and broken:
        goal = "warned"
    elif state == "warned" and not broken and steps(connection, figures.seller_id)[0]["by"] == QUALITY:
        goal = "active"
    else:
        return
    reasons = _reasons(figures, rules, broken)
    from_at = move_seller(connection, figures.seller_id, goal, reasons, by=QUALITY, now=now)
    mail_move(connection, figures.seller_id, goal, reasons, at=now, from_at=from_at)


def _reasons(figures: QualityFigures, rules: QualityRules, broken: list[str]) -> Reasons:
    """Return what is told with a step: counts, of how many, and the threshold, of what was passed or of everything."""
    counted = {
        "cancel_bp": (figures.cancelled, figures.units),
        "late_bp": (figures.late, figures.due),
        "defect_bp": (figures.defects, figures.shipped),
        "answer_bp": (figures.slow, figures.asked),
    }
    told = {name: (*counted[name], getattr(rules, name)) for name in broken or counted}
    return Reasons(
        figures={
            "days": rules.days,
            "day": figures.day,
            "since": rules.valid_from,
            "is_warning": bool(broken),
            "counts": told,
        }
    )
