"""`/console/corners/…/team`: who works at a corner, what was done at its counter, and the cards people come in with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, request
from werkzeug.wrappers import Response

from marketplace.db import reading
from marketplace.fleet import teams
from marketplace.fleet.corners import corner_document
from marketplace.web import marketplace, see_other
from pos import clock, qr, scans
from pos.corners import Clerk
from pos.errors import Invalid
from pos.team import ROLES, badge_value
from shop.web import render_template

pages = Blueprint("teams", __name__, url_prefix="/corners/<corner_id>/team")


@dataclass(frozen=True, slots=True)
class TeamPage:
    """A corner's people, and the newest acts at its counter."""

    corner_id: str
    name: str
    people: list[Clerk]
    acts: list[dict[str, Any]]

    def name_of(self, clerk_id: str) -> str:
        """Return somebody's name, or their id where the corner no longer lists them."""
        return next((each["name"] for each in self.people if each["clerk_id"] == clerk_id), clerk_id)


@dataclass(frozen=True, slots=True)
class CardPage:
    """The card somebody comes in with: their badge, and the one-time code that is shown this once."""

    corner_id: str
    clerk: Clerk
    code: str


@pages.get("")
def team(corner_id: str) -> str:
    """Show the corner's people and its audit journal."""
    with reading(marketplace().engine) as connection:
        corner = corner_document(connection, corner_id, slip_prefix="")
        page = TeamPage(corner_id, corner["name"], corner["clerks"], teams.acts(connection, corner_id))
    return render_template("marketplace/fleet/team.html", page=page)


@pages.post("")
def add(corner_id: str) -> str:
    """Add somebody, and show their card."""
    role = _one_of(ROLES, "role")
    clerk, code = teams.add(marketplace().engine, corner_id, request.form.get("name", "").strip(), role, now=clock.now())
    return render_template("marketplace/fleet/card.html", page=CardPage(corner_id, clerk, code))


@pages.post("/<clerk_id>/reset")
def reset(corner_id: str, clerk_id: str) -> str:
    """End somebody's PIN, and show the card they choose another with."""
    clerk, code = teams.reset(marketplace().engine, corner_id, clerk_id, now=clock.now())
    return render_template("marketplace/fleet/card.html", page=CardPage(corner_id, clerk, code))


@pages.post("/<clerk_id>/role")
def role(corner_id: str, clerk_id: str) -> Response:
    """Give somebody another role."""
    teams.change(marketplace().engine, corner_id, clerk_id, role=_one_of(ROLES, "role"), now=clock.now())
    return see_other("console.teams.team", corner_id=corner_id)


@pages.post("/<clerk_id>/state")
def state(corner_id: str, clerk_id: str) -> Response:
    """Suspend somebody, or let them work again."""
    wished = _one_of(("active", "suspended"), "state")
    teams.change(marketplace().engine, corner_id, clerk_id, state=wished, now=clock.now())
    return see_other("console.teams.team", corner_id=corner_id)


@pages.get("/<clerk_id>/badge.svg")
def badge(corner_id: str, clerk_id: str) -> Response:
    """Draw the code of somebody's badge."""
    code = scans.code_of("badge", badge_value(corner_id, clerk_id))
    return Response(qr.svg(code), content_type="image/svg+xml")


def _one_of(known: tuple[str, ...], name: str) -> str:
    wished = request.form.get(name, "")
    if wished not in known:
        raise Invalid(f"{name} is one of {', '.join(known)}", field=name)
    return wished
