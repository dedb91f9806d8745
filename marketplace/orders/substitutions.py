"""What takes the place of a unit that its seller gave up: the same device in any colour, as good or better, at no more.

A customer who consented gets it at once and the difference back; another is asked; who declines or says nothing gets all back.
Invariant: a unit's money is refunded, or stands for one unit that took its place, or waits for an answer; never two of these.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict, cast

from sqlalchemy import Connection, Engine

from marketplace import tables
from marketplace.bodies import compact, fit_body
from marketplace.db import changed, reading, row, rows, run_tx
from marketplace.orders import stock
from marketplace.orders.mails import mail_substitution
from marketplace.orders.order_lines import OrderedListing, agreed_listing, ordered_listing
from marketplace.orders.parts import PaidOrder, make_part
from marketplace.orders.repricing import ListingTerms, all_in_cents, listing_now
from marketplace.orders.slip_states import note_slip_state
from marketplace.orders.step_mails import mail_step
from marketplace.orders.timeline import unit_name
from marketplace.orders.units import Actor, Unit, end, let_go, move_money, refund, refundable_cents
from marketplace.publishing.terms import terms_now
from pos import clock
from pos.errors import Conflict, NotFound, PosError
from pos.offers import best_first
from pos.rows import ROWS

DECIDE_WITHIN = timedelta(hours=48)
"""How long a customer may think about what would stand in; it is reserved until then."""
CANDIDATES = 20
MOST = 200
logger = logging.getLogger(__name__)

CANDIDATE_LISTINGS = f"""
    select listing.listing_id
    from listing
    join seller on seller.seller_id = listing.seller_id and seller.suspended = 0
    join grade on grade.grade_id = listing.grade_id
    join grade wanted on wanted.grade_id = :grade_id
    join sku on sku.sku_id = listing.sku_id
    join sku asked on asked.sku_id = :sku_id
    where listing.market = :market and listing.state = 'online' and listing.quantity > listing.reserved
      and sku.brand = asked.brand and sku.model = asked.model and sku.category_id = asked.category_id
      and coalesce(sku.storage_gb, 0) = coalesce(asked.storage_gb, 0) and grade.rank >= wanted.rank
      and listing.seller_id not in (
        select unit.seller_id from unit
        where unit.order_id = :order_id and unit.line_no = :line_no and unit.state = 'cancelled'
      )
    order by {best_first("listing.price_cents")}
    limit :most
"""
OFFERS = """
    select part_id, line_no, unit_no, seller_id, stand_in, decide_by from substitution
    where order_id = :order_id and state = 'offered' order by part_id, line_no, unit_no
"""

Decision = Literal["taken", "declined", "expired"]


class StandIn(TypedDict):
    """A reserved unit of another listing; cents as a unit has them, of the money of the unit whose place it takes."""

    seller_id: int
    listing_id: int
    sku_id: int
    grade_id: int
    owed_cents: int
    collected_cents: int
    tax_cents: int
    vat_margin: int
    delivery_days: int
    agreed: OrderedListing


@dataclass(frozen=True, slots=True, kw_only=True)
class SubstituteOffer:
    """What a customer is asked: `lost` was given up, `stand_in` is kept for them until `decide_by` (UTC text)."""

    unit: Unit
    lost: OrderedListing
    stand_in: StandIn
    decide_by: str

    @property
    def back_cents(self) -> int:
        """What goes back at once to whoever takes it."""
        return refundable_cents(self.unit) - self.stand_in["collected_cents"] - self.stand_in["tax_cents"]


class ChoiceMade(Conflict):
    """The customer, or the time, decided before; nothing was changed."""


def give_up(connection: Connection, units: Iterable[Unit], actor: Actor) -> None:
    """Cancel units by their seller's word or the timer's, and see to what takes their place. Raises: WrongUnitState."""
    for unit in end(connection, units, actor):
        order = _order(connection, unit)
        stand_in = _reserve_stand_in(connection, unit, at=actor.at)
        if stand_in is None:
            let_go(connection, unit, actor)
            mail_step(connection, "units_cancelled", [unit], facts={"by": actor.by.partition(":")[0]})
            continue
        is_consented = bool(order["may_substitute"])
        _note(connection, unit, stand_in, "taken" if is_consented else "offered", at=actor.at)
        if is_consented:
            _take(connection, unit, stand_in, actor)
        note_slip_state(connection, unit["order_id"], at=actor.at)
        title, whose = stand_in["agreed"]["title"], (unit["customer_id"], unit["order_id"])
        mail_substitution(connection, *whose, unit=unit_name(unit), title=title, taken=is_consented)


def consent(connection: Connection, customer_id: str, order_id: str, *, may_substitute: bool) -> None:
    """Note whether units that a seller gives up are replaced without asking, in the caller's transaction."""
    changed(
        connection,
        "update customer_order set may_substitute = :may where customer_id = :customer_id and order_id = :order_id",
        may=int(may_substitute),
        customer_id=customer_id,
        order_id=order_id,
    )


def offers_of_order(connection: Connection, order_id: str, units: Iterable[Unit], lines: Any) -> list[SubstituteOffer]:
    """Return what the customer of an order is asked; `lines` are the order's, as agreed."""
    known = {(unit["part_id"], unit["line_no"], unit["unit_no"]): unit for unit in units}
    offers = []
    for asked in rows(connection, OFFERS, order_id=order_id):
        unit = known[asked["part_id"], asked["line_no"], asked["unit_no"]]
        stand_in = cast(StandIn, json.loads(asked["stand_in"]))
        lost = agreed_listing(lines, unit)
        offers.append(SubstituteOffer(unit=unit, lost=lost, stand_in=stand_in, decide_by=asked["decide_by"]))
    return offers


def decide(connection: Connection, unit: Unit, decision: Decision, actor: Actor) -> None:
    """Take what stands in for a unit, or have the money back, once, in the caller's transaction.

    Raises: NotFound where nothing was offered, ChoiceMade.
    """
    key = {name: unit[name] for name in ("customer_id", "part_id", "line_no", "unit_no")}
    where = "customer_id = :customer_id and part_id = :part_id and line_no = :line_no and unit_no = :unit_no"
    asked = row(connection, f"select stand_in, state from substitution where {where}", **key)
    if asked is None:
        raise NotFound("nothing was offered in the place of this unit")
    update = f"update substitution set state = :decision, decided_at = :at where {where} and state = 'offered'"
    if not changed(connection, update, **key, decision=decision, at=actor.at):
        raise ChoiceMade(state=asked["state"])
    stand_in = cast(StandIn, json.loads(asked["stand_in"]))
    if decision == "taken":
        _take(connection, unit, stand_in, actor)
        note_slip_state(connection, unit["order_id"], at=actor.at)
        return
    note_slip_state(connection, unit["order_id"], at=actor.at)
    stock.release(connection, unit["market"], [{**stand_in, "line_no": unit["line_no"], "quantity": 1}])
    let_go(connection, unit, actor)


def expire_offers(engine: Engine, *, now: datetime) -> int:
    """Give the money back of what nobody decided about in time, and return how many units that were."""
    at = clock.to_text(now)
    query = """
        select unit.* from substitution
        join unit on unit.seller_id = substitution.seller_id and unit.part_id = substitution.part_id
          and unit.line_no = substitution.line_no and unit.unit_no = substitution.unit_no
        where substitution.state = 'offered' and substitution.decide_by < :at
        order by substitution.decide_by limit :most
    """
    with reading(engine) as connection:
        late = cast(list[Unit], rows(connection, query, at=at, most=MOST))
    return sum(_expired(engine, unit, Actor(by="timer", at=at)) for unit in late)


def _expired(engine: Engine, unit: Unit, actor: Actor) -> bool:
    """Give one unit's money back in a transaction of its own; one that cannot be helped holds up no other."""
    try:
        run_tx(engine, lambda connection: decide(connection, unit, "expired", actor))
    except ChoiceMade:
        return False
    except PosError:
        logger.exception("an offer that ran out cannot be settled")
        return False
    return True


def _order(connection: Connection, unit: Unit) -> dict[str, Any]:
    query = """
        select number, market, currency, may_substitute from customer_order
        where customer_id = :customer_id and order_id = :order_id
    """
    found = row(connection, query, customer_id=unit["customer_id"], order_id=unit["order_id"])
    if found is None:
        raise NotFound("no such order")
    return found


def _reserve_stand_in(connection: Connection, unit: Unit, *, at: str) -> StandIn | None:
    """Reserve the best offer that may take the place of a unit, or return None."""
    names = ("grade_id", "sku_id", "market", "order_id", "line_no")
    values = {name: unit[name] for name in names}  # type: ignore[literal-required]
    least = _least_cents(connection, unit)
    for candidate in rows(connection, CANDIDATE_LISTINGS, **values, most=CANDIDATES):
        terms = listing_now(connection, candidate["listing_id"], market=unit["market"], at=at)
        if terms is None or least is None or not least <= all_in_cents(terms) <= unit["owed_cents"]:
            continue
        stand_in = _stand_in(unit, terms)
        if stand_in["collected_cents"] + stand_in["tax_cents"] > refundable_cents(unit):
            continue
        try:
            stock.reserve(connection, unit["market"], [{**stand_in, "line_no": unit["line_no"], "quantity": 1}])
        except stock.LinesGone:
            continue
        return stand_in
    return None


def _least_cents(connection: Connection, unit: Unit) -> int | None:
    """Return what a device must cost for the plan that pays a part of it, 0 without a plan; None where the plan is gone."""
    if unit["partner_id"] is None:
        return 0
    query = """
        select plan_id from order_line
        where customer_id = :customer_id and order_id = :order_id and line_no = :line_no and plan_id is not null
    """
    key = {"customer_id": unit["customer_id"], "order_id": unit["order_id"], "line_no": unit["line_no"]}
    line = row(connection, query, **key)
    terms = terms_now(connection, "plan", line["plan_id"], market=unit["market"]) if line else None
    plan = fit_body(ROWS["plan"], terms["body"]) if terms else None
    return None if plan is None else max(int(plan["min_device_cents"]), unit["owed_cents"] - unit["collected_cents"])


def _stand_in(unit: Unit, terms: ListingTerms) -> StandIn:
    """Return what takes the place of a unit: the partner pays what it would have, the customer the rest of the lower price."""
    owed = all_in_cents(terms)
    partner = unit["owed_cents"] - unit["collected_cents"]
    return {
        "seller_id": terms["seller_id"],
        "listing_id": terms["listing_id"],
        "sku_id": terms["sku_id"],
        "grade_id": terms["grade_id"],
        "owed_cents": owed,
        "collected_cents": owed - partner,
        "tax_cents": unit["tax_cents"] * owed // unit["owed_cents"] if unit["owed_cents"] else 0,
        "vat_margin": int(terms["vat_note"] == "margin"),
        "delivery_days": terms["delivery_days"],
        "agreed": ordered_listing(terms),
    }


def _note(connection: Connection, unit: Unit, stand_in: StandIn, state: str, *, at: str) -> None:
    values = {
        "customer_id": unit["customer_id"],
        "part_id": unit["part_id"],
        "line_no": unit["line_no"],
        "unit_no": unit["unit_no"],
        "order_id": unit["order_id"],
        "seller_id": unit["seller_id"],
        "state": state,
        "stand_in": compact(stand_in),
        "offered_at": at,
        "decide_by": clock.to_text(clock.from_text(at) + DECIDE_WITHIN),
        "decided_at": at if state == "taken" else None,
    }
    connection.execute(tables.substitution.insert(), values)


def _take(connection: Connection, unit: Unit, stand_in: StandIn, actor: Actor) -> None:
    """Make the reserved unit a part of its seller's own, move the money over and give the difference back."""
    order, key = _order(connection, unit), {"customer_id": unit["customer_id"], "order_id": unit["order_id"]}
    # Writing the order's row makes two units that are replaced at once number their parts one after the other.
    same = "update customer_order set state = state where customer_id = :customer_id and order_id = :order_id"
    changed(connection, same, **key)
    counted = row(connection, "select count(*) as parts from part where order_id = :order_id", order_id=unit["order_id"])
    place = (counted["parts"] if counted else 0) + 1
    paid = PaidOrder(**key, number=order["number"], market=order["market"], currency=order["currency"])
    fresh = {**stand_in, "line_no": unit["line_no"], "unit_no": 1, "partner_id": unit["partner_id"]}
    fresh["agreed"] = compact(stand_in["agreed"])
    make_part(connection, paid, place, [fresh], at=actor.at, by=actor.by)
    cents = stand_in["collected_cents"] + stand_in["tax_cents"]
    move_money(connection, unit, cents, actor, to=f"{order['number']}-{place}")
    refund(connection, {**unit, "moved_cents": cents}, refundable_cents(unit) - cents, actor)
