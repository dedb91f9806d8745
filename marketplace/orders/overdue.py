"""What somebody should have done by now, for HQ: one list a kind, the longest overdue first, a page at a time.

Invariant: each list reads an index up to its own bound, so that it costs what is late and not what was ever ordered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection

from marketplace.db import row, rows
from marketplace.orders.parts import ACCEPT_WITHIN
from marketplace.orders.timers import REMIND_BEFORE
from marketplace.sellers.quality_rules import rules_of
from pos import clock

Kind = Literal["to_accept", "to_ship", "returns", "claims", "messages", "refunds", "plans"]
MOST_SHOWN, MOST_COUNTED = 50, 500
REFUND_WITHIN = {"failed": timedelta(), "requested": timedelta(days=1), "sent": timedelta(days=10)}
"""How long a refund may be in a state: what we mail of it says ten days."""
PLAN_WITHIN = {
    "needs_number": timedelta(days=1),
    "refused": timedelta(days=1),
    "to_send": timedelta(days=1),
    "sent": timedelta(days=2),
    "acknowledged": timedelta(days=10),
}
"""How long a plan may be in a state before somebody should look: the first two wait for their customer, the others here or at
the carrier."""

UNITS = """
    select seller_id, part_id, customer_id, order_id, min(since) as since, part_id as name, state, count(*) as units
    from unit where {late} {besides} group by seller_id, part_id, customer_id, order_id, state
"""
NO_PLAN_WAITS = """
    and not exists (
      select 1 from activation
      where activation.customer_id = unit.customer_id and activation.order_id = unit.order_id
        and activation.line_no = unit.line_no and (
          activation.state in ('needs_number', 'to_send', 'sent', 'refused') or activation.acknowledged_at >= :before_accepted
        )
    )
"""
CASES = """
    select seller_id, part_id, customer_id, order_id, due_at as since,
      part_id || ':' || line_no || ':' || unit_no || ':' || case_no as name, state, 1 as units
    from unit_case where due_at < :before_ and ground in ({grounds})
"""
REFUNDS = """
    select seller_id, part_id, customer_id, order_id, requested_at as since, refund_id as name, state, 1 as units
    from refund where {late}
"""
MESSAGES = """
    select seller_id, part_id, customer_id, order_id, asked_at as since, part_id as name, '' as state, 1 as units
    from part where asked_at < :before_
"""
PLANS = """
    select cast(null as bigint) as seller_id, cast(null as text) as part_id, customer_id, order_id, since,
      activation_id as name, state, 1 as units
    from activation where {late}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueThing:
    """Something late: `due_at` (UTC text) is when it should have been done, `minutes` how long ago that is.

    `state` is where it stands; `name` what it is within its kind; seller and part are "" where no seller is meant.
    """

    name: str
    state: str
    units: int
    since: str
    due_at: str
    minutes: int
    customer_id: str
    number: str
    part_number: str
    seller: str

    @property
    def place(self) -> str:
        """Where it stands in its list."""
        return f"{self.since} {self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Delay:
    """A kind: its query, and how long its things may be in each state."""

    query: str
    allowed: Mapping[str, timedelta]

    def bounds(self, now: datetime) -> dict[str, str]:
        return {f"before_{state}": clock.to_text(now - time) for state, time in self.allowed.items()}


def count_overdue(connection: Connection, *, now: datetime) -> dict[Kind, int]:
    """Return how many things of each kind are late, `MOST_COUNTED` where they are more."""
    return {kind: _count(connection, delay, now) for kind, delay in _delays(connection, now).items()}


def overdue_of(connection: Connection, kind: Kind, *, now: datetime, after: str = "") -> list[OverdueThing]:
    """Return the longest overdue of a kind, those that stand after a `place`, `MOST_SHOWN` at most."""
    delay = _delays(connection, now)[kind]
    query = f"""
        select late.*, customer_order.number, part.number as part_number, seller.body
        from ({delay.query}) late
        join customer_order on customer_order.customer_id = late.customer_id and customer_order.order_id = late.order_id
        left join part on part.seller_id = late.seller_id and part.part_id = late.part_id
        left join seller on seller.seller_id = late.seller_id
        where late.since > :since or (late.since = :since and late.name > :name)
        order by late.since, late.name limit :most
    """
    since, _, name = after.partition(" ")
    found = rows(connection, query, **delay.bounds(now), since=since, name=name, most=MOST_SHOWN)
    return [_thing(late, delay, now) for late in found]


def _delays(connection: Connection, now: datetime) -> dict[Kind, _Delay]:
    rules = rules_of(connection, clock.to_text(now)[:10])
    return {
        "to_accept": _of_units({"to_accept": ACCEPT_WITHIN - REMIND_BEFORE}, besides=""),
        "to_ship": _of_units({"accepted": timedelta(hours=rules.ship_h)}, besides=NO_PLAN_WAITS),
        "returns": _Delay(query=CASES.format(grounds="'withdrawal', 'return'"), allowed={"": timedelta()}),
        "claims": _Delay(query=CASES.format(grounds="'legal', 'commercial'"), allowed={"": timedelta()}),
        "messages": _Delay(query=MESSAGES, allowed={"": timedelta(hours=rules.answer_h)}),
        "refunds": _Delay(query=REFUNDS.format(late=_late(REFUND_WITHIN, "requested_at")), allowed=REFUND_WITHIN),
        "plans": _Delay(query=PLANS.format(late=_late(PLAN_WITHIN, "since")), allowed=PLAN_WITHIN),
    }


def _of_units(allowed: Mapping[str, timedelta], *, besides: str) -> _Delay:
    return _Delay(query=UNITS.format(late=_late(allowed, "since"), besides=besides), allowed=allowed)


def _late(allowed: Mapping[str, timedelta], column: str) -> str:
    return "(" + " or ".join(f"(state = '{state}' and {column} < :before_{state})" for state in allowed) + ")"


def _count(connection: Connection, delay: _Delay, now: datetime) -> int:
    query = f"select count(*) as late from (select 1 as one from ({delay.query}) every limit :most) counted"
    found = row(connection, query, **delay.bounds(now), most=MOST_COUNTED)
    return int(found["late"]) if found else 0


def _thing(late: dict[str, Any], delay: _Delay, now: datetime) -> OverdueThing:
    allowed = delay.allowed.get(late["state"], delay.allowed.get("", timedelta()))
    due = clock.from_text(late["since"]) + allowed
    return OverdueThing(
        name=late["name"],
        state=late["state"],
        units=late["units"],
        since=late["since"],
        due_at=clock.to_text(due),
        minutes=max(0, int((now - due) / timedelta(minutes=1))),
        customer_id=late["customer_id"],
        number=late["number"],
        part_number=late["part_number"] or "",
        seller=str(json.loads(late["body"])["name"]) if late["body"] else "",
    )
