"""The units of a paid order on their way: accepted, shipped, delivered, or cancelled and returned, each step a row.

Invariant: a unit moves forward only, by one conditional update; the step that tells who moved it, when and why, what it does to
the stock and what is refunded for it are in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, TypedDict, cast

from sqlalchemy import Connection

from marketplace.db import changed, row, rows
from marketplace.money.refunds import request_refund, request_rest
from marketplace.money.sales import UnitSale, post_refunded, post_shipped
from marketplace.orders import stock
from marketplace.orders.activations import follow_cancelled, refuse_unacknowledged
from marketplace.orders.parts import note_change
from marketplace.orders.shipments import Shipment, check_shipment
from marketplace.orders.slip_states import note_slip_state
from marketplace.orders.step_mails import mail_step
from marketplace.papers.invoices import issue_credit_note, issue_invoices
from pos import clock
from pos.errors import Conflict, NotFound, Refused

UnitState = Literal["to_accept", "accepted", "shipped", "delivered", "returned", "cancelled"]
BEFORE: Mapping[UnitState, tuple[UnitState, ...]] = {
    "accepted": ("to_accept",),
    "shipped": ("accepted",),
    "delivered": ("shipped",),
    "returned": ("shipped", "delivered"),
    "cancelled": ("to_accept", "accepted"),
}
"""The states a unit may come from; reference/domain.md §2, states of an order line."""
ARRIVED_AFTER = timedelta(days=7)
"""How long past the promised days a parcel nobody spoke of has arrived: a right of withdrawal does not stay open for ever."""

STEP = """
    insert into unit_step (seller_id, part_id, line_no, unit_no, step_no, state, at, by, why, cents)
    select :seller_id, :part_id, :line_no, :unit_no, coalesce(max(step_no), 0) + 1, :state, :at, :by, :why, :cents
    from unit_step where seller_id = :seller_id and part_id = :part_id and line_no = :line_no and unit_no = :unit_no
"""

STEPS = """
    select max(step_no) as steps from unit_step
    where seller_id = :seller_id and part_id = :part_id and line_no = :line_no and unit_no = :unit_no
"""


class Unit(TypedDict):
    """One device of a paid order; cents are this unit's: promised to the seller, collected from the customer, given back.

    `moved_cents` stand for the unit that took its place; `agreed` is the device of such a unit (JSON), else its line says it.
    """

    seller_id: int
    part_id: str
    line_no: int
    unit_no: int
    customer_id: str
    order_id: str
    market: str
    currency: str
    state: UnitState
    listing_id: int
    sku_id: int
    grade_id: int
    partner_id: str | None
    owed_cents: int
    collected_cents: int
    tax_cents: int
    refunded_cents: int
    moved_cents: int
    agreed: str | None
    vat_margin: int
    delivery_days: int
    imei: str | None
    serial: str | None
    carrier: str | None
    tracking: str | None
    since: str
    shipped_at: str | None
    arrives_by: str | None
    delivered_at: str | None


class WrongUnitState(Conflict):
    """A unit is not where this step begins; `data["state"]` is where it is. Nothing was done to any unit."""


class RefundTooHigh(Refused):
    """More was to go back than is left of what was received; `data` has `refundable_cents` and `cents`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who takes a step, when (UTC text) and why: "customer", "seller:<user>", "hq", "timer", "provider".

    "plan" is the end of the time for an answer about the plan that a unit was sold with: nobody's fault but its customer's.
    """

    by: str
    at: str
    why: str = ""


def units_of_order(connection: Connection, order_id: str) -> list[Unit]:
    """Return all units of an order, in order."""
    query = "select * from unit where order_id = :order_id order by part_id, line_no, unit_no"
    return cast(list[Unit], rows(connection, query, order_id=order_id))


def accept(connection: Connection, units: Iterable[Unit], actor: Actor) -> None:
    """Note that the seller will ship these units. Raises: WrongUnitState."""
    taken = list(units)
    _move(connection, taken, "accepted", actor)
    mail_step(connection, "units_accepted", taken)


def cancel(connection: Connection, units: Iterable[Unit], actor: Actor) -> None:
    """Give up units that were not shipped, and their money goes back in full. Raises: WrongUnitState."""
    gone = end(connection, units, actor)
    for unit in gone:
        let_go(connection, unit, actor)
    mail_step(connection, "units_cancelled", gone, facts={"by": actor.by.partition(":")[0]})


def let_go(connection: Connection, unit: Unit, actor: Actor) -> None:
    """Give the money of a cancelled unit back that nothing takes the place of, and its plan up at the carrier."""
    refund(connection, unit, refundable_cents(unit), actor)
    follow_cancelled(connection, unit, at=actor.at)


def end(connection: Connection, units: Iterable[Unit], actor: Actor) -> list[Unit]:
    """Cancel units and return them, without a word about their money: the caller sees to it. Raises: WrongUnitState.

    Those a customer gave up, or let go with their plan, are for others to order; those a seller gave up, or let pass, are
    counted as not there.
    """
    gone = list(units)
    _move(connection, gone, "cancelled", actor)
    move_stock = stock.release if actor.by in ("customer", "plan") else stock.take_out
    for unit in gone:
        move_stock(connection, unit["market"], [{**unit, "quantity": 1}])
    return gone


def move_money(connection: Connection, unit: Unit, cents: int, actor: Actor, *, to: str) -> None:
    """Let so much of a cancelled unit's money stand for the unit that takes its place, of the part numbered `to`.

    Raises: RefundTooHigh.
    """
    moved = changed(
        connection,
        """
        update unit set moved_cents = :cents
        where seller_id = :seller_id and part_id = :part_id and line_no = :line_no and unit_no = :unit_no
          and state = 'cancelled' and moved_cents = 0 and refunded_cents + :cents <= collected_cents + tax_cents
        """,
        **_key(unit),
        cents=cents,
    )
    if not moved:
        raise RefundTooHigh(refundable_cents=refundable_cents(unit), cents=cents)
    _note_step(connection, unit, "replaced", Actor(by=actor.by, at=actor.at, why=to), cents=cents)


def ship(connection: Connection, units: Iterable[Unit], shipment: Shipment, actor: Actor) -> None:
    """Note that accepted units are on their way. Raises: WrongUnitState, InvalidShipment, ImeiKnown, ActivationPending."""
    sent = list(units)
    refuse_unacknowledged(connection, sent)
    checked = check_shipment(connection, shipment, {unit["unit_no"]: unit["sku_id"] for unit in sent})
    _move(connection, sent, "shipped", actor)
    for unit in sent:
        changed(
            connection,
            """
            update unit set arrives_by = :arrives_by, carrier = :carrier, tracking = :tracking, imei = :imei, serial = :serial
            where seller_id = :seller_id and part_id = :part_id and line_no = :line_no and unit_no = :unit_no
            """,
            **_key(unit),
            arrives_by=clock.to_text(clock.from_text(actor.at) + timedelta(days=unit["delivery_days"]) + ARRIVED_AFTER),
            carrier=checked.carrier,
            tracking=checked.tracking,
            imei=checked.imeis.get(unit["unit_no"]),
            serial=checked.serials.get(unit["unit_no"]),
        )
        stock.take_out(connection, unit["market"], [{**unit, "quantity": 1}])
        post_shipped(connection, _sale(connection, unit), at=actor.at)
    papers = issue_invoices(connection, sent, at=actor.at)
    tracking = {"carrier": checked.carrier, "tracking": checked.tracking}
    mail_step(connection, "units_shipped", sent, facts=tracking, papers=papers)


def deliver(connection: Connection, units: Iterable[Unit], actor: Actor) -> None:
    """Note that units arrived, by word of carrier or customer, or as they must have by now. Raises: WrongUnitState."""
    arrived = list(units)
    _move(connection, arrived, "delivered", actor)
    for unit in arrived:
        changed(
            connection,
            """
            update unit set delivered_at = :at
            where seller_id = :seller_id and part_id = :part_id and line_no = :line_no and unit_no = :unit_no
            """,
            **_key(unit),
            at=actor.at,
        )
    mail_step(connection, "units_delivered", arrived, facts={"delivered_at": actor.at, "by": actor.by})


def take_back(connection: Connection, units: Iterable[Unit], actor: Actor) -> None:
    """Note that units came back to their seller. Raises: WrongUnitState.

    The sale of one that cost nothing with its plan is taken back here: no refund will do it.
    """
    back = list(units)
    _move(connection, back, "returned", actor)
    for unit in back:
        if not unit["collected_cents"] + unit["tax_cents"]:
            post_refunded(connection, _sale(connection, unit), refund_id="whole", cents=0, at=actor.at)
            issue_credit_note(connection, unit, cents=0, at=actor.at)


def refundable_cents(unit: Unit) -> int:
    """Return what of a unit's money can still go back, tax included: received for it, not refunded, nor another unit's now."""
    return unit["collected_cents"] + unit["tax_cents"] - unit["refunded_cents"] - unit["moved_cents"]


def refund(connection: Connection, unit: Unit, cents: int, actor: Actor) -> None:
    """Owe the customer money of one unit back, and have it sent. Raises: RefundTooHigh, NothingToRefund.

    Of all that is left of the unit, what went back by hand at the provider before is not sent again.
    """
    if cents == 0:
        return
    noted = changed(
        connection,
        """
        update unit set refunded_cents = refunded_cents + :cents
        where seller_id = :seller_id and part_id = :part_id and line_no = :line_no and unit_no = :unit_no
          and :cents > 0 and refunded_cents + moved_cents + :cents <= collected_cents + tax_cents
        """,
        **_key(unit),
        cents=cents,
    )
    if not noted:
        raise RefundTooHigh(refundable_cents=refundable_cents(unit), cents=cents)
    _note_step(connection, unit, "refunded", actor, cents=cents)
    customer_id, order_id = unit["customer_id"], unit["order_id"]
    ask = request_rest if cents == refundable_cents(unit) else request_refund
    ask(connection, customer_id, order_id, cents=cents, unit=unit, reason=actor.why or actor.by, at=actor.at)
    steps = row(connection, STEPS, **_key(unit))
    refund_id = f"step {steps['steps'] if steps else 0}"
    post_refunded(connection, _sale(connection, unit), refund_id=refund_id, cents=cents, at=actor.at)
    issue_credit_note(connection, unit, cents=cents, at=actor.at)


def _key(unit: Unit) -> dict[str, int | str]:
    return {
        "seller_id": unit["seller_id"],
        "part_id": unit["part_id"],
        "line_no": unit["line_no"],
        "unit_no": unit["unit_no"],
    }


def _sale(connection: Connection, unit: Unit) -> UnitSale:
    """Return the unit as the ledger knows it."""
    frozen = row(
        connection,
        """
        select sku.category_id, customer_order.placed_at
        from customer_order join sku on sku.sku_id = :sku_id
        where customer_order.customer_id = :customer_id and customer_order.order_id = :order_id
        """,
        sku_id=unit["sku_id"],
        customer_id=unit["customer_id"],
        order_id=unit["order_id"],
    )
    if frozen is None:
        raise NotFound("no such order")
    return UnitSale(
        seller_id=unit["seller_id"],
        part_id=unit["part_id"],
        line_no=unit["line_no"],
        unit_no=unit["unit_no"],
        category_id=frozen["category_id"],
        placed_at=frozen["placed_at"],
        order_id=unit["order_id"],
        market=unit["market"],
        currency=unit["currency"],
        owed_cents=unit["owed_cents"],
        collected_cents=unit["collected_cents"],
        tax_cents=unit["tax_cents"],
        partner_id=unit["partner_id"],
    )


def _note_step(connection: Connection, unit: Unit, state: str, actor: Actor, *, cents: int | None = None) -> None:
    changed(connection, STEP, **_key(unit), state=state, at=actor.at, by=actor.by, why=actor.why, cents=cents)


def _move(connection: Connection, units: list[Unit], state: UnitState, actor: Actor) -> None:
    states = ", ".join(f"'{before}'" for before in BEFORE[state])
    for unit in units:
        moved = changed(
            connection,
            f"""
            update unit
            set state = :state, since = :at, shipped_at = case when :state = 'shipped' then :at else shipped_at end
            where seller_id = :seller_id and part_id = :part_id and line_no = :line_no and unit_no = :unit_no
              and state in ({states})
            """,
            **_key(unit),
            state=state,
            at=actor.at,
        )
        if not moved:
            raise WrongUnitState(state=unit["state"], unit=unit["unit_no"])
        _note_step(connection, unit, state, actor)
    for seller_id, part_id in {(unit["seller_id"], unit["part_id"]) for unit in units}:
        note_change(connection, seller_id, part_id)
    for order_id in sorted({unit["order_id"] for unit in units}):
        note_slip_state(connection, order_id, at=actor.at)
