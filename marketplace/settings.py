"""What HQ remembers of itself: secrets and switches, as JSON by name."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, text

from marketplace.db import row


def setting(connection: Connection, name: str) -> Any:
    """Return the value stored under `name`, or None."""
    found = row(connection, "select value from setting where name = :name", name=name)
    return json.loads(found["value"]) if found else None


def store_setting(connection: Connection, name: str, value: Any) -> None:
    """Store a value under `name`, in the caller's transaction."""
    connection.execute(
        text("insert into setting (name, value) values (:name, :value) on conflict (name) do update set value = excluded.value"),
        {"name": name, "value": json.dumps(value, ensure_ascii=False, sort_keys=True)},
    )
