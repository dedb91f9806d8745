"""The shapes of the rows HQ publishes and kiosks read: what each must hold so that every page can show it.

A kiosk joins the columns of a row with its body and judges them together (`wrong_in_row`). What HQ asks of a feed beyond this
is in `marketplace.feeds.shapes`. What HQ adds later is optional here, or what it published before would be left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError
from pydantic_core import PydanticCustomError

from pos.law_bodies import LAW_BODIES
from pos.shapes import (
    Amount,
    BothTexts,
    Cents,
    Currency,
    Day,
    HexColor,
    Id,
    Key,
    Months,
    Name,
    Names,
    Phrase,
    Price,
    Rank,
    Sha256,
    Shape,
    SkuCode,
    Texts,
    Web,
    Word,
    Year,
    reasons,
)

MOST_SPECS = 60
MOST_MEDIUM_BYTES = 300_000
GRADE_RANKS = 8
"""As many grades as the lists of a kiosk have marks for."""

Spec = Annotated[Name | bool | Annotated[int, Field(ge=-(10**9), le=10**9)] | Names | None, Field(union_mode="left_to_right")]


class NewPriceFact(Shape):
    """What a model cost when new, seen at a named place on a day."""

    cents: Price
    currency: Currency
    source: Name
    observed_on: Day


class Color(Shape):
    """A device's colour."""

    code: Name | None = None
    hex: HexColor | None
    name: Names


class Specs(Shape):
    """Specifications: those in numbers that pages reckon with; any other is a number, a yes or no, or a short text.

    `source` names who publishes them, and `checked_on` the day they were taken from it.
    """

    __pydantic_extra__: dict[Name, Spec] = Field(init=False)

    screen_tenths_in: Amount | None = None
    storage_gb: Amount | None = None
    ram_gb: Amount | None = None
    main_mp: Amount | None = None
    lenses: Amount | None = None
    battery_mah: Amount | None = None
    battery_wh: Amount | None = None
    case_mm: Amount | None = None
    water_m: Amount | None = None
    runtime_h: Amount | None = None
    refresh_hz: Amount | None = None
    hdmi_ports: Amount | None = None
    pressure_bar: Amount | None = None
    tank_ml: Amount | None = None
    power_w: Amount | None = None
    capacity_l: Amount | None = None
    turntable_mm: Amount | None = None
    bowl_ml: Amount | None = None
    speeds: Amount | None = None
    suction_aw: Amount | None = None
    runtime_min: Amount | None = None
    bin_ml: Amount | None = None
    charge_min: Amount | None = None
    length_max_mm: Amount | None = None
    megapixels: Amount | None = None
    weight_g: Amount | None = None
    year: Year | None = None
    updates_until: Year | None = None
    source: Name | None = None
    checked_on: Day | None = None


def _few(specs: Specs) -> Specs:
    if len(specs.model_fields_set) > MOST_SPECS:
        raise PydanticCustomError("specs", "more than {most}", {"most": MOST_SPECS})
    return specs


CheckedSpecs = Annotated[Specs, AfterValidator(_few)]


class SkuRow(Shape):
    """A buyable model."""

    sku_id: Id
    sku: SkuCode
    category_id: Key
    brand: Name
    model: Name
    storage_gb: Id | None
    year: Year | None
    color: Color | None = None
    specs: CheckedSpecs = Field(default_factory=Specs)
    weight_g: Id | None = None
    updates_until: Year | None = None
    new_price: NewPriceFact | None = None
    words: Phrase = ""


class GradeRow(Shape):
    """A class of looks."""

    grade_id: Id
    rank: Annotated[int, Field(ge=1, le=GRADE_RANKS)]
    code: Name
    battery_min_pct: Annotated[int, Field(ge=0, le=100)]
    name: Names
    screen: Texts
    body: Texts
    parts: Texts


class Co2Fact(Shape):
    """The emissions a refurbished device avoids, by year of use, with their source."""

    grams_per_year: Amount
    years: Annotated[int, Field(ge=1, le=50)]
    source: Name


class CategoryRow(Shape):
    """A kind of device."""

    category_id: Key
    rank: Rank
    form: Word
    name: Names
    levy: Literal["phone", "tablet"] | None
    co2: Co2Fact | None
    compare: Annotated[list[Name], Field(max_length=MOST_SPECS)]


class SellerRow(Shape):
    """A vetted refurbishing company."""

    seller_id: Id
    name: Name
    legal_name: Name
    city: Name


class PartnerRow(Shape):
    """The carrier or brand whose store a corner stands in, or whose entry of the shop a visitor came by.

    `color` is the one its other colours are made from; `categories` are all it shows there, every one where none is named.
    """

    partner_id: Key
    name: Name
    color: HexColor | None = None
    categories: Annotated[list[Key], Field(max_length=100, default_factory=list)]


class Summary(Shape):
    """The contract summary of a plan, as a file that is told by its hash."""

    url: Web
    version: Name
    sha256: Sha256


class PlanRow(Shape):
    """A carrier's tariff."""

    plan_id: Id
    partner_id: Key
    rank: Rank
    name: Names
    data_gb: Amount
    data_eu_gb: Amount | None = None
    network: Name | None = None
    speed_after: Texts | None = None
    tax_note: Texts | None = None
    fictitious: bool = False
    monthly_cents: Cents
    promo_monthly_cents: Cents | None
    promo_months: Months
    commitment_months: Months
    activation_cents: Cents
    exit_fee_cents: Cents
    device_discount_cents: Cents
    min_device_cents: Cents
    refund_cents: Cents
    refund_deadline_days: Annotated[int, Field(ge=0, le=730)]
    instalment_months: Months
    deposit_cents: Cents
    acquisitions: Annotated[list[Literal["new", "port", "renewal"]], Field(min_length=1, max_length=3)]
    max_devices: Annotated[int, Field(ge=0, le=99)]
    summary: Summary


class OptionRow(Shape):
    """Something added to a line."""

    option_id: Id
    rank: Rank
    kind: Word
    name: Names
    detail: Texts
    one_off_cents: Cents
    monthly_cents: Cents
    commitment_months: Months
    needs_plan: bool
    needs_device: bool
    categories: Annotated[list[Key], Field(max_length=500)] | None


class LawRow(Shape):
    """A rule of a market and when it holds; `body` by its kind (`LAW_BODIES`)."""

    law_id: Key
    kind: Word
    valid_from: Day
    valid_to: Day | None
    body: dict[str, Any]


class MediumRow(Shape):
    """A drawing or picture."""

    media_id: Id
    sku_id: Id | None = None
    category_id: Key | None = None
    kind: Literal["drawing", "picture"]
    rank: Rank
    sha256: Sha256
    length: Annotated[int, Field(ge=1, le=2**53)]
    type: Literal["image/svg+xml", "image/png", "image/jpeg", "image/webp"]
    width: Annotated[int, Field(ge=1, le=100_000)]
    height: Annotated[int, Field(ge=1, le=100_000)]
    alt: BothTexts
    credit: Name


ROWS: dict[str, type[Shape]] = {
    "law": LawRow,
    "partner": PartnerRow,
    "grade": GradeRow,
    "category": CategoryRow,
    "seller": SellerRow,
    "sku": SkuRow,
    "media": MediumRow,
    "plan": PlanRow,
    "option": OptionRow,
}
"""The shape of each published table whose rows have a body."""


def wrong_in_row(table: str, columns: Sequence[str], row: Sequence[Any]) -> str:
    """Return what of a published row pages could not show, in plain words; empty when all is well.

    `columns` names the values of `row`; those of a table without a body are judged where they are used.
    """
    facts = dict(zip(columns, row, strict=True))
    try:
        body = json.loads(facts.pop("body"))
    except (ValueError, RecursionError):
        return "body: not JSON"
    if not isinstance(body, dict):
        return "body: not an object"
    whole = {**facts, "body": body} if table == "law" else {**body, **facts}
    wrong = next(wrong_in(ROWS[table], whole), None)
    return ": ".join(wrong) if wrong else ""


def wrong_in(shape: type[Shape], value: Any) -> Iterator[tuple[str, str]]:
    """Yield the field and the reason of everything in `value` that is not of this shape; a law is judged by its kind too."""
    try:
        judged = shape.model_validate(value)
    except ValidationError as problem:
        yield from reasons(problem)
        return
    if isinstance(judged, LawRow) and judged.kind in LAW_BODIES:
        yield from ((f"body.{field}", reason) for field, reason in wrong_in(LAW_BODIES[judged.kind], judged.body))
