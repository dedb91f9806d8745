"""The bodies of published rows as pages read them, each text read once: a market has few plans, grades and sellers.

Invariant: the text itself is the key, so a row that changes is read anew. `pos.rows` judges that a body is of its shape; more may
stand in it. Texts for people are by language.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Literal, NotRequired, TypedDict

Names = dict[str, str]
"""A text by language."""
Acquisition = Literal["new", "port", "renewal"]
"""How the number of a plan comes: a new one, one ported from another operator, or that of a customer already."""


class GradeBody(TypedDict):
    """A class of looks: what screen, body and parts are like."""

    code: str
    battery_min_pct: int
    name: Names
    screen: Names
    body: Names
    parts: Names


class SellerBody(TypedDict):
    """A refurbishing company."""

    name: str
    legal_name: str
    city: str


class Co2Figure(TypedDict):
    """The emissions a refurbished device avoids in each year of use."""

    grams_per_year: int
    years: int
    source: str


class CategoryBody(TypedDict):
    """A kind of device; `compare` names the specifications worth comparing, in their order."""

    form: str
    name: Names
    levy: Literal["phone", "tablet"] | None
    co2: Co2Figure | None
    compare: list[str]


class SummaryFacts(TypedDict):
    """The contract summary of a plan: where it is, and the hash of the version meant."""

    url: str
    version: str
    sha256: str


class ColorBody(TypedDict):
    """A device's colour."""

    code: NotRequired[str | None]
    hex: str | None
    name: Names


class SkuBody(TypedDict):
    """A buyable model, as HQ's rows have it whole."""

    sku: str
    category_id: str
    brand: str
    model: str
    storage_gb: int | None
    year: int | None
    color: NotRequired[ColorBody | None]


class PlanBody(TypedDict):
    """A carrier's tariff; its figures are read by `pos.totals.PlanTerms`."""

    partner_id: str
    rank: int
    name: Names
    data_gb: int
    data_eu_gb: NotRequired[int | None]
    network: NotRequired[str | None]
    speed_after: NotRequired[Names | None]
    tax_note: NotRequired[Names | None]
    fictitious: NotRequired[bool]
    monthly_cents: int
    promo_monthly_cents: int | None
    promo_months: int
    commitment_months: int
    activation_cents: int
    exit_fee_cents: int
    device_discount_cents: int
    min_device_cents: int
    refund_cents: int
    refund_deadline_days: int
    instalment_months: int
    deposit_cents: int
    acquisitions: list[Acquisition]
    max_devices: int
    summary: SummaryFacts


class OptionBody(TypedDict):
    """Something added to a line; its figures are read by `pos.totals.OptionTerms`."""

    kind: str
    name: Names
    detail: Names
    one_off_cents: int
    monthly_cents: int
    commitment_months: int
    needs_plan: bool
    needs_device: bool
    categories: list[str] | None


@lru_cache(maxsize=1024)
def read_body(text: str) -> Any:
    """Return the JSON object `text`, shared by everybody who reads the same text: nobody changes it.

    For rows that are few. The bodies of SKUs are many and large, and would only push these out.
    """
    return json.loads(text)
