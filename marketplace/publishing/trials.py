"""Trials at HQ: what the next publication would change, who would get it, how a trial does, and when it is halted by itself.

Invariant: whatever ends a trial, the history of terms follows, so that a slip of a corner on trial is repriced by what its kiosk
had.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from marketplace.db import reading, rows
from marketplace.fleet.corners import rings
from marketplace.publishing.publications import keep_terms, make_up_terms, markets, place_of
from marketplace.publishing.withdrawals import is_too_much
from pos import clock
from pos.errors import Invalid, NotFound
from sync.errors import Busy
from sync.heads import RINGS, WHOLE_BP
from sync.hq.log import HELD, TrialState, open_trial
from sync.hq.previews import Preview, preview, preview_promotion, preview_rollback
from sync.hq.publisher import Published
from sync.hq.trials import NoTrial, TrialOpen, halt, promote, reached, roll_back, set_shares, whole_ring

FAILED_SHARE = 5
"""A trial is halted when one in so many of its corners could not take it in."""
FAILED_CORNERS = 5
"""… or as soon as so many could not."""
JUMPED_SHARE = 5
"""A trial is halted when one in so many of the prices it changed jumped (`sync.changes.JUMP`) …"""
JUDGED_PRICES = 20
"""… of at least so many changed prices."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An open trial as HQ sees it: its corners, those that took it in, those that failed, and how many prices jumped.

    `vanished` of the `offered` offers are on sale elsewhere and not on trial.
    """

    market: str
    trial: TrialState
    corners: int
    arrived: int
    failed: tuple[str, ...]
    changed: int
    jumped: int
    offered: int = 0
    vanished: int = 0

    @property
    def reason_to_halt(self) -> str:
        """Why it has to be halted; empty while nothing speaks against it."""
        failed = len(self.failed)
        if failed and (failed >= FAILED_CORNERS or failed * FAILED_SHARE >= self.arrived + failed):
            return f"{failed} of {self.arrived + failed} corners could not take it in: {', '.join(self.failed[:FAILED_CORNERS])}"
        if self.changed >= JUDGED_PRICES and self.jumped * JUMPED_SHARE >= self.changed:
            return f"{self.jumped} of {self.changed} changed prices jumped"
        if is_too_much(gone=self.vanished, before=self.offered):
            return f"{self.vanished:,} of {self.offered:,} offers vanish"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a publication would change in a market and how many corners would get it; None before the first publication."""

    market: str
    currency: str
    preview: Preview | None
    corners: int


def shares_of(ring: str, percent: int) -> dict[str, int] | None:
    """Return a trial's shares for a ring and a percentage of its corners; None for all of everybody: no trial at all.

    Raises: Invalid.
    """
    if ring not in RINGS or not 0 <= percent <= 100:
        raise Invalid("a ring is canary, early or stable, a percentage 0 to 100", field="ring")
    share_bp = percent * WHOLE_BP // 100
    return None if (ring, share_bp) == (RINGS[-1], WHOLE_BP) else whole_ring(ring, share_bp)


def outlook_of_publication(engine: Engine, directory: Path, market: str, *, shares: Mapping[str, int] | None) -> Outlook:
    """Return what publishing now would change, and where. Raises: Busy."""
    place = place_of(engine, directory, market)
    change = preview(place, is_trial=shares is not None, now=clock.now())
    with reading(engine) as connection:
        corners = corners_in(rings(connection, market), shares)
    return Outlook(market=market, currency=place.facts["currency"], preview=change, corners=corners)


def outlook_of_release(engine: Engine, directory: Path, market: str) -> Outlook:
    """Return what publishing the changes that were held back would change. Raises: Busy."""
    place = place_of(engine, directory, market)
    change = preview(place, is_trial=False, now=clock.now(), origins=(HELD,))
    with reading(engine) as connection:
        corners = corners_in(rings(connection, market), None)
    return Outlook(market=market, currency=place.facts["currency"], preview=change, corners=corners)


def outlook_of_promotion(engine: Engine, directory: Path, market: str, *, ring: str, percent: int) -> Outlook:
    """Return what giving the open trial to a ring would change there. Raises: Busy, Invalid."""
    place = place_of(engine, directory, market)
    change = preview_promotion(place, now=clock.now())
    with reading(engine) as connection:
        corners = corners_in(rings(connection, market), shares_of(ring, percent))
    return Outlook(market=market, currency=place.facts["currency"], preview=change, corners=corners)


def outlook_of_halt(engine: Engine, directory: Path, market: str) -> Outlook:
    """Return what halting the open trial would take back, and from how many corners. Raises: Busy."""
    place = place_of(engine, directory, market)
    change = preview_promotion(place, now=clock.now())
    with reading(engine) as connection:
        standing = trial_standing(connection, market)
    corners = standing.corners if standing is not None else 0
    return Outlook(market=market, currency=place.facts["currency"], preview=change, corners=corners)


def outlook_of_rollback(engine: Engine, directory: Path, market: str, number: int) -> Outlook:
    """Return what going back to publication `number` would change. Raises: NotFound, NotKept, Busy."""
    place = place_of(engine, directory, market)
    change = preview_rollback(place, number, now=clock.now())
    with reading(engine) as connection:
        corners = corners_in(rings(connection, market), None)
    return Outlook(market=market, currency=place.facts["currency"], preview=change, corners=corners)


def corners_in(by_ring: Mapping[str, int], shares: Mapping[str, int] | None) -> int:
    """Return about how many corners a share of each ring is: exactly for whole rings."""
    if shares is None:
        return sum(by_ring.values())
    return sum(corners * shares.get(ring, 0) // WHOLE_BP for ring, corners in by_ring.items())


def advance(engine: Engine, directory: Path, market: str, *, ring: str, percent: int) -> Published | None:
    """Give the open trial to a ring, or a percentage of it; all of the last ring promotes it. Raises: NoTrial, Busy, Invalid."""
    place, shares = place_of(engine, directory, market), shares_of(ring, percent)
    if shares is not None:
        set_shares(place, shares=shares, now=clock.now())
        return None
    make_up_terms(place)
    promoted = promote(place, now=clock.now())
    keep_terms(place, promoted)
    return promoted


def next_ring(trial: TrialState) -> str:
    """Return the ring a trial reaches next: the one it has reached in part, or the one after."""
    furthest = reached(trial.shares)
    is_whole = trial.shares.get(furthest, 0) >= WHOLE_BP
    return RINGS[min(RINGS.index(furthest) + is_whole, len(RINGS) - 1)]


def halt_trial(engine: Engine, directory: Path, market: str, *, reason: str) -> Published:
    """End the open trial: its corners go back to HQ's track. Raises: NoTrial, Busy."""
    place = place_of(engine, directory, market)
    make_up_terms(place)
    halted = halt(place, reason=reason, now=clock.now())
    keep_terms(place, halted)
    return halted


def roll_back_all(
    engine: Engine, directory: Path, number: int, *, chosen: Iterable[str] | None = None
) -> dict[str, Published | None]:
    """Publish the rows of publication `number` again in each chosen market that has it, forward; None where nothing differs.

    A trial that is open in one of them keeps all of them as they are.
    Raises: NotFound when no market has it, TrialOpen, NotKept, Busy.
    """
    every = list(chosen or markets(engine))
    with reading(engine) as connection:
        on_trial = [market for market in every if open_trial(connection, market)]
    if on_trial:
        raise TrialOpen(f"promote or halt the open trial of {', '.join(on_trial)} first")
    published: dict[str, Published | None] = {}
    missing: list[NotFound] = []
    for market in every:
        place = place_of(engine, directory, market)
        try:
            make_up_terms(place)
            published[market] = roll_back(place, number, now=clock.now())
        except NotFound as problem:
            missing.append(problem)
        else:
            keep_terms(place, published[market])
    if missing and not published:
        raise missing[0]
    return published


def trial_standing(connection: Connection, market: str) -> Standing | None:
    """Return how the open trial of a market does by what its corners report; None without one."""
    trial = open_trial(connection, market)
    if trial is None:
        return None
    arrived, failed, jumps = 0, [], [(0, 0)]
    for corner_id, said in _heartbeats(connection, market, since=trial.opened_at):
        if said.get("line") == trial.trial_id:
            arrived += 1
        failure, movement = said.get("failed"), said.get("jumps")
        if isinstance(failure, dict) and failure.get("line") == trial.trial_id:
            failed.append(corner_id)
        if isinstance(movement, dict) and movement.get("line") == trial.trial_id:
            jumps.append((_count(movement.get("jumped")), _count(movement.get("changed"))))
    jumped, changed = max(jumps)
    vanished = _vanished(connection, market, trial.trial_id)
    return Standing(
        market=market,
        trial=trial,
        corners=corners_in(rings(connection, market), trial.shares),
        arrived=arrived,
        failed=tuple(failed),
        changed=changed,
        jumped=jumped,
        offered=_on_sale(connection, market) + vanished,
        vanished=vanished,
    )


def halt_failing(engine: Engine, directory: Path) -> list[str]:
    """Halt every open trial that its corners' reports speak against; return the markets."""
    halted = []
    for market in markets(engine):
        with reading(engine) as connection:
            standing = trial_standing(connection, market)
        if standing is not None and standing.reason_to_halt:
            try:
                halt_trial(engine, directory, market, reason=standing.reason_to_halt)
            except (Busy, NoTrial) as problem:
                logger.info("the trial of %s is halted later: %s", market, problem)
                continue
            logger.warning("the trial of %s was halted: %s", market, standing.reason_to_halt)
            halted.append(market)
    return halted


def _on_sale(connection: Connection, market: str) -> int:
    """Return how many offers HQ has on sale now, those a trial takes away no longer among them."""
    [counted] = rows(
        connection,
        """
        select count(*) as offers from listing join seller on seller.seller_id = listing.seller_id
        where listing.market = :market and listing.state = 'online' and listing.quantity > 0 and seller.suspended = 0
        """,
        market=market,
    )
    return int(counted["offers"])


def _vanished(connection: Connection, market: str, trial_id: str) -> int:
    """Return how many listings a trial withdraws, sells out or takes from sale with their seller."""
    [withdrawn] = rows(
        connection,
        """
        select count(distinct row_key) as gone from sync_held
        where market = :market and trial_id = :trial_id
          and (table_name in ('listing', 'stock') and sync_held.row = 'null'
               or table_name = 'stock' and sync_held.row like '%, 0]')
        """,
        market=market,
        trial_id=trial_id,
    )
    [suspended] = rows(
        connection,
        """
        select count(*) as offers from listing join seller on seller.seller_id = listing.seller_id
        where listing.market = :market and listing.state = 'online' and listing.quantity > 0 and seller.suspended = 1
          and cast(seller.seller_id as text) in (
            select row_key from sync_held where market = :market and trial_id = :trial_id and table_name = 'seller'
          )
        """,
        market=market,
        trial_id=trial_id,
    )
    return int(withdrawn["gone"]) + int(suspended["offers"])


def _heartbeats(connection: Connection, market: str, *, since: str) -> Iterable[tuple[str, dict[str, Any]]]:
    devices = rows(
        connection,
        """
        select device.corner_id, device.heartbeat from device
        join corner on corner.corner_id = device.corner_id
        where corner.market = :market and device.seen_at >= :since
          and device.quarantined_at is null and device.superseded_at is null
        """,
        market=market,
        since=since,
    )
    for device in devices:
        heartbeat = json.loads(device["heartbeat"] or "{}")
        if isinstance(heartbeat, dict):
            yield device["corner_id"], heartbeat


def _count(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0
