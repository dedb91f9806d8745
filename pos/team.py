"""The people of a corner: HQ's list, and over it what the corner's manager changed since, until HQ's list says the same.

Each entry counts its changes (`change_no`). Invariant: of two entries for one person the one with more changes holds; with as
many, HQ's. Whom HQ's list named and names no more works here no more (`pos.corners.store_corner`).
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from datetime import datetime
from typing import TypedDict, cast

from sqlite_utils import Database

from pos import clock, outbox, scans
from pos.corners import Clerk, Corner
from pos.errors import HqAlone, Invalid, NotFound, TooManyClerks
from pos.tokens import CROCKFORD

ROLES = ("clerk", "manager", "support")
MANAGING = ("manager", "support")
"""The roles that see the journal and set the corner up; `support` is HQ's own."""


LONGEST_NAME = 60
MOST_MEMBERS = 200


class TeamMember(TypedDict):
    """Somebody of the corner; `code_hash` is of the one-time code of their last reset, `pin_hash` what HQ sent before codes."""

    clerk_id: str
    name: str
    role: str
    state: str
    change_no: int
    reset_no: int
    code_hash: str
    pin_hash: str


def team(ops: Database, corner: Corner) -> list[TeamMember]:
    """Return everybody of the corner, suspended or not, in HQ's order; who was added here comes last."""
    people = {clerk["clerk_id"]: _told(clerk) for clerk in corner.clerks}
    query = "select clerk_id, name, role, state, change_no, reset_no, code_hash from clerk_change order by changed_at, clerk_id"
    for clerk_id, name, role, state, change_no, reset_no, code_hash in ops.execute(query):
        told = people.get(clerk_id)
        if told is None and not code_hash:
            # HQ took somebody off its list who never had a PIN of ours.
            continue
        if told is None or told["change_no"] < change_no:
            people[clerk_id] = {
                "clerk_id": clerk_id,
                "name": name,
                "role": role,
                "state": state,
                "change_no": change_no,
                "reset_no": reset_no,
                "code_hash": code_hash,
                "pin_hash": told["pin_hash"] if told and not code_hash else "",
            }
    return list(people.values())


def member_called(ops: Database, corner: Corner, clerk_id: str) -> TeamMember:
    """Return somebody of the corner, suspended or not. Raises: NotFound."""
    for each in team(ops, corner):
        if each["clerk_id"] == clerk_id:
            return each
    raise NotFound(f"nobody called {clerk_id} works here")


def active_member(ops: Database, corner: Corner, clerk_id: str) -> TeamMember | None:
    """Return somebody who may work at the counter, or None for who is suspended or unknown."""
    return next((each for each in team(ops, corner) if each["clerk_id"] == clerk_id and each["state"] == "active"), None)


def change_member(ops: Database, member: TeamMember, *, by: str, now: datetime, **changes: str) -> TeamMember:
    """Change a clerk's `state`, or with another `code_hash` reset their PIN; here at once, and told to HQ.

    Runs inside the caller's `write`. Raises: HqAlone for a manager or HQ's support.
    """
    reset_no = member["reset_no"] + ("code_hash" in changes)
    changed = cast("TeamMember", {**member, "reset_no": reset_no, **changes})
    return _write(ops, changed, by=by, now=now)


def add_member(ops: Database, corner: Corner, name: str, code_hash: str, *, by: str, now: datetime) -> TeamMember:
    """Add a clerk, here at once, and tell HQ; runs inside the caller's `write`. Raises: Invalid, TooManyClerks."""
    plain = " ".join(name.split())
    if not 0 < len(plain) <= LONGEST_NAME or not plain.isprintable():
        raise Invalid("a name on one line", field="name")
    if len(team(ops, corner)) >= MOST_MEMBERS:
        raise TooManyClerks
    blank: TeamMember = {
        "clerk_id": new_clerk_id(plain),
        "name": plain,
        "role": "clerk",
        "state": "active",
        "change_no": 0,
        "reset_no": 1,
        "code_hash": code_hash,
        "pin_hash": "",
    }
    return _write(ops, blank, by=by, now=now)


def new_clerk_id(name: str) -> str:
    """Return an id for a new person, from their name and four random symbols: HQ and a corner may add at the same time."""
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    plain = "-".join(re.findall("[a-z0-9]+", letters))[:40] or "clerk"
    return f"{plain}-{''.join(secrets.choice(CROCKFORD) for _ in range(4)).lower()}"


def _write(ops: Database, member: TeamMember, *, by: str, now: datetime) -> TeamMember:
    if member["role"] != "clerk":
        raise HqAlone(role=member["role"])
    written = cast("TeamMember", {**member, "change_no": member["change_no"] + 1})
    columns = ("clerk_id", "name", "role", "state", "change_no", "reset_no", "code_hash")
    body = {**{name: written[name] for name in columns}, "changed_by": by, "changed_at": clock.to_text(now)}  # type: ignore[literal-required]
    ops.execute(
        f"insert or replace into clerk_change ({', '.join(body)}) values ({', '.join(f':{name}' for name in body)})", body
    )
    outbox.record(ops, "clerk_changed", body, now=now)
    return written


def badge_value(corner_id: str, clerk_id: str) -> str:
    """Return what somebody's badge says (`pos.scans`): it names them at this corner, and opens nothing."""
    return scans.derived_value("badge", corner_id, clerk_id)


def _told(clerk: Clerk) -> TeamMember:
    return {
        "clerk_id": clerk["clerk_id"],
        "name": clerk["name"],
        "role": clerk.get("role", "clerk"),
        "state": clerk.get("state", "active"),
        "change_no": clerk.get("change_no", 0),
        "reset_no": clerk.get("reset_no", 0),
        "code_hash": clerk.get("code_hash", ""),
        "pin_hash": clerk.get("pin_hash", ""),
    }
