"""`/console/trials`: what the next publication would change, who gets it first, how a trial does, and the ways back.

Nothing is published before its outlook was shown: every act begins with a look at what it would change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, request
from sqlalchemy import Connection, Engine
from werkzeug.wrappers import Response

from marketplace.db import reading
from marketplace.fleet.corners import rings, set_ring
from marketplace.publishing.by_itself import HeldBack, held_back, release
from marketplace.publishing.publications import NewestPublication, PastPublication, history, markets, newest, publish_market
from marketplace.publishing.trials import (
    Outlook,
    Standing,
    advance,
    halt_trial,
    next_ring,
    outlook_of_halt,
    outlook_of_promotion,
    outlook_of_publication,
    outlook_of_release,
    outlook_of_rollback,
    roll_back_all,
    shares_of,
    trial_standing,
)
from marketplace.web import marketplace, see_other
from pos.errors import Invalid, NotFound
from shop.web import render_template
from sync.heads import RINGS, WHOLE_BP
from sync.hq.log import EndedTrial, ended_trials
from sync.hq.trials import reached

PERCENTS = (1, 5, 10, 25, 50, 100)
MOST_PAST = 5

pages = Blueprint("trials", __name__, url_prefix="/trials")


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What an act would change: publishing or promoting to a percentage of a ring, releasing, halting, or a rollback."""

    act: str
    outlook: Outlook
    ring: str = RINGS[-1]
    percent: int = 100
    publication: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialProgress:
    """An open trial: how it does, the furthest ring it has reached and in which percentage of it, and the ring that is next."""

    standing: Standing
    ring: str
    percent: int
    next_ring: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketRoom:
    """A market's part of the page: its publications, corners by ring, trials, and what was held back by seller."""

    newest: NewestPublication
    rings: Mapping[str, int]
    trial: TrialProgress | None
    past: list[EndedTrial]
    history: list[PastPublication]
    held: list[HeldBack]


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialsPage:
    """The page of publications and trials, with the decision that is to be confirmed, if any."""

    rooms: list[MarketRoom]
    decision: Decision | None
    ring_names: Sequence[str] = RINGS
    percents: Sequence[int] = PERCENTS


@pages.get("/")
def home() -> str:
    """Show each market's publications and trials."""
    return _page(None)


@pages.post("/<market>/outlooks")
def outlooks(market: str) -> str:
    """Show what an act would change, before anybody decides: nothing is published here."""
    engine, directory, act = marketplace().engine, marketplace().directory, request.form.get("act", "")
    _known(engine, market)
    if act == "halt":
        return _page(Decision(act=act, outlook=outlook_of_halt(engine, directory, market)))
    if act == "release":
        return _page(Decision(act=act, outlook=outlook_of_release(engine, directory, market)))
    if act == "rollback":
        number = _number(request.form.get("publication"))
        outlook = outlook_of_rollback(engine, directory, market, number)
        return _page(Decision(act=act, outlook=outlook, publication=number))
    if act not in ("publish", "promote"):
        raise Invalid("an act is publish, release, promote, halt or rollback", field="act")
    ring, percent = form_share()
    if act == "publish":
        outlook = outlook_of_publication(engine, directory, market, shares=shares_of(ring, percent))
    else:
        outlook = outlook_of_promotion(engine, directory, market, ring=ring, percent=percent)
    return _page(Decision(act=act, outlook=outlook, ring=ring, percent=percent))


@pages.post("/<market>/publications")
def publications(market: str) -> Response:
    """Publish to everybody, or to a ring as a trial."""
    engine, (ring, percent) = marketplace().engine, form_share()
    _known(engine, market)
    publish_market(engine, marketplace().directory, market, shares=shares_of(ring, percent))
    return see_other("console.trials.home")


@pages.post("/<market>/releases")
def releases(market: str) -> Response:
    """Publish the changes of sellers that were held back."""
    engine = marketplace().engine
    _known(engine, market)
    release(engine, marketplace().directory, market)
    return see_other("console.trials.home")


@pages.post("/<market>/promotions")
def promotions(market: str) -> Response:
    """Give the open trial to more corners, or to everybody."""
    engine, (ring, percent) = marketplace().engine, form_share()
    _known(engine, market)
    advance(engine, marketplace().directory, market, ring=ring, percent=percent)
    return see_other("console.trials.home")


@pages.post("/<market>/halts")
def halts(market: str) -> Response:
    """End the open trial: its corners go back to HQ's track."""
    engine = marketplace().engine
    _known(engine, market)
    halt_trial(engine, marketplace().directory, market, reason=request.form.get("reason", "").strip()[:200])
    return see_other("console.trials.home")


@pages.post("/<market>/rollbacks")
def rollbacks(market: str) -> Response:
    """Publish the rows of an earlier publication again."""
    engine = marketplace().engine
    _known(engine, market)
    roll_back_all(engine, marketplace().directory, _number(request.form.get("publication")), chosen=[market])
    return see_other("console.trials.home")


@pages.post("/rings/<corner_id>")
def corner_ring(corner_id: str) -> Response:
    """Say when a corner gets what is on trial."""
    ring = request.form.get("ring", "")
    if ring not in RINGS:
        raise Invalid("a ring is canary, early or stable", field="ring")
    set_ring(marketplace().engine, corner_id, ring)
    return see_other("console.fleet.corner", corner_id=corner_id)


def _page(decision: Decision | None) -> str:
    with reading(marketplace().engine) as connection:
        rooms = [_room(connection, publication) for publication in newest(connection)]
    return render_template("marketplace/publishing/trials.html", page=TrialsPage(rooms=rooms, decision=decision))


def _room(connection: Connection, publication: NewestPublication) -> MarketRoom:
    market = publication.market
    standing = trial_standing(connection, market)
    return MarketRoom(
        newest=publication,
        rings=rings(connection, market),
        trial=_progress(standing) if standing is not None else None,
        past=ended_trials(connection, market, most=MOST_PAST),
        history=history(connection, market),
        held=held_back(connection, market),
    )


def _progress(standing: Standing) -> TrialProgress:
    shares, ring = standing.trial.shares, reached(standing.trial.shares)
    percent = shares.get(ring, 0) * 100 // WHOLE_BP
    return TrialProgress(standing=standing, ring=ring, percent=percent, next_ring=next_ring(standing.trial))


def _known(engine: Engine, market: str) -> None:
    if market not in markets(engine):
        raise NotFound(f"no market {market}")


def form_share() -> tuple[str, int]:
    """Return the ring and the percentage of it that a form names. Raises: Invalid."""
    ring, percent = request.form.get("ring", RINGS[-1]), _number(request.form.get("percent", "100"))
    shares_of(ring, percent)
    return ring, percent


def _number(value: str | None) -> int:
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 9:
        raise Invalid("a whole number is missing")
    return int(value)
