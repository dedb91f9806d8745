"""`/console`: HQ's own pages, behind one password: fleet, publications, slips, orders, sellers, what went wrong."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from flask import Blueprint, render_template, request, session
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace import device_pages, fleet_pages, gap_pages, letter_pages, overview, trial_pages
from marketplace.db import changed, reading, row, run_tx
from marketplace.enrolments import VALID_MINUTES, requests, start_enrolment
from marketplace.settings import setting
from marketplace.web import SAFE, ZONE, ForeignOrigin, cause, marketplace, see_other
from pos import clock
from pos.errors import PosError

SESSION_HOURS = 12
FREE_TRIES = 5
FIRST_WAIT_S = 30
LONGEST_WAIT_S = 900
OPEN_PAGES = frozenset({"console.login", "console.log_in"})

console = Blueprint("console", __name__, url_prefix="/console")
for part in (fleet_pages.pages, trial_pages.pages, device_pages.pages, letter_pages.pages, gap_pages.pages):
    console.register_blueprint(part)


class WrongPassword(PosError):
    """Not the console's password; `data` may carry `wait_s` while further tries are refused."""

    status = 403


@console.before_request
def ask_for_password() -> Response | None:
    """Redirect to the log-in page whoever has no session of the last hours. Raises: ForeignOrigin."""
    if request.endpoint in OPEN_PAGES:
        return None
    if request.method not in SAFE and cause() != "own":
        raise ForeignOrigin("the request does not say which page it comes from")
    since = session.get("since")
    if isinstance(since, str) and clock.now() - clock.from_text(since) < timedelta(hours=SESSION_HOURS):
        return None
    session.clear()
    return see_other("console.login")


@console.get("/login")
def login() -> str:
    """Show the log-in form."""
    return render_template("marketplace/login.html", problem=None)


@console.post("/login")
def log_in() -> Response | tuple[str, int]:
    """Open a session for whoever knows the password; wrong tries make everybody wait, longer each time."""
    now = clock.now()
    try:
        _check_password(request.form.get("password", ""), now)
    except WrongPassword as problem:
        return render_template("marketplace/login.html", problem=problem), problem.status
    session.clear()
    session["since"] = clock.to_text(now)
    return see_other("console.home")


@console.post("/logout")
def log_out() -> Response:
    """End the session."""
    session.clear()
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
        return _page("console_slips", slips=overview.slips(connection))


@console.get("/orders")
def orders() -> str:
    """Show the newest orders."""
    with reading(marketplace().engine) as connection:
        return _page("console_orders", orders=overview.orders(connection))


@console.get("/sellers")
def sellers() -> str:
    """Show the sellers with their quality."""
    with reading(marketplace().engine) as connection:
        return _page("console_sellers", sellers=overview.sellers(connection))


@console.post("/corners/<corner_id>/enrolments")
def enrolments(corner_id: str) -> str:
    """Make a one-time code for a corner and show it, once."""
    now = clock.now()
    code = start_enrolment(marketplace().engine, corner_id, must_confirm=True, now=now)
    until = clock.to_text(now + timedelta(minutes=VALID_MINUTES))
    return _page("console_code", code=code, corner_id=corner_id, until=until)


def _page(name: str, **values: Any) -> str:
    return render_template(f"marketplace/{name}.html", zone=ZONE, now=clock.to_text(clock.now()), page=name, **values)


def _check_password(password: str, now: datetime) -> None:
    """Count the try before it is verified, so that many at once get no more tries than one after the other."""
    engine = marketplace().engine
    wait_s = run_tx(engine, lambda connection: _count_try(connection, now))
    if wait_s > 0:
        raise WrongPassword("too many tries", wait_s=wait_s)
    with reading(engine) as connection:
        hashed = setting(connection, "console_password")
    try:
        PasswordHasher().verify(hashed or "", password)
    except (VerifyMismatchError, InvalidHashError):
        raise WrongPassword("not the password") from None
    run_tx(engine, lambda connection: changed(connection, "delete from console_failure where name = 'console'"))


def _count_try(connection: Connection, now: datetime) -> int:
    """Return how long to wait before a try is allowed; one that is allowed is counted as failed until it succeeds."""
    wait_s = _wait_s(row(connection, "select * from console_failure where name = 'console'"), now)
    if wait_s == 0:
        _count_failure(connection, now)
    return wait_s


def _wait_s(failures: dict[str, Any] | None, now: datetime) -> int:
    if failures is None or failures["failures"] < FREE_TRIES:
        return 0
    wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(10, failures["failures"] - FREE_TRIES))
    return max(0, int(wait_s - (now - clock.from_text(failures["last_at"])).total_seconds()))


def _count_failure(connection: Connection, now: datetime) -> None:
    changed(
        connection,
        """
        insert into console_failure (name, failures, last_at) values ('console', 1, :now)
        on conflict (name) do update set failures = console_failure.failures + 1, last_at = excluded.last_at
        """,
        now=clock.to_text(now),
    )
