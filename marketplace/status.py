"""Whether the process lives, whether it can work, and counts by state for whoever watches: never a label per corner."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from marketplace.db import reading, row, rows
from marketplace.web import marketplace
from pos import clock

status = Blueprint("status", __name__)

COUNTS = {
    "comptoir_inbox_events": "select state as label, count(*) as n from inbox group by state",
    "comptoir_orders": "select state as label, count(*) as n from customer_order group by state",
    "comptoir_slips": """
      select case when difference is null then 'agreed' else 'differs' end as label, count(*) as n from slip group by 1
    """,
    "comptoir_devices": """
      select case when quarantined_at is not null then 'quarantined'
        when seen_at is null then 'never_seen' else 'enrolled' end as label, count(*) as n
      from device group by 1
    """,
    "comptoir_dirty_marks": "select market as label, count(*) as n from sync_dirty group by market",
    "comptoir_publication": "select market as label, max(publication) as n from sync_publication group by market",
}


@status.get("/healthz")
def healthz() -> Response:
    """Answer that the process lives."""
    return jsonify({"status": "ok"})


@status.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Answer whether the database can be read and the app can serve."""
    try:
        with reading(marketplace().engine) as connection:
            is_set_up = row(connection, "select 1 as one from setting where name = 'secret_key'") is not None
    except SQLAlchemyError:
        is_set_up = False
    if is_set_up:
        return jsonify({"status": "ok", "time": clock.to_text(clock.now())}), 200
    return jsonify({"code": "not_ready", "detail": "the database does not answer", "status": 503}), 503


@status.get("/metrics")
def metrics() -> Response:
    """Answer the counts in Prometheus' text format."""
    lines = []
    with reading(marketplace().engine) as connection:
        for name, query in COUNTS.items():
            lines.append(f"# TYPE {name} gauge")
            lines += [f'{name}{{state="{each["label"]}"}} {each["n"]}' for each in rows(connection, query)]
    return Response("\n".join(lines) + "\n", mimetype="text/plain; version=0.0.4")
