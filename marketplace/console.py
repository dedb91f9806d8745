"""`/console`: HQ's log-in, the guard before every page of its subjects, and the first page."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request, session
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace import sessions
from marketplace.db import reading, row, run_tx
from marketplace.events import pages as event_pages
from marketplace.feeds import edit_pages
from marketplace.feeds import pages as feed_pages
from marketplace.feeds.imports import recent_imports
from marketplace.fleet import day_pages, device_pages, gap_pages, table_pages, team_pages
from marketplace.fleet import pages as fleet_pages
from marketplace.fleet.enrolments import requests
from marketplace.money import fee_pages, partner_pages, payment_pages, payout_pages
from marketplace.money import pages as money_pages
from marketplace.money.identity import our_identity
from marketplace.money.provider import ProviderSettings, read_settings
from marketplace.orders import overdue_pages
from marketplace.orders.console_orders import orders
from marketplace.orders.console_slips import slips
from marketplace.orders.overdue import Kind, count_overdue
from marketplace.papers import fee_invoice_pages
from marketplace.privacy import pages as privacy_pages
from marketplace.publishing import pages as publishing_pages
from marketplace.publishing import release_pages
from marketplace.publishing.publications import NewestPublication, newest
from marketplace.running import pages as running_pages
from marketplace.sellers import pages as seller_pages
from marketplace.sellers import quality_pages
from marketplace.web import marketplace, see_other, source
from pos import clock
from pos.origins import ForeignOrigin
from shop.web import SAFE_METHODS, cause, render_template

OPEN_PAGES = frozenset({"console.login", "console.log_in"})
TOKEN, BROWSER = "token", "browser"
"""What the signed cookie holds: the session, and a name for the browser that outlasts it."""

console = Blueprint("console", __name__, url_prefix="/console")
SUBJECTS = (
    *(fleet_pages.pages, device_pages.pages, gap_pages.pages, team_pages.pages, day_pages.pages, table_pages.pages),
    *(
        publishing_pages.pages,
        release_pages.pages,
        feed_pages.pages,
        edit_pages.pages,
        slips,
        orders,
        overdue_pages.pages,
        seller_pages.pages,
        quality_pages.console_pages,
        event_pages.pages,
        running_pages.pages,
    ),
    *(money_pages.pages, payment_pages.pages, fee_pages.pages, payout_pages.pages, fee_invoice_pages.pages, partner_pages.pages),
    privacy_pages.pages,
)
for subject in SUBJECTS:
    console.register_blueprint(subject)


@dataclass(frozen=True, slots=True)
class Counts:
    """Orders and slips in all; `differing` slips have totals that are not HQ's own; what a person should look at.

    `dead` events nobody could judge, `quarantined` devices told two stories under one number, `dead_jobs` could not be done;
    `overdue` of each kind somebody should have done by now.
    """

    orders: int
    slips: int
    differing: int
    dead: int
    quarantined: int
    dead_jobs: int
    overdue: dict[Kind, int]


@dataclass(frozen=True, slots=True)
class HomePage:
    """The console's first page; `waiting` is how many devices are to be confirmed, `provider` how payment is set up.

    Without `has_identity` no fee is invoiced.
    """

    publications: list[NewestPublication]
    imports: list[dict[str, Any]]
    counts: Counts
    waiting: int
    provider: ProviderSettings | None
    has_identity: bool


@console.before_request
def ask_for_password() -> Response | None:
    """Redirect to the log-in page whoever has no session of the last hours. Raises: ForeignOrigin."""
    if request.endpoint in OPEN_PAGES:
        return None
    if request.method not in SAFE_METHODS and cause() != "own":
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


@console.context_processor
def add_zone() -> dict[str, str]:
    """Give every page HQ's time zone: the console shows all times in it."""
    return {"zone": clock.HOME_ZONE}


@console.get("/")
def home() -> str:
    """Show the publications and what waits for somebody."""
    with reading(marketplace().engine) as connection:
        page = HomePage(
            publications=newest(connection),
            imports=recent_imports(connection),
            counts=_counts(connection),
            waiting=len(requests(connection, now=clock.now())),
            provider=read_settings(connection),
            has_identity=our_identity(connection) is not None,
        )
    return render_template("marketplace/console.html", page=page)


def _counts(connection: Connection) -> Counts:
    counted = row(
        connection,
        """
        select (select count(*) from customer_order) as orders,
          (select count(*) from slip) as slips,
          (select count(*) from slip where difference is not null) as differing,
          (select count(*) from inbox where state = 'dead') as dead,
          (select count(*) from device where quarantined_at is not null) as quarantined,
          (select count(*) from job where state = 'dead') as dead_jobs
        """,
    )
    overdue = count_overdue(connection, now=clock.now())
    return Counts(**{name: int(value) for name, value in (counted or {}).items()}, overdue=overdue)
