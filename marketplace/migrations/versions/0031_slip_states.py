"""Keep with each claim what became of its slip, its changes numbered by corner: kiosks are told what they have not heard."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text

from marketplace.tables.columns import key, maybe_text, since, whole

revision = "0031"
down_revision = "0030"

# The same rules as where orders go on (marketplace/orders/slip_states.py), as they were in this version.
STATES = """
    update claim set
      state = case
        when exists (select 1 from unit where unit.order_id = claim.order_id and unit.state in ('shipped', 'delivered'))
          then 'shipped'
        when exists (select 1 from unit where unit.order_id = claim.order_id and unit.state in ('to_accept', 'accepted'))
          or exists (select 1 from substitution where substitution.order_id = claim.order_id and substitution.state = 'offered')
          then 'ordered'
        when exists (select 1 from unit where unit.order_id = claim.order_id and unit.state = 'returned') then 'returned'
        when exists (select 1 from unit where unit.order_id = claim.order_id and unit.state = 'cancelled') then 'cancelled'
        when exists (select 1 from customer_order where customer_order.order_id = claim.order_id and state = 'closed')
          and not exists (
            select 1 from activation where activation.order_id = claim.order_id and activation.state = 'active'
          ) then 'cancelled'
        else 'ordered'
      end,
      state_at = coalesce((select max(unit.since) from unit where unit.order_id = claim.order_id), claim.claimed_at)
"""
NUMBERS = """
    update claim set change_no = numbered.change_no
    from (
      select corner_id, key_id, counter,
        row_number() over (partition by corner_id order by claimed_at, key_id, counter) as change_no
      from claim
    ) as numbered
    where claim.corner_id = numbered.corner_id and claim.key_id = numbered.key_id and claim.counter = numbered.counter
"""
COUNTERS = """
    insert into corner_counter (corner_id, name, value)
    select corner_id, 'slip_state', max(change_no) from claim group by corner_id
"""


def upgrade() -> None:
    """Add the columns and the counter, and fill them from the orders there are."""
    op.add_column("claim", Column("state", Text, nullable=False, server_default="ordered"))
    op.add_column("claim", maybe_text("state_at"))
    op.add_column("claim", since("change_no", 0))
    op.create_table("corner_counter", key("corner_id"), key("name"), whole("value"), sqlite_strict=True)
    for statement in (STATES, NUMBERS, COUNTERS):
        op.execute(statement)
    op.create_index("claim_by_change", "claim", ["corner_id", "change_no"])
