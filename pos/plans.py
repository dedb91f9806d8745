"""Carrier plans and the options that go with a line, as HQ publishes them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlite_utils import Database

from pos.bodies import OptionBody, PlanBody, read_body
from pos.db import remembered
from pos.errors import NotFound
from pos.totals import OptionTerms, PlanTerms


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A carrier tariff: `body` as published (texts, data, conditions), `terms` for the arithmetic."""

    plan_id: int
    partner_id: str
    rank: int
    body: PlanBody

    @property
    def terms(self) -> PlanTerms:
        """The plan's money and months."""
        return PlanTerms.from_body(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """Something added to a line: a repair subscription, an insurance, an accessory."""

    option_id: int
    rank: int
    body: OptionBody

    @property
    def terms(self) -> OptionTerms:
        """The option's money and months."""
        return OptionTerms.from_body(self.body)


def plans(database: Database) -> list[Plan]:
    """Return every plan of the market, in HQ's order."""
    rows = database.execute("select plan_id, partner_id, rank, body from shown_plan order by rank, plan_id")
    return [
        Plan(plan_id=plan_id, partner_id=partner_id, rank=rank, body=read_body(body)) for plan_id, partner_id, rank, body in rows
    ]


def plan(database: Database, plan_id: int) -> Plan:
    """Return one plan. Raises: NotFound."""
    for known in plans(database):
        if known.plan_id == plan_id:
            return known
    raise NotFound(plan_id=plan_id)


def options(database: Database, *, category_id: str | None, has_device: bool, has_plan: bool) -> list[Option]:
    """Return the options open to a line with these contents, in HQ's order."""
    return [
        option
        for option in _every_option(database)
        if _is_open(option.body, category_id, has_device=has_device, has_plan=has_plan)
    ]


@remembered
def _every_option(database: Database) -> list[Option]:
    rows = database.execute("select option_id, rank, body from shown_option order by rank, option_id")
    return [Option(option_id=option_id, rank=rank, body=read_body(body)) for option_id, rank, body in rows]


def _is_open(body: OptionBody, category_id: str | None, *, has_device: bool, has_plan: bool) -> bool:
    categories = body["categories"]
    return (
        (has_device or not body["needs_device"])
        and (has_plan or not body["needs_plan"])
        and (not categories or not has_device or category_id in categories)
    )
