"""`/console/corners/…/team`: who works at a corner, and what was done at its counter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Blueprint

from marketplace.db import reading
from marketplace.fleet import teams
from marketplace.fleet.corners import corner_document
from marketplace.web import marketplace
from pos.corners import Clerk
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


@pages.get("")
def team(corner_id: str) -> str:
    """Show the corner's people and its audit journal."""
    with reading(marketplace().engine) as connection:
        corner = corner_document(connection, corner_id, slip_prefix="")
        page = TeamPage(corner_id, corner["name"], corner["clerks"], teams.acts(connection, corner_id))
    return render_template("marketplace/fleet/team.html", page=page)
