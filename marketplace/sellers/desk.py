"""`/seller`: the sellers' desk, its log-in and the guard before every page; what a person may do is asked for by `desk_role`.

Invariant: every page reads and writes what belongs to the seller of the session, by that seller's number in the query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, g, request
from werkzeug.wrappers import Response

from marketplace.db import reading, run_tx
from marketplace.money import desk_pages
from marketplace.papers.pages import desk_papers
from marketplace.sellers import import_pages, key_pages, listing_pages, order_pages, people, quality_pages, return_pages, standing
from marketplace.sellers.applications import application
from marketplace.sellers.guard import desk_role, signed_in_seller
from marketplace.sellers.people import LastOwner, PasswordRefused, PersonRefused, WrongLogIn
from marketplace.sellers.today import today_page
from marketplace.web import marketplace, see_other, source
from pos import clock
from pos.errors import PosError
from pos.origins import ForeignOrigin
from shop.web import SAFE_METHODS, cause, render_template

COOKIE, PATH = "comptoir_desk", "/seller"
OPEN_PAGES = frozenset({"desk.login", "desk.log_in", "desk.link", "desk.choice"})

desk = Blueprint("desk", __name__, url_prefix=PATH)
SUBJECTS = (
    order_pages.orders,
    return_pages.returns,
    desk_papers,
    desk_pages.money,
    import_pages.imports,
    quality_pages.desk_pages,
    listing_pages.listings,
    key_pages.keys,
)
for subject in SUBJECTS:
    desk.register_blueprint(subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeoplePage:
    """The people of a seller; `shown` is a link made just now, to be passed on, `problem` why nothing was changed."""

    people: list[dict[str, Any]]
    shown: str | None
    problem: PosError | None


@desk.before_request
def ask_for_password() -> Response | None:
    """Redirect to the log-in page whoever has no session. Raises: ForeignOrigin."""
    if request.endpoint in OPEN_PAGES:
        return None
    if request.method not in SAFE_METHODS and cause() != "own":
        raise ForeignOrigin("the request does not say which page it comes from")
    with reading(marketplace().engine) as connection:
        g.desk_person = people.person_of(connection, request.cookies.get(COOKIE, ""), now=clock.now())
    return None if g.desk_person else see_other("desk.login")


@desk.context_processor
def add_person() -> dict[str, object]:
    """Give every page who is signed in, and the time zone in which the desk shows all times."""
    return {"person": g.get("desk_person"), "zone": clock.HOME_ZONE}


@desk.get("/login")
def login() -> str:
    """Show the log-in form."""
    return render_template("marketplace/sellers/login.html", email="", is_chosen="chosen" in request.args, problem=None)


@desk.post("/login")
def log_in() -> Response | tuple[str, int]:
    """Open a session for whoever knows an address and its password."""
    email, password = request.form.get("email", ""), request.form.get("password", "")
    try:
        cookie = people.log_in(marketplace().engine, email, password, source=source(), now=clock.now())
    except WrongLogIn as problem:
        return render_template("marketplace/sellers/login.html", email=email, is_chosen=False, problem=problem), problem.status
    response = see_other("desk.home")
    is_secure = urlsplit(marketplace().public_url).scheme == "https"
    life_s = int(people.SESSION.total_seconds())
    response.set_cookie(COOKIE, cookie, max_age=life_s, path=PATH, httponly=True, samesite="Lax", secure=is_secure)
    return response


@desk.post("/logout")
def log_out() -> Response:
    """End the session."""
    person = signed_in_seller()
    run_tx(marketplace().engine, lambda connection: people.log_out(connection, person))
    response = see_other("desk.login")
    response.delete_cookie(COOKIE, path=PATH)
    return response


@desk.get("/password/<int:seller_id>/<secret>")
def link(seller_id: int, secret: str) -> str:
    """Show whose password the link sets: opening it does nothing, since programs that look through mail open links."""
    return _choice(seller_id, secret, None)


@desk.post("/password/<int:seller_id>/<secret>")
def choice(seller_id: int, secret: str) -> Response | tuple[str, int]:
    """Set the password, once."""
    try:
        people.choose_password(marketplace().engine, seller_id, secret, request.form.get("password", ""), now=clock.now())
    except PasswordRefused as problem:
        return _choice(seller_id, secret, problem), problem.status
    return see_other("desk.login", chosen=1)


@desk.get("")
def home() -> str:
    """Show what waits for somebody today."""
    person = signed_in_seller()
    with reading(marketplace().engine) as connection:
        page = today_page(connection, person.seller_id, person.seller_state, now=clock.now())
    return render_template("marketplace/sellers/today.html", page=page)


@desk.get("/company")
def company() -> str:
    """Show what the company said of itself, and every decision about it with its reasons."""
    person = signed_in_seller()
    with reading(marketplace().engine) as connection:
        asking = application(connection, person.seller_id)
        history = standing.steps(connection, person.seller_id)
    return render_template("marketplace/sellers/company.html", asking=asking, history=history)


@desk.get("/people")
def team() -> str:
    """Show who works here; owners change it."""
    return _team(None, None)


@desk.post("/people")
@desk_role("owner")
def invitation() -> str | tuple[str, int]:
    """Add a person, and show the link by which it chooses its password."""
    person, now = signed_in_seller(), clock.now()
    email, role = request.form.get("email", ""), request.form.get("role", "")
    try:
        _, secret = run_tx(
            marketplace().engine, lambda connection: people.invite(connection, person.seller_id, email, role, now=now)
        )
    except PersonRefused as problem:
        return _team(None, problem), problem.status
    return _team(password_link(person.seller_id, secret), None)


@desk.post("/people/<user_id>/link")
@desk_role("owner")
def new_link(user_id: str) -> str:
    """Make a new link for somebody who lost the password, and show it."""
    person, now = signed_in_seller(), clock.now()
    secret = run_tx(marketplace().engine, lambda connection: people.start_link(connection, person.seller_id, user_id, now=now))
    return _team(password_link(person.seller_id, secret), None)


@desk.post("/people/<user_id>/role")
@desk_role("owner")
def role(user_id: str) -> Response | tuple[str, int]:
    """Give a person another role."""
    person, wanted = signed_in_seller(), request.form.get("role", "")
    try:
        run_tx(marketplace().engine, lambda connection: people.change_role(connection, person.seller_id, user_id, wanted))
    except (LastOwner, PersonRefused) as problem:
        return _team(None, problem), problem.status
    return see_other("desk.team")


@desk.post("/people/<user_id>/removal")
@desk_role("owner")
def removal(user_id: str) -> Response | tuple[str, int]:
    """Remove a person: its sessions end at once."""
    person, now = signed_in_seller(), clock.now()
    try:
        run_tx(marketplace().engine, lambda connection: people.remove(connection, person.seller_id, user_id, now=now))
    except LastOwner as problem:
        return _team(None, problem), problem.status
    return see_other("desk.team")


@desk.post("/password")
def password() -> Response | tuple[str, int]:
    """Change one's own password; one's other sessions end."""
    form = request.form
    try:
        people.change_password(marketplace().engine, signed_in_seller(), form.get("current", ""), form.get("password", ""))
    except PasswordRefused as problem:
        return _team(None, problem), problem.status
    return see_other("desk.team")


def password_link(seller_id: int, secret: str) -> str:
    """Return the address at which a person chooses a password."""
    return f"{marketplace().public_url}{PATH}/password/{seller_id}/{secret}"


def _choice(seller_id: int, secret: str, problem: PosError | None) -> str:
    with reading(marketplace().engine) as connection:
        owner = people.link_owner(connection, seller_id, secret, now=clock.now())
    return render_template("marketplace/sellers/choice.html", email=owner["email"], problem=problem)


def _team(shown: str | None, problem: PosError | None) -> str:
    with reading(marketplace().engine) as connection:
        known = people.people(connection, signed_in_seller().seller_id)
    return render_template("marketplace/sellers/people.html", page=PeoplePage(people=known, shown=shown, problem=problem))
