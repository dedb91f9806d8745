"""Who works at the counter: a clerk's session behind a PIN. Two quiet minutes lock it; its cookie is for these pages only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial, wraps
from typing import Any

from flask import Blueprint, Response, after_this_request, g, request

from kiosk import files
from kiosk.counter.locks import COOKIE, UNLOCK, badge_owner, lock_page, locked, tried, typed_digits, unlock
from pos import clerks, clock
from pos.clerks import CounterSession
from pos.errors import ManagersOnly, WrongPin
from pos.pins import CODE_DIGITS
from pos.team import MANAGING, TeamMember, team
from shop import forms, web

routes = Blueprint("counter_sessions", __name__, url_prefix="/counter")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage:
    """Who may come in, who is named already, where they go then, and why the last try was none."""

    clerk_id: str
    next: str
    people: list[TeamMember]
    problem: WrongPin | None
    is_nobody: bool


def for_clerks(view: Callable[..., Response]) -> Callable[..., Response]:
    """Let a clerk in, ask for a PIN where the session is locked, and redirect anybody else to the log-in page.

    An unsafe request also keeps the session alive; one that met the lock goes on with the PIN that opens it.
    """

    @wraps(view)
    def guarded(**values: Any) -> Response:
        session = session_here()
        if session is None:
            return web.see_other(forms.with_query("/counter/session", next=request.path if request.method == "GET" else None))
        g.clerk, g.lock = session.clerk, lock_page(session)
        if session.is_locked:
            if "lock_pin" not in request.form:
                return locked(g.lock)
            try:
                g.clerk, token = unlock(session)
            except WrongPin as problem:
                return locked(replace(g.lock, problem=problem))
            after_this_request(partial(give, token))
        elif request.method not in web.SAFE_METHODS:
            with files.ops_store().write() as ops:
                clerks.keep_session(ops, request.cookies.get(COOKIE, ""), now=clock.now())
        return view(**values)

    return guarded


def session_here() -> CounterSession | None:
    """Return the session of this browser, locked or not."""
    token = request.cookies.get(COOKIE, "")
    return clerks.session_of(files.ops(), files.corner(), token, now=clock.now()) if token else None


def for_managers(view: Callable[..., Response]) -> Callable[..., Response]:
    """Let the corner's manager or HQ's support in, and redirect to the log-in page as `for_clerks`. Raises: ManagersOnly."""

    @for_clerks
    @wraps(view)
    def guarded(**values: Any) -> Response:
        if g.clerk["role"] not in MANAGING:
            raise ManagersOnly(role=g.clerk["role"])
        return view(**values)

    return guarded


@routes.get("/session")
def login_page() -> Response:
    """Ask who it is, and for the PIN; a scanned badge says who, and no more."""
    onward = request.args.get("next", "")
    if badge := request.args.get("code", ""):
        owner = badge_owner(badge)
        return ask(owner, onward, is_nobody=not owner)
    return ask(request.args.get("clerk", ""), onward)


@routes.post("/session")
def log_in() -> Response:
    """Open a clerk's session; a one-time code leads on to choosing a PIN."""
    clerk_id, pin = request.form.get("clerk", ""), typed_digits("pin")
    onward = forms.local_path(request.form.get("next"))
    if pin and not pin.isdigit():
        # A scanner typed into the field of the PIN: its code is no try.
        owner = badge_owner(request.form["pin"])
        return ask(owner or clerk_id, onward, is_nobody=not owner)
    try:
        if len(pin) == CODE_DIGITS:
            member = clerks.check_code(files.ops_store(), files.corner(), clerk_id, pin, **tried())
            return web.page("kiosk/counter/new_pin.html", member=member, code=pin, reason=None)
        token = clerks.log_in(files.ops_store(), files.corner(), clerk_id, pin, **tried())
    except WrongPin as problem:
        return ask(clerk_id, onward, problem)
    return let_in(token, onward)


@routes.post("/session/lock")
def lock() -> Response:
    """Lock the session: every page of it asks for a PIN from now on."""
    with files.ops_store().write() as ops:
        clerks.lock(ops, request.cookies.get(COOKIE, ""))
    return web.see_other("/counter/me")


@routes.post(UNLOCK.removeprefix("/counter"))
def unlock_page() -> Response:
    """Open the session with a clerk's PIN, and go back to what it covered."""
    session = session_here()
    if session is None:
        return web.see_other("/counter/session")
    onward = forms.local_path(request.form.get("next"))
    try:
        _, token = unlock(session)
    except WrongPin as problem:
        return locked(replace(lock_page(session), action=UNLOCK, fields=[("next", onward)], problem=problem))
    return let_in(token, onward)


@routes.post("/session/end")
def log_out() -> Response:
    """End the session and go back to the customers' first screen."""
    with files.ops_store().write() as ops:
        clerks.log_out(ops, request.cookies.get(COOKIE, ""), now=clock.now())
    response = web.see_other("/")
    response.delete_cookie(COOKIE, path="/counter", samesite="Strict", httponly=True)
    return response


@routes.post("/presence")
@for_clerks
def presence() -> Response:
    """Note that the clerk is still there: the pages say so by themselves while they are touched."""
    return Response(status=204)


def ask(clerk_id: str, onward: str, problem: WrongPin | None = None, *, is_nobody: bool = False) -> Response:
    """Return the page that asks who it is, and for the PIN; of a badge that is nobody's it says so."""
    corner = files.corner_or_none()
    people = [each for each in team(files.ops(), corner) if each["state"] == "active"] if corner else []
    page = LoginPage(clerk_id=clerk_id, next=onward, people=people, problem=problem, is_nobody=is_nobody)
    return web.page("kiosk/counter/login.html", status=problem.status if problem else 200, page=page)


def let_in(token: str, onward: str) -> Response:
    """Give the browser a session, and go on."""
    return give(token, web.see_other(onward if onward.startswith("/counter") else "/counter/"))


def give(token: str, response: Response) -> Response:
    """Give the browser a session along with an answer."""
    response.set_cookie(COOKIE, token, path="/counter", samesite="Strict", httponly=True)
    return response
