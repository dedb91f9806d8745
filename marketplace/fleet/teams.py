"""The people of a corner as HQ knows them, and the audit journal of its counter.

A feed names people; what HQ or the corner's manager changed since stands over it (`corner_clerk`), counted by `change_no`. Whom
it names no more works there no more, whatever was changed of them.
Invariant: a corner's word counts where it knew HQ's last one, and for clerks alone; managers and HQ's support are HQ's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Engine

from marketplace.db import changed, row, rows, run_tx
from pos import clock
from pos.corner_document import ClerkShape
from pos.corners import Clerk
from pos.errors import Invalid, NotFound, TooManyClerks
from pos.journal import KIND
from pos.pins import new_code
from pos.rows import wrong_in
from pos.team import MOST_MEMBERS, new_clerk_id

MOST_ACTS = 200
HQ = "hq"
"""Who changed an entry, where it was not somebody of the corner."""


def people(connection: Connection, corner_id: str, told: list[Clerk]) -> list[Clerk]:
    """Return a corner's people: whom its feed `told`, as changed since, then those added; none that it tells of no more."""
    known: dict[str, dict[str, Any]] = {clerk["clerk_id"]: dict(clerk) for clerk in told}
    changes = rows(
        connection,
        """
        select clerk_id, name, role, state, change_no, reset_no, code_hash, is_added from corner_clerk
        where corner_id = :corner_id order by changed_at, clerk_id
        """,
        corner_id=corner_id,
    )
    for entry in changes:
        if not entry.pop("is_added") and entry["clerk_id"] not in known:
            continue
        # Where nobody reset the PIN that an older feed brought, it stays.
        before = {} if entry["code_hash"] else known.get(entry["clerk_id"], {})
        known[entry["clerk_id"]] = {**before, **{name: value for name, value in entry.items() if value != ""}}
    return cast("list[Clerk]", list(known.values()))


def add(engine: Engine, corner_id: str, name: str, role: str, *, now: datetime) -> tuple[Clerk, str]:
    """Add somebody to a corner; return their entry and their one-time code, which is kept nowhere.

    Raises: NotFound, Invalid, TooManyClerks.
    """
    code, code_hash = new_code()

    def work(connection: Connection) -> Clerk:
        own = corner_people(connection, corner_id)
        if len(own) >= MOST_MEMBERS:
            raise TooManyClerks
        entry = {"clerk_id": new_clerk_id(name), "name": name, "role": role, "state": "active", "code_hash": code_hash}
        return _store(connection, corner_id, {**entry, "change_no": 1, "reset_no": 1}, by=HQ, at=clock.to_text(now))

    return run_tx(engine, work), code


def change(engine: Engine, corner_id: str, clerk_id: str, *, now: datetime, **changes: str) -> None:
    """Change somebody's `role` or `state`, at the corner with its next message. Raises: NotFound, Invalid."""

    def work(connection: Connection) -> None:
        entry = {**_entry(connection, corner_id, clerk_id), **changes}
        _store(connection, corner_id, {**entry, "change_no": entry["change_no"] + 1}, by=HQ, at=clock.to_text(now))

    run_tx(engine, work)


def reset(engine: Engine, corner_id: str, clerk_id: str, *, now: datetime) -> tuple[Clerk, str]:
    """End somebody's PIN; return their entry and the one-time code they choose another with. Raises: NotFound."""
    code, code_hash = new_code()

    def work(connection: Connection) -> Clerk:
        entry = _entry(connection, corner_id, clerk_id)
        counts = {"change_no": entry["change_no"] + 1, "reset_no": entry["reset_no"] + 1}
        return _store(connection, corner_id, {**entry, "code_hash": code_hash, **counts}, by=HQ, at=clock.to_text(now))

    return run_tx(engine, work), code


def take_change(connection: Connection, corner_id: str, body: Mapping[str, Any]) -> None:
    """Take what a corner's manager changed; a change made without knowing HQ's last one counts for nothing.

    Raises: Invalid for anybody but a clerk, and for an entry that no kiosk could read.
    """
    own = {each["clerk_id"]: each for each in corner_people(connection, corner_id)}
    before = own.get(body["clerk_id"])
    if body["role"] != "clerk" or (before and before.get("role", "clerk") != "clerk"):
        raise Invalid("only HQ changes a manager or its own people", field="role")
    if before is None and len(own) >= MOST_MEMBERS:
        raise Invalid("two hundred people are listed", field="clerk_id")
    if before is None or body["change_no"] > before.get("change_no", 0):
        _store(connection, corner_id, body, by=body["changed_by"], at=body["changed_at"])


def corner_people(connection: Connection, corner_id: str) -> list[Clerk]:
    """Return a corner's people. Raises: NotFound."""
    return people(connection, corner_id, _told(connection, corner_id))


def acts(connection: Connection, corner_id: str) -> list[dict[str, Any]]:
    """Return the newest of what clerks did at a corner: `clerk_id`, `act`, `subject`, `at`, and the event's `seq` and `state`.

    An event that is not what its hash says is dead, and shown as such.
    """
    found = rows(
        connection,
        f"""
        select seq, state, body, recorded_at from inbox
        where corner_id = :corner_id and kind = '{KIND}' order by recorded_at desc, seq desc limit :most
        """,
        corner_id=corner_id,
        most=MOST_ACTS,
    )
    return [{**_said(each.pop("body")), **each} for each in found]


def _told(connection: Connection, corner_id: str) -> list[Clerk]:
    """Return the people that a corner's feed names. Raises: NotFound."""
    stored = row(connection, "select body from corner where corner_id = :corner_id", corner_id=corner_id)
    if stored is None:
        raise NotFound(f"no corner {corner_id}", corner_id=corner_id)
    return cast("list[Clerk]", json.loads(stored["body"])["clerks"])


def _entry(connection: Connection, corner_id: str, clerk_id: str) -> dict[str, Any]:
    blank = {"role": "clerk", "state": "active", "change_no": 0, "reset_no": 0, "code_hash": ""}
    for each in corner_people(connection, corner_id):
        if each["clerk_id"] == clerk_id:
            return {**blank, **each}
    raise NotFound(f"nobody called {clerk_id} works there", clerk_id=clerk_id)


def _store(connection: Connection, corner_id: str, entry: Mapping[str, Any], *, by: str, at: str) -> Clerk:
    names = ("clerk_id", "name", "role", "state", "change_no", "reset_no", "code_hash")
    values = {name: entry[name] for name in names}
    told = {name: value for name, value in values.items() if value != ""}
    for field, reason in wrong_in(ClerkShape, told):
        raise Invalid(f"{field}: {reason}", field=field, reason=reason)
    columns = ("corner_id", *names, "changed_by", "changed_at", "is_added")
    changed(
        connection,
        f"""
        insert into corner_clerk ({", ".join(columns)}) values ({", ".join(f":{name}" for name in columns)})
        on conflict (corner_id, clerk_id) do update
        set {", ".join(f"{name} = excluded.{name}" for name in columns[2:-1])}
        """,
        corner_id=corner_id,
        **values,
        changed_by=by,
        changed_at=at,
        is_added=int(all(each["clerk_id"] != entry["clerk_id"] for each in _told(connection, corner_id))),
    )
    return cast("Clerk", told)


def _said(body: str) -> dict[str, str]:
    try:
        said = json.loads(body)
        return {name: str(said.get(name) or "") for name in ("clerk_id", "act", "subject", "at")}
    except (ValueError, AttributeError, RecursionError):
        return dict.fromkeys(("clerk_id", "act", "subject", "at"), "")
