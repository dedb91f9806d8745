"""What must hold of a trading marketplace at any moment: each amount and each unit of stock is there for a reason, once.

`assert_explained` reads every row anew and takes no sum from the product but those it compares.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from marketplace.db import reading, rows
from marketplace.money.days import later, payout_day, period_before
from marketplace.money.ledger import differences, trial_balance
from marketplace.money.payouts import payable_on
from marketplace.money.statements import statement_of
from pos import clock
from tests.marketplace.hq import Hq

Row = dict[str, Any]
SHIPPED = ("shipped", "delivered", "returned")
WAITING = ("to_accept", "accepted")
OWED = ("requested", "sent", "failed")
FAR = 60
BY_HAND = "made at the provider"


class Books:
    """Every row of a marketplace that money or stock depends on, as it is now."""

    def __init__(self, hq: Hq) -> None:
        self.hq = hq
        names = ("customer_order", "order_line", "part", "unit", "unit_step", "payment", "refund", "payout", "listing")
        names += ("substitution", "entry", "posting", "unit_case", "invoice")
        with reading(hq.engine) as connection:
            self.tables = {name: rows(connection, f"select * from {name}") for name in names}

    def __getitem__(self, name: str) -> list[Row]:
        return self.tables[name]

    @cached_property
    def balances(self) -> Mapping[tuple[str, str, str], int]:
        """What each account holds of each party in each currency, those at zero left out."""
        sums: Counter[tuple[str, str, str]] = Counter()
        for posting in self["posting"]:
            sums[posting["account"], posting["party"], posting["currency"]] += posting["amount_cents"]
        return {name: cents for name, cents in sums.items() if cents}

    def held(self, account: str) -> dict[tuple[str, str], int]:
        """What one account holds by party and currency."""
        return {(party, currency): cents for (name, party, currency), cents in self.balances.items() if name == account}

    @cached_property
    def booked(self) -> Mapping[str, Counter[tuple[str, str]]]:
        """What was booked of each unit, by the kind of entry and the account."""
        subjects = {(entry["owner_id"], entry["entry_id"]): entry for entry in self["entry"]}
        sums: dict[str, Counter[tuple[str, str]]] = {}
        for posting in self["posting"]:
            entry = subjects[posting["owner_id"], posting["entry_id"]]
            own = sums.setdefault(entry["subject"], Counter())
            own[entry["kind"], posting["account"]] += posting["amount_cents"]
        return sums

    def order_of(self, row: Row) -> Row:
        """Return the order that a row is of."""
        return self.orders[row["order_id"]]

    @cached_property
    def orders(self) -> dict[str, Row]:
        return {placed["order_id"]: placed for placed in self["customer_order"]}

    @cached_property
    def paid_with(self) -> dict[str, Row]:
        """The payment that each order was paid with."""
        return {payment["order_id"]: payment for payment in self["payment"] if payment["state"] == "paid"}

    @cached_property
    def asked_back(self) -> Counter[tuple[str, int, int]]:
        """What was asked back of each unit at the provider."""
        sums: Counter[tuple[str, int, int]] = Counter()
        for refund in self["refund"]:
            if refund["part_id"]:
                sums[name_of(refund)] += refund["amount_cents"]
        return sums


def name_of(row: Row) -> tuple[str, int, int]:
    return row["part_id"], row["line_no"], row["unit_no"]


def left_out_zeros(sums: Mapping[Any, int]) -> dict[Any, int]:
    return {name: cents for name, cents in sums.items() if cents}


def assert_explained(hq: Hq) -> Books:
    """Raise AssertionError where an amount, a state or a piece of stock has no reason; return what was read."""
    books = Books(hq)
    for check in (entries_are_zero, clearing_is_explained, money_at_banks, units_are_booked, refunds_fit):
        check(books)
    for check in (states_agree, places_are_taken, stock_is_conserved, papers_add_up):
        check(books)
    return books


def entries_are_zero(books: Books) -> None:
    with reading(books.hq.engine) as connection:
        assert differences(connection) == []
        sums: Counter[str] = Counter()
        for balance in trial_balance(connection, until="2100"):
            sums[balance.currency] += balance.cents
    assert left_out_zeros(sums) == {}, "the trial balance is zero in each currency"


def clearing_is_explained(books: Books) -> None:
    """What clearing accounts hold is what waits: for a unit to ship, for the provider, for a dispute's end, for the bank."""
    held: Counter[tuple[str, str]] = Counter()
    due: Counter[tuple[str, str]] = Counter()
    disputed: Counter[tuple[str, str]] = Counter()
    for unit in books["unit"]:
        party = f"order:{unit['order_id']}", unit["currency"]
        if unit["state"] not in SHIPPED:
            held[party] -= unit["collected_cents"] + unit["tax_cents"] - unit["refunded_cents"] - unit["moved_cents"]
    for refund in books["refund"]:
        party = f"order:{refund['order_id']}", refund["currency"]
        if refund["state"] in OWED:
            due[party] -= refund["amount_cents"]
        if refund["order_id"] in books.paid_with and refund["payment_id"] == books.paid_with[refund["order_id"]]["payment_id"]:
            held[party] += refund["amount_cents"]
    for unit in books["unit"]:
        held[f"order:{unit['order_id']}", unit["currency"]] -= unit["refunded_cents"]  # What is over was returned by hand.
    for payment in books["payment"]:
        if payment["dispute"] == "open":
            disputed[f"order:{payment['order_id']}", payment["currency"]] += payment["received_cents"]
    transit = {
        (f"payout:{payout['seller_id']}/{payout['payout_id']}", payout["currency"]): -payout["amount_cents"]
        for payout in books["payout"]
        if payout["state"] in ("planned", "sent")
    }
    assert books.held("customer_money") == left_out_zeros(held)
    assert books.held("refunds_due") == left_out_zeros(due)
    assert books.held("disputes") == left_out_zeros(disputed)
    assert books.held("payout_transit") == transit


def money_at_banks(books: Books) -> None:
    provider: Counter[tuple[str, str]] = Counter()
    lost: Counter[tuple[str, str]] = Counter()
    bank: Counter[tuple[str, str]] = Counter()
    for payment in books["payment"]:
        taken = payment["received_cents"] if payment["dispute"] in ("open", "lost") else 0
        provider["", payment["currency"]] += payment["received_cents"] - taken
        lost["", payment["currency"]] += taken if payment["dispute"] == "lost" else 0
    for refund in books["refund"]:
        provider["", refund["currency"]] -= refund["amount_cents"] if refund["state"] == "done" else 0
    for payout in books["payout"]:
        bank["", payout["currency"]] -= payout["amount_cents"] if payout["state"] == "settled" else 0
    assert books.held("provider") == left_out_zeros(provider)
    assert books.held("dispute_losses") == left_out_zeros(lost)
    assert books.held("bank") == left_out_zeros(bank)


def assert_stated(books: Books) -> None:
    """What a statement carries on is what the ledger holds; nothing falls between two statements, or outside all of them."""
    today = clock.to_text(clock.now())[:10]
    days = [payout_day(later(today, FAR))]
    while days[0] > "2026-10-26":
        days.insert(0, period_before(days[0]))
    with reading(books.hq.engine) as connection:
        for (party, currency), cents in books.held("seller_payable").items():
            seller_id = int(party.partition(":")[2])
            assert payable_on(connection, seller_id, currency, "2100-01-01") == -cents
            recent = [day for day in days if day >= later(today, -21)]
            statements = [statement_of(connection, seller_id, currency, day) for day in recent]
            for statement in statements:
                assert statement.closing_cents == payable_on(connection, seller_id, currency, statement.day)
                assert statement.opening_cents == payable_on(connection, seller_id, currency, statement.after)
            assert statements[-1].closing_cents == -cents, "every line is due by then"


def units_are_booked(books: Books) -> None:
    """A unit that shipped was sold once, and what refunds took back of its sale is in proportion, and at the end all of it."""
    receivable: Counter[tuple[str, str]] = Counter()
    for unit in books["unit"]:
        booked = books.booked.get("unit:{}/{}/{}".format(*name_of(unit)), Counter())
        released, refunded = -booked["release", "refunds_due"], -booked["refund", "refunds_due"]
        paid = unit["collected_cents"] + unit["tax_cents"]
        assert released + refunded == unit["refunded_cents"], unit
        assert any(kind == "sale" for kind, _ in booked) == (unit["state"] in SHIPPED and unit["owed_cents"] > 0), unit
        if unit["state"] not in SHIPPED:
            assert refunded == 0, unit
            continue
        assert booked["sale", "customer_money"] == paid - released, unit
        assert booked["sale", "partner_receivable"] == unit["owed_cents"] - unit["collected_cents"], unit
        receivable[f"partner:{unit['partner_id'] or ''}", unit["currency"]] += booked["sale", "partner_receivable"]
        receivable[f"partner:{unit['partner_id'] or ''}", unit["currency"]] += booked["refund", "partner_receivable"]
        _reversed_in_proportion(unit, booked, sold=paid - released, refunded=refunded)
    assert books.held("partner_receivable") == left_out_zeros(receivable)


def _reversed_in_proportion(unit: Row, booked: Counter[tuple[str, str]], *, sold: int, refunded: int) -> None:
    accounts = ("partner_receivable", "commission", "fee_vat", "sales_tax", "seller_payable")
    sale = {account: booked["sale", account] for account in accounts}
    back = {account: -booked["refund", account] for account in accounts}
    if refunded == sold and (sold or unit["state"] == "returned"):
        assert back == sale, unit
        return
    assert back["partner_receivable"] == 0, unit
    price, tax = -(sale["commission"] + sale["fee_vat"] + sale["seller_payable"]), -back["sales_tax"]
    assert price == unit["owed_cents"] - (unit["collected_cents"] + unit["tax_cents"] - sold) + (
        unit["tax_cents"] + sale["sales_tax"]
    )
    assert _is_share(tax, -sale["sales_tax"], refunded, sold), unit
    for account in ("commission", "fee_vat"):
        assert _is_share(-back[account], -sale[account], refunded - tax, price), unit


def _is_share(part: int, whole: int, of: int, everything: int) -> bool:
    """Tell whether a part is that of the whole which `of` is of everything, less than one minor unit apart."""
    return abs(part * everything - whole * of) < max(everything, 1)


def refunds_fit(books: Books) -> None:
    """No more goes back than was received, of each unit, payment and order."""
    asked: Counter[str] = Counter()
    for refund in books["refund"]:
        asked[refund["payment_id"]] += refund["amount_cents"]
    for payment in books["payment"]:
        assert payment["refunded_cents"] == asked[payment["payment_id"]] <= payment["received_cents"], payment
        assert payment["state"] != "returned" or payment["refunded_cents"] == payment["received_cents"]
    for unit in books["unit"]:
        spent = unit["refunded_cents"] + unit["moved_cents"]
        assert books.asked_back[name_of(unit)] <= unit["refunded_cents"], unit
        assert spent <= unit["collected_cents"] + unit["tax_cents"], unit


def states_agree(books: Books) -> None:
    """Units stand where their last step left them, orders where their units and payments say, money where it was moved to."""
    steps: dict[tuple[str, int, int], list[Row]] = {}
    for step in sorted(books["unit_step"], key=lambda step: step["step_no"]):
        steps.setdefault(name_of(step), []).append(step)
    for unit in books["unit"]:
        own = steps[name_of(unit)]
        assert [step["step_no"] for step in own] == list(range(1, len(own) + 1))
        assert [step["state"] for step in own if step["state"] not in ("refunded", "replaced")][-1] == unit["state"]
        assert sum(step["cents"] for step in own if step["state"] == "refunded") == unit["refunded_cents"]
        assert sum(step["cents"] for step in own if step["state"] == "replaced") == unit["moved_cents"]
    for placed in books["customer_order"]:
        parts = [part for part in books["part"] if part["order_id"] == placed["order_id"]]
        assert (placed["state"] in ("paid", "closed")) == bool(parts)
        assert (placed["state"] == "open") == (placed["reserved_until"] is not None)
        numbers = sorted(int(part["number"].rpartition("-")[2]) for part in parts)
        assert numbers == list(range(1, len(parts) + 1))
    opened = Counter(name_of(case) for case in books["unit_case"] if case["state"] in ("asked", "granted", "sent", "received"))
    assert all(count == 1 for count in opened.values())


def places_are_taken(books: Books) -> None:
    """A paid order has the units it was paid for; what took the place of one has exactly the money that was moved to it."""
    for order_id in {part["order_id"] for part in books["part"]}:
        units = [unit for unit in books["unit"] if unit["order_id"] == order_id]
        first, later_ones = ([unit for unit in units if (unit["agreed"] is None) == is_first] for is_first in (True, False))
        lines = [line for line in books["order_line"] if line["order_id"] == order_id and line["listing_id"] is not None]
        wanted = Counter({line["line_no"]: line["quantity"] for line in lines if line["basis"] != "dropped"})
        assert Counter(unit["line_no"] for unit in first) == wanted
        received = books.paid_with[order_id]["received_cents"] if order_id in books.paid_with else 0
        assert _paid(first) == received
        assert _paid(later_ones) == sum(unit["moved_cents"] for unit in units)
        assert all(unit["state"] == "cancelled" for unit in units if unit["moved_cents"])


def _paid(units: Iterable[Row]) -> int:
    return sum(unit["collected_cents"] + unit["tax_cents"] for unit in units)


def stock_is_conserved(books: Books) -> None:
    """What is reserved is what open orders, units on their way and offers to stand in wait for; no more than there is."""
    reserved: Counter[int] = Counter()
    for line in books["order_line"]:
        if books.order_of(line)["state"] == "open" and line["listing_id"] is not None and line["basis"] != "dropped":
            reserved[line["listing_id"]] += line["quantity"]
    reserved.update(unit["listing_id"] for unit in books["unit"] if unit["state"] in WAITING)
    offered = [json.loads(each["stand_in"]) for each in books["substitution"] if each["state"] == "offered"]
    reserved.update(stand_in["listing_id"] for stand_in in offered)
    for listing in books["listing"]:
        assert listing["reserved"] == reserved[listing["listing_id"]], listing
        assert listing["quantity"] >= 0, listing


def papers_add_up(books: Books) -> None:
    """Each seller's series has no gap; a unit's invoice less its credit notes is what its customer did not get back."""
    series: dict[tuple[int, str], list[int]] = {}
    paid: Counter[tuple[str, int, int]] = Counter()
    for invoice in books["invoice"]:
        series.setdefault((invoice["seller_id"], invoice["kind"]), []).append(invoice["invoice_no"])
        body = json.loads(invoice["body"])
        sign = 1 if invoice["kind"] == "invoice" else -1
        [unit] = body["units"]
        paid[invoice["part_id"], unit["line_no"], unit["unit_no"]] += sign * body["paid_cents"]
        assert body["price_cents"] - body["partner_cents"] + body["tax_cents"] == body["paid_cents"]
        assert body["vat"]["net_cents"] + body["vat"]["vat_cents"] in (0, body["price_cents"])
    assert all(sorted(numbers) == list(range(1, len(numbers) + 1)) for numbers in series.values())
    for unit in books["unit"]:
        left = unit["collected_cents"] + unit["tax_cents"] - unit["refunded_cents"] if unit["state"] in SHIPPED else 0
        assert paid[name_of(unit)] == left, unit
