"""What happened to payments at their provider: each event is kept once, and stays when what it was of is gone."""

from __future__ import annotations

from sqlalchemy import Connection

from marketplace.db import changed

REFUND_FAILED = "refund_failed"


def keep_event(connection: Connection, customer_id: str, payment_id: str, event_id: str, *, kind: str, at: str) -> bool:
    """Keep an event; False where it was kept before."""
    return bool(
        changed(
            connection,
            """
            insert into payment_event (customer_id, event_id, payment_id, kind, received_at)
            values (:customer_id, :event_id, :payment_id, :kind, :at)
            on conflict (customer_id, event_id) do nothing
            """,
            customer_id=customer_id,
            event_id=event_id,
            payment_id=payment_id,
            kind=kind,
            at=at,
        )
    )


def failed_event(key: str) -> str:
    """Return the id of the event that an attempt at a refund failed: for good, also where another stands for it since."""
    return f"{REFUND_FAILED}:{key}"
