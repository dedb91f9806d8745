"""What is asked of sellers, each set of figures from a day on: thresholds of quality, and how much is sold on trial.

Invariant: the rules of a day that has begun never change; HQ adds rules from a later day on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import cast

from sqlalchemy import Connection

from marketplace import tables
from marketplace.db import changed, row, rows
from marketplace.running.jobs import HQ
from pos import clock
from pos.errors import NotFound, Refused

BOUNDS = {
    "days": (7, 730),
    "least_units": (1, 10_000),
    "ship_h": (1, 720),
    "cancel_bp": (0, 10_000),
    "late_bp": (0, 10_000),
    "defect_bp": (0, 10_000),
    "start_quality_bp": (0, 10_000),
    "trial_units": (1, 1_000_000),
    "answer_h": (1, 720),
    "answer_bp": (0, 10_000),
}
"""The least and the most that each figure may be."""
RULES = f"select valid_from, {', '.join(BOUNDS)}, made_at from quality_rule where owner_id = :owner_id"


class RulesRefused(Refused):
    """Rules begin tomorrow at the earliest, and every figure is within its bounds; `data["fields"]` names what is not so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRules:
    """Rules from `valid_from` on (a day, UTC): rates in basis points, of the units paid in the `days` before a night.

    Below `least_units` of them nobody is warned, and `start_quality_bp` counts for those that are missing. A unit is late that
    does not ship within `ship_h` hours of its acceptance; an answer is late after `answer_h` hours, and nobody is warned for that
    below `least_units` questions. A seller on trial has at most `trial_units` ordered and not shipped.
    """

    valid_from: str
    days: int
    least_units: int
    ship_h: int
    cancel_bp: int
    late_bp: int
    defect_bp: int
    start_quality_bp: int
    trial_units: int
    answer_h: int
    answer_bp: int
    made_at: str


def every_rules(connection: Connection) -> list[QualityRules]:
    """Return all rules, the latest first."""
    return [QualityRules(**each) for each in rows(connection, f"{RULES} order by valid_from desc", owner_id=HQ)]


def rules_of(connection: Connection, day: str) -> QualityRules:
    """Return the rules in force on a day. Raises: NotFound before the first."""
    stored = row(connection, f"{RULES} and valid_from <= :day order by valid_from desc limit 1", owner_id=HQ, day=day)
    if stored is None:
        raise NotFound("no rules on that day")
    return QualityRules(**stored)


def add_rules(connection: Connection, form: Mapping[str, str], *, now: datetime) -> QualityRules:
    """Add rules from a later day on, in the caller's transaction; those announced for that day or later give way.

    Raises: RulesRefused.
    """
    today, valid_from = clock.to_text(now)[:10], form.get("valid_from", "")
    texts = {name: form.get(name, "").strip() for name in BOUNDS}
    wrong = [name for name, (least, most) in BOUNDS.items() if not _is_within(texts[name], least, most)]
    if not clock.is_text(f"{valid_from}T00:00:00Z") or valid_from <= today:
        wrong.append("valid_from")
    if wrong:
        raise RulesRefused("these figures cannot be taken", fields=wrong)
    figures = cast(dict[str, int], {name: int(said) for name, said in texts.items()})
    rules = QualityRules(valid_from=valid_from, made_at=clock.to_text(now), **figures)
    later = "delete from quality_rule where owner_id = :owner_id and valid_from >= :valid_from"
    changed(connection, later, owner_id=HQ, valid_from=valid_from)
    connection.execute(tables.quality_rule.insert(), {"owner_id": HQ, **asdict(rules)})
    return rules


def _is_within(said: str, least: int, most: int) -> bool:
    return said.isascii() and said.isdigit() and len(said) <= 9 and least <= int(said) <= most
