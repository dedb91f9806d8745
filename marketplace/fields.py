"""What each field of a feed's readable files may hold: one check per field, each with a reason in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from stdnum import ean
from stdnum.exceptions import ValidationError

from marketplace.problems import NotInOrder
from pos.currencies import DECIMALS
from pos.languages import LANGUAGES

MOST_ID = 2**31 - 1
UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
Check = Callable[[Any], None]


def whole(least: int = 0, most: int = MOST_ID) -> Check:
    """Return a check for an integer in this range."""

    def check(value: Any) -> None:
        if type(value) is not int:
            raise NotInOrder("not a whole number")
        if not least <= value <= most:
            raise NotInOrder(f"not between {least} and {most}")

    return check


def maybe(inner: Check) -> Check:
    """Return a check that also accepts null."""

    def check(value: Any) -> None:
        if value is not None:
            inner(value)

    return check


def choice(*values: object) -> Check:
    """Return a check for one of these values."""

    def check(value: Any) -> None:
        if isinstance(value, list | dict) or value not in values:
            raise NotInOrder(f"not one of {', '.join(str(each) for each in values)}")

    return check


def kind(expected: type, words: str) -> Check:
    """Return a check for a JSON type."""

    def check(value: Any) -> None:
        if not isinstance(value, expected):
            raise NotInOrder(f"not {words}")

    return check


def pattern(expression: str, words: str) -> Check:
    """Return a check for a text of this shape."""
    shape = re.compile(expression, re.ASCII)

    def check(value: Any) -> None:
        if not isinstance(value, str) or not shape.fullmatch(value):
            raise NotInOrder(f"not {words}")

    return check


def word(value: Any) -> None:
    """Check a text with something in it."""
    if not isinstance(value, str) or not value.strip():
        raise NotInOrder("empty or not a text")


def plain(value: Any) -> None:
    """Check that every text in a JSON value can be stored and shown: no lone surrogate, no control character."""
    if isinstance(value, str):
        if UNPRINTABLE.search(value):
            raise NotInOrder("a control character or half a character")
    elif isinstance(value, list):
        for each in value:
            plain(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            plain(name)
            plain(each)


def parts(**checks: Check) -> Check:
    """Return a check for an object with these fields, and perhaps others."""

    def check(value: Any) -> None:
        OBJECT(value)
        for name, inner in checks.items():
            try:
                inner(value.get(name))
            except NotInOrder as problem:
                raise NotInOrder(f"{name}: {problem}") from None

    return check


def each(inner: Check, *, least: int = 0) -> Check:
    """Return a check for a list of such values, `least` of them at least."""

    def check(value: Any) -> None:
        LIST(value)
        if len(value) < least:
            raise NotInOrder(f"fewer than {least}")
        for one in value:
            inner(one)

    return check


def texts(value: Any) -> None:
    """Check a text by language."""
    if not isinstance(value, dict) or not value or not all(isinstance(each, str) and each.strip() for each in value.values()):
        raise NotInOrder("not a text by language")


def both_texts(value: Any) -> None:
    """Check a text in French and in English."""
    texts(value)
    if not {"fr", "en"} <= value.keys():
        raise NotInOrder("needs fr and en")


def ean_13(value: Any) -> None:
    """Check an EAN-13 and its check digit."""
    try:
        if len(ean.validate(value)) != 13:
            raise NotInOrder("not an EAN of 13 digits")
    except (ValidationError, TypeError):
        raise NotInOrder("EAN check digit does not hold") from None


def time_zone(value: Any) -> None:
    """Check a time zone by name."""
    try:
        ZoneInfo(value)
    except (TypeError, ValueError, OSError, KeyError):
        raise NotInOrder("unknown time zone") from None


def currency(value: Any) -> None:
    """Check a currency that slips can name."""
    CURRENCY_CODE(value)
    if value not in DECIMALS:
        raise NotInOrder(f"{value} is none of {', '.join(DECIMALS)}")


def clerks(value: Any) -> None:
    """Check that clerks come with a name and a hashed PIN, never a PIN."""
    if not isinstance(value, list):
        raise NotInOrder("not a list")
    for each in value:
        if not isinstance(each, dict) or not each.get("clerk_id") or not each.get("name"):
            raise NotInOrder("a clerk has clerk_id, name and pin_hash")
        if not str(each.get("pin_hash", "")).startswith("$argon2id$"):
            raise NotInOrder("pin_hash is not argon2id")


def _band(value: Any) -> None:
    """Check one step of a tariff by capacity: the most gigabytes or null, and the cents."""
    if not isinstance(value, list) or len(value) != 2:
        raise NotInOrder("a band is a capacity and an amount")
    maybe(ID)(value[0])
    CENTS(value[1])


ID = whole(1)
NAME = pattern(r"[a-z0-9][a-z0-9-]{0,63}", "lower-case letters, digits and hyphens")
CENTS = whole(0, 10_000_000)
MONTHS = whole(0, 120)
DAY = pattern(r"\d{4}-[01]\d-[0-3]\d", "a day as YYYY-MM-DD")
OBJECT = kind(dict, "an object")
LIST = kind(list, "a list")
FLAG = kind(bool, "true or false")

COLOR = pattern(r"#[0-9A-Fa-f]{6}", "a colour as #rrggbb")
WEB = pattern(r"https?://[^\s\"<>]{4,500}", "a web address")
HEX_256 = pattern(r"[0-9a-f]{64}", "a sha256")
SUMMARY = parts(url=WEB, version=word, sha256=HEX_256)
CURRENCY_CODE = pattern(r"[A-Z]{3}", "a currency code")
LANGUAGES_SPOKEN = each(choice(*LANGUAGES), least=1)
SPOT = parts(position=word, sku_id=ID)
BANDS = each(_band)

NEW_PRICE = parts(cents=whole(1, 10_000_000), currency=currency, source=word, observed_on=DAY)

LAW_BODIES: dict[str, Check] = {
    "legal_guarantee": parts(months=whole(1, 120)),
    "withdrawal": parts(days=whole(1, 365)),
    "early_exit": parts(rate_bp=whole(0, 10_000), from_month=MONTHS),
    "copy_levy": parts(vat_bp=whole(0, 10_000), bands=parts(phone=BANDS, tablet=BANDS)),
    "credit_notice": parts(sentence=texts),
    "forbidden_words": parts(words=each(word, least=1)),
    "vat": parts(standard_bp=whole(0, 10_000)),
}
"""What the law rows hold that pages and totals read, by kind; a kind we do not know yet is carried as it is."""

FIELDS: dict[str, dict[str, Check]] = {
    "grades": {"grade_id": ID, "code": word, "rank": ID, "battery_min_pct": whole(0, 100), "name": texts, "screen": texts}
    | {"body": texts, "parts": texts},
    "categories": {"category_id": NAME, "rank": ID, "form": word, "name": texts, "levy": choice("phone", "tablet", None)}
    | {"co2": maybe(parts(grams_per_year=whole(0), years=whole(1, 50), source=word)), "compare": each(word)},
    "skus": {"sku_id": ID, "sku": pattern(r"[A-Z0-9][A-Z0-9.+_-]{0,95}", "a SKU code"), "category_id": word, "brand": word}
    | {
        "model": word,
        "storage_gb": maybe(ID),
        "color": maybe(parts(hex=maybe(COLOR), name=texts)),
        "year": maybe(whole(1970, 2100)),
        "ean": ean_13,
    }
    | {"weight_g": maybe(ID), "specs": OBJECT, "updates_until": maybe(whole(1970, 2100)), "new_price": maybe(NEW_PRICE)},
    "media": {"media_id": ID, "kind": choice("drawing", "picture"), "rank": ID, "alt": both_texts, "credit": word}
    | {"file": pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}", "a plain file name"), "sha256": maybe(HEX_256)}
    | {"sku_id": maybe(ID), "category_id": maybe(word)},
    "sellers": {"seller_id": ID, "name": word, "legal_name": word, "city": word, "country": word}
    | {"status": choice("active", "suspended"), "metrics": OBJECT},
    "partners": {"partner_id": NAME, "kind": choice("carrier", "prepaid_carrier", "brand", "own_store"), "market": word}
    | {"name": word, "phone": word, "color": COLOR},
    "plans": {"plan_id": ID, "market": word, "partner_id": word, "rank": ID, "name": texts, "monthly_cents": CENTS}
    | {"promo_monthly_cents": maybe(CENTS), "promo_months": MONTHS, "commitment_months": choice(0, 12, 24)}
    | {"activation_cents": CENTS, "exit_fee_cents": CENTS, "device_discount_cents": CENTS, "min_device_cents": CENTS}
    | {"refund_cents": CENTS, "refund_deadline_days": whole(0, 730), "instalment_months": choice(0, 24, 36)}
    | {"deposit_cents": CENTS, "acquisitions": each(word), "max_devices": whole(0, 99), "summary": SUMMARY},
    "options": {"option_id": ID, "market": word, "rank": ID, "name": texts, "detail": texts, "one_off_cents": CENTS}
    | {"kind": choice("repair", "insurance", "data", "accessory", "esim", "tel"), "monthly_cents": CENTS}
    | {"commitment_months": MONTHS, "needs_plan": FLAG, "needs_device": FLAG, "categories": maybe(each(word))},
    "laws": {"law_id": NAME, "market": word, "valid_from": DAY, "valid_to": maybe(DAY), "source": word, "body": OBJECT}
    | {"kind": pattern(r"[a-z_]{2,40}", "the kind of a law")},
    "corners": {"corner_id": NAME, "corner_no": ID, "name": word, "city": word, "market": word, "partner_id": word}
    | {"time_zone": time_zone, "phone": word, "languages": LANGUAGES_SPOKEN, "paper_mm": choice(80, 58), "planogram": each(SPOT)}
    | {"ring": choice("canary", "early", "stable"), "clerks": clerks},
}
OPTIONAL_FILES = frozenset({"media"})
OPTIONAL_FIELDS: dict[str, frozenset[str]] = {"media": frozenset({"sku_id", "category_id", "sha256"})}
"""What may be absent: a feed without media has none, and a row of media has one of `sku_id` and `category_id`."""
