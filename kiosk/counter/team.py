"""The corner's people, for its manager: who comes in, adds, suspends and resets a PIN, at once and without a network."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, g, request

from kiosk import files
from kiosk.counter.sessions import for_managers
from kiosk.printing import prints
from kiosk.printing.tags import badge_code, badge_wanted
from pos import clerks, clock, journal, qr
from pos.errors import Invalid
from pos.pins import has_pin, new_code
from pos.team import TeamMember, add_member, change_member, member_called, team
from shop import web

routes = Blueprint("counter_team", __name__, url_prefix="/counter/team")

ACTS = {"active": "reinstated", "suspended": "suspended"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamList:
    """Everybody of the corner; who has no PIN yet, and how many seconds those wait who guessed too often, by id."""

    people: list[TeamMember]
    without_pin: frozenset[str]
    waits: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClerkCard:
    """Who a card is for, and the one-time code that is shown this once."""

    member: TeamMember
    code: str


@routes.get("")
@for_managers
def listing() -> Response:
    """Show who works here."""
    ops, people = files.ops(), team(files.ops(), files.corner())
    waits = clerks.waits(ops, now=clock.now(), uptime=clock.uptime())
    without = frozenset(each["clerk_id"] for each in people if not has_pin(ops, each))
    return web.page("kiosk/counter/team.html", page=TeamList(people=people, without_pin=without, waits=waits))


@routes.post("")
@for_managers
def add() -> Response:
    """Add a clerk, and show their card."""
    code, code_hash = new_code()
    with files.ops_store().write() as ops:
        own, now = g.clerk["clerk_id"], clock.now()
        member = add_member(ops, files.corner(), request.form.get("name", ""), code_hash, by=own, now=now)
        journal.note(ops, own, "added", member["clerk_id"], now=now)
    return _card(member, code)


@routes.post("/<clerk_id>/reset")
@for_managers
def reset(clerk_id: str) -> Response:
    """End a clerk's PIN and sessions, and show the card they choose another PIN with."""
    code, code_hash = new_code()
    _change(clerk_id, "reset_pin", code_hash=code_hash)
    return _card(_member(clerk_id), code)


@routes.post("/<clerk_id>/state")
@for_managers
def state(clerk_id: str) -> Response:
    """Suspend a clerk, or let them work again."""
    wished = request.form.get("state", "")
    if wished not in ACTS:
        raise Invalid("active or suspended", field="state")
    _change(clerk_id, ACTS[wished], state=wished)
    return web.see_other("/counter/team")


@routes.post("/<clerk_id>/patience")
@for_managers
def end_wait(clerk_id: str) -> Response:
    """Let a clerk try again at once who guessed too often."""
    member = _member(clerk_id)
    with files.ops_store().write() as ops:
        clerks.forgive(ops, member["clerk_id"])
        journal.note(ops, g.clerk["clerk_id"], "ended_wait", clerk_id, now=clock.now())
    return web.see_other("/counter/team")


@routes.get("/<clerk_id>/badge.svg")
@for_managers
def badge(clerk_id: str) -> Response:
    """Draw the code of somebody's badge."""
    return Response(qr.svg(badge_code(files.corner(), _member(clerk_id))), content_type="image/svg+xml")


@routes.post("/<clerk_id>/badges")
@for_managers
def print_badge(clerk_id: str) -> Response:
    """Print somebody's badge on the printer for slips."""
    prints.print_paper(badge_wanted(files.corner(), _member(clerk_id), requested_by=g.clerk["clerk_id"]))
    return web.see_other("/counter/team")


def _change(clerk_id: str, act: str, **changes: str) -> None:
    member, now = _member(clerk_id), clock.now()
    with files.ops_store().write() as ops:
        change_member(ops, member, by=g.clerk["clerk_id"], now=now, **changes)
        journal.note(ops, g.clerk["clerk_id"], act, clerk_id, now=now)


def _card(member: TeamMember, code: str) -> Response:
    return web.page("kiosk/counter/card.html", card=ClerkCard(member=member, code=code))


def _member(clerk_id: str) -> TeamMember:
    return member_called(files.ops(), files.corner(), clerk_id)
