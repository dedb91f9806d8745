"""`/how-we-rank`: how the offer for a device is chosen, written from the very figures the choice is made with.

Source: P2B regulation 2019/1150 art. 5: the main parameters of ranking, their weight, and whether paying changes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import Blueprint

from pos.offers import MOST_REPLY_BP, ORDER, REPLY_BP, WEIGHTS, quality_bp
from shop.web import render_template

routes = Blueprint("ranking", __name__)
EXAMPLE = {"cancel_bp": 100, "defect_bp": 200, "late_bp": 300, "reply_h": 10}


@dataclass(frozen=True, slots=True, kw_only=True)
class RankingPage:
    """The figures of `pos.offers`: in which order candidates are compared, and what costs quality, in hundredths of a point."""

    order: tuple[str, ...]
    weights: Mapping[str, int]
    reply_bp: int
    most_reply_bp: int
    example_bp: int


@routes.get("/how-we-rank")
def page() -> str:
    """Explain the ranking to customers and sellers."""
    shown = RankingPage(
        order=ORDER, weights=WEIGHTS, reply_bp=REPLY_BP, most_reply_bp=MOST_REPLY_BP, example_bp=quality_bp(EXAMPLE)
    )
    return render_template("marketplace/sellers/ranking.html", page=shown)
