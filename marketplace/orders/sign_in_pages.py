"""`/sign-in` and `/my-orders`: a mailed link signs in by the button of its page, since programs that read mail open links."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, request
from werkzeug.wrappers import Response

from marketplace.db import reading, run_tx
from marketplace.orders.sign_ins import (
    SESSION,
    SignedInCustomer,
    check_link,
    customer_of,
    orders_of,
    send_link,
    sign_in,
    sign_out,
)
from marketplace.running.mail import masked_email
from marketplace.web import marketplace, see_other, source
from pos import clock
from pos.origins import ForeignOrigin
from shop import door
from shop.web import cause, render_template

COOKIE = "comptoir_customer"

sign_ins = Blueprint("sign_ins", __name__)


@sign_ins.get("/sign-in")
def asking() -> str:
    """Show the form that asks for a link."""
    return render_template("marketplace/orders/sign_in.html")


@sign_ins.post("/sign-in")
def ask() -> Response:
    """Mail a link, where the address is known; the answer is the same for every address."""
    typed, language, now = request.form.get("email", ""), door.visitor().language, clock.now()
    where = source()
    run_tx(marketplace().engine, lambda connection: send_link(connection, typed, language=language, source=where, now=now))
    return see_other("sign_ins.sent")


@sign_ins.get("/sign-in/sent")
def sent() -> str:
    """Say that a link is under way, if the address is known."""
    return render_template("marketplace/orders/sign_in_sent.html")


@sign_ins.get("/sign-in/<owner_id>/<secret>")
def link(owner_id: str, secret: str) -> str:
    """Show the button that signs in: opening the link does nothing."""
    with reading(marketplace().engine) as connection:
        email = check_link(connection, owner_id, secret, now=clock.now())
    return render_template("marketplace/orders/sign_in_link.html", email=masked_email(email))


@sign_ins.post("/sign-in/<owner_id>/<secret>")
def open_session(owner_id: str, secret: str) -> Response:
    """Sign in, once."""
    cookie = run_tx(marketplace().engine, lambda connection: sign_in(connection, owner_id, secret, now=clock.now()))
    response = see_other("sign_ins.my_orders")
    is_secure = urlsplit(marketplace().public_url).scheme == "https"
    life_s = int(SESSION.total_seconds())
    response.set_cookie(COOKIE, cookie, max_age=life_s, httponly=True, samesite="Lax", secure=is_secure)
    return response


@sign_ins.get("/my-orders")
def my_orders() -> str | Response:
    """Show the orders of whoever is signed in."""
    customer = _customer()
    if customer is None:
        return see_other("sign_ins.asking")
    with reading(marketplace().engine) as connection:
        placed = orders_of(connection, customer)
    return render_template("marketplace/orders/my_orders.html", email=masked_email(customer.email), orders=placed)


@sign_ins.post("/sign-out")
def close_session() -> Response:
    """End the session. Raises: ForeignOrigin."""
    if cause() != "own":
        raise ForeignOrigin("the request does not say which page it comes from")
    customer = _customer()
    if customer is not None:
        run_tx(marketplace().engine, lambda connection: sign_out(connection, customer))
    response = see_other("sign_ins.asking")
    response.delete_cookie(COOKIE)
    # The orders that the browser keeps for when there is no network go with the session.
    response.headers["Clear-Site-Data"] = '"storage"'
    return response


def _customer() -> SignedInCustomer | None:
    with reading(marketplace().engine) as connection:
        return customer_of(connection, request.cookies.get(COOKIE, ""), now=clock.now())
