"""A trial: changes that some corners try before the others get them, on a track of their own.

A trial forks only the channels it touches. Everything published to everybody meanwhile goes into both tracks, so an urgent price
never waits for a trial. A trial ends by promotion, when HQ's track takes its rows, or by a halt, when its corners go back to HQ's
track; both cost a kiosk that is up to date no rows at all, or the few that differ. Rows of a halted trial stay held back until
business says something else. A rollback is the same thing without a trial: a forward publication of old rows.
Source: docs/protocol.md §6.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from pos import clock
from pos.catalog import TABLES
from pos.db import Store, connect
from pos.errors import Conflict, NotFound
from sync.catalog_files import copy_catalog, remove_logs
from sync.errors import SyncError
from sync.heads import RINGS, WHOLE_BP, Track, complete_track
from sync.hq.business import Business
from sync.hq.drafts import Draft, by_channel, differences_to, keys_since_fork
from sync.hq.log import (
    HELD,
    HQ,
    OWN_TRACK,
    EndedTrial,
    HeldRows,
    LogEntry,
    Mark,
    TrialState,
    commit,
    held_rows,
    publication_at,
    waiting_marks,
)
from sync.hq.publisher import (
    Drafts,
    MarketState,
    OpenTrial,
    Place,
    Published,
    Publisher,
    announce_heads,
    begin_draft,
    catch_up,
    finish,
    next_number,
    publishing,
    reading,
)
from sync.hq.replicas import bring_replica
from sync.roots import Row, Value


class NoTrial(NotFound):
    """No trial is open in this market."""


class TrialOpen(Conflict):
    """A trial is open in this market: it has to be promoted or halted first."""


class NotKept(NotFound):
    """That publication's blobs are no longer kept, so it cannot be gone back to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ending:
    """How a trial ends: HQ's track takes these of its rows."""

    state: str
    reason: str
    rows: HeldRows


def try_out(
    place: Place, *, shares: Mapping[str, int], now: datetime, at_least: int = 0, only: Collection[Mark] | None = None
) -> Published | None:
    """Publish what was marked to the corners of `shares` (basis points by ring) alone; None when nothing differs.

    With a trial open, the rows join it and the shares become these. With `only` just these marks are answered.
    Raises: Busy, NotFound before the first publication, TrialOpen when the open one is lost.
    """
    with publishing(place, now=now) as publisher, reading(place.engine) as connection:
        market = place.market
        state = _market_state(publisher, connection)
        if state.is_trial_lost:
            raise TrialOpen("the open trial cannot be gone on with: halt it first")
        # What supply changed is for everybody, trial or not: it goes by itself.
        marks = waiting_marks(connection, market, origins=(HQ, HELD)) if only is None else list(only)
        number = next_number(publisher, connection, at_least=at_least)
        trial = state.trial or _new_trial(publisher, state.track, number=number)
        trial_state = replace(trial.state, shares=dict(shares))
        with ExitStack() as transactions:
            draft = begin_draft(publisher, publisher.replica, state.track, transactions)
            trial_draft = begin_draft(publisher, publisher.trial_replica, complete_track(state.track, trial.track), transactions)
            # Rows the trial itself holds back are its own: only what is held back from everybody stays out of it.
            held = held_rows(connection, market, trial_id=OWN_TRACK)
            business = Business(connection, place.current_rows)
            differences, freed = business.differences(trial_draft.database, marks, held)
            connection.rollback()
            for channel in by_channel(differences):
                if channel not in trial_state.forks:
                    head = draft.channels[channel]
                    trial_state = replace(trial_state, forks={**trial_state.forks, channel: head.version})
                    trial_draft.fork(channel, head)
            trial_draft.change(differences)
            if trial_draft.touched:
                drafts = Drafts(number=number, own=draft, trial=trial_state, trial_draft=trial_draft)
                tried: HeldRows = {
                    table: dict.fromkeys(before) | {row[0]: row for row in rows} for table, (before, rows) in differences.items()
                }
                entry = LogEntry(market=market, marks=marks, freed=freed, held=tried, trial=trial_state)
                return finish(publisher, drafts, entry)
        if state.trial is not None:
            _store_shares(publisher, state.track, replace(trial, state=trial_state))
        return None


def set_shares(place: Place, *, shares: Mapping[str, int], now: datetime) -> None:
    """Give an open trial to more or fewer corners. Raises: NoTrial, Busy."""
    with publishing(place, now=now) as publisher:
        with reading(place.engine) as connection:
            state, trial = _state_with_trial(publisher, connection)
        _store_shares(publisher, state.track, replace(trial, state=replace(trial.state, shares=dict(shares))))


def promote(place: Place, *, now: datetime) -> Published:
    """Give everybody what the open trial has. Raises: NoTrial, Busy."""
    with publishing(place, now=now) as publisher, reading(place.engine) as connection:
        state, trial = _state_with_trial(publisher, connection)
        rows = held_rows(connection, place.market, trial_id=trial.state.trial_id)
        return _end(publisher, connection, state.track, trial, _Ending(state="promoted", reason="", rows=rows))


def halt(place: Place, *, reason: str, now: datetime) -> Published:
    """Take the open trial back: its corners return to HQ's track. Raises: NoTrial, Busy."""
    with publishing(place, now=now) as publisher, reading(place.engine) as connection:
        state, trial = _state_with_trial(publisher, connection)
        return _end(publisher, connection, state.track, trial, _Ending(state="halted", reason=reason, rows={}))


def roll_back(place: Place, number: int, *, now: datetime) -> Published | None:
    """Publish the rows of publication `number` to everybody again, and hold back what replaced them; None when nothing differs.

    Raises: TrialOpen, NotFound, NotKept, Busy.
    """
    with publishing(place, now=now) as publisher, reading(place.engine) as connection:
        state = _market_state(publisher, connection)
        if state.trial is not None:
            raise TrialOpen("promote or halt the open trial first")
        old_rows = rows_at(publisher, connection, number)
        next_one = next_number(publisher, connection)
        business = Business(connection, place.current_rows)
        # Business still says what is taken back: held back, it is not published again by the next mark.
        taken_back = {table: business.rows_of(table, rows) for table, rows in old_rows.items()}
        connection.rollback()
        if not old_rows:
            return None
        with ExitStack() as transactions:
            draft = begin_draft(publisher, publisher.replica, state.track, transactions)
            draft.change(differences_to(draft.database, old_rows))
            return finish(publisher, Drafts(number=next_one, own=draft), LogEntry(market=place.market, held=taken_back))


def rows_at(publisher: Publisher, connection: Connection, number: int) -> HeldRows:
    """Return the rows of publication `number` that HQ's track has differently now, None where it has one too many.

    Raises: NotFound when HQ's track had no such publication, NotKept.
    """
    place = publisher.place
    track = publication_at(connection, place.market, number)
    if track is None or track.name != OWN_TRACK:
        raise NotFound(f"{place.market} has no publication {number} of its own track")
    then = Store(place.replica.with_name(f"{place.market}.then{place.replica.suffix}"), durable=False)
    _remove(then)
    try:
        bring_replica(then, track, market=place.market, static=place.static, now=publisher.now)
        return _rows_that_differ(then, publisher.replica)
    except (SyncError, FileNotFoundError) as problem:
        raise NotKept(f"publication {number} is no longer kept: {problem}") from problem
    finally:
        then.close()
        _remove(then)


def reached(shares: Mapping[str, int]) -> str:
    """Return the furthest ring a trial has reached in whole or in part."""
    return max((ring for ring in RINGS if shares.get(ring)), key=RINGS.index, default=RINGS[0])


def whole_ring(ring: str, share_bp: int = WHOLE_BP) -> dict[str, int]:
    """Return the shares of a trial that has reached `ring`: the rings before it whole, of this one `share_bp`."""
    place = RINGS.index(ring)
    return {name: WHOLE_BP if at < place else share_bp if at == place else 0 for at, name in enumerate(RINGS)}


def _market_state(publisher: Publisher, connection: Connection) -> MarketState:
    state = catch_up(publisher, connection)
    if state is None:
        raise NotFound(f"{publisher.place.market} has to be published to everybody first")
    return state


def _state_with_trial(publisher: Publisher, connection: Connection) -> tuple[MarketState, OpenTrial]:
    state = _market_state(publisher, connection)
    if state.trial is None:
        raise NoTrial(f"no trial is open in {publisher.place.market}")
    return state, state.trial


def _new_trial(publisher: Publisher, track: Track, *, number: int) -> OpenTrial:
    """Return a trial that has forked no channel yet, on a copy of HQ's replica."""
    trial_id = f"t{number}"
    publisher.trial_replica.close()
    copy_catalog(publisher.place.replica, publisher.place.trial_replica)
    state = TrialState(trial_id=trial_id, opened_at=clock.to_text(publisher.now), shares={}, forks={})
    return OpenTrial(state=state, track=replace(track, name=trial_id, channels={}))


def _store_shares(publisher: Publisher, track: Track, trial: OpenTrial) -> None:
    # No row moves: each corner reads its side from the shares in the head, and the joins lead it there.
    commit(publisher.place.engine, LogEntry(market=publisher.place.market, trial=trial.state))
    announce_heads(publisher, track, trial)


def _end(publisher: Publisher, connection: Connection, track: Track, trial: OpenTrial, ending: _Ending) -> Published:
    """Publish HQ's track with what the trial leaves it, and with joins for the corners that come from the trial's."""
    number = next_number(publisher, connection)
    connection.rollback()
    with ExitStack() as transactions:
        draft = begin_draft(publisher, publisher.replica, track, transactions)
        draft.change(differences_to(draft.database, ending.rows))
        database = publisher.trial_replica.read()
        trial_draft = Draft.of(complete_track(track, trial.track), database, publisher.blobs, publisher.now)
        for channel, since in trial.state.forks.items():
            keys = keys_since_fork(draft, trial_draft, channel, since=since)
            if keys is not None:
                draft.join(channel, trial_draft.channels[channel], keys, since=since)
        ended = EndedTrial(
            trial_id=trial.state.trial_id,
            opened_at=trial.state.opened_at,
            closed_at=clock.to_text(publisher.now),
            state=ending.state,
            reason=ending.reason,
        )
        freed = {table: rows.keys() for table, rows in ending.rows.items()}
        return finish(
            publisher, Drafts(number=number, own=draft), LogEntry(market=publisher.place.market, freed=freed, ended=ended)
        )


def _remove(store: Store) -> None:
    store.path.unlink(missing_ok=True)
    remove_logs(store.path)


def _rows_that_differ(then: Store, now: Store) -> HeldRows:
    """Return the rows of `then` that `now` has differently, None where it has one too many."""
    database = connect(then.path, durable=False)
    try:
        database.execute("attach database ? as present", [str(now.path)])
        wanted: HeldRows = {}
        for table in TABLES:
            columns, key = ", ".join(table.columns), table.columns[0]
            old = f'select {columns} from main."{table.name}" except select {columns} from present."{table.name}"'
            rows: dict[Value, Row | None] = {row[0]: row for row in database.execute(old)}
            extra = f'select {key} from present."{table.name}" except select {key} from main."{table.name}"'
            rows.update({key: None for (key,) in database.execute(extra)})
            if rows:
                wanted[table.name] = rows
        return wanted
    finally:
        database.close()
