"""Find the parts whose customer waits for an answer."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Text, text

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Keep with each part when its customer wrote what nobody answered yet."""
    op.add_column("part", Column("asked_at", Text))
    where = text("asked_at is not null")
    op.create_index("part_to_answer", "part", ["asked_at"], sqlite_where=where, postgresql_where=where)
    op.execute(
        """
        update part set asked_at = (
          select min(message.at) from message
          where message.seller_id = part.seller_id and message.part_id = part.part_id and message.by = 'customer'
            and not exists (
              select 1 from message answer
              where answer.seller_id = message.seller_id and answer.part_id = message.part_id
                and answer.message_no > message.message_no and answer.by <> 'customer'
            )
        )
        """
    )
