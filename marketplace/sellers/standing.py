"""Where a seller stands: on trial, active, warned, suspended or closed, each change a step with its statement of reasons.

Invariant: the newest step whose time has come is the seller's state; a seller who is suspended or closed has no offer anywhere.
Source: P2B regulation 2019/1150 art. 4 and DSA 2022/2065 art. 17 for the statement and the 30 days before a seller is closed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine

from marketplace import tables
from marketplace.bodies import compact
from marketplace.db import changed, row, rows, run_tx
from marketplace.publishing.marks import Marks
from pos import clock
from pos.errors import Conflict, Refused
from sync.hq.log import SUPPLY

NOTICE = timedelta(days=30)
MOVES: dict[str, tuple[str, ...]] = {
    "trial": ("active", "warned", "suspended", "closed"),
    "active": ("warned", "suspended", "closed"),
    "warned": ("active", "suspended", "closed"),
    "suspended": ("active", "closed"),
    "closed": (),
}
OFF = frozenset({"suspended", "closed"})
LONGEST_REASON = 2000
QUALITY = "quality"
"""Who takes the steps that follow from figures."""
BY_FIGURES = "figures"
"""The rule of such a step: its facts are the figures, as JSON."""


class ReasonsMissing(Refused):
    """A decision needs its facts, the rule it follows and what can be done about it; `data["fields"]` names what is missing."""


class NoSuchMove(Conflict):
    """The seller is not where this decision leads from: somebody else decided before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """A statement of reasons: what happened, which rule it falls under, what the seller can do about it.

    Where quality decides, it is `figures` instead, told in the language of whoever reads it (`templates/marketplace/sellers`).
    """

    facts: str = ""
    rule: str = ""
    remedy: str = ""
    figures: Mapping[str, Any] | None = None


def read_reasons(form: Mapping[str, str]) -> Reasons:
    """Read the three parts of a statement. Raises: ReasonsMissing."""
    values = {name: form.get(name, "").strip()[:LONGEST_REASON] for name in ("facts", "rule", "remedy")}
    missing = [name for name, value in values.items() if not value or not value.replace("\n", "").replace("\r", "").isprintable()]
    if missing:
        raise ReasonsMissing("a decision needs its reasons", fields=missing)
    return Reasons(facts=values["facts"], rule=values["rule"], remedy=values["remedy"])


def steps(connection: Connection, seller_id: int) -> list[dict[str, Any]]:
    """Return a seller's steps, the newest first; `figures` are those of a step that quality took, else None."""
    query = "select * from seller_step where seller_id = :seller_id order by step_no desc"
    return [{**step, "figures": _figures(step)} for step in rows(connection, query, seller_id=seller_id)]


def note_step(
    connection: Connection,
    seller_id: int,
    state: str,
    reasons: Reasons,
    *,
    by: str,
    now: datetime,
    from_at: datetime | None = None,
) -> None:
    """Write one step, in the caller's transaction; it counts from `from_at` on, else at once."""
    newest = row(connection, "select max(step_no) as last from seller_step where seller_id = :seller_id", seller_id=seller_id)
    connection.execute(
        tables.seller_step.insert(),
        {
            "seller_id": seller_id,
            "step_no": ((newest or {}).get("last") or 0) + 1,
            "state": state,
            "at": clock.to_text(now),
            "from_at": clock.to_text(from_at or now),
            "by": by,
            "facts": reasons.facts if reasons.figures is None else compact(reasons.figures),
            "rule": reasons.rule if reasons.figures is None else BY_FIGURES,
            "remedy": reasons.remedy,
        },
    )


def move_seller(connection: Connection, seller_id: int, state: str, reasons: Reasons, *, by: str, now: datetime) -> datetime:
    """Decide where a seller with a desk stands, in the caller's transaction, and return from when on; closing takes 30 days.

    A later decision takes the place of a notice that has not come due. Raises: NoSuchMove.
    """
    seller = row(connection, "select state from seller where seller_id = :seller_id and source = 'desk'", seller_id=seller_id)
    if seller is None or state not in moves(seller["state"], steps(connection, seller_id), now):
        raise NoSuchMove("the seller does not stand where this leads from", state=seller["state"] if seller else None)
    from_at = now + NOTICE if state == "closed" else now
    note_step(connection, seller_id, state, reasons, by=by, now=now, from_at=from_at)
    if from_at <= now:
        _enter(connection, seller_id, state)
    return from_at


def moves(state: str, history: list[dict[str, Any]], now: datetime) -> tuple[str, ...]:
    """Return where a seller may be led from its state; during a notice also to stay, which withdraws the notice."""
    return (state, *MOVES[state]) if closing_at(history, now) else MOVES[state]


def close_due_sellers(engine: Engine, *, now: datetime) -> int:
    """Close the sellers whose notice has come due, and return how many. Idempotent."""
    return run_tx(engine, lambda connection: _close_due(connection, clock.to_text(now)))


def closing_at(history: list[dict[str, Any]], now: datetime) -> str | None:
    """Return when a seller will be closed, None without a notice; `history` is what `steps` returns."""
    newest = history[0] if history else None
    return newest["from_at"] if newest and newest["state"] == "closed" and newest["from_at"] > clock.to_text(now) else None


def _figures(step: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the figures of a step, which nobody but quality writes; earlier versions of it wrote a sentence instead."""
    return dict(json.loads(step["facts"])) if (step["by"], step["rule"]) == (QUALITY, BY_FIGURES) else None


def _close_due(connection: Connection, at: str) -> int:
    due = rows(
        connection,
        """
        select seller.seller_id from seller_step
        join seller on seller.seller_id = seller_step.seller_id and seller.state <> 'closed'
        where seller_step.state = 'closed' and seller_step.from_at <= :at and not exists (
          select 1 from seller_step later
          where later.seller_id = seller_step.seller_id and later.step_no > seller_step.step_no
        )
        """,
        at=at,
    )
    for seller in due:
        _enter(connection, seller["seller_id"], "closed")
    return len(due)


def _enter(connection: Connection, seller_id: int, state: str) -> None:
    """Set a seller's state; the next publication hears of it where offers go or come back."""
    suspended = int(state in OFF)
    before = row(connection, "select suspended from seller where seller_id = :seller_id", seller_id=seller_id)
    sql = "update seller set state = :state, suspended = :suspended where seller_id = :seller_id"
    changed(connection, sql, state=state, suspended=suspended, seller_id=seller_id)
    if before is not None and before["suspended"] != suspended:
        mark_seller(connection, seller_id)


def mark_seller(connection: Connection, seller_id: int) -> None:
    """Mark a seller's row for the next publication of every market, in the caller's transaction."""
    marks = Marks(SUPPLY)
    for market in rows(connection, "select market from market"):
        marks.add(market["market"], "seller", seller_id)
    marks.write(connection)
