"""The people of a corner: HQ's list, and over it what the corner's manager changed since, until HQ's list says the same.

Each entry counts its changes (`change_no`). Invariant: of two entries for one person the one with more changes holds; with as
many, HQ's.
"""

from __future__ import annotations

from typing import TypedDict

from sqlite_utils import Database

from pos import scans
from pos.corners import Clerk, Corner

MANAGING = ("manager", "support")
"""The roles that see the journal and set the corner up; `support` is HQ's own."""


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
        if clerk_id not in people or people[clerk_id]["change_no"] < change_no:
            people[clerk_id] = {
                "clerk_id": clerk_id,
                "name": name,
                "role": role,
                "state": state,
                "change_no": change_no,
                "reset_no": reset_no,
                "code_hash": code_hash,
                "pin_hash": "" if code_hash else people[clerk_id]["pin_hash"],
            }
    return list(people.values())


def active_member(ops: Database, corner: Corner, clerk_id: str) -> TeamMember | None:
    """Return somebody who may work at the counter, or None for who is suspended or unknown."""
    return next((each for each in team(ops, corner) if each["clerk_id"] == clerk_id and each["state"] == "active"), None)


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
