"""What became of a corner's slips, as its kiosk is told: ordered, shipped, returned or cancelled, and nothing of who ordered.

Invariant: of two changes at one corner the one committed later has the higher number, so a kiosk that heard up to one of them
misses none below; each is told until the kiosk says that it heard it.
"""

from __future__ import annotations

from typing import Any, cast

from sqlalchemy import Connection

from marketplace.db import changed, row, rows
from marketplace.fleet.revocations import SLIP_CHANGES
from pos import clock
from pos.slip_claims import MOST_AT_ONCE, ClaimedSlip, ClaimNews, ClaimState

ORDERED_SLIP = """
    select claim.corner_id, claim.key_id, claim.counter, claim.state as told,
      exists (select 1 from unit where unit.order_id = claim.order_id and unit.state in ('shipped', 'delivered')) as is_shipped,
      exists (select 1 from unit where unit.order_id = claim.order_id and unit.state in ('to_accept', 'accepted'))
        or exists (select 1 from substitution where substitution.order_id = claim.order_id and substitution.state = 'offered')
        as is_coming,
      exists (select 1 from unit where unit.order_id = claim.order_id and unit.state = 'returned') as is_returned,
      exists (select 1 from unit where unit.order_id = claim.order_id and unit.state = 'cancelled')
        or (customer_order.state = 'closed' and not exists (
          select 1 from activation where activation.order_id = claim.order_id and activation.state = 'active'
        )) as is_cancelled
    from claim
    join customer_order on customer_order.customer_id = claim.customer_id and customer_order.order_id = claim.order_id
    where claim.order_id = :order_id
"""
# The counter's row is locked until the transaction ends, so numbers are committed in their order. A number is never below the
# milliseconds of its time: HQ restored from a backup goes on above what kiosks heard before.
NEXT_NUMBER = """
    insert into corner_counter (corner_id, name, value) values (:corner_id, :name, :at_ms)
    on conflict (corner_id, name) do update
    set value = case when corner_counter.value >= :at_ms then corner_counter.value + 1 else :at_ms end
    returning value
"""
NOTE = """
    update claim set state = :state, state_at = :state_at, change_no = :change_no
    where corner_id = :corner_id and key_id = :key_id and counter = :counter
"""
CHANGES = """
    select key_id, counter, state, state_at, change_no from claim
    where corner_id = :corner_id and change_no > :after order by change_no limit :most
"""


def note_slip_state(connection: Connection, order_id: str, *, at: str) -> None:
    """Note what became of the slip an order came from, if it came from one and that changed (UTC text `at`).

    Runs in the transaction of the step that may have changed it. A slip is shipped while any of its devices is out, returned or
    cancelled once none is out nor coming.
    """
    for slip in rows(connection, ORDERED_SLIP, order_id=order_id):
        state = _state(slip)
        if state == slip["told"]:
            continue
        key = {name: slip[name] for name in ("corner_id", "key_id", "counter")}
        changed(connection, NOTE, **key, state=state, state_at=at, change_no=next_change(connection, slip["corner_id"], at=at))


def next_change(connection: Connection, corner_id: str, *, at: str) -> int:
    """Return the number of the next change at a corner, `at` a moment (UTC text); in the caller's transaction."""
    at_ms = int(clock.from_text(at).timestamp() * 1000)
    number = row(connection, NEXT_NUMBER, corner_id=corner_id, name=SLIP_CHANGES, at_ms=at_ms)
    return int(number["value"]) if number else at_ms


def claim_news(connection: Connection, corner_id: str, *, after: int, newest: int | None) -> ClaimNews:
    """Return what changed for a corner's slips after a number its kiosk heard up to, the oldest first.

    `newest` is the corner's last number as it was read before: where the kiosk heard it, nothing is asked of the database.
    """
    if newest is None or newest <= after:
        return {"upto": after, "slips": []}
    news = rows(connection, CHANGES, corner_id=corner_id, after=after, most=MOST_AT_ONCE)
    upto = news[-1]["change_no"] if news else newest
    return {"upto": upto, "slips": [_told(slip) for slip in news]}


def _state(slip: dict[str, Any]) -> ClaimState:
    if slip["is_shipped"]:
        return "shipped"
    if slip["is_coming"]:
        return "ordered"
    if slip["is_returned"]:
        return "returned"
    return "cancelled" if slip["is_cancelled"] else "ordered"


def _told(slip: dict[str, Any]) -> ClaimedSlip:
    names = ("key_id", "counter", "state", "state_at")
    return cast(ClaimedSlip, {name: slip[name] for name in names})
