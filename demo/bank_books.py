"""The demo bank's books: sessions, payments, charges, refunds, disputes and events, in the shapes of Stripe's API.

Invariant: every change is one transaction with the events that tell of it and the deliveries those events wait for.
Source: docs.stripe.com/api at version 2026-10-28; only what the marketplace asks for is here.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.bank_fees import BankFees, movement
from pos import clock
from pos.db import connect, write

API_VERSION = "2026-10-28.endive"
LEAST_CENTS = 50
SOONEST_S, LATEST_S = 30 * 60, 24 * 60 * 60
SCHEMA = """
    create table if not exists thing (
      id text primary key, kind text not null, payment text, position integer not null, body text not null
    ) strict;
    create index if not exists thing_by_kind on thing (kind, position);
    create index if not exists thing_by_payment on thing (payment, kind);
    create table if not exists answered (key text primary key, request text not null, status integer not null, body text not null)
      strict;
    create table if not exists delivery (
      position integer primary key, event_id text not null, due_at integer not null, tries integer not null
    ) strict;
"""
PREFIXES = {
    "checkout.session": "cs_test_",
    "payment_intent": "pi_",
    "charge": "ch_",
    "refund": "re_",
    "dispute": "dp_",
    "event": "evt_",
    "balance_transaction": "txn_",
}

NAMES = {"payment_intent": "payment_intent", "latest_charge": "charge", "charge": "charge"}
NAMES |= {"balance_transaction": "balance_transaction", "failure_balance_transaction": "balance_transaction"}
"""The kind of thing that each id which can be expanded names."""

Thing = dict[str, Any]
"""One object as JSON has it: the shape is Stripe's."""


class BankProblem(Exception):
    """What the API refuses, as Stripe says it (docs.stripe.com/api/errors)."""

    def __init__(self, status: int, kind: str, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        given = {"type": kind, "message": message, "code": code, "param": param}
        self.body: Thing = {"error": {name: value for name, value in given.items() if value is not None}}


def invalid(message: str, *, code: str | None = None, param: str | None = None) -> BankProblem:
    """Return the refusal of a request that cannot be: status 400."""
    return BankProblem(400, "invalid_request_error", message, code=code, param=param)


class Books:
    """What the bank knows, in one file. `plan` says which webhooks the events of a change make, in order, and after how long."""

    def __init__(self, path: Path, plan: Callable[[list[Thing]], list[tuple[Thing, int]]], fees: BankFees) -> None:
        self._plan = plan
        self._fees = fees
        self._database = connect(path, durable=False)
        self._database.conn.executescript(SCHEMA)
        self._lock = threading.RLock()
        self._events: list[Thing] | None = None

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    @contextmanager
    def change(self) -> Iterator[list[Thing]]:
        """Hold the books for one change, or join the one under way; lends the list that gathers its events."""
        with self._lock:
            if self._events is not None:
                yield self._events
                return
            self._events = []
            try:
                with write(self._database):
                    yield self._events
                    for event, delay_s in self._plan(self._events):
                        sql = "insert into delivery (event_id, due_at, tries) values (?, ?, 0)"
                        self.run(sql, event["id"], now_s() + delay_s)
            finally:
                self._events = None

    def run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        with self._lock:
            return list(self._database.execute(sql, list(values)))

    def get(self, kind: str, thing_id: str, *, param: str = "id") -> Thing:
        """Return an object. Raises: BankProblem, status 404."""
        rows = self.run("select body from thing where id = ? and kind = ?", thing_id, kind)
        if not rows:
            message = f"No such {kind}: '{thing_id[:80]}'"
            raise BankProblem(404, "invalid_request_error", message, code="resource_missing", param=param)
        return dict(json.loads(rows[0][0]))

    def listed(self, kind: str, *, payment: str | None = None, most: int = 100) -> list[Thing]:
        """Return the newest objects of a kind, of one payment or of all."""
        sql = "select body from thing where kind = ? and (? is null or payment = ?) order by position desc limit ?"
        return [json.loads(row[0]) for row in self.run(sql, kind, payment, payment, most)]

    def put(self, thing: Thing) -> Thing:
        """Write an object down."""
        payment = thing["id"] if thing["object"] == "payment_intent" else thing.get("payment_intent")
        sql = """
            insert into thing (id, kind, payment, position, body)
            values (?, ?, ?, (select coalesce(max(position), 0) + 1 from thing), ?)
            on conflict (id) do update set payment = excluded.payment, body = excluded.body
        """
        self.run(sql, thing["id"], thing["object"], payment, json.dumps(thing))
        return thing

    def new(self, kind: str, **facts: object) -> Thing:
        """Write a new object down, made now."""
        thing = {"id": PREFIXES[kind] + secrets.token_hex(12), "object": kind, "created": now_s(), "livemode": False, **facts}
        return self.put(thing)

    def moved(self, kind: str, source: Thing, cents: int) -> Thing:
        """Write down what a charge, refund or dispute did to the account, with what the bank keeps of it."""
        return self.new("balance_transaction", **movement(self._fees, kind, source, cents))

    def tell(self, events: list[Thing], kind: str, thing: Thing) -> None:
        """Record an event with the object as it is now."""
        facts = {"type": kind, "api_version": API_VERSION, "pending_webhooks": 1, "data": {"object": thing}}
        events.append(self.new("event", **facts))

    def expanded(self, thing: Thing, paths: list[str]) -> Thing:
        """Return an object with the ids at `paths` replaced by what they name, as `expand[]` asks. Raises: BankProblem."""
        for path in paths:
            name, _, rest = path.partition(".")
            if name == "data" and thing["object"] == "list":
                thing = {**thing, "data": [self.expanded(each, [rest]) for each in thing["data"]]}
                continue
            kind = NAMES.get(name)
            if kind is None or name not in thing:
                raise invalid(f"This property cannot be expanded ({path}).", param="expand")
            inner = thing[name]
            if isinstance(inner, str):
                inner = self.get(kind, inner)
            thing = {**thing, name: self.expanded(inner, [rest]) if inner is not None and rest else inner}
        return thing


def now_s() -> int:
    """Return the current time as Stripe counts it: seconds since 1970."""
    return int(clock.now().timestamp())


def open_session(books: Books, wanted: Mapping[str, Any], *, address: str) -> Thing:
    """Open a Checkout Session of mode `payment`. Raises: BankProblem."""
    if wanted.get("mode") != "payment":
        raise invalid("Invalid mode: this bank takes payments only.", param="mode")
    for name in ("success_url", "line_items"):
        if not wanted.get(name):
            raise invalid(f"Missing required param: {name}.", code="parameter_missing", param=name)
    methods = wanted.get("payment_method_types", ["card"])
    if unknown := [method for method in methods if method != "card"]:
        raise invalid(f"Invalid payment_method_types[0]: {unknown[0]} is not activated.", param="payment_method_types")
    items = [_item(number, item) for number, item in enumerate(wanted["line_items"])]
    if len({item["currency"] for item in items}) > 1:
        raise invalid("All line items must have the same currency.", param="line_items")
    total = sum(item["amount_total"] for item in items)
    if total < LEAST_CENTS:
        message = "The Checkout Session's total amount must convert to at least 50 cents."
        raise invalid(message, code="amount_too_small", param="line_items")
    expires_at = whole(wanted.get("expires_at", now_s() + LATEST_S), "expires_at")
    if not now_s() + SOONEST_S <= expires_at <= now_s() + LATEST_S:
        bound = "at least 30 minutes" if expires_at < now_s() + SOONEST_S else "less than 24 hours"
        raise invalid(f"The `expires_at` timestamp must be {bound} from Checkout Session creation.", param="expires_at")
    session = books.new(
        "checkout.session",
        mode="payment",
        status="open",
        payment_status="unpaid",
        payment_intent=None,
        payment_method_types=methods,
        amount_subtotal=total,
        amount_total=total,
        currency=items[0]["currency"],
        success_url=wanted["success_url"],
        cancel_url=wanted.get("cancel_url"),
        expires_at=expires_at,
        locale=wanted.get("locale"),
        customer_email=wanted.get("customer_email"),
        metadata=wanted.get("metadata", {}),
        line_items={"object": "list", "data": items, "has_more": False},
        intent_metadata=(wanted.get("payment_intent_data") or {}).get("metadata", {}),
        refusal=None,
    )
    return books.put({**session, "url": f"{address}/c/pay/{session['id']}"})


def shown(thing: Thing) -> Thing:
    """Return a session without what the API does not show of it."""
    return {name: value for name, value in thing.items() if name not in ("intent_metadata", "refusal", "line_items")}


def _item(number: int, item: Mapping[str, Any]) -> Thing:
    where = f"line_items[{number}]"
    price = item.get("price_data") or {}
    name = (price.get("product_data") or {}).get("name")
    given = {"currency": price.get("currency"), "unit_amount": price.get("unit_amount"), "product_data": name}
    if missing := [param for param, value in given.items() if not value]:
        param = f"{where}[price_data][{missing[0]}]"
        raise invalid(f"Missing required param: {param}.", code="parameter_missing", param=param)
    cents, quantity = whole(price["unit_amount"], f"{where}[price_data][unit_amount]"), whole(item.get("quantity", 1), where)
    total = cents * quantity
    return {
        "object": "item",
        "description": name,
        "quantity": quantity,
        "currency": price["currency"].lower(),
        "amount_total": total,
    }


def whole(value: object, param: str) -> int:
    """Return a parameter as a whole number. Raises: BankProblem."""
    try:
        return int(str(value))
    except ValueError:
        raise invalid(f"Invalid integer: {str(value)[:40]}", code="parameter_invalid_integer", param=param) from None


def pay(books: Books, events: list[Thing], session_id: str, *, is_settled: bool = True) -> bool:
    """Pay a session in full; False when it is no longer open. What the bank keeps is known at once, or by `settle`."""
    session = books.get("checkout.session", session_id)
    if session["status"] != "open" or has_run_out(session):
        return False
    intent = _intent(books, session)
    amounts = {"amount": session["amount_total"], "currency": session["currency"], "metadata": session["intent_metadata"]}
    charge = books.new(
        "charge",
        **amounts,
        amount_captured=session["amount_total"],
        amount_refunded=0,
        captured=True,
        disputed=False,
        paid=True,
        payment_intent=intent["id"],
        refunded=False,
        status="succeeded",
        balance_transaction=None,
    )
    if is_settled:
        charge = _settled(books, charge)
    intent = books.put({**intent, "status": "succeeded", "amount_received": intent["amount"], "latest_charge": charge["id"]})
    done = {"status": "complete", "payment_status": "paid", "payment_intent": intent["id"], "url": None, "refusal": None}
    session = books.put({**session, **done})
    books.tell(events, "charge.succeeded", charge)
    books.tell(events, "payment_intent.succeeded", intent)
    books.tell(events, "checkout.session.completed", shown(session))
    return True


def settle(books: Books, events: list[Thing], payment: str) -> None:
    """Say what the bank keeps of a payment, where it did not say so at once (docs.stripe.com: asynchronous capture)."""
    charge = books.get("charge", books.get("payment_intent", payment)["latest_charge"] or "")
    if charge["balance_transaction"] is None:
        books.tell(events, "charge.updated", _settled(books, charge))


def _settled(books: Books, charge: Thing) -> Thing:
    return books.put({**charge, "balance_transaction": books.moved("charge", charge, charge["amount"])["id"]})


def refuse(books: Books, events: list[Thing], session_id: str) -> None:
    """Refuse the card; the session stays open for another."""
    session = books.get("checkout.session", session_id)
    if session["status"] != "open":
        return
    error = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}
    intent = books.put({**_intent(books, session), "last_payment_error": error})
    books.put({**session, "refusal": "insufficient_funds", "payment_intent": intent["id"]})
    books.tell(events, "payment_intent.payment_failed", intent)


def _intent(books: Books, session: Thing) -> Thing:
    """Return the session's payment: made when somebody first tries to pay, as at Stripe since 2022-08-01."""
    if session["payment_intent"]:
        return books.get("payment_intent", session["payment_intent"])
    return books.new(
        "payment_intent",
        amount=session["amount_total"],
        amount_received=0,
        capture_method="automatic",
        currency=session["currency"],
        last_payment_error=None,
        latest_charge=None,
        metadata=session["intent_metadata"],
        status="requires_payment_method",
    )


def has_run_out(session: Thing) -> bool:
    """Tell whether a session's time is over."""
    return bool(session["expires_at"] <= now_s())


def expire(books: Books, events: list[Thing], session_id: str) -> Thing:
    """End an open session: nobody can pay it any more. Raises: BankProblem when it is not open."""
    session = books.get("checkout.session", session_id)
    if session["status"] != "open":
        raise invalid(f"Only Checkout Sessions with a status of open can be expired. This one is {session['status']}.")
    session = books.put({**session, "status": "expired", "url": None})
    books.tell(events, "checkout.session.expired", shown(session))
    return session


def refund(books: Books, events: list[Thing], wanted: Mapping[str, Any], *, is_pending: bool = False) -> Thing:
    """Give money back, all that is left or a part, at once or later. Raises: BankProblem."""
    if "payment_intent" not in wanted:
        raise invalid("One of the following params should be provided: payment_intent or charge.", code="parameter_missing")
    intent = books.get("payment_intent", wanted["payment_intent"], param="payment_intent")
    if intent["latest_charge"] is None:
        raise invalid("This PaymentIntent does not have a successful charge to refund.", param="payment_intent")
    charge = books.get("charge", intent["latest_charge"])
    left = charge["amount"] - charge["amount_refunded"]
    cents = whole(wanted.get("amount", left), "amount")
    if charge["disputed"]:
        raise invalid(f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if left == 0:
        raise invalid(f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded")
    if not 0 < cents <= left:
        raise invalid(f"Refund amount ({cents}) is greater than unrefunded amount on charge ({left})", param="amount")
    back = books.new(
        "refund",
        amount=cents,
        charge=charge["id"],
        currency=charge["currency"],
        metadata=wanted.get("metadata", {}),
        payment_intent=intent["id"],
        reason=wanted.get("reason"),
        status="pending" if is_pending else "succeeded",
        balance_transaction=None,
        failure_balance_transaction=None,
    )
    if not is_pending:
        back = _paid(books, back)
    books.tell(events, "charge.refunded", _count_refunded(books, charge, cents))
    books.tell(events, "refund.created", back)
    return back


def pay_refund(books: Books, events: list[Thing], refund_id: str) -> None:
    """Pay a refund that was taken before (docs.stripe.com/refunds: pending)."""
    back = books.get("refund", refund_id)
    if back["status"] == "pending":
        books.tell(events, "refund.updated", _paid(books, back))


def _paid(books: Books, back: Thing) -> Thing:
    left = books.moved("refund", back, -back["amount"])
    return books.put({**back, "status": "succeeded", "balance_transaction": left["id"]})


def fail_refund(books: Books, events: list[Thing], refund_id: str) -> None:
    """Find that a refund did not arrive: the money is with the bank again (docs.stripe.com/refunds#failed-refunds)."""
    back = books.get("refund", refund_id)
    if back["status"] != "succeeded":
        return
    failed = {"status": "failed", "failure_reason": "expired_or_canceled_card"}
    came_back = books.moved("refund_failure", back, back["amount"])
    back = books.put({**back, **failed, "failure_balance_transaction": came_back["id"]})
    _count_refunded(books, books.get("charge", back["charge"]), -back["amount"])
    books.tell(events, "refund.updated", back)
    books.tell(events, "refund.failed", back)


def _count_refunded(books: Books, charge: Thing, cents: int) -> Thing:
    refunded = charge["amount_refunded"] + cents
    return books.put({**charge, "amount_refunded": refunded, "refunded": refunded == charge["amount"]})
