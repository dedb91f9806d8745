"""`/seller/returns`: what comes back to a seller or is claimed for; its people note arrivals, refund or refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Blueprint, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from marketplace.db import reading, run_tx
from marketplace.money.refunds import NothingToRefund
from marketplace.orders.cases import (
    CaseIncomplete,
    UnitCase,
    WrongCaseState,
    case_of,
    grant,
    mend,
    receive,
    refuse,
    settle,
    unit_of_case,
)
from marketplace.orders.mails import mail_case_moved
from marketplace.orders.returns import read_words
from marketplace.orders.units import Actor, RefundTooHigh, WrongUnitState
from marketplace.sellers.fields import WrongField, money
from marketplace.sellers.guard import desk_role, signed_in_seller
from marketplace.sellers.returns import SellerCase, cases_of_seller
from marketplace.web import marketplace, see_other
from pos import clock
from pos.errors import PosError
from shop.web import render_template

returns = Blueprint("returns", __name__)
PROBLEMS = (CaseIncomplete, WrongCaseState, WrongUnitState, RefundTooHigh, NothingToRefund)
"""What the page says itself."""

Step = Callable[[Connection, UnitCase, Actor], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnsPage:
    """Open cases, the most pressing first, then those that ended lately; `at` is now.

    `problem` is why nothing was changed, of the case named `tried`, with what had been typed in `form`.
    """

    cases: list[SellerCase]
    at: str
    tried: str
    form: Mapping[str, str]
    problem: PosError | None

    def typed(self, case: SellerCase, name: str) -> str:
        """Return what had been typed into a field of a case's form."""
        return self.form.get(name, "") if case.name == self.tried else ""


@returns.get("/returns")
def listing() -> str:
    """Show what comes back."""
    return _page("", {}, None)


@returns.post("/returns/<case_name>/answer")
@desk_role("shipping")
def answer(case_name: str) -> Response | tuple[str, int]:
    """Agree to a claim with one of the remedies: the customer then sends the device back."""
    remedy = request.form.get("remedy", "")
    return _act(case_name, lambda connection, case, actor: grant(connection, case, remedy, actor))


@returns.post("/returns/<case_name>/remedy")
@desk_role("shipping")
def remedy(case_name: str) -> Response | tuple[str, int]:
    """Note that the device was repaired or replaced, and is on its way to the customer."""
    tracking = request.form.get("tracking", "")
    return _act(case_name, lambda connection, case, actor: mend(connection, case, tracking, actor))


@returns.post("/returns/<case_name>/arrival")
@desk_role("shipping")
def arrival(case_name: str) -> Response | tuple[str, int]:
    """Note that the device is here."""
    return _act(case_name, receive)


@returns.post("/returns/<case_name>/refund")
@desk_role("owner")
def refund(case_name: str) -> Response | tuple[str, int]:
    """Give money back and end the case: the amount of the form, or all that is left."""
    typed = request.form.get("amount", "").strip()

    def step(connection: Connection, case: UnitCase, actor: Actor) -> None:
        unit = unit_of_case(connection, case)
        try:
            cents = money(typed, currency=unit["currency"], least=1) if typed else None
        except WrongField:
            raise CaseIncomplete("no amount", fields={"amount": "malformed"}) from None
        settle(connection, case, unit, cents, actor)

    return _act(case_name, step)


@returns.post("/returns/<case_name>/refusal")
@desk_role("shipping")
def refusal(case_name: str) -> Response | tuple[str, int]:
    """Refuse, with a reason that the customer reads."""
    return _act(case_name, refuse)


def _act(case_name: str, step: Step) -> Response | tuple[str, int]:
    """Take a step with one case of the seller, tell the customer, and show the page again."""
    person = signed_in_seller()

    def work(connection: Connection) -> None:
        case = case_of(connection, case_name, seller_id=person.seller_id)
        why = read_words(request.form.get("why", ""))
        step(connection, case, Actor(by=f"seller:{person.user_id}", at=clock.to_text(clock.now()), why=why))
        mail_case_moved(connection, case_of(connection, case_name, seller_id=person.seller_id), why)

    try:
        run_tx(marketplace().engine, work)
    except PROBLEMS as problem:
        return _page(case_name, request.form, problem), problem.status
    return see_other("desk.returns.listing")


def _page(tried: str, form: Mapping[str, str], problem: PosError | None) -> str:
    with reading(marketplace().engine) as connection:
        cases = cases_of_seller(connection, signed_in_seller().seller_id)
    page = ReturnsPage(cases=cases, at=clock.to_text(clock.now()), tried=tried, form=form, problem=problem)
    return render_template("marketplace/sellers/returns.html", page=page)
