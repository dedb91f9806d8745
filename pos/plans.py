"""Carrier plans, options and the law rows that go with them, as HQ publishes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlite_utils import Database

from pos.bodies import read_body
from pos.db import remembered
from pos.errors import NotFound
from pos.totals import OptionTerms, PlanTerms, early_exit_cents

EXIT_MONTH = 12
"""After how many months leaving is priced, where a plan commits for longer (L224-28)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A carrier tariff: `body` as published (texts, data, conditions), `terms` for the arithmetic."""

    plan_id: int
    partner_id: str
    rank: int
    body: dict[str, Any]

    @property
    def terms(self) -> PlanTerms:
        """The plan's money and months."""
        return PlanTerms.from_body(self.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """Something added to a line: a repair subscription, an insurance, an accessory."""

    option_id: int
    rank: int
    body: dict[str, Any]

    @property
    def terms(self) -> OptionTerms:
        """The option's money and months."""
        return OptionTerms.from_body(self.body)


def plans(database: Database) -> list[Plan]:
    """Return every plan of the market, in HQ's order."""
    rows = database.execute("select plan_id, partner_id, rank, body from shown_plan order by rank, plan_id")
    return [Plan(plan_id=row[0], partner_id=row[1], rank=row[2], body=read_body(row[3])) for row in rows]


def plan(database: Database, plan_id: int) -> Plan:
    """Return one plan. Raises: NotFound."""
    found = next((each for each in plans(database) if each.plan_id == plan_id), None)
    if found is None:
        raise NotFound(plan_id=plan_id)
    return found


@remembered
def options(database: Database, *, category_id: str | None, has_device: bool, has_plan: bool) -> list[Option]:
    """Return the options open to a line with these contents, in HQ's order."""
    rows = database.execute("select option_id, rank, body from shown_option order by rank, option_id")
    every = [Option(option_id=row[0], rank=row[1], body=read_body(row[2])) for row in rows]
    return [option for option in every if _is_open(option.body, category_id, has_device=has_device, has_plan=has_plan)]


@remembered
def law(database: Database, kind: str, day: str) -> Any:
    """Return the body of the law of this kind in force on `day` (`YYYY-MM-DD`), or None where the market has none."""
    row = database.execute(
        """
        select body from shown_law
        where kind = ? and valid_from <= ? and (valid_to is null or valid_to > ?)
        order by valid_from desc, law_id desc, law_id
        limit 1
        """,
        [kind, day, day],
    ).fetchone()
    return read_body(row[0]) if row else None


def exit_cents(terms: PlanTerms, *, device_cents: int | None, law: dict[str, Any] | None, after_month: int) -> int:
    """Return what leaving a plan costs after so many months, with this device on the line or none.

    `law` is the body of the early-exit law in force; where none caps it, every month of the commitment is due.
    """
    return early_exit_cents(
        terms,
        after_month=after_month,
        with_device=terms.subsidises(device_cents),
        rate_bp=law["rate_bp"] if law else 0,
        from_month=law["from_month"] if law else terms.commitment_months,
    )


def _is_open(body: dict[str, Any], category_id: str | None, *, has_device: bool, has_plan: bool) -> bool:
    categories = body.get("categories")
    return (
        (has_device or not body["needs_device"])
        and (has_plan or not body["needs_plan"])
        and (not categories or not has_device or category_id in categories)
    )
