"""`/console`: HQ's own pages, behind one password: fleet, publications, slips, orders, sellers, what went wrong."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from flask import Blueprint, render_template, request, session
from werkzeug.wrappers import Response

from marketplace import overview, sessions
from marketplace.db import reading, run_tx
from marketplace.events import pages as event_pages
from marketplace.fleet import device_pages, gap_pages
from marketplace.fleet import pages as fleet_pages
from marketplace.fleet.enrolments import VALID_MINUTES, requests, start_enrolment
from marketplace.publishing import pages as publishing_pages
from marketplace.web import SAFE, cause, marketplace, see_other, source
from pos import clock
from pos.origins import ForeignOrigin

OPEN_PAGES = frozenset({"console.login", "console.log_in"})
TOKEN, BROWSER = "token", "browser"
"""What the signed cookie holds: the session, and a name for the browser that outlasts it."""

console = Blueprint("console", __name__, url_prefix="/console")
for part in (fleet_pages.pages, publishing_pages.pages, device_pages.pages, event_pages.pages, gap_pages.pages):
    console.register_blueprint(part)


@console.before_request
def ask_for_password() -> Response | None:
    """Redirect to the log-in page whoever has no session of the last hours. Raises: ForeignOrigin."""
    if request.endpoint in OPEN_PAGES:
        return None
    if request.method not in SAFE and cause() != "own":
        raise ForeignOrigin("the request does not say which page it comes from")
    with reading(marketplace().engine) as connection:
        if sessions.is_open(connection, session.get(TOKEN, ""), now=clock.now()):
            return None
    session.pop(TOKEN, None)
    return see_other("console.login")


@console.get("/login")
def login() -> str:
    """Show the log-in form."""
    return render_template("marketplace/login.html", problem=None)


@console.post("/login")
def log_in() -> Response | tuple[str, int]:
    """Open a session for whoever knows the password; wrong tries make where they come from wait, longer each time."""
    browser = session.get(BROWSER)
    came_from = f"browser {browser}" if browser else f"address {source()}"
    try:
        token = sessions.log_in(marketplace().engine, request.form.get("password", ""), source=came_from, now=clock.now())
    except sessions.WrongPassword as problem:
        return render_template("marketplace/login.html", problem=problem), problem.status
    session.permanent = True
    session[TOKEN] = token
    session[BROWSER] = browser or secrets.token_urlsafe(12)
    return see_other("console.home")


@console.post("/logout")
def log_out() -> Response:
    """End the session; the browser stays known."""
    token = session.pop(TOKEN, "")
    run_tx(marketplace().engine, lambda connection: sessions.log_out(connection, token))
    return see_other("console.login")


@console.get("/")
def home() -> str:
    """Show the publications and what waits for somebody."""
    with reading(marketplace().engine) as connection:
        return _page(
            "console",
            publications=overview.publications(connection),
            counts=overview.counts(connection),
            imports=overview.imports(connection),
            waiting=len(requests(connection, now=clock.now())),
        )


@console.get("/slips")
def slips() -> str:
    """Show the newest slips and whether they met an order."""
    with reading(marketplace().engine) as connection:
        return _page("orders/console_slips", slips=overview.slips(connection))


@console.get("/orders")
def orders() -> str:
    """Show the newest orders."""
    with reading(marketplace().engine) as connection:
        return _page("orders/console_orders", orders=overview.orders(connection))


@console.get("/sellers")
def sellers() -> str:
    """Show the sellers with their quality."""
    with reading(marketplace().engine) as connection:
        return _page("sellers/sellers", sellers=overview.sellers(connection))


@console.post("/corners/<corner_id>/enrolments")
def enrolments(corner_id: str) -> str:
    """Make a one-time code for a corner and show it, once."""
    now = clock.now()
    code = start_enrolment(marketplace().engine, corner_id, must_confirm=True, now=now)
    until = clock.to_text(now + timedelta(minutes=VALID_MINUTES))
    return _page("fleet/code", code=code, corner_id=corner_id, until=until)


def _page(name: str, **values: Any) -> str:
    return render_template(f"marketplace/{name}.html", zone=clock.HOME_ZONE, now=clock.to_text(clock.now()), page=name, **values)
