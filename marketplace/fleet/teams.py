"""The people of a corner as HQ knows them, and the audit journal of its counter: what its kiosk's chain of events tells."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection

from marketplace.db import rows
from pos.journal import KIND

MOST_ACTS = 200


def acts(connection: Connection, corner_id: str) -> list[dict[str, Any]]:
    """Return the newest of what clerks did at a corner: `clerk_id`, `act`, `subject`, `at`, and the event's `seq` and `state`.

    An event that is not what its hash says is dead, and shown as such.
    """
    found = rows(
        connection,
        """
        select key_id, stream, seq, state, body, recorded_at from inbox
        where corner_id = :corner_id and kind = :kind order by recorded_at desc, seq desc limit :most
        """,
        corner_id=corner_id,
        kind=KIND,
        most=MOST_ACTS,
    )
    return [{**_said(each.pop("body")), **each} for each in found]


def _said(body: str) -> dict[str, str]:
    try:
        said = json.loads(body)
        return {name: str(said.get(name) or "") for name in ("clerk_id", "act", "subject", "at")}
    except (ValueError, AttributeError, RecursionError):
        return dict.fromkeys(("clerk_id", "act", "subject", "at"), "")
