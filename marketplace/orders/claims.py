"""Claims under the two guarantees of a device, each with its own clock: the law's, and the one its seller gives on top.

Invariant: a claim is of one unit and one guarantee, made while that guarantee lasts; its seller answers, the law decides.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from marketplace.db import rows
from marketplace.orders.cases import (
    OPEN,
    CaseIncomplete,
    CaseRequest,
    Ground,
    UnitCase,
    Wish,
    cases_of_order,
    is_case_of,
    open_case,
)
from marketplace.orders.mails import mail_case_opened
from marketplace.orders.orders import Order
from marketplace.orders.returns import RightOver, read_words
from marketplace.orders.rights import Period, UnitGuarantees, guarantees_of
from marketplace.orders.timeline import PartOfOrder, UnitOfOrder
from marketplace.orders.units import Actor
from pos import clock
from pos.errors import NotFound
from pos.laws import GuaranteeLaw, in_force

GROUNDS: tuple[Ground, ...] = ("legal", "commercial")
WISHES: tuple[Wish, ...] = ("repair", "replacement", "refund", "reduction")
LEAST_WORDS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimable:
    """A device that arrived, with its seller, its guarantees, and whether a case of it is under way."""

    device: UnitOfOrder
    seller: str
    guarantees: UnitGuarantees
    is_busy: bool

    def is_open(self, ground: str, at: str) -> bool:
        """Tell whether a claim can be made on this ground at a moment (UTC text)."""
        period = self.period(ground)
        return not self.is_busy and period is not None and period.is_open(at)

    def period(self, ground: str) -> Period | None:
        """Return how long the guarantee of a ground lasts, None where there is none."""
        return self.guarantees.legal if ground == "legal" else self.guarantees.commercial


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a customer claims, as a form says it: the unit as `part:line:unit`."""

    unit: str
    ground: str
    wish: str
    said: str


def claimables(
    connection: Connection, order: Order, parts: Sequence[PartOfOrder], cases: Sequence[UnitCase], zone: str
) -> list[Claimable]:
    """Return the devices of an order that a guarantee covers, or covered."""
    law = _guarantee_law(connection, order, zone)
    devices = []
    for part in parts:
        for device in part.units:
            own = [case for case in cases if is_case_of(case, device.unit)]
            guarantees = guarantees_of(
                device.unit,
                own,
                legal_months=order["facts"]["guarantees"]["legal_months"],
                law=law,
                own_months=device.listing["warranty_months"],
                zone=zone,
            )
            if guarantees is not None:
                is_busy = any(case["state"] in OPEN for case in own)
                devices.append(Claimable(device=device, seller=part.seller, guarantees=guarantees, is_busy=is_busy))
    return devices


def make_claim(
    connection: Connection, order: Order, parts: Sequence[PartOfOrder], claim: Claim, *, zone: str, actor: Actor
) -> None:
    """Claim for a device, in the caller's transaction. Raises: NotFound, CaseIncomplete, RightOver, CaseOpen."""
    cases = cases_of_order(connection, order["order_id"])
    claimable = next((each for each in claimables(connection, order, parts, cases, zone) if each.device.name == claim.unit), None)
    if claimable is None:
        raise NotFound("no such unit")
    ground = next((known for known in GROUNDS if known == claim.ground), None)
    wish = next((known for known in WISHES if known == claim.wish), None)
    if ground is None or wish is None:
        raise CaseIncomplete("no such guarantee or wish", fields={"ground" if ground is None else "wish": "missing"})
    said = read_words(claim.said, least=LEAST_WORDS)
    if not claimable.is_open(ground, actor.at):
        raise RightOver("the guarantee is over, or a case is under way")
    presumed = claimable.guarantees.presumed
    is_presumed = ground == "legal" and presumed is not None and presumed.is_open(actor.at)
    asked = CaseRequest(ground=ground, wish=wish, said=said, is_granted=False, is_presumed=is_presumed)
    mail_case_opened(connection, open_case(connection, claimable.device.unit, asked, actor))


def _guarantee_law(connection: Connection, order: Order, zone: str) -> GuaranteeLaw | None:
    """Return the law of the day of the order: for how long a defect counts as there from the start, what a repair adds."""
    day = clock.local_day(clock.from_text(order["placed_at"]), zone)
    stored = rows(
        connection,
        "select law_id, kind, valid_from, valid_to, body from law where market = :market and kind = 'legal_guarantee'",
        market=order["market"],
    )
    return in_force(({**each, "body": json.loads(each["body"])} for each in stored), day).get("legal_guarantee")
