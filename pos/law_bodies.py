"""What the body of each kind of law row holds, as pages, totals and HQ read it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict

from pos.shapes import BasisPoints, Cents, Id, Months, Name, Shape, Texts

Band = Annotated[tuple[Id | None, Cents], Strict(strict=False)]  # JSON knows lists alone


class LegalGuarantee(Shape):
    """How long the seller answers for conformity, what a repair adds to it, and which model text of it a confirmation holds."""

    months: Annotated[int, Field(ge=1, le=120)]
    presumed_months: Annotated[int, Field(ge=1, le=120)] | None = None
    repair_adds_months: Annotated[int, Field(ge=0, le=120)] | None = None
    renewed_by_replacement: bool | None = None
    model_text: Literal["D211-2"] | None = None


class Withdrawal(Shape):
    """How long a buyer may change their mind."""

    days: Annotated[int, Field(ge=1, le=365)]


class EarlyExit(Shape):
    """What leaving early may cost at most."""

    rate_bp: BasisPoints
    from_month: Months


class Bands(Shape):
    """A tariff by capacity: the most gigabytes, or null, and the cents."""

    phone: Annotated[list[Band], Field(max_length=100)]
    tablet: Annotated[list[Band], Field(max_length=100)]


class CopyLevy(Shape):
    """The levy for private copies."""

    vat_bp: BasisPoints
    bands: Bands


class CreditSentence(Shape):
    """The sentence beside every instalment."""

    sentence: Texts


class Porting(Shape):
    """What the operator that a number leaves asks for."""

    asks: Literal["rio", "account", "number"]


class PlanLengths(Shape):
    """How long a plan may bind at most, and the longest that a shorter sibling of a longer one may bind."""

    most_months: Annotated[int, Field(ge=1, le=120)]
    sibling_months: Annotated[int, Field(ge=0, le=120)] | None = None


class PlanNotice(Shape):
    """What is said of ending a plan, by language."""

    sentence: Texts


class TaxDisplay(Shape):
    """Whether prices shown to consumers hold the taxes."""

    tax_included: bool


class PriorPrice(Shape):
    """Over how many days before a reduction the lowest price is the one it is compared with."""

    days: Annotated[int, Field(ge=1, le=365)]


class ForbiddenWords(Shape):
    """What no text may say of a used device."""

    words: Annotated[list[Name], Field(min_length=1, max_length=500)]


class Vat(Shape):
    """The standard rate, and what an invoice that states none says instead: on the margin, of a small company."""

    standard_bp: BasisPoints
    margin_words: Name | None = None
    margin_source: Name | None = None
    small_source: Name | None = None


class SalesTax(Shape):
    """What is added to prices that hold no tax: parts per million, where a ZIP code begins so."""

    zip_prefix: Annotated[str, Field(pattern="^[0-9]{1,5}$")]
    rate_ppm: Annotated[int, Field(ge=0, le=250_000)]


LAW_BODIES: dict[str, type[Shape]] = {
    "legal_guarantee": LegalGuarantee,
    "withdrawal": Withdrawal,
    "early_exit": EarlyExit,
    "copy_levy": CopyLevy,
    "credit_notice": CreditSentence,
    "forbidden_words": ForbiddenWords,
    "vat": Vat,
    "sales_tax": SalesTax,
    "porting": Porting,
    "plan_lengths": PlanLengths,
    "plan_notice": PlanNotice,
    "tax_display": TaxDisplay,
    "prior_price": PriorPrice,
}
"""What the law rows hold that pages and totals read, by kind; a kind we do not know yet is carried as it is."""
