"""The lock of the counter: a session that waits for a PIN, with the work under it kept, and whoever's PIN opens it goes on.

What was sent to a locked session is not lost: the page that asks for the PIN carries it, and sends it again with the PIN.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypedDict

from flask import Response, request

from kiosk import files
from pos import clerks, clock
from pos.clerks import CounterSession
from pos.clock import Uptime
from pos.errors import WrongPin
from pos.scans import codes_in
from pos.team import TeamMember, badge_value, team
from shop import web

COOKIE = "clerk"
UNLOCK = "/counter/session/unlock"
SECRETS = {"pin", "new", "again", "code", "lock_pin", "lock_clerk"}
"""Fields that no page carries: what is sent with them is typed anew."""
STATUS = 423
"""Locked (RFC 4918 §11.3)."""


class Tried(TypedDict):
    """What `pos.clerks` judges a try by, beside who and what."""

    directory: Path
    now: datetime
    uptime: Uptime


@dataclass(frozen=True, slots=True, kw_only=True)
class LockPage:
    """Whose session waits, who may go on with it, and what is sent again, where, once it is open."""

    clerk: TeamMember
    people: list[TeamMember]
    action: str
    fields: list[tuple[str, str]]
    problem: WrongPin | None = None


def lock_page(session: CounterSession) -> LockPage:
    """Return the lock over this request: a form's goes on with the form, a page's leads back to the page."""
    people = [each for each in team(files.ops(), files.corner()) if each["state"] == "active"]
    sent = [(name, value) for name, value in request.form.items(multi=True) if name not in SECRETS]
    is_form = request.method not in web.SAFE_METHODS and not SECRETS & set(request.form) - {"lock_pin", "lock_clerk"}
    if is_form:
        return LockPage(clerk=session.clerk, people=people, action=request.path, fields=sent)
    onward = request.full_path.rstrip("?") if request.method in web.SAFE_METHODS else "/counter/me"
    return LockPage(clerk=session.clerk, people=people, action=UNLOCK, fields=[("next", onward)])


def locked(page: LockPage) -> Response:
    """Ask for the PIN; a page that is open already is told to cover itself."""
    answer = web.page("kiosk/counter/locked.html", status=STATUS, lock=page)
    answer.headers["HX-Trigger"] = "counter-locked"
    return answer


def unlock(session: CounterSession) -> tuple[TeamMember, str]:
    """Return who goes on with a locked session, by the PIN that was sent, and its new token.

    Raises: WrongPin; a badge in the place of the PIN is no try, `badge` says whose it is.
    """
    pin = typed_digits("lock_pin")
    if pin and not pin.isdigit():
        raise WrongPin(wait_s=0, badge=badge_owner(request.form["lock_pin"]))
    clerk_id = request.form.get("lock_clerk") or session.clerk["clerk_id"]
    member = clerks.check_pin(files.ops_store(), files.corner(), clerk_id, pin, **tried())
    with files.ops_store().write() as ops:
        return member, clerks.take_over(ops, request.cookies.get(COOKIE, ""), member["clerk_id"], now=clock.now())


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
