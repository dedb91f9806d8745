"""Declared shapes of JSON that comes in: the kinds a field may be of, and what is wrong with one in plain words.

Every shape is strict: a number written as text is no number, and true is none either. What a shape does not name is carried, as
long as it can be stored and shown. Importing pydantic takes a tenth of a second and 19 MB: who judges nothing does without.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from pos.currencies import MOST_CENTS

MOST_ID = 2**31 - 1
MOST_AMOUNT = 10_000_000
LONGEST_NAME = 160
LONGEST_SENTENCE = 2_000
MOST_CARRIED_BYTES = 16_384
"""What a row may hold beside the fields we know, as JSON."""

UNSEEN = "\u2028\u2029\u202a-\u202e\u2066-\u2069\u115f\u1160\u3164\uffa0"
"""Separators of lines and paragraphs, the signs that turn the direction of all that follows, and letters that show nothing."""
SEEN = r"[\p{L}\p{N}\p{P}\p{S}--[\u115f\u1160\u3164\uffa0]]"
# One sign at least that is seen; on one line, or over several as a sentence may run.
ONE_LINE = rf"^[^\x00-\x1f\x7f-\x9f{UNSEEN}]*{SEEN}[^\x00-\x1f\x7f-\x9f{UNSEEN}]*$"
LINES = rf"^[^\x00-\x08\x0b-\x1f\x7f-\x9f{UNSEEN}]*{SEEN}[^\x00-\x08\x0b-\x1f\x7f-\x9f{UNSEEN}]*$"
UNPRINTABLE = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff{UNSEEN}]")
NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f]*$"
KEY = r"^[a-z0-9][a-z0-9-]{0,63}$"
WORD = r"^[a-z][a-z0-9_]{0,39}$"
LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
HEX_COLOR = r"^#[0-9A-Fa-f]{6}$"
HEX_256 = r"^[0-9a-f]{64}$"
WEB = r"^https?://[^\s\"<>]{4,500}$"
CURRENCY = r"^[A-Z]{3}$"
POST_CODE = r"^[9A][9A -]{1,10}[9A]$"
FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$"
SKU_CODE = r"^[A-Z0-9][A-Z0-9.+_-]{0,95}$"

WORDS_OF_PATTERNS = {
    ONE_LINE: "empty, or with a line break or an invisible sign",
    LINES: "empty, or with an invisible sign",
    NO_CONTROLS: "with a control character",
    KEY: "not lower-case letters, digits and hyphens, at most 64",
    WORD: "not lower-case letters, digits and underscores, at most 40",
    LANGUAGE: "not a language",
    HEX_COLOR: "not a colour as #rrggbb",
    HEX_256: "not a sha256",
    WEB: "not a web address",
    CURRENCY: "not a currency code",
    POST_CODE: "not a post code's signs, as 99999: 9 for a digit, A for a letter",
    FILE_NAME: "not a plain file name",
    SKU_CODE: "not a SKU code",
}
WORDS = {
    "missing": "missing",
    "int_type": "not a whole number",
    "bool_type": "not true or false",
    "string_type": "not a text",
    "string_unicode": "half a character",
    "dict_type": "not an object",
    "model_type": "not an object",
    "list_type": "not a list",
    "too_short": "fewer than {min_length}",
    "too_long": "more than {max_length}",
    "string_too_long": "longer than {max_length} characters",
    "string_too_short": "shorter than {min_length} characters",
    "greater_than_equal": "less than {ge}",
    "less_than_equal": "more than {le}",
    "literal_error": "not one of {expected}",
}
"""Reasons by the type of pydantic's error; one that is not here says it in its own words."""


def _real_day(text: str) -> str:
    try:
        if len(text) == 10:
            date.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise PydanticCustomError("day", "not a day as YYYY-MM-DD")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise PydanticCustomError("time_zone", "unknown time zone") from None
    return name


def _storable(value: Any) -> Any:
    if isinstance(value, str) and len(value) <= LONGEST_SENTENCE and not UNPRINTABLE.search(value):
        return value
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (ValueError, RecursionError):
        raise PydanticCustomError("carried", "cannot be stored") from None
    if len(text) > MOST_CARRIED_BYTES:
        raise PydanticCustomError("carried", "too much")
    if UNPRINTABLE.search(text) or not _is_whole(value):
        raise PydanticCustomError("carried", "an invisible sign, half a character or a number out of range")
    return value


def _is_whole(value: Any) -> bool:
    """Tell whether every number in a JSON value can be stored: whole, and within what a column holds."""
    if isinstance(value, list | dict):
        return all(_is_whole(each) for each in (value.values() if isinstance(value, dict) else value))
    return not isinstance(value, float) and (type(value) is not int or -(2**53) <= value <= 2**53)


def _any_text(texts: dict[str, str]) -> dict[str, str]:
    if not texts:
        raise PydanticCustomError("texts", "not a text by language")
    return texts


def _both_texts(texts: dict[str, str]) -> dict[str, str]:
    if not {"fr", "en"} <= texts.keys():
        raise PydanticCustomError("texts", "needs fr and en")
    return texts


def _code(pattern: str) -> StringConstraints:
    return StringConstraints(pattern=pattern)


Carried = Annotated[Any, AfterValidator(_storable)]
Id = Annotated[int, Field(ge=1, le=MOST_ID)]
Rank = Annotated[int, Field(ge=1, le=MOST_ID)]
Cents = Annotated[int, Field(ge=0, le=MOST_CENTS)]
Price = Annotated[int, Field(ge=1, le=MOST_CENTS)]
BasisPoints = Annotated[int, Field(ge=0, le=10_000)]
Months = Annotated[int, Field(ge=0, le=120)]
Year = Annotated[int, Field(ge=1970, le=2100)]
Amount = Annotated[int, Field(ge=0, le=MOST_AMOUNT)]
"""How much of anything that is counted or measured."""
Name = Annotated[str, StringConstraints(max_length=LONGEST_NAME, pattern=ONE_LINE)]
Sentence = Annotated[str, StringConstraints(max_length=LONGEST_SENTENCE, pattern=LINES)]
Phrase = Annotated[str, StringConstraints(max_length=500, pattern=NO_CONTROLS)]
"""Words to search for, or none."""
Texts = Annotated[dict[Annotated[str, _code(LANGUAGE)], Sentence], Field(max_length=40), AfterValidator(_any_text)]
Names = Annotated[dict[Annotated[str, _code(LANGUAGE)], Name], Field(max_length=40), AfterValidator(_any_text)]
BothTexts = Annotated[Texts, AfterValidator(_both_texts)]
Key = Annotated[str, _code(KEY)]
Word = Annotated[str, _code(WORD)]
FileName = Annotated[str, _code(FILE_NAME)]
SkuCode = Annotated[str, _code(SKU_CODE)]
HexColor = Annotated[str, _code(HEX_COLOR)]
Sha256 = Annotated[str, _code(HEX_256)]
Web = Annotated[str, _code(WEB)]
Currency = Annotated[str, _code(CURRENCY)]
Day = Annotated[str, AfterValidator(_real_day)]
TimeZone = Annotated[str, AfterValidator(_known_zone)]
Ring = Literal["canary", "early", "stable"]


class Shape(BaseModel):
    """A JSON object with the fields of the class, strictly of their kinds, and others that are carried as they are."""

    model_config = ConfigDict(strict=True, extra="allow", regex_engine="rust-regex")
    __pydantic_extra__: dict[Name, Carried] = Field(init=False)


def reasons(problem: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield the field and the reason in plain words of everything that is wrong; parts of a field are joined by dots."""
    for error in problem.errors(include_url=False, include_input=False):
        place = ".".join(str(part) for part in error["loc"] if not _is_branch(part))
        yield place[:LONGEST_NAME] or "line", _reason(error)


def _is_branch(part: int | str) -> bool:
    """Tell whether a part of a place names an alternative among kinds, which means nothing to whoever mends the field."""
    return isinstance(part, str) and ("[" in part or part in ("int", "bool", "str", "constrained-str"))


def _reason(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    if error["type"] == "string_pattern_mismatch":
        return WORDS_OF_PATTERNS.get(context["pattern"], "not of the known form")
    words = WORDS.get(error["type"])
    return words.format(**context) if words else error["msg"]
