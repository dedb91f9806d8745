"""Plans of placed orders on their way to their carrier: one request a line and unit, sent once, acknowledged, active or refused.

Invariants: what a carrier needs to port a number is passed on and forgotten once it answered; a device that was sold with a plan
leaves its seller only after the carrier acknowledged that plan. A plan that waits for its customer does so until a time that a
mail says.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Literal, TypedDict, cast

from sqlalchemy import Connection

from marketplace import tables
from marketplace.db import changed, new_id, reading, row, rows, run_tx
from marketplace.orders.carriers import Carrier, CarrierTruth, read_carrier
from marketplace.orders.pricing import market_laws
from marketplace.orders.slip_states import note_slip_state
from marketplace.orders.step_mails import mail_plan
from marketplace.running.jobs import Postponed, Work, enqueue
from pos import clock
from pos.acquisitions import read_acquisition
from pos.errors import Conflict, NotFound, Refused
from pos.languages import SOURCES, text_of
from pos.laws import PortingKind
from pos.porting import porting_kind, read_key, told_key

JOB = "activation"
LOOK_AGAIN, NO_CARRIER_AGAIN = timedelta(minutes=1), timedelta(minutes=10)
LOOK_AT_LAST, LOOKS_BACK = timedelta(hours=6), 10
"""A carrier is asked again after a tenth of the time for which it has said the same, from a minute to six hours."""
WAITING = ("needs_number", "refused")
"""Where a plan waits for its customer."""
BY_KEY = "select * from activation where customer_id = :customer_id and activation_id = :activation_id"
DECIDE_WITHIN = timedelta(days=5)
"""How long a customer may take to give a number, or to choose what follows a refusal; then the plan is given up."""
BEFORE = {
    "sent": "('to_send')",
    "acknowledged": "('to_send', 'sent')",
    "active": "('to_send', 'sent', 'acknowledged')",
    "refused": "('to_send', 'sent', 'acknowledged')",
    "given_up": "('needs_number', 'to_send', 'sent', 'acknowledged', 'active', 'refused')",
}
"""The states a request may come from: what a carrier said earlier never takes back what it said later."""

ActivationState = Literal["needs_number", "to_send", "sent", "acknowledged", "active", "refused", "given_up"]


class Activation(TypedDict):
    """A plan asked of its carrier; `phone` and `rio` are there until it answered. Times are UTC texts.

    `decide_by` is when one that waits for its customer is given up.
    """

    customer_id: str
    activation_id: str
    order_id: str
    line_no: int
    unit_no: int
    partner_id: str
    plan_id: int
    acquisition: str | None
    phone: str | None
    rio: str | None
    state: ActivationState
    carrier_order_id: str | None
    reason: str
    since: str
    decide_by: str | None


class ActivationPending(Conflict):
    """The carrier has not acknowledged the plan this unit was sold with: it cannot leave yet. Nothing was done to any unit."""


class NumberMissing(Refused):
    """How the number comes, or which it is, was not said; `data["fields"]` maps each field to a code."""


class ActivationMoved(Conflict):
    """The request is no longer where this step begins; nothing was changed."""


def request_activations(connection: Connection, customer_id: str, order_id: str, *, at: str) -> None:
    """Ask the carriers for the plans of an order that is paid or costs nothing here, in the caller's transaction; once."""
    key = {"customer_id": customer_id, "order_id": order_id}
    placed = row(connection, "select facts from customer_order where customer_id = :customer_id and order_id = :order_id", **key)
    query = """
        select line_no, plan_id, partner_id, quantity from order_line
        where customer_id = :customer_id and order_id = :order_id and plan_id is not null and basis <> 'dropped'
    """
    said = {line["line_no"]: line.get("acquisition") for line in json.loads(placed["facts"])["lines"]} if placed else {}
    for line in rows(connection, query, **key):
        for unit_no in range(1, line["quantity"] + 1):
            acquisition = said.get(line["line_no"])
            asked = {
                **key,
                "activation_id": new_id(),
                "unit_no": unit_no,
                "acquisition": acquisition,
                "since": at,
                "asked_at": at,
            }
            asked |= {name: line[name] for name in ("line_no", "plan_id", "partner_id")}
            state: ActivationState = "to_send" if acquisition == "new" else "needs_number"
            asked |= {"state": state, "reason": "", "decide_by": _deadline(state, at)}
            connection.execute(tables.activation.insert(), asked)
            if state == "to_send":
                _enqueue(connection, customer_id, str(asked["activation_id"]))
            else:
                mail_plan(connection, asked)


def activations_of(connection: Connection, order_id: str) -> list[Activation]:
    """Return the plans of an order, in the order of its lines."""
    query = "select * from activation where order_id = :order_id order by line_no, unit_no"
    return cast(list[Activation], rows(connection, query, order_id=order_id))


def activation_of(connection: Connection, order_id: str, line_no: int, unit_no: int) -> Activation:
    """Return one plan of an order. Raises: NotFound."""
    found = [each for each in activations_of(connection, order_id) if (each["line_no"], each["unit_no"]) == (line_no, unit_no)]
    if not found:
        raise NotFound("no such plan")
    return found[0]


def answer_number(connection: Connection, asked: Activation, form: Mapping[str, str]) -> None:
    """Take how the number of a plan comes, with it and what its operator asks for where they are needed; have the plan ordered.

    One that its carrier refused is asked anew, under another name: to the carrier it is another order.
    Raises: NumberMissing, InvalidRio, InvalidAccount, ActivationMoved.
    """
    acquisition = asked["acquisition"] or read_acquisition(form.get("acquisition"))
    phone = "".join(form.get("phone", "").split())
    if acquisition is None or (acquisition != "new" and not phone):
        raise NumberMissing(fields={"acquisition" if acquisition is None else "phone": "missing"})
    kind = porting_of(connection, asked["customer_id"], asked["order_id"])
    key = read_key(kind, form, phone) if acquisition == "port" else None
    fresh_id = asked["activation_id"] if asked["state"] == "needs_number" else new_id()
    moved = changed(
        connection,
        """
        update activation
        set state = 'to_send', acquisition = :acquisition, phone = :phone, rio = :rio, activation_id = :fresh_id, reason = '',
          carrier_order_id = null, acknowledged_at = null, decide_by = null, reminded_at = null
        where customer_id = :customer_id and activation_id = :activation_id
          and (state = 'needs_number' or (state = 'refused' and acquisition <> 'new'))
        """,
        **_key(asked),
        fresh_id=fresh_id,
        acquisition=acquisition,
        phone=phone if acquisition != "new" else None,
        rio=key,
    )
    if not moved:
        raise ActivationMoved(state=asked["state"])
    _enqueue(connection, asked["customer_id"], fresh_id)


def porting_of(connection: Connection, customer_id: str, order_id: str) -> PortingKind:
    """Return what the operator that a number leaves asks for today in an order's market. Raises: NotFound."""
    query = "select market from customer_order where customer_id = :customer_id and order_id = :order_id"
    placed = row(connection, query, customer_id=customer_id, order_id=order_id)
    if placed is None:
        raise NotFound("no such order")
    return porting_kind(market_laws(connection, placed["market"], clock.to_text(clock.now())[:10]))


def give_up(connection: Connection, asked: Activation, *, at: str) -> None:
    """Note that a plan which waits for its customer is not wanted any more. Raises: ActivationMoved."""
    if asked["state"] not in WAITING or not _move(connection, asked, "given_up", at=at):
        raise ActivationMoved(state=asked["state"])


def withdraw_plan(connection: Connection, asked: Activation, *, at: str) -> None:
    """Give a plan up because its customer withdrew from it, and have its carrier cancel it. Raises: ActivationMoved."""
    if not _move(connection, asked, "given_up", at=at):
        raise ActivationMoved(state=asked["state"])
    _enqueue(connection, asked["customer_id"], asked["activation_id"], unique="given_up")


def refuse_unacknowledged(connection: Connection, units: Iterable[Mapping[str, Any]]) -> None:
    """Raise ActivationPending where more units of a line with a plan would have left than its carrier acknowledged plans."""
    leaving = Counter((unit["customer_id"], unit["order_id"], unit["line_no"]) for unit in units)
    for (customer_id, order_id, line_no), wanted in leaving.items():
        line = _line(connection, {"customer_id": customer_id, "order_id": order_id, "line_no": line_no})
        if line["plans"] and line["left"] + wanted > line["acknowledged"]:
            raise ActivationPending(line=line_no)


def follow_cancelled(connection: Connection, unit: Mapping[str, Any], *, at: str) -> None:
    """Give up a plan of a cancelled unit's line where more plans than units are left, in the caller's transaction."""
    line = _line(connection, unit)
    if not line["plans"] or line["live"] <= line["wanted"]:
        return
    live = [each for each in activations_of(connection, unit["order_id"]) if each["state"] != "given_up"]
    of_line = [each for each in live if each["line_no"] == unit["line_no"]]
    asked = min(of_line, key=lambda each: (each["state"] != "refused", each["unit_no"] != unit["unit_no"]))
    _move(connection, asked, "given_up", at=at)
    _enqueue(connection, asked["customer_id"], asked["activation_id"], unique="given_up")


def take_carrier_event(connection: Connection, activation_id: str, event_id: str) -> None:
    """Enqueue a look at a plan that its carrier spoke of, once an event."""
    found = row(
        connection, "select customer_id from activation where activation_id = :activation_id", activation_id=activation_id
    )
    if found is not None:
        _enqueue(connection, found["customer_id"], activation_id, unique=event_id)


def carry(work: Work, body: dict[str, Any]) -> str:
    """Do the job of one plan: order it, look until its carrier has answered for good, or tell that it is given up.

    Raises: Postponed while the carrier has not answered; Offline, Rejected: asking again does no harm.
    """
    with reading(work.engine) as connection:
        if row(connection, BY_KEY, **_key(body)) is None:
            return "asked anew under another name"
        asked = _activation(connection, body)
        settings = read_carrier(connection, asked["partner_id"])
        wish = _wish(connection, asked)
    if asked["state"] in ("active", "refused", "needs_number"):
        return asked["state"]
    if settings is None:
        if asked["state"] == "given_up":
            return asked["state"]
        raise Postponed(f"no carrier is set up for {asked['partner_id']}", until=work.now + NO_CARRIER_AGAIN)
    carrier = Carrier(settings)
    if asked["state"] == "given_up":
        if known := carrier.find(asked["activation_id"]):
            carrier.cancel(known.carrier_order_id)
        return asked["state"]
    truth = carrier.look(asked["carrier_order_id"]) if asked["carrier_order_id"] else carrier.order(wish)
    state = run_tx(work.engine, partial(take_truth, asked=asked, truth=truth, at=clock.to_text(work.now)))
    if state == "given_up":
        carrier.cancel(truth.carrier_order_id)  # Its unit was cancelled while we asked.
    elif state not in ("active", "refused") and not body.get("unique"):
        since = clock.from_text(asked["since"]) if state == asked["state"] else work.now
        after = min(max((work.now - since) / LOOKS_BACK, LOOK_AGAIN), LOOK_AT_LAST)
        raise Postponed("the carrier has not answered for good", until=work.now + after)
    return state


def take_truth(connection: Connection, asked: Activation, truth: CarrierTruth, *, at: str) -> ActivationState:
    """Write down what the carrier says of a plan and return its state; in the caller's transaction, in any order, any often."""
    if truth.carrier_order_id:
        changed(
            connection,
            """
            update activation set carrier_order_id = :carrier_order_id
            where customer_id = :customer_id and activation_id = :activation_id and carrier_order_id is null
            """,
            **_key(asked),
            carrier_order_id=truth.carrier_order_id,
        )
    _move(connection, asked, truth.state, at=at, reason=truth.reason)
    return _activation(connection, asked)["state"]


def _move(connection: Connection, asked: Activation, state: ActivationState, *, at: str, reason: str = "") -> bool:
    moved = changed(
        connection,
        f"""
        update activation set state = :state, since = :at, reason = :reason, decide_by = :decide_by, reminded_at = null,
          phone = case when :state = 'sent' then phone end, rio = case when :state = 'sent' then rio end,
          acknowledged_at = case when :state in ('acknowledged', 'active') then coalesce(acknowledged_at, :at)
            else acknowledged_at end
        where customer_id = :customer_id and activation_id = :activation_id and state in {BEFORE[state]}
        """,
        **_key(asked),
        state=state,
        at=at,
        reason=reason,
        decide_by=_deadline(state, at),
    )
    if moved:
        _close_plan_order(connection, asked, at=at)
    if moved and state == "refused":
        mail_plan(connection, _activation(connection, asked))
    return moved == 1


def _deadline(state: ActivationState, at: str) -> str | None:
    return clock.to_text(clock.from_text(at) + DECIDE_WITHIN) if state in WAITING else None


def _close_plan_order(connection: Connection, asked: Activation, *, at: str) -> None:
    """Close an order of plans alone once each is active or given up."""
    changed(
        connection,
        """
        update customer_order set state = 'closed'
        where customer_id = :customer_id and order_id = :order_id and state = 'requested' and not exists (
          select 1 from activation
          where activation.customer_id = customer_order.customer_id and activation.order_id = customer_order.order_id
            and activation.state not in ('active', 'given_up')
        )
        """,
        customer_id=asked["customer_id"],
        order_id=asked["order_id"],
    )
    note_slip_state(connection, asked["order_id"], at=at)


def _enqueue(connection: Connection, customer_id: str, activation_id: str, *, unique: str = "") -> None:
    body = {"customer_id": customer_id, "activation_id": activation_id, "unique": unique}
    enqueue(connection, JOB, body, owner_id=customer_id, unique=f"{activation_id}:{unique}")


def _key(asked: Mapping[str, Any]) -> dict[str, str]:
    return {"customer_id": asked["customer_id"], "activation_id": asked["activation_id"]}


def _activation(connection: Connection, asked: Mapping[str, Any]) -> Activation:
    found = row(connection, BY_KEY, **_key(asked))
    if found is None:
        raise NotFound("no such plan")
    return cast(Activation, found)


def _line(connection: Connection, unit: Mapping[str, Any]) -> dict[str, int]:
    """Count the plans and units of a line: of plans all, those not given up and those acknowledged; of units left and wanted.

    A unit is wanted until it is cancelled for good: what may take its place is still offered for one its seller gave up.
    """
    where = "customer_id = :customer_id and order_id = :order_id and line_no = :line_no"
    query = f"""
        select
          (select count(*) from activation where {where}) as plans,
          (select count(*) from activation where {where} and state <> 'given_up') as live,
          (select count(*) from activation where {where} and state in ('acknowledged', 'active')) as acknowledged,
          (select count(*) from unit where {where} and shipped_at is not null) as left_already,
          (select count(*) from unit where {where} and state <> 'cancelled') as standing,
          (select count(*) from substitution where {where} and state = 'offered') as offered
    """
    values = {name: unit[name] for name in ("customer_id", "order_id", "line_no")}
    found = row(connection, query, **values) or {}
    return {**found, "left": found["left_already"], "wanted": found["standing"] + found["offered"]}


def _wish(connection: Connection, asked: Activation) -> dict[str, Any]:
    """Return a plan's order as a TMF622 ProductOrder; what is frozen in our order, and the number as it was given."""
    placed = row(
        connection,
        """
        select name, email, address, facts from customer_order where customer_id = :customer_id and order_id = :order_id
        """,
        customer_id=asked["customer_id"],
        order_id=asked["order_id"],
    )
    if placed is None:
        raise NotFound("no such order")
    line = next(line for line in json.loads(placed["facts"])["lines"] if line["line_no"] == asked["line_no"])
    facts = {
        "acquisition": asked["acquisition"],
        "phoneNumber": asked["phone"],
        **told_key(asked["rio"]),
        "contractSummarySha256": (line["plan"].get("summary") or {}).get("sha256"),
    }
    contact = {"emailAddress": placed["email"], "postalAddress": placed["address"]}
    return {
        "@type": "ProductOrder",
        "externalId": asked["activation_id"],
        "category": "mobile plan",
        "productOrderItem": [
            {
                "id": "1",
                "quantity": 1,
                "action": "modify" if asked["acquisition"] == "renewal" else "add",
                "productOffering": {"id": str(asked["plan_id"]), "name": text_of(line["plan"]["name"], SOURCES)},
                "product": {"productCharacteristic": [{"name": name, "value": value} for name, value in facts.items() if value]},
            }
        ],
        "relatedParty": [{"@referredType": "Individual", "role": "customer", "name": placed["name"], "contactMedium": contact}],
    }
