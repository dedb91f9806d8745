"""`/console/overdue`: what somebody should have done by now, by kind, with the way to where HQ can act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, get_args

from flask import Blueprint, request

from marketplace.db import reading
from marketplace.orders.overdue import MOST_COUNTED, MOST_SHOWN, Kind, OverdueThing, count_overdue, overdue_of
from marketplace.web import marketplace
from pos import clock
from shop.web import render_template

pages = Blueprint("overdue", __name__, url_prefix="/overdue")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverduePage:
    """How much of each kind is late, and one kind's things; `after` leads to the next page, None on the last."""

    kind: Kind
    counts: dict[Kind, int]
    things: list[OverdueThing]
    after: str | None
    most: int = MOST_COUNTED


@pages.get("")
def listing() -> str:
    """Show what is late of the kind that is asked for, else of the first of which anything is."""
    now, wanted = clock.now(), request.args.get("kind", "")
    with reading(marketplace().engine) as connection:
        counts = count_overdue(connection, now=now)
        first = next((kind for kind, late in counts.items() if late), "to_accept")
        kind = cast(Kind, wanted if wanted in get_args(Kind) else first)
        things = overdue_of(connection, kind, now=now, after=request.args.get("after", ""))
    after = things[-1].place if len(things) == MOST_SHOWN else None
    page = OverduePage(kind=kind, counts=counts, things=things, after=after)
    return render_template("marketplace/orders/overdue.html", page=page)
