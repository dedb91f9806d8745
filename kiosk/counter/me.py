"""The clerk's own page: what is open, the shift handed to a colleague, and the ways only they go."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, Response, g, request

from kiosk import files
from kiosk.counter.labels import labels_due
from kiosk.counter.locks import COOKIE, tried, typed_digits
from kiosk.counter.sessions import for_clerks, give
from kiosk.printing import print_jobs
from pos import calls, clerks, clock, demo_devices, demo_rounds, helps
from pos.errors import Invalid, WrongPin
from pos.team import MANAGING, TeamMember
from shop import web

routes = Blueprint("counter_me", __name__, url_prefix="/counter/me")


@dataclass(frozen=True, slots=True, kw_only=True)
class MyPage:
    """What the next clerk would find open, by kind and how many; whom the shift can be handed to, and why it was not."""

    open: dict[str, int]
    colleagues: list[TeamMember]
    is_managing: bool
    problem: WrongPin | None = None
    to: str = ""


@routes.get("")
@for_clerks
def me() -> Response:
    """Show who is at the counter, what is open, and what they may do there."""
    return web.page("kiosk/counter/me.html", page=_page())


@routes.get("/handover")
@for_clerks
def handover_form() -> Response:
    """Show what is open, and ask a colleague for their PIN."""
    return web.page("kiosk/counter/handover.html", page=_page())


@routes.post("/handover")
@for_clerks
def hand_over() -> Response:
    """Hand the shift to a colleague, with their PIN; what is open is theirs from then on."""
    to = request.form.get("clerk", "")
    if to == g.clerk["clerk_id"]:
        raise Invalid("the shift is theirs already", field="clerk")
    try:
        clerks.check_pin(files.ops_store(), files.corner(), to, typed_digits("pin"), **tried())
    except WrongPin as problem:
        return web.page("kiosk/counter/handover.html", status=problem.status, page=_page(problem, to))
    with files.ops_store().write() as ops:
        helps.pass_on(ops, g.clerk["clerk_id"], to)
        token = clerks.take_over(ops, request.cookies.get(COOKIE, ""), to, now=clock.now(), act="shift_taken")
    return give(token, web.see_other("/counter/me"))


def _page(problem: WrongPin | None = None, to: str = "") -> MyPage:
    ops, corner, own = files.ops(), files.corner(), g.clerk["clerk_id"]
    jobs = print_jobs.open_jobs(ops, now=clock.now())
    states = demo_devices.states(ops, [each.demo_id for each in demo_devices.devices(ops, corner)])
    counts = {
        "calls": len(calls.ringing_calls(ops, now=clock.now())),
        "helped": helps.in_hand(ops, own),
        "uncertain": sum(job["state"] == "uncertain" for job in jobs),
        "offered": sum(job["is_offered"] for job in jobs),
        "missing": sum(state.where == "missing" for state in states.values()),
        "loaned": sum(state.where == "loaned" for state in states.values()),
        "labels": len(labels_due()),
        "round": int(demo_rounds.open_round(ops) is not None),
    }
    return MyPage(
        open={name: count for name, count in counts.items() if count},
        colleagues=[each for each in g.lock.people if each["clerk_id"] != own],
        is_managing=g.clerk["role"] in MANAGING,
        problem=problem,
        to=to,
    )
