"""Choosing a PIN: with the one-time code of a badge card, or in the place of the PIN one has."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from kiosk import files
from kiosk.counter.locks import tried, typed_digits
from kiosk.counter.sessions import ask, for_clerks, let_in
from pos import clerks, clock
from pos.errors import WeakPin, WrongPin
from pos.pins import chosen_pin, pin_key
from pos.team import TeamMember
from shop import web

routes = Blueprint("counter_pins", __name__, url_prefix="/counter")


@routes.post("/session/pin")
def choose() -> Response:
    """Choose a PIN with a one-time code, and come in."""
    clerk_id, code = request.form.get("clerk", ""), typed_digits("code")
    try:
        member = clerks.check_code(files.ops_store(), files.corner(), clerk_id, code, **tried())
    except WrongPin as problem:
        return ask(clerk_id, "", problem)
    try:
        token = _choose(member)
    except WeakPin as problem:
        reason = problem.data["reason"]
        return web.page("kiosk/counter/new_pin.html", status=problem.status, member=member, code=code, reason=reason)
    return let_in(token, "/counter/")


@routes.post("/me/pin")
@for_clerks
def change() -> Response:
    """Choose another PIN, with the one in force."""
    try:
        clerks.check_pin(files.ops_store(), files.corner(), g.clerk["clerk_id"], typed_digits("pin"), **tried())
        token = _choose(g.clerk)
    except (WrongPin, WeakPin) as problem:
        reason = problem.data.get("reason", "wrong")
        return web.page("kiosk/counter/change_pin.html", status=problem.status, reason=reason, wait_s=problem.data.get("wait_s"))
    return let_in(token, "/counter/me")


@routes.get("/me/pin")
@for_clerks
def change_form() -> Response:
    """Ask for the PIN in force and for another."""
    return web.page("kiosk/counter/change_pin.html", reason=None, wait_s=None)


def _choose(member: TeamMember) -> str:
    """Keep the PIN that was typed twice, and return a new session. Raises: WeakPin."""
    pin, directory = typed_digits("new"), files.kiosk().directory
    if pin != typed_digits("again"):
        raise WeakPin(reason="differs")
    chosen = chosen_pin(member, pin, key=pin_key(directory))
    with files.ops_store().write() as ops:
        clerks.choose_pin(ops, chosen, now=clock.now())
        return clerks.start_session(ops, member["clerk_id"], now=clock.now())
