"""The law as dated rows that HQ publishes: which rule of each kind is in force on a day, and what its body holds.

Invariant: no figure of the law stands in the code; where a market has no rule of a kind, nothing is said or reckoned by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NotRequired, TypedDict, cast

from sqlite_utils import Database

from pos.bodies import read_body
from pos.db import remembered


class GuaranteeLaw(TypedDict):
    """How many months the seller answers for conformity (L217-3), and for how many a defect counts as there from the start.

    A repair adds months, and a replacement that the seller chose begins it anew, where the row says so (L217-13); `model_text` is
    that which a confirmation holds.
    """

    months: int
    presumed_months: NotRequired[int]
    repair_adds_months: NotRequired[int]
    renewed_by_replacement: NotRequired[bool]
    model_text: NotRequired[str]
    source: NotRequired[str]


class WithdrawalLaw(TypedDict):
    """How many days a buyer at a distance may change their mind (L221-18)."""

    days: int


class ExitLaw(TypedDict):
    """What leaving early may cost at most: months after `from_month` at `rate_bp` (L224-28)."""

    rate_bp: int
    from_month: int
    source: NotRequired[str]


class LevyLaw(TypedDict):
    """The tariff of the private copy levy: by kind of device, most gigabytes (None: no bound) and cents before VAT."""

    vat_bp: int
    bands: dict[str, list[tuple[int | None, int]]]


class CreditLaw(TypedDict):
    """The sentence beside every instalment, by language (L312-5)."""

    sentence: dict[str, str]


PortingKind = Literal["rio", "account", "number"]


class PlanNoticeLaw(TypedDict):
    """What is said of ending a plan, by language."""

    sentence: dict[str, str]
    source: NotRequired[str]


class VatLaw(TypedDict):
    """The standard rate, and what an invoice that states none says instead: the words and articles of the margin scheme, the
    articles for a small company."""

    standard_bp: int
    margin_words: NotRequired[str]
    margin_source: NotRequired[str]
    small_source: NotRequired[str]


class PortingLaw(TypedDict):
    """What the operator a number leaves asks for: a RIO, an account number with its transfer PIN, or the number alone."""

    asks: PortingKind


class Laws(TypedDict, total=False):
    """The bodies of the rules in force, by kind; a kind the market has no rule of is absent."""

    legal_guarantee: GuaranteeLaw
    withdrawal: WithdrawalLaw
    early_exit: ExitLaw
    copy_levy: LevyLaw
    credit_notice: CreditLaw
    porting: PortingLaw
    plan_notice: PlanNoticeLaw
    vat: VatLaw


class Guarantees(TypedDict):
    """The law's months of conformity and days of withdrawal; None where the market has none."""

    legal_months: int | None
    withdrawal_days: int | None


@remembered
def laws_on(database: Database, day: str) -> Laws:
    """Return the laws of a catalogue in force on `day` (`YYYY-MM-DD`)."""
    rows = database.execute("select law_id, kind, valid_from, valid_to, body from shown_law")
    return in_force(
        (
            {"law_id": law_id, "kind": kind, "valid_from": valid_from, "valid_to": valid_to, "body": read_body(body)}
            for law_id, kind, valid_from, valid_to, body in rows
        ),
        day,
    )


def in_force(laws: Iterable[dict[str, Any]], day: str) -> Laws:
    """Return the bodies of the law rows in force on `day`: valid_from ≤ day < valid_to, or no end.

    Where two of a kind overlap the one that began last wins, then the last by law_id.
    """
    known = [law for law in laws if law["valid_from"] <= day and (law["valid_to"] is None or day < law["valid_to"])]
    return cast(Laws, {law["kind"]: law["body"] for law in sorted(known, key=lambda law: (law["valid_from"], law["law_id"]))})


def guarantees(laws: Laws) -> Guarantees:
    """Return what the buyer of a device is told of: conformity (L217-3) and the right to withdraw (L221-18)."""
    conformity, withdrawal = laws.get("legal_guarantee"), laws.get("withdrawal")
    return {
        "legal_months": conformity["months"] if conformity else None,
        "withdrawal_days": withdrawal["days"] if withdrawal else None,
    }
