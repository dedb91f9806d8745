"""The shapes of a feed's rows: what a kiosk needs of each (`pos.rows`), and what HQ asks for beyond it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError
from stdnum import ean
from stdnum.exceptions import ValidationError as NotAnEan

from pos import rows
from pos.business_days import DAY_BEGINS_HOUR
from pos.corner_document import Clerks, DayBegins, Planogram
from pos.currencies import DECIMALS
from pos.languages import LANGUAGES
from pos.panels import PanelName
from pos.shapes import (
    LINES,
    LONGEST_NAME,
    POST_CODE,
    BothTexts,
    Currency,
    FileName,
    HexColor,
    Id,
    Key,
    Name,
    Rank,
    Ring,
    Sha256,
    Shape,
    TimeZone,
    Year,
)

HOURS_OF_A_YEAR = 8_784


def _ean_13(text: str) -> str:
    try:
        if len(ean.validate(text)) == 13:
            return text
    except NotAnEan:
        raise PydanticCustomError("ean", "EAN check digit does not hold") from None
    raise PydanticCustomError("ean", "not an EAN of 13 digits")


def _slips_can_name(currency: str) -> str:
    if currency not in DECIMALS:
        raise PydanticCustomError(
            "currency", "{currency} is none of {known}", {"currency": currency, "known": ", ".join(DECIMALS)}
        )
    return currency


def _known_language(language: str) -> str:
    if language not in LANGUAGES:
        # Half a character, or a book, is no name to repeat.
        named = language[:16].encode("ascii", "backslashreplace").decode()
        raise PydanticCustomError("language", "{language} is none of {known}", {"language": named, "known": ", ".join(LANGUAGES)})
    return language


Ean = Annotated[str, AfterValidator(_ean_13)]
SlipCurrency = Annotated[Currency, AfterValidator(_slips_can_name)]
Rate = Annotated[int, Field(ge=0, le=10_000)]
Language = Annotated[str, AfterValidator(_known_language)]
PostCode = Annotated[str, StringConstraints(pattern=POST_CODE)]


class FeedMarket(Shape):
    """A market of the feed's header.

    `post_codes` are written with 9 for a digit and A for a letter; without them an address may have any.
    """

    currency: SlipCurrency
    languages: Annotated[list[Language], Field(min_length=1)]
    tax_included: bool
    post_codes: Annotated[list[PostCode], Field(min_length=1, max_length=10)] | None = None
    address_example: Annotated[str, StringConstraints(max_length=LONGEST_NAME, pattern=LINES)] | None = None


class FeedHeader(Shape):
    """The feed's header: what it is called, and its markets by name."""

    format: Literal["comptoir-feed/1"]
    name: Name
    markets: Annotated[dict[str, FeedMarket], Field(min_length=1, max_length=100)]


class FeedNewPrice(rows.NewPriceFact):
    """What a model cost when new, in a currency that is known."""

    currency: SlipCurrency


class FeedSku(rows.SkuRow):
    """A SKU as sent: everything said, null where there is none."""

    color: rows.Color | None
    specs: rows.CheckedSpecs
    ean: Ean
    weight_g: Id | None
    updates_until: Year | None
    new_price: FeedNewPrice | None


class Metrics(Shape):
    """How a seller works, in basis points of its orders and in hours."""

    cancel_bp: Rate
    defect_bp: Rate
    late_bp: Rate
    reply_h: Annotated[int, Field(ge=0, le=HOURS_OF_A_YEAR)]


class FeedSeller(rows.SellerRow):
    """A seller as sent."""

    country: Name
    status: Literal["active", "suspended"]
    metrics: Metrics


class FeedPartner(rows.PartnerRow):
    """A partner as sent."""

    kind: Literal["carrier", "prepaid_carrier", "brand", "own_store"]
    market: Key
    phone: Name
    color: HexColor


class FeedPlan(rows.PlanRow):
    """A plan as sent."""

    market: Key
    commitment_months: Literal[0, 12, 24]
    instalment_months: Literal[0, 24, 36]


class FeedOption(rows.OptionRow):
    """An option as sent."""

    market: Key
    kind: Literal["repair", "insurance", "data", "accessory", "esim", "tel"]


class FeedLaw(rows.LawRow):
    """A law as sent."""

    market: Key
    source: Name


class FeedMedium(Shape):
    """A medium as sent: the row beside its file."""

    media_id: Id
    sku_id: Id | None = None
    category_id: Key | None = None
    kind: Literal["drawing", "picture"]
    rank: Rank
    file: FileName
    sha256: Sha256 | None = None
    alt: BothTexts
    credit: Name


class FeedCorner(Shape):
    """A corner as sent; its kiosk is told more (`pos.corners.CornerDocument`)."""

    corner_id: Key
    corner_no: Id
    name: Name
    city: Name
    market: Key
    partner_id: Key
    time_zone: TimeZone
    day_begins_hour: DayBegins = DAY_BEGINS_HOUR
    phone: Name
    support_phone: Name | None = None
    languages: Annotated[list[Language], Field(min_length=1)]
    paper_mm: Literal[80, 58]
    panel: PanelName | None = None
    ring: Ring
    planogram: Planogram
    clerks: Clerks


FEED_ROWS: dict[str, type[Shape]] = {
    "grades": rows.GradeRow,
    "categories": rows.CategoryRow,
    "skus": FeedSku,
    "media": FeedMedium,
    "sellers": FeedSeller,
    "partners": FeedPartner,
    "plans": FeedPlan,
    "options": FeedOption,
    "laws": FeedLaw,
    "corners": FeedCorner,
}
"""The shape of the rows of each readable file; the first field of each is its key. Judge with `pos.rows.wrong_in`."""
