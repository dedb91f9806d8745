"""A slip's address, read: who issued it, whether it holds, and each of its lines then and now. Reading never writes.

Invariant: the token alone and HQ's own history are enough, so a customer may order before the kiosk has ever synced.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, TypedDict

from pydantic import Field, ValidationError
from sqlalchemy import Connection

from marketplace.db import row
from marketplace.fleet.revocations import highest_possible
from marketplace.orders.pricing import Pricing, market_laws, market_plans
from marketplace.orders.repricing import compare_line
from pos import clock, tokens
from pos.errors import Invalid
from pos.selections import check_token
from pos.shapes import Names, Phrase, Shape, SkuCode
from pos.slip_facts import VALIDITY_HOURS
from pos.tokens import Token
from pos.totals import Totals, selection_totals


class ForgedToken(Invalid):
    """The key is enrolled, but it did not sign this, or it signed a number that the device cannot have come to."""


class ComparedTold(Shape):
    """What a slip says of a device that its own was compared with."""

    sku: SkuCode
    title: Phrase
    storage_gb: int | None
    grade: Names | None
    figures: dict[str, Annotated[list[int], Field(min_length=2, max_length=2)]]


class ListingTold(Shape):
    """The device of a line of a slip."""

    sku: SkuCode


class LineTold(Shape):
    """A line of a slip as its kiosk reported it; `compared` is there where the customer asked for it."""

    listing: ListingTold | None = None
    compared: tuple[ComparedTold, ...] = ()


class SlipTold(Shape):
    """A slip as its kiosk reported it, once it has."""

    lines: list[LineTold]


class SlipCorner(TypedDict):
    """Where a slip was made, of what HQ knows of a corner."""

    name: str
    city: str
    phone: str
    time_zone: str


class Voided(TypedDict):
    """Why and when a slip was voided."""

    reason: str
    voided_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A well-formed slip of a device we do not know yet: nothing is refused, nothing is believed."""

    number: str
    corner_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawn:
    """A slip that a withdrawn key signed from its cut-off on."""

    number: str
    corner: SlipCorner
    revoked_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading(Pricing):
    """A slip whose signature holds, with its lines then and now."""

    digits: str
    token: Token
    number: str
    corner_id: str
    key_id: str
    corner: SlipCorner
    issued_at: str
    valid_until: str
    is_valid: bool
    voided: Voided | None
    order_id: str | None
    compared: dict[int, LineTold]
    """The lines that say what their device was compared with, by number: in no token, so only once the kiosk has told."""

    @property
    def is_orderable(self) -> bool:
        """Tell whether the slip was not voided, and every line the customer still wants, at least one, can be had."""
        return self.voided is None and super(Reading, self).is_orderable

    @property
    def totals_then(self) -> Totals | None:
        """What the slip said by HQ's own history, or None when one of its lines cannot be priced."""
        then = [line.then for line in self.lines]
        return selection_totals(each.line for each in then if each is not None) if None not in then else None

    @property
    def differs_from_print(self) -> bool:
        """Tell whether the amounts in the token are not those of HQ's history."""
        then = self.totals_then
        printed = (self.token.one_off_cents, self.token.monthly_cents)
        return then is None or printed != (then.due_today_cents, then.monthly_now_cents)


def read_slip(
    connection: Connection, digits: str, *, now: datetime, replace: Mapping[int, int] | None = None
) -> Reading | Waiting | Withdrawn:
    """Read a slip's address. What was ordered with a slip before its key was withdrawn stays ordered.

    `replace` maps line numbers to listings accepted for devices that are gone.
    Raises: MangledToken, ForgedToken.
    """
    data = tokens.from_digits(digits)
    token = tokens.decode(data)
    check_token(token)
    number = tokens.slip_number(token.corner_no, token.counter)
    device = row(
        connection,
        """
        select device.corner_id, device.key_id, device.public_key, device.first_counter, device.acked,
          corner.body as corner, corner.corner_no, market.body as market, revocation.from_counter, revocation.revoked_at,
          claim.order_id, slip_void.reason, slip_void.voided_at, sync_publication.published_at, slip.facts
        from device
        join corner on corner.corner_id = device.corner_id
        join market on market.market = corner.market
        left join revocation on revocation.corner_id = device.corner_id and revocation.key_id = device.key_id
        left join claim
          on claim.corner_id = device.corner_id and claim.key_id = device.key_id and claim.counter = :counter
        left join slip on slip.corner_id = device.corner_id and slip.key_id = device.key_id and slip.counter = :counter
        left join slip_void
          on slip_void.corner_id = device.corner_id and slip_void.key_id = device.key_id and slip_void.counter = :counter
        left join sync_publication
          on sync_publication.market = corner.market and sync_publication.publication = :publication
        where device.key_id = :key_id
        """,
        key_id=token.key_id.hex(),
        counter=token.counter,
        publication=token.publication,
    )
    if device is None:
        return Waiting(number=number, corner_no=token.corner_no)
    if not tokens.verify(data, bytes(device["public_key"])):
        raise ForgedToken("the signature is not this device's")
    if token.counter > highest_possible(device["first_counter"], events=device["acked"]):
        raise ForgedToken("the device cannot have counted so far")
    is_withdrawn = device["from_counter"] is not None and token.counter >= device["from_counter"]
    if is_withdrawn and device["order_id"] is None:
        return Withdrawn(number=number, corner=json.loads(device["corner"]), revoked_at=device["revoked_at"])
    return _reading(connection, digits, token, device, number, now, replace or {})


def issued_at(token: Token, published_at: str | None, *, now: datetime) -> datetime:
    """Return when the slip can have been issued, whatever the kiosk's clock said: after its publication, before now.

    `published_at` (UTC text) is None for a publication we do not know.
    """
    earliest = clock.from_text(published_at) if published_at else token.issued_at
    return min(max(token.issued_at, earliest), now)


def _reading(
    connection: Connection,
    digits: str,
    token: Token,
    device: dict[str, Any],
    number: str,
    now: datetime,
    replace: Mapping[int, int],
) -> Reading:
    market, corner = json.loads(device["market"]), json.loads(device["corner"])
    issued = issued_at(token, device["published_at"], now=now)
    until = issued + timedelta(hours=min(token.validity_hours, VALIDITY_HOURS))
    lines = tuple(
        compare_line(
            connection,
            line_no,
            wish,
            publication=token.publication,
            issued_at=clock.to_text(issued),
            now=clock.to_text(now),
            is_valid=now <= until,
            market=market["market"],
            replace=replace.get(line_no),
        )
        for line_no, wish in enumerate(token.lines, start=1)
    )
    return Reading(
        digits=digits,
        token=token,
        number=number,
        corner_id=device["corner_id"],
        key_id=device["key_id"],
        corner=corner,
        market=market,
        issued_at=clock.to_text(issued),
        valid_until=clock.to_text(until),
        is_valid=now <= until,
        voided={"reason": device["reason"], "voided_at": device["voided_at"]} if device["voided_at"] else None,
        order_id=device["order_id"],
        compared=_compared(device["facts"]),
        lines=lines,
        plans=market_plans(connection, market["market"]) if any(line.wish.plan_id for line in lines) else {},
        laws=market_laws(connection, market["market"], clock.local_day(now, corner["time_zone"])),
    )


def _compared(facts: str | None) -> dict[int, LineTold]:
    try:
        told = SlipTold.model_validate_json(facts) if facts else SlipTold(lines=[])
    except ValidationError:
        return {}
    return {line_no: line for line_no, line in enumerate(told.lines, start=1) if line.listing and line.compared}
