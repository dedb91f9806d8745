"""`/console/gaps`: the corners from which something is missing."""

from __future__ import annotations

from flask import Blueprint

from marketplace.db import reading
from marketplace.fleet.gaps import all_gaps, spans
from marketplace.web import marketplace
from shop.web import render_template

pages = Blueprint("gaps", __name__, url_prefix="/gaps")


@pages.app_template_filter("spans")
def _spans(ranges: list[tuple[int, int]]) -> str:
    return spans(ranges)


@pages.get("")
def listing() -> str:
    """Show every corner with a gap and what it lacks."""
    with reading(marketplace().engine) as connection:
        corners = all_gaps(connection)
    return render_template("marketplace/fleet/gaps.html", corners=corners)
