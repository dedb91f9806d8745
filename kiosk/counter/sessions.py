"""Who works at the counter: a clerk's session behind a PIN. Two quiet minutes end it; its cookie is for these pages only."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, Response, g, request

from kiosk import files
from pos import clerks, clock
from pos.errors import WrongPin
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


@routes.get("/session")
def login_page() -> Response:
    """Ask who it is, and for the PIN."""
    return web.page(
        "kiosk/counter/login.html", clerk_id=request.args.get("clerk", ""), next=request.args.get("next", ""), problem=None
    )


@routes.post("/session")
def log_in() -> Response:
    """Open a clerk's session."""
    clerk_id, pin = request.form.get("clerk", ""), "".join(request.form.get("pin", "").split())
    onward = forms.local_path(request.form.get("next"))
    try:
        token = clerks.log_in(files.ops_store(), files.corner(), clerk_id, pin, now=clock.now())
    except WrongPin as problem:
        return web.page("kiosk/counter/login.html", status=problem.status, clerk_id=clerk_id, next=onward, problem=problem)
    response = web.see_other(onward if onward.startswith("/counter") else "/counter/")
    response.set_cookie(COOKIE, token, path="/counter", samesite="Strict", httponly=True)
    return response


@routes.post("/session/end")
def log_out() -> Response:
    """End the session and go back to the customers' first screen."""
    with files.ops_store().write() as ops:
        clerks.log_out(ops, request.cookies.get(COOKIE, ""))
    response = web.see_other("/")
    response.delete_cookie(COOKIE, path="/counter", samesite="Strict", httponly=True)
    return response


@routes.post("/presence")
@for_clerks
def presence() -> Response:
    """Note that the clerk is still there: the pages say so by themselves while they are touched."""
    return Response(status=204)
