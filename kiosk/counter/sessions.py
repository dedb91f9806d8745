"""Who works at the counter: a clerk's session behind a PIN. Two quiet minutes end it; its cookie is for these pages only."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, g, request

from kiosk import files
from pos import clerks, clock
from pos.errors import ManagersOnly, WrongPin
from pos.team import MANAGING, team
from shop import forms, web

routes = Blueprint("counter_sessions", __name__, url_prefix="/counter")

COOKIE = "clerk"


def for_clerks(view: Callable[..., Response]) -> Callable[..., Response]:
    """Let a clerk in and redirect anybody else to the log-in page; an unsafe request also keeps the session alive."""

    @wraps(view)
    def guarded(**values: Any) -> Response:
        token, now = request.cookies.get(COOKIE, ""), clock.now()
        clerk = clerks.clerk_of_session(files.ops(), files.corner(), token, now=now) if token else None
        if clerk is None:
            return web.see_other(forms.with_query("/counter/session", next=request.path if request.method == "GET" else None))
        if request.method not in web.SAFE_METHODS:
            with files.ops_store().write() as ops:
                clerks.keep_session(ops, token, now=now)
        g.clerk = clerk
        return view(**values)

    return guarded


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
    """Ask who it is, and for the PIN."""
    return _ask(request.args.get("clerk", ""), request.args.get("next", ""))


@routes.post("/session")
def log_in() -> Response:
    """Open a clerk's session."""
    clerk_id, pin = request.form.get("clerk", ""), "".join(request.form.get("pin", "").split())
    onward = forms.local_path(request.form.get("next"))
    try:
        token = clerks.log_in(files.ops_store(), files.corner(), clerk_id, pin, now=clock.now())
    except WrongPin as problem:
        return _ask(clerk_id, onward, problem)
    response = web.see_other(onward if onward.startswith("/counter") else "/counter/")
    response.set_cookie(COOKIE, token, path="/counter", samesite="Strict", httponly=True)
    return response


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


def _ask(clerk_id: str, onward: str, problem: WrongPin | None = None) -> Response:
    corner = files.corner_or_none()
    people = [each for each in team(files.ops(), corner) if each["state"] == "active"] if corner else []
    status = problem.status if problem else 200
    return web.page("kiosk/counter/login.html", status=status, clerk_id=clerk_id, next=onward, problem=problem, people=people)
