"""Carriers as we speak to them: orders of plans in TMF622's terms, and what a carrier says of one in our own.

Invariants: a plan is ordered once however often we ask, since the carrier is asked first whether it has our order; an event is a
reason to ask, never a fact. Source: TM Forum TMF622 Product Ordering Management API 4.0.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypedDict
from urllib.parse import urlencode

from sqlalchemy import Connection, Engine

from marketplace.db import reading, rows
from marketplace.settings import setting, store_setting
from sync.errors import Rejected, SyncError
from sync.http import MAX_DOCUMENT_BYTES, Site

ORDERS = "/productOrderingManagement/v4/productOrder"
CANCELLATIONS = "/productOrderingManagement/v4/cancelProductOrder"
PATIENCE_S = 10.0
MOST_REASON = 200
REFUSALS = frozenset({400, 409, 422})
CarrierState = Literal["sent", "acknowledged", "active", "refused"]
STATES: Mapping[str, CarrierState] = {
    "acknowledged": "acknowledged",
    "inProgress": "acknowledged",
    "completed": "active",
    "rejected": "refused",
    "failed": "refused",
    "cancelled": "refused",
}
"""What TMF622's states mean to us; in any other the carrier has the order and has not judged it."""


class CarrierSettings(TypedDict):
    """What HQ was given by a carrier: the address of its API, and the key that each says to the other."""

    api: str
    key: str


@dataclass(frozen=True, slots=True)
class CarrierTruth:
    """What a carrier says of an order: its own id for it, our state, and why it was refused."""

    carrier_order_id: str
    state: CarrierState
    reason: str


class Carrier:
    """A carrier's API; every call may be made again. Raises: Offline, Throttled, Rejected, Malformed."""

    def __init__(self, settings: CarrierSettings) -> None:
        self._site = Site(settings["api"], patience_s=PATIENCE_S)
        self._key = settings["key"]

    def order(self, wish: Mapping[str, Any]) -> CarrierTruth:
        """Order a plan as `externalId` names it, unless the carrier has that order already."""
        if known := self.find(wish["externalId"]):
            return known
        try:
            return _truth(self._ask("POST", ORDERS, wish))
        except Rejected as problem:
            if problem.data.get("status") in REFUSALS:
                return CarrierTruth("", "refused", str(problem.data.get("code", ""))[:MOST_REASON])
            raise

    def find(self, external_id: str) -> CarrierTruth | None:
        """Return the order we named so, None where the carrier has none."""
        known = self._ask("GET", f"{ORDERS}?{urlencode({'externalId': external_id})}")
        return _truth(known[0]) if isinstance(known, list) and known else None

    def look(self, carrier_order_id: str) -> CarrierTruth:
        """Ask how an order stands."""
        return _truth(self._ask("GET", f"{ORDERS}/{carrier_order_id}"))

    def cancel(self, carrier_order_id: str) -> None:
        """Ask that an order be given up."""
        self._ask("POST", CANCELLATIONS, {"productOrder": {"id": carrier_order_id}, "cancellationReason": "device cancelled"})

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._key}", "Accept": "application/json"}
        content = None if body is None else json.dumps(body).encode()
        if content is not None:
            headers["Content-Type"] = "application/json"
        answer = self._site.ask(method, path, headers=headers, body=content)
        with answer:
            return json.loads(self._site.read(answer, most_bytes=MAX_DOCUMENT_BYTES) or b"null")


def read_carrier(connection: Connection, partner_id: str) -> CarrierSettings | None:
    """Return what is stored of a carrier, None before HQ gave it."""
    stored: CarrierSettings | None = setting(connection, _name(partner_id))
    return stored


def plan_partners(engine: Engine) -> list[str]:
    """Return the carriers whose plans are offered."""
    with reading(engine) as connection:
        return [plan["partner_id"] for plan in rows(connection, "select distinct partner_id from plan order by partner_id")]


def store_carrier(connection: Connection, partner_id: str, stored: CarrierSettings) -> None:
    """Store what HQ was given by a carrier, in the caller's transaction."""
    store_setting(connection, _name(partner_id), stored)


def _name(partner_id: str) -> str:
    return f"carrier:{partner_id}"


def _truth(said: Any) -> CarrierTruth:
    """Return a ProductOrder in our terms. Raises: SyncError where it is none."""
    if not isinstance(said, dict) or not isinstance(said.get("id"), str):
        raise SyncError("the carrier's answer is no ProductOrder")
    notes = [note for note in said.get("note") or [] if isinstance(note, dict)]
    reason = next((str(note["text"]) for note in notes if note.get("text")), "")
    return CarrierTruth(said["id"], STATES.get(str(said.get("state")), "sent"), reason[:MOST_REASON])
