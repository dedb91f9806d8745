"""A person, please: the customer's bell, on every page of theirs, and what became of it.

Whose call it is stands in a cookie that leaving clears; the call itself goes on ringing at the counter until a clerk goes.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from kiosk import files
from pos import calls, clock
from pos.calls import Call
from pos.errors import NotFound
from shop import forms, web

routes = Blueprint("calls", __name__)

COOKIE = "call"


@routes.post("/calls")
def ring() -> Response:
    """Ring for a person, and stay on the page; ringing twice is as good as once."""
    onward, call = forms.local_path(request.form.get("next")), own_call()
    response = web.see_other(onward)
    if call is None or not call.is_ringing(clock.now()):
        with files.ops_store().write() as ops:
            page = onward.partition("?")[0]
            call_no = calls.ring(ops, page=page, selection_id=request.form.get("s") or None, now=clock.now())
        response.set_cookie(COOKIE, str(call_no), samesite="Strict", httponly=True)
    return response


@routes.post("/calls/end")
def withdraw() -> Response:
    """Stop ringing: nobody is needed any more."""
    call = own_call()
    if call is not None:
        with files.ops_store().write() as ops:
            calls.withdraw(ops, call.call_no, now=clock.now())
    response = web.see_other(forms.local_path(request.form.get("next")))
    response.delete_cookie(COOKIE, samesite="Strict", httponly=True)
    return response


@routes.get("/calls")
def state() -> Response:
    """Show what became of this screen's call alone; the page asks again while it rings."""
    here = forms.local_path("/" + (request.referrer or "").removeprefix(request.host_url))
    return web.fragment("kiosk/call.html", "call", call=own_call(), here=here)


def own_call() -> Call | None:
    """Return the call made from this screen while it still means something; None without one."""
    text = request.cookies.get(COOKIE, "")
    if not text or not forms.WHOLE.fullmatch(text) or files.kiosk().ops is None:
        return None
    try:
        call = calls.call(files.ops(), int(text))
    except NotFound:
        return None
    return call if call.is_shown(clock.now()) else None
