"""`/console/trials`: what the next publication would change, who gets it first, how a trial does, and the ways back.

Nothing is published before its outlook was shown: every act begins with a look at what it would change.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, render_template, request
from sqlalchemy import Connection, Engine
from werkzeug.wrappers import Response

from marketplace.db import reading
from marketplace.fleet.corners import rings, set_ring
from marketplace.publishing.publications import history, markets, newest, publish_market
from marketplace.publishing.trials import (
    advance,
    halt_trial,
    next_ring,
    outlook,
    outlook_of_halt,
    outlook_of_promotion,
    outlook_of_rollback,
    roll_back_all,
    shares_of,
    trial_standing,
)
from marketplace.web import marketplace, see_other
from pos.errors import Invalid, NotFound
from sync.heads import RINGS, WHOLE_BP
from sync.hq.log import ended_trials
from sync.hq.trials import reached

PERCENTS = (1, 5, 10, 25, 50, 100)

pages = Blueprint("trials", __name__, url_prefix="/trials")


@pages.get("/")
def home() -> str:
    """Show each market's publications and trials."""
    return _page()


@pages.post("/<market>/outlooks")
def outlooks(market: str) -> str:
    """Show what an act would change, before anybody decides: nothing is published here."""
    here, act = marketplace(), request.form.get("act", "")
    _known(here.engine, market)
    about: dict[str, Any] = {"act": act}
    if act in ("publish", "promote"):
        about |= _form_share()
    if act == "publish":
        seen = outlook(here.engine, here.directory, market, shares=shares_of(about["ring"], about["percent"]))
        return _page(shown={**about, "outlook": seen})
    if act == "promote":
        seen = outlook_of_promotion(here.engine, here.directory, market, ring=about["ring"], percent=about["percent"])
        return _page(shown={**about, "outlook": seen})
    if act == "halt":
        return _page(shown={**about, "outlook": outlook_of_halt(here.engine, here.directory, market)})
    if act == "rollback":
        number = _number(request.form.get("publication"))
        seen = outlook_of_rollback(here.engine, here.directory, market, number)
        return _page(shown={**about, "publication": number, "outlook": seen})
    raise Invalid("an act is publish, promote, halt or rollback", field="act")


@pages.post("/<market>/publications")
def publications(market: str) -> Response:
    """Publish to everybody, or to a ring as a trial."""
    here, share = marketplace(), _form_share()
    _known(here.engine, market)
    publish_market(here.engine, here.directory, market, shares=shares_of(share["ring"], share["percent"]))
    return see_other("console.trials.home")


@pages.post("/<market>/promotions")
def promotions(market: str) -> Response:
    """Give the open trial to more corners, or to everybody."""
    here, share = marketplace(), _form_share()
    _known(here.engine, market)
    advance(here.engine, here.directory, market, ring=share["ring"], percent=share["percent"])
    return see_other("console.trials.home")


@pages.post("/<market>/halts")
def halts(market: str) -> Response:
    """End the open trial and lead its corners back."""
    here = marketplace()
    _known(here.engine, market)
    halt_trial(here.engine, here.directory, market, reason=request.form.get("reason", "").strip()[:200])
    return see_other("console.trials.home")


@pages.post("/<market>/rollbacks")
def rollbacks(market: str) -> Response:
    """Publish the rows of an earlier publication again."""
    here = marketplace()
    _known(here.engine, market)
    roll_back_all(here.engine, here.directory, _number(request.form.get("publication")), chosen=[market])
    return see_other("console.trials.home")


@pages.post("/rings/<corner_id>")
def corner_ring(corner_id: str) -> Response:
    """Say when a corner gets what is on trial."""
    ring = request.form.get("ring", "")
    if ring not in RINGS:
        raise Invalid("a ring is canary, early or stable", field="ring")
    set_ring(marketplace().engine, corner_id, ring)
    return see_other("console.fleet.corner", corner_id=corner_id)


def _page(shown: dict[str, Any] | None = None) -> str:
    engine = marketplace().engine
    with reading(engine) as connection:
        rooms = [_room(connection, each) for each in newest(connection)]
    return render_template(
        "marketplace/publishing/trials.html",
        rooms=rooms,
        shown=shown,
        ring_names=RINGS,
        percents=PERCENTS,
    )


def _room(connection: Connection, publication: dict[str, Any]) -> dict[str, Any]:
    market = publication["market"]
    seen = trial_standing(connection, market)
    share_bp = seen.trial.shares.get(reached(seen.trial.shares), 0) if seen else 0
    return {
        **publication,
        "rings": rings(connection, market),
        "trial": seen,
        "reached": reached(seen.trial.shares) if seen else None,
        "percent": share_bp * 100 // WHOLE_BP,
        "next_ring": next_ring(seen.trial) if seen else None,
        "past": ended_trials(connection, market, most=5),
        "history": history(connection, market),
    }


def _known(engine: Engine, market: str) -> None:
    if market not in markets(engine):
        raise NotFound(f"no market {market}")


def _form_share() -> dict[str, Any]:
    ring, percent = request.form.get("ring", RINGS[-1]), _number(request.form.get("percent", "100"))
    shares_of(ring, percent)
    return {"ring": ring, "percent": percent}


def _number(value: str | None) -> int:
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 9:
        raise Invalid("a whole number is missing")
    return int(value)
