"""What the fleet sends, as declared shapes: the envelope of an uplink, its events and their bodies, the request of an enrolment.

Fields that no shape names are left alone, since a newer kiosk may send more; a field that one names is of that kind or the
message is none. What docs/protocol.md lets be absent is absent here too.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from pos import clock
from pos.business_days import DAY_BEGINS_HOUR, HOUR_KEY, LATEST_HOUR
from pos.corner_document import TagNumber
from pos.errors import Invalid
from pos.shapes import Day, Sha256, TimeZone, reasons
from pos.tokens import MAX_LINES, MAX_NUMBER
from sync.documents import storable_text
from sync.messages import MAX_EVENTS

MOST_SEQ = 2**53
LONGEST_KIND = 40
MOST_FIGURES = 10_000

S = TypeVar("S", bound=BaseModel)


def _mended(value: Any) -> Any:
    """Return an event's text such that it can be stored: what it says is for its judge."""
    return storable_text(value) if isinstance(value, str) else value


def _moment(value: str) -> str:
    if not clock.is_text(value):
        raise ValueError("not a time")
    return value


Text = Annotated[str, StringConstraints(max_length=200, pattern="^[^\\x00]*$")]
Hashed = Annotated[str, BeforeValidator(_mended)]
KeyId = Annotated[str, StringConstraints(pattern="^[0-9a-f]{8}$")]
Counter = Annotated[int, Field(ge=1, le=MAX_NUMBER)]
Whole = Annotated[int, Field(ge=0, le=MAX_NUMBER)]
Moment = Annotated[str, AfterValidator(_moment)]


class Message(BaseModel):
    """A JSON object as it must come: no number for a text, no text for a number."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class EnrolmentRequest(Message):
    """A code and the key that wants to become a corner's device."""

    format: Literal["comptoir-enrolment/1"] = "comptoir-enrolment/1"
    code: Text
    public_key: Text


class Uplink(Message):
    """The envelope of events and heartbeat; what stands in the heartbeat never counts against the events."""

    format: Literal["comptoir-up/1"]
    corner_id: str
    stream: str
    events: Annotated[list[Any], Field(max_length=MAX_EVENTS)]
    heartbeat: Any = None


class SentEvent(Message):
    """One event's place in the chain, with the text that was hashed: only what the place rests on must be in order.

    Anything else that is odd about it is for the judge to say.
    """

    seq: Annotated[int, Field(ge=1, le=MOST_SEQ)]
    kind: Annotated[Hashed, AfterValidator(lambda kind: kind[:LONGEST_KIND])]
    body: Hashed
    sha256: Sha256
    prev: Sha256
    recorded_at: Annotated[str | None, BeforeValidator(lambda said: said if clock.is_text(said) else None)] = None


class Facts(Message):
    """Of a slip's frozen facts, what HQ reckons from: `pos.totals` reads the figures themselves."""

    totals: dict[str, Any]
    lines: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_LINES)]


class SlipIssued(Message):
    """A slip with its token and everything it said."""

    number: Text
    key_id: KeyId
    counter: Counter
    digits: str
    facts: Facts
    clerk_id: Text | None = None


class SlipVoided(Message):
    """A slip that a clerk voided."""

    key_id: KeyId
    counter: Counter
    reason: Text
    voided_at: Moment
    number: Text | None = None
    clerk_id: Text | None = None


class SlipPrinted(Message):
    """A copy of a slip that was printed, or may have been."""

    number: Text | None = None
    copy_no: Whole | None = None
    state: Text | None = None


class DemoChecked(Message):
    """A demo device that a clerk saw, or missed."""

    position: Text | None = None
    sku_id: Whole | None = None
    state: Text | None = None
    clerk_id: Text | None = None
    checked_at: Moment | None = None


class CounterActed(Message):
    """Something a clerk did that somebody may ask about."""

    act: Text
    clerk_id: Text | None = None
    subject: Text | None = None
    at: Moment | None = None


class LabelConfirmed(Message):
    """A shelf label that was seen at its place; a print's number counts from 1 at each kiosk."""

    label_no: Whole | None = None
    position: Text | None = None
    sku_id: Whole | None = None
    price_cents: Whole | None = None
    clerk_id: Text | None = None
    confirmed_at: Moment | None = None


class DemoDeviceNoted(Message):
    """What a clerk noted of a demo device, and how the device is after it."""

    demo_id: TagNumber
    sku_id: Whole | None = None
    planned: Text | None = None
    position: Text | None = None
    kind: Text
    detail: Text | None = None
    clerk_id: Text
    at: Moment
    state: Literal["unknown", "present", "reserve", "missing", "loaned", "stolen"]
    place: Text | None = None
    since: Moment | None = None
    seen_at: Moment | None = None
    seen_by: Text | None = None
    back_by: Day | None = None
    battery: Whole | None = None
    damage: Text | None = None


class DemoRoundEnded(Message):
    """A round of the table, as it ended: how many devices were how."""

    kind: Literal["opening", "closing"]
    begun_at: Moment
    begun_by: Text
    ended_at: Moment
    ended_by: Text
    right: Whole
    elsewhere: Whole
    missing: Whole
    unseen: Whole
    away: Whole


class ClerkChanged(Message):
    """Whom a corner's manager added, suspended, let work again or gave another code: the whole entry, as changed.

    Its counts leave HQ room to change it once more.
    """

    clerk_id: Text
    name: Text
    role: Literal["clerk"]
    state: Literal["active", "suspended"]
    change_no: Annotated[int, Field(ge=1, le=2**30)]
    reset_no: Annotated[int, Field(ge=0, le=2**30)]
    code_hash: Annotated[str, StringConstraints(max_length=300)]
    changed_by: Text
    changed_at: Moment


class FigureTold(Message):
    """One count of a day's figure (`pos.day_reports.FigureRow`)."""

    figure: Text
    key: Text
    name: Annotated[dict[Text, Text], Field(max_length=10)] = Field(default_factory=dict)
    value: Whole
    voided: Whole | None = None

    @model_validator(mode="after")
    def _check_hour(self) -> FigureTold:
        if self.figure == "slips_by_hour" and not HOUR_KEY.fullmatch(self.key):
            raise ValueError("not an hour")
        return self


class DayTold(Message):
    """A business day of the corner that ended, as its kiosk counted it (`pos.told_days.ToldDay`)."""

    day: Day
    edition: Counter
    time_zone: TimeZone
    day_begins_hour: Annotated[int, Field(ge=0, le=LATEST_HOUR)] = DAY_BEGINS_HOUR
    from_at: Moment
    until_at: Moment
    counted_at: Moment
    figures: Annotated[list[FigureTold], Field(max_length=MOST_FIGURES)]


class Stub(Message):
    """What comes in the place of an event that stays at its kiosk."""

    set_aside: Text
    size: Annotated[int, Field(alias="bytes", ge=0)]


BODIES: Mapping[str, type[Message]] = MappingProxyType(
    {
        "slip_issued": SlipIssued,
        "slip_voided": SlipVoided,
        "slip_printed": SlipPrinted,
        "demo_checked": DemoChecked,
        "counter_act": CounterActed,
        "label_confirmed": LabelConfirmed,
        "demo_device_noted": DemoDeviceNoted,
        "demo_round_ended": DemoRoundEnded,
        "clerk_changed": ClerkChanged,
        "day_report": DayTold,
    }
)


def read(shape: type[S], said: Any) -> S:
    """Return what was said in its shape. Raises: Invalid, naming the first field that is not as declared."""
    try:
        return shape.model_validate(said)
    except ValidationError as problem:
        place, reason = next(reasons(problem))
        raise Invalid(f"{place}: {reason}" if isinstance(said, dict) else reason, field=place) from problem
