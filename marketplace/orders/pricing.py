"""What a customer is about to order, priced: the lines of a slip or of a selection, with the plans and laws of their market."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NotRequired, TypedDict

from sqlalchemy import Connection

from marketplace.bodies import fit_body
from marketplace.db import rows
from marketplace.orders.repricing import Comparison, compare_selection_line
from marketplace.publishing.terms import terms_now
from pos import clock
from pos.bodies import Acquisition, PlanBody
from pos.law_bodies import LAW_BODIES
from pos.laws import Guarantees, Laws, guarantees, in_force
from pos.line_facts import Wish
from pos.months import Span, spans
from pos.rows import ROWS
from pos.shapes import Shape
from pos.totals import Totals, device_due_cents, selection_totals


class OrderMarket(TypedDict):
    """The market something is ordered in; an address there has one of its `post_codes`, any where it names none."""

    market: str
    currency: str
    tax_included: bool
    post_codes: NotRequired[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pricing:
    """Lines with what they cost now; `plans` are all of the market by id, `laws` those of today."""

    market: OrderMarket
    lines: tuple[Comparison, ...]
    laws: Laws
    plans: dict[int, PlanBody]

    @property
    def offered(self) -> dict[int, list[Acquisition]]:
        """The ways to get a number that the plan of each line offers today, by line; the line's own where it is withdrawn."""
        with_plan = [(line, line.chosen.plan) for line in self.lines if line.chosen is not None and line.chosen.plan is not None]
        return {line.line_no: self.plans.get(line.wish.plan_id, plan)["acquisitions"] for line, plan in with_plan}

    @property
    def is_orderable(self) -> bool:
        """Tell whether every line the customer still wants can be had, and there is one."""
        wanted = [line for line in self.lines if line.basis != "dropped"]
        return bool(wanted) and all(line.chosen is not None for line in wanted)

    @property
    def guarantees(self) -> Guarantees:
        """What the law of today gives the buyer."""
        return guarantees(self.laws)

    @property
    def totals(self) -> Totals:
        """What the customer gets, all lines together; lines that are gone do not count."""
        return selection_totals(line.chosen.line for line in self.lines if line.chosen is not None)

    @property
    def collected_cents(self) -> int:
        """What the customer pays us now, without tax: the devices' share that is due at once."""
        devices = [line.chosen.line for line in self.lines if line.chosen is not None and line.chosen.listing is not None]
        return sum(line.quantity * device_due_cents(line) for line in devices)

    @property
    def has_devices(self) -> bool:
        """Whether anything is delivered, which is taxed whoever pays for it."""
        return any(line.chosen is not None and line.chosen.listing is not None for line in self.lines)

    @property
    def months(self) -> tuple[Span, ...]:
        """What the customer gets, month by month."""
        return spans(tuple(line.chosen.line for line in self.lines if line.chosen is not None))


def price_selection(
    connection: Connection, market: OrderMarket, wishes: Iterable[tuple[int, Wish]], *, now: datetime, zone: str
) -> Pricing:
    """Price the lines of a selection, by their numbers, at the newest publication; `zone` is where the customer's day begins."""
    name, at = market["market"], clock.to_text(now)
    lines = tuple(compare_selection_line(connection, line_no, wish, market=name, at=at) for line_no, wish in wishes)
    return Pricing(
        market=market,
        lines=lines,
        laws=market_laws(connection, name, clock.local_day(now, zone)),
        plans=market_plans(connection, name) if any(line.wish.plan_id for line in lines) else {},
    )


def market_plans(connection: Connection, market: str) -> dict[int, PlanBody]:
    """Return the plans of a market as it published them last."""
    known = rows(connection, "select plan_id from plan where market = :market", market=market)
    found = {each["plan_id"]: terms_now(connection, "plan", each["plan_id"], market=market) for each in known}
    bodies = {plan_id: fit_body(ROWS["plan"], terms["body"]) for plan_id, terms in found.items() if terms is not None}
    return {plan_id: body for plan_id, body in bodies.items() if body is not None}


def market_laws(connection: Connection, market: str, day: str) -> Laws:
    """Return the laws in force in this market on this day."""
    found = rows(connection, "select law_id, kind, valid_from, valid_to, body from law where market = :market", market=market)
    laws = [{**each, "body": body} for each in found if (body := fit_body(LAW_BODIES.get(each["kind"], Shape), each["body"]))]
    return in_force(laws, day)
