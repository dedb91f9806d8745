"""HQ's tables of the protocol: rows to look at again (marks), publications, trials, rows held back.

Business code writes `sync_dirty` in the transaction of its own change; only the publisher deletes, and only marks it read.
Publications are numbered without gaps per market over all its tracks; each row keeps the track as heads announce it, so that they
can be made again after a crash. What a publication changes in these tables is one `LogEntry`, stored by `commit` in one
transaction.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import BigInteger, Column, Connection, Engine, Integer, MetaData, Table, Text, bindparam, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from pos import clock
from sync.errors import Busy
from sync.heads import Track, read_track
from sync.roots import Row, Value

sync_metadata = MetaData()

# `row_key` is the key as JSON, so that 1 and "1" stay apart; empty, it stands for the whole table. `origin` says who may publish
# it: HQ's edits wait for a person, what sellers, orders and timers changed goes by itself, unless it was held back from that.
# `marked_at` is when the row was first marked after its last publication: renewing a mark leaves it.
sync_dirty = Table(
    "sync_dirty",
    sync_metadata,
    Column("market", Text, primary_key=True),
    Column("table_name", Text, primary_key=True),
    Column("row_key", Text, primary_key=True),
    Column("gen", BigInteger, nullable=False),
    Column("origin", Text, nullable=False, server_default="hq"),
    Column("marked_at", Text, nullable=False, server_default="1970-01-01T00:00:00Z"),
)

# `line` is empty for HQ's own track, else the trial's id.
sync_publication = Table(
    "sync_publication",
    sync_metadata,
    Column("market", Text, primary_key=True),
    Column("publication", Integer, primary_key=True, autoincrement=False),
    Column("line", Text, nullable=False),
    Column("published_at", Text, nullable=False),
    Column("body", Text, nullable=False),
)

# A trial's `shares` are basis points of each ring's corners; `forks` says for each channel at which version it left HQ's track.
sync_trial = Table(
    "sync_trial",
    sync_metadata,
    Column("market", Text, primary_key=True),
    Column("trial_id", Text, primary_key=True),
    Column("opened_at", Text, nullable=False),
    Column("shares", Text, nullable=False),
    Column("forks", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("closed_at", Text),
    Column("reason", Text),
)

# Rows kept out of HQ's track: those of the open trial (`trial_id`), and those a halt or a rollback took back (empty).
# `row` is what is held back, as JSON, null for a deletion: once business says something else, the row is free again.
sync_held = Table(
    "sync_held",
    sync_metadata,
    Column("market", Text, primary_key=True),
    Column("table_name", Text, primary_key=True),
    Column("row_key", Text, primary_key=True),
    Column("trial_id", Text, nullable=False),
    Column("row", Text, nullable=False),
)

WHOLE_TABLE = ""
"""The `row_key` of a mark for a whole table."""
HQ, SUPPLY, HELD = "hq", "supply", "held"
"""Where a mark comes from: HQ's own edit; a seller, an order or a timer; one of these that a person has to look at first."""
OWN_TRACK = ""
"""The name of HQ's own track, and the `trial_id` of rows that are held back from everybody."""
TRIES = 8
RETRIED_STATES = frozenset({"40001", "40P01"})
"""Serialization failure and deadlock: PostgreSQL's documentation, appendix A."""

HeldRows = dict[str, dict[Value, Row | None]]
"""Rows held back, by table and key; None where a deletion is held back."""
Mark = tuple[str, str, int]
"""A mark as it was read: table, key as JSON, generation."""

_MARK = text(
    "insert into sync_dirty (market, table_name, row_key, gen, origin, marked_at) "
    "values (:market, :table_name, :row_key, 1, :origin, :marked_at) "
    "on conflict (market, table_name, row_key) do update set gen = sync_dirty.gen + 1, "
    "origin = case when excluded.origin = 'supply' and not (sync_dirty.origin = 'held' and sync_dirty.table_name = 'listing') "
    "then 'supply' else sync_dirty.origin end"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialState:
    """The open trial of a market: the shares of each ring's corners in basis points, and at which version each channel forked."""

    trial_id: str
    opened_at: str
    shares: Mapping[str, int]
    forks: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedTrial:
    """A trial that is over: `state` is "promoted" or "halted", with the reason of a halt."""

    trial_id: str
    opened_at: str
    closed_at: str
    state: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """All that one publication changes in HQ's tables of the protocol.

    `tracks` are published, `marks` answered; `freed` keys are held back no longer, `held` rows from now on: for `trial`, or from
    everybody where it is None. `trial` is stored as it is now, `ended` closed.
    """

    market: str
    tracks: Collection[Track] = ()
    marks: Collection[Mark] = ()
    freed: Mapping[str, Collection[Value]] = field(default_factory=dict)
    held: HeldRows = field(default_factory=dict)
    trial: TrialState | None = None
    ended: EndedTrial | None = None


def commit(engine: Engine, entry: LogEntry) -> None:
    """Store all of a publication in one transaction, or nothing of it.

    Raises: Busy when another publisher took its numbers, DBAPIError when it still cannot be stored after several tries.
    """
    market, trial, ended = entry.market, entry.trial, entry.ended
    for tries_left in reversed(range(TRIES)):
        try:
            with engine.begin() as connection:
                record_publications(connection, market, entry.tracks)
                delete_marks(connection, market, entry.marks)
                set_free(connection, market, entry.freed)
                hold_back(connection, market, entry.held, trial_id=trial.trial_id if trial else OWN_TRACK)
                if trial is not None:
                    store_trial(connection, market, trial)
                if ended is not None:
                    close_trial(connection, market, ended)
        except IntegrityError as problem:
            numbers = [track.publication for track in entry.tracks]
            raise Busy(f"publication {numbers} of {market} was made by another publisher") from problem
        except DBAPIError as problem:
            # A writer of business rows got in between; a mark it renewed has another generation now and stays for next time.
            if not tries_left or getattr(problem.orig, "sqlstate", None) not in RETRIED_STATES:
                raise
        else:
            return


def mark_dirty(connection: Connection, market: str, table: str, keys: Iterable[Value] | None, *, origin: str = HQ) -> None:
    """Mark rows of a published table as changed since they were published; None stands for the whole table.

    A row that both HQ and its supply changed goes with its supply; a listing that is held back stays so, whoever touches it.
    Belongs in the transaction that changes what the rows are made from. A mark too many costs time, a missing one loses a change.
    """
    texts = [WHOLE_TABLE] if keys is None else [json.dumps(key, ensure_ascii=False) for key in keys]
    if texts:
        about = {"market": market, "table_name": table, "origin": origin, "marked_at": clock.to_text(clock.now())}
        connection.execute(_MARK, [{**about, "row_key": row_key} for row_key in texts])


def waiting_marks(connection: Connection, market: str, *, origins: Collection[str] = (HQ, SUPPLY, HELD)) -> list[Mark]:
    """Return the marks of these origins that wait for the next publication."""
    columns = (sync_dirty.c.table_name, sync_dirty.c.row_key, sync_dirty.c.gen)
    marks = connection.execute(select(*columns).where(sync_dirty.c.market == market, sync_dirty.c.origin.in_(origins)))
    return [(table, row_key, generation) for table, row_key, generation in marks]


def hold_marks(connection: Connection, market: str, marks: Iterable[Mark]) -> None:
    """Let marks wait for a person, as they were read: one renewed since is judged anew. Belongs in a write transaction."""
    values = [{"market": market, "table_name": table, "row_key": key, "gen": gen} for table, key, gen in marks]
    if values:
        statement = """
            update sync_dirty set origin = 'held'
            where market = :market and table_name = :table_name and row_key = :row_key and gen = :gen
        """
        connection.execute(text(statement), values)


def delete_marks(connection: Connection, market: str, marks: Collection[Mark]) -> None:
    """Delete marks as they were read: one renewed since has a higher `gen` and stays for the next publication."""
    if marks:
        statement = sync_dirty.delete().where(
            sync_dirty.c.market == market,
            sync_dirty.c.table_name == bindparam("at_table"),
            sync_dirty.c.row_key == bindparam("at_key"),
            sync_dirty.c.gen == bindparam("at_gen"),
        )
        read = [{"at_table": table, "at_key": key, "at_gen": generation} for table, key, generation in marks]
        connection.execute(statement, read)


def published(connection: Connection, market: str, track: str = OWN_TRACK) -> Track | None:
    """Return the last publication of a market's track, or None before the first."""
    statement = (
        select(sync_publication.c.body)
        .where(sync_publication.c.market == market, sync_publication.c.line == track)
        .order_by(sync_publication.c.publication.desc())
        .limit(1)
    )
    row = connection.execute(statement).first()
    return read_track(json.loads(row[0])) if row is not None else None


def publication_at(connection: Connection, market: str, number: int) -> Track | None:
    """Return a publication by its number, whatever its track, or None when there is none."""
    statement = select(sync_publication.c.body).where(
        sync_publication.c.market == market, sync_publication.c.publication == number
    )
    row = connection.execute(statement).first()
    return read_track(json.loads(row[0])) if row is not None else None


def last_number(connection: Connection, market: str) -> int:
    """Return the number of the market's newest publication over all tracks; 0 before the first."""
    statement = text("select coalesce(max(publication), 0) from sync_publication where market = :market")
    return int(connection.execute(statement, {"market": market}).scalar_one())


def record_publications(connection: Connection, market: str, tracks: Iterable[Track]) -> None:
    """Keep what tracks announce from now on."""
    values = [
        {
            "market": market,
            "publication": track.publication,
            "line": track.name,
            "published_at": track.published_at,
            "body": json.dumps(track.to_json(), ensure_ascii=False, separators=(",", ":")),
        }
        for track in tracks
    ]
    if values:
        connection.execute(insert(sync_publication), values)


def open_trial(connection: Connection, market: str) -> TrialState | None:
    """Return the market's open trial; there is one at a time."""
    statement = select(sync_trial).where(sync_trial.c.market == market, sync_trial.c.state == "open")
    row = connection.execute(statement).mappings().first()
    if row is None:
        return None
    shares, forks = json.loads(row["shares"]), json.loads(row["forks"])
    return TrialState(trial_id=row["trial_id"], opened_at=row["opened_at"], shares=shares, forks=forks)


def store_trial(connection: Connection, market: str, trial: TrialState) -> None:
    """Keep an open trial as it is now."""
    connection.execute(
        text(
            """
            insert into sync_trial (market, trial_id, opened_at, shares, forks, state)
            values (:market, :trial_id, :opened_at, :shares, :forks, 'open')
            on conflict (market, trial_id) do update set shares = excluded.shares, forks = excluded.forks
            """
        ),
        {
            "market": market,
            "trial_id": trial.trial_id,
            "opened_at": trial.opened_at,
            "shares": json.dumps(dict(trial.shares), sort_keys=True),
            "forks": json.dumps(dict(trial.forks), sort_keys=True),
        },
    )


def close_trial(connection: Connection, market: str, ended: EndedTrial) -> None:
    """Close a trial; rows it still holds back are then held back from everybody."""
    about = {"market": market, "trial_id": ended.trial_id}
    connection.execute(
        text(
            """
            update sync_trial set state = :state, reason = :reason, closed_at = :closed_at
            where market = :market and trial_id = :trial_id
            """
        ),
        {**about, "state": ended.state, "reason": ended.reason, "closed_at": ended.closed_at},
    )
    connection.execute(
        text("update sync_held set trial_id = '' where market = :market and trial_id = :trial_id"),
        about,
    )


def ended_trials(connection: Connection, market: str, *, most: int) -> list[EndedTrial]:
    """Return the market's trials that are over, the newest first, at most so many."""
    statement = text(
        """
        select trial_id, opened_at, closed_at, state, reason from sync_trial
        where market = :market and state <> 'open' order by opened_at desc limit :most
        """
    )
    return [EndedTrial(**row) for row in connection.execute(statement, {"market": market, "most": most}).mappings()]


def held_rows(connection: Connection, market: str, *, trial_id: str | None = None) -> HeldRows:
    """Return the rows that are held back in a market: all, those of one trial, or (`OWN_TRACK`) those from everybody."""
    statement = select(sync_held.c.table_name, sync_held.c.row_key, sync_held.c.row).where(sync_held.c.market == market)
    if trial_id is not None:
        statement = statement.where(sync_held.c.trial_id == trial_id)
    held: HeldRows = {}
    for table, row_key, row in connection.execute(statement):
        values = json.loads(row)
        held.setdefault(table, {})[json.loads(row_key)] = tuple(values) if values is not None else None
    return held


def hold_back(connection: Connection, market: str, held: HeldRows, *, trial_id: str) -> None:
    """Keep rows out of HQ's track: for a trial, or (`OWN_TRACK`) from everybody."""
    values = [
        {
            "market": market,
            "table_name": table,
            "row_key": json.dumps(key, ensure_ascii=False),
            "trial_id": trial_id,
            "row": json.dumps(row, ensure_ascii=False),
        }
        for table, rows in held.items()
        for key, row in rows.items()
    ]
    if values:
        connection.execute(
            text(
                """
                insert into sync_held (market, table_name, row_key, trial_id, row)
                values (:market, :table_name, :row_key, :trial_id, :row)
                on conflict (market, table_name, row_key) do update
                set trial_id = excluded.trial_id, row = excluded.row
                """
            ),
            values,
        )


def set_free(connection: Connection, market: str, keys: Mapping[str, Collection[Value]]) -> None:
    """Hold these rows back no longer."""
    values = [
        {"at_market": market, "at_table": table, "at_key": json.dumps(key, ensure_ascii=False)}
        for table, some in keys.items()
        for key in some
    ]
    if values:
        statement = sync_held.delete().where(
            sync_held.c.market == bindparam("at_market"),
            sync_held.c.table_name == bindparam("at_table"),
            sync_held.c.row_key == bindparam("at_key"),
        )
        connection.execute(statement, values)
