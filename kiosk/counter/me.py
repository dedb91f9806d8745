"""The clerk's own page: who is at the counter, and the ways only they go: out, and for the manager to the journal."""

from __future__ import annotations

from flask import Blueprint, Response, g

from kiosk.counter.sessions import for_clerks
from pos.team import MANAGING
from shop import web

routes = Blueprint("counter_me", __name__, url_prefix="/counter/me")


@routes.get("")
@for_clerks
def me() -> Response:
    """Show who is at the counter, and what they may do there."""
    return web.page("kiosk/counter/me.html", is_managing=g.clerk["role"] in MANAGING)
