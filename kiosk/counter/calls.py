"""The bell at the counter: every counter page hears it, and the clerk who goes has the customer's selection at hand."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, Response, g, request

from kiosk import files
from kiosk.counter.sessions import for_clerks
from pos import calls, clock, helps, skus
from pos.calls import Call
from pos.errors import NotFound, Unavailable
from pos.helps import SelectionHelped
from shop import web

routes = Blueprint("counter_calls", __name__, url_prefix="/counter/calls")

DEVICE_PAGE = "/sku/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ringing:
    """A call as the counter says it: since how many minutes, the selection's short code, the device somebody stands before."""

    call_no: int
    minutes: int
    code: str | None
    device: str | None


@routes.get("/bell")
def bell() -> Response:
    """Show who rings, on a locked counter too; nothing is sent where the page shows it already (`seen`)."""
    calling = ringing(clock.now())
    if request.args.get("seen") == ".".join(str(call.call_no) for call in calling):
        return Response(status=204)
    return web.fragment("kiosk/counter/bell.html", "bell", calling=calling)


@routes.post("/<int:call_no>/answer")
@for_clerks
def answer(call_no: int) -> Response:
    """Go to whoever called; a selection they have is taken over where no other clerk has it."""
    clerk_id, now = g.clerk["clerk_id"], clock.now()
    with files.ops_store().write() as ops:
        call = calls.answer(ops, call_no, clerk_id, now=now)
        if call.selection_id is None:
            return web.see_other("/counter/")
        try:
            helps.take(ops, call.selection_id, clerk_id, now=now)
        except SelectionHelped:
            pass
        except NotFound:
            return web.see_other("/counter/")
    return web.see_other(f"/counter/selections/{call.selection_id}")


def ringing(now: datetime) -> list[Ringing]:
    """Return the calls that ring, the oldest first."""
    return [_ringing(call, now) for call in calls.ringing_calls(files.ops(), now=now)]


def _ringing(call: Call, now: datetime) -> Ringing:
    device = None
    if call.page.startswith(DEVICE_PAGE):
        with suppress(NotFound, Unavailable):
            device = skus.title(skus.sku(files.catalog(), call.page.removeprefix(DEVICE_PAGE)))
    return Ringing(
        call_no=call.call_no,
        minutes=max(0, int((now - clock.from_text(call.called_at)).total_seconds()) // 60),
        code=helps.short_code(call.selection_id) if call.selection_id else None,
        device=device,
    )
