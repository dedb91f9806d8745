"""What became of this corner's slips at HQ, as last heard: ordered, shipped, returned or cancelled, and nothing of who ordered.

Invariant: up to which number HQ was heard and what it said up to there are written together, so a lost answer is only said again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, TypedDict, get_args

from sqlite_utils import Database

from pos import clock
from pos.errors import Invalid
from pos.ops import setting, store_setting
from pos.tokens import MAX_NUMBER

ClaimState = Literal["ordered", "shipped", "returned", "cancelled"]
STATES: tuple[ClaimState, ...] = get_args(ClaimState)
MOST_AT_ONCE = 200
"""So many slips an answer holds; one with fewer says that nothing more is known."""
MOST_UPTO = 2**53
HEARD = "claims"
"""The setting that keeps up to which of HQ's numbers we heard, and when HQ last had nothing more to say."""


class SlipClaim(TypedDict):
    """What became of a slip: since when by HQ's word, and when we heard it (UTC texts)."""

    state: ClaimState
    state_at: str
    heard_at: str


class ClaimedSlip(TypedDict):
    """One slip as HQ tells it (docs/protocol.md §9)."""

    key_id: str
    counter: int
    state: ClaimState
    state_at: str


class ClaimNews(TypedDict):
    """What changed since the number the kiosk named, oldest change first; `upto` is the number it has then heard up to."""

    upto: int
    slips: list[ClaimedSlip]


def heard_upto(ops: Database) -> int:
    """Return the number up to which HQ's word of this corner's slips was heard, 0 at first."""
    return int((setting(ops, HEARD) or {}).get("upto", 0))


def heard_s(ops: Database, *, now: datetime) -> int | None:
    """Return how many seconds ago HQ had nothing more to say of this corner's slips; None where it never said so."""
    at = (setting(ops, HEARD) or {}).get("heard_at")
    return None if at is None else max(0, int((now - clock.from_text(at)).total_seconds()))


def hear(ops: Database, news: Any, *, now: datetime) -> None:
    """Keep what HQ said; runs inside the caller's `write`. What comes late, after later news, changes nothing.

    A state this version does not know is passed over. Raises: Invalid, and nothing of it is kept.
    """
    upto, said = _read(news)
    known = setting(ops, HEARD) or {}
    if upto < known.get("upto", 0):
        return
    at = clock.to_text(now)
    for slip in said:
        if slip["state"] in STATES:
            ops.execute(
                """
                insert into slip_claim (key_id, counter, state, state_at, heard_at)
                values (:key_id, :counter, :state, :state_at, :heard_at)
                on conflict (key_id, counter) do update
                set state = excluded.state, state_at = excluded.state_at, heard_at = excluded.heard_at
                """,
                {**slip, "heard_at": at},
            )
    is_all = len(said) < MOST_AT_ONCE
    store_setting(ops, HEARD, {"upto": upto, "heard_at": at if is_all else known.get("heard_at")})


def claims_of(ops: Database, slips: Sequence[tuple[str, int]]) -> dict[tuple[str, int], SlipClaim]:
    """Return what became of slips, by key id and counter; one of which nothing was heard is not among them."""
    claims: dict[tuple[str, int], SlipClaim] = {}
    for key_id, counter in slips:
        for state, state_at, at in ops.execute(
            "select state, state_at, heard_at from slip_claim where key_id = ? and counter = ?", [key_id, counter]
        ):
            claims[key_id, counter] = {"state": state, "state_at": state_at, "heard_at": at}
    return claims


def _read(news: Any) -> tuple[int, list[dict[str, Any]]]:
    """Return the number and the slips of an answer. Raises: Invalid."""
    upto, said = (news.get("upto"), news.get("slips")) if isinstance(news, dict) else (None, None)
    if type(upto) is not int or not 0 <= upto < MOST_UPTO or not isinstance(said, list) or len(said) > MOST_AT_ONCE:
        raise Invalid(f"what was claimed is a number and at most {MOST_AT_ONCE} slips")
    return upto, [_slip(slip) for slip in said]


def _slip(said: Any) -> dict[str, Any]:
    slip = said if isinstance(said, dict) else {}
    key_id, counter = slip.get("key_id"), slip.get("counter")
    is_key = isinstance(key_id, str) and len(key_id) == 8 and not set(key_id) - set("0123456789abcdef")
    is_counter = type(counter) is int and 1 <= counter <= MAX_NUMBER
    if not is_key or not is_counter or not isinstance(slip.get("state"), str) or not clock.is_text(slip.get("state_at")):
        raise Invalid("a claimed slip has a key, a counter, a state and its time")
    return {"key_id": key_id, "counter": counter, "state": slip["state"], "state_at": slip["state_at"]}
