"""Who works at the counter: a clerk's session behind a PIN. Two quiet minutes end it; its cookie is for these pages only."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from pathlib import Path
from typing import Any, TypedDict

from flask import Blueprint, Response, g, request

from kiosk import files
from pos import clerks, clock
from pos.clock import Uptime
from pos.errors import ManagersOnly, WrongPin
from pos.pins import CODE_DIGITS
from pos.scans import codes_in
from pos.team import MANAGING, TeamMember, badge_value, team
from shop import forms, web

routes = Blueprint("counter_sessions", __name__, url_prefix="/counter")

COOKIE = "clerk"


class Tried(TypedDict):
    """What `pos.clerks` judges a try by, beside who and what."""

    directory: Path
    now: datetime
    uptime: Uptime


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage:
    """Who may come in, who is named already, where they go then, and why the last try was none."""

    clerk_id: str
    next: str
    people: list[TeamMember]
    problem: WrongPin | None
    is_nobody: bool


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
    """Ask who it is, and for the PIN; a scanned badge says who, and no more."""
    onward = request.args.get("next", "")
    if badge := request.args.get("badge", ""):
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
    response = web.see_other(onward if onward.startswith("/counter") else "/counter/")
    response.set_cookie(COOKIE, token, path="/counter", samesite="Strict", httponly=True)
    return response


def tried() -> Tried:
    """Return what a try at a PIN is judged by, beside the PIN: this device, and the time."""
    return {"directory": files.kiosk().directory, "now": clock.now(), "uptime": clock.uptime()}


def typed_digits(name: str) -> str:
    """Return a field of a form without the spaces and dashes people type between digits."""
    return re.sub(r"[\s-]", "", text) if (text := request.form.get(name, "")).isascii() else text


def badge_owner(text: str) -> str:
    """Return whose badge was scanned, or an empty text: an unknown badge, and whatever is none, is nobody's."""
    corner = files.corner_or_none()
    values = {scan.value for scan in codes_in(text) if scan.kind == "badge"}
    people = team(files.ops(), corner) if corner else []
    owners = [
        each["clerk_id"]
        for each in people
        if corner and each["state"] == "active" and badge_value(corner.corner_id, each["clerk_id"]) in values
    ]
    return owners[0] if len(owners) == len(values) == 1 else ""
