"""Whether the process lives, whether it can work, and the metrics for whoever watches."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request
from sqlalchemy.exc import SQLAlchemyError

from marketplace.db import reading, row
from marketplace.running.metrics import exposition, families
from marketplace.sources import is_loopback
from marketplace.web import marketplace
from pos import clock
from pos.errors import NotFound

status = Blueprint("status", __name__)


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
    """Answer counts and states in Prometheus' text format, to this machine alone. Raises: NotFound.

    What a proxy passes on came from elsewhere, unless it hides that and lets monitors in by a rule of its own.
    """
    if not is_loopback(request.remote_addr or "") or "X-Forwarded-For" in request.headers:
        raise NotFound("metrics are for this machine")
    here = marketplace()
    with reading(here.engine) as connection:
        text = exposition(families(connection, here.tallies, clock.now()))
    return Response(text, content_type="text/plain; version=0.0.4; charset=utf-8")
