"""The fields of a listing as sellers write them, in a file or over the API: text becomes a value, or a reason with a code.

Invariant: what is read is what was meant, to the cent; what could be read in two ways is refused and said.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from stdnum import ean
from stdnum.exceptions import ValidationError as NotAnEan

from marketplace.feeds.listings import LEAST_WARRANTY_MONTHS, MOST_COMMENT
from pos.currencies import MOST_CENTS, places
from pos.shapes import UNPRINTABLE

MOST_SKU = 100
MOST_DELAY_H = 90 * 24
HOURS = 24
SHOWN = 120
"""How much of a value a report repeats."""
UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""No database takes these: not even to look something up."""
SPACES = re.compile(r"[\s\u00a0\u2007\u2009\u202f]+")
ROUNDED = re.compile(r"\d(?:[.,]\d+)?E\+?\d+", re.IGNORECASE | re.ASCII)
GROUPED = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*(?!\1)[.,]\d{1,3}", re.ASCII)
NUMBER = re.compile(r"(\d{1,9})(?:[.,](\d{1,3}))?", re.ASCII)
SIGNS = {"€": {"EUR"}, "$": {"USD", "CAD", "AUD", "NZD", "HKD", "SGD", "TWD", "MXN", "CLP"}, "£": {"GBP"}}
"""The currencies that a sign in a spreadsheet's cell may mean."""
TRUE, FALSE = frozenset({"1", "true", "oui", "yes", "vrai"}), frozenset({"", "0", "false", "non", "no", "faux"})
LEGACY_GRADES = {"9": "PREMIUM", "0": "EXCELLENT", "2": "GOOD", "3": "FAIR"}
VERY_GOOD = frozenset({"very good", "1"})


class WrongField(ValueError):
    """One field's reason and its code, without its place."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """Why a row was refused or held: the field, what it said, a code, and the reason in plain English."""

    field: str
    value: str
    code: str
    detail: str


def fold(text: str) -> str:
    """Return a text as it is compared: without case, accents, signs, and spaces around or doubled."""
    plain = "".join(sign for sign in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(sign))
    return " ".join("".join(sign if sign.isalnum() or sign == "+" else " " for sign in plain).split())


def fold_sku(text: str) -> str:
    """Return a seller's SKU as it is compared: spaces around it and case do not count."""
    return unicodedata.normalize("NFC", text.strip()).casefold()


def seller_sku(text: str) -> str:
    """Read a seller's own SKU. Raises: WrongField."""
    sku = unicodedata.normalize("NFC", text.strip())
    if not sku:
        raise WrongField("empty", "a listing needs the seller's own SKU")
    if len(sku) > MOST_SKU:
        raise WrongField("too_long", f"longer than {MOST_SKU} characters")
    if UNPRINTABLE.search(sku) or "\t" in sku or "\n" in sku:
        raise WrongField("unprintable", "an invisible sign")
    if ROUNDED.fullmatch(sku):
        raise WrongField("sku_rounded", "a spreadsheet turned this SKU into a rounded number: format the column as text")
    return sku


def money(text: str, *, currency: str, least: int = 0) -> int:
    """Read an amount in minor units: decimal point or comma, spaces between thousands, the currency's sign.

    Raises: WrongField.
    """
    plain, decimals = _without_sign(SPACES.sub("", text), currency), places(currency)
    if not plain:
        raise WrongField("empty", "empty")
    if plain.startswith(("-", "\u2212")):
        raise WrongField("negative", "a price is not negative")
    if GROUPED.fullmatch(plain):
        plain = re.sub(r"[.,](?=\d+[.,])", "", plain)
    match = NUMBER.fullmatch(plain)
    if match is None:
        raise WrongField("not_an_amount", "not an amount")
    whole, part = match[1], match[2] or ""
    if len(part) == 3 and decimals != 3:
        raise WrongField("ambiguous", "a thousand or three decimals: write it without a sign between thousands")
    if len(part) > decimals:
        raise WrongField("not_an_amount", f"more than {decimals} decimals")
    cents = int(whole + part.ljust(decimals, "0"))
    if cents < least:
        raise WrongField("zero", "a price is above zero")
    if cents > MOST_CENTS:
        raise WrongField("too_large", "too large")
    return cents


def _without_sign(plain: str, currency: str) -> str:
    """Return an amount without its currency's sign or code on either side. Raises: WrongField for another's."""
    for sign, meant in (*SIGNS.items(), (currency, {currency})):
        if plain.startswith(sign) or plain.endswith(sign):
            if currency not in meant:
                raise WrongField("wrong_currency", f"the market's currency is {currency}")
            return plain.removeprefix(sign).removesuffix(sign)
    return plain


def maybe_money(text: str, *, currency: str) -> int | None:
    """Read an amount above zero, None where nothing is said. Raises: WrongField."""
    return money(text, currency=currency, least=1) if text.strip() else None


def count(text: str, *, least: int, most: int) -> int:
    """Read a whole number of this range. Raises: WrongField."""
    plain = SPACES.sub("", text)
    if not plain:
        raise WrongField("empty", "empty")
    plain = re.sub(r"[.,]0+$", "", plain)
    if not plain.isascii() or not plain.isdigit():
        raise WrongField("not_a_number", "not a whole number")
    if len(plain) > 12 or not least <= int(plain) <= most:
        raise WrongField("out_of_range", f"not between {least} and {most}")
    return int(plain)


def warranty(text: str) -> int:
    """Read the months of commercial warranty; at least twelve (reference/domain.md §1). Raises: WrongField."""
    months = count(text, least=0, most=120)
    if months < LEAST_WARRANTY_MONTHS:
        raise WrongField("warranty_too_short", f"the warranty is {LEAST_WARRANTY_MONTHS} months at least")
    return months


def days(text: str) -> int:
    """Read a delay in hours as the days a customer is promised, rounded up. Raises: WrongField."""
    return -(-count(text, least=0, most=MOST_DELAY_H) // HOURS)


def battery(text: str) -> int | None:
    """Read a battery's health in percent, None where nothing is said. Raises: WrongField."""
    return count(text.replace("%", ""), least=1, most=100) if text.strip() else None


def flag(text: str) -> int:
    """Read yes or no; nothing is no. Raises: WrongField."""
    word = text.strip().casefold()
    if word not in TRUE | FALSE:
        raise WrongField("not_yes_or_no", "neither 1 nor 0")
    return int(word in TRUE)


def vat_type(text: str) -> int:
    """Read the VAT of the listing: 1 where it is on the margin. Raises: WrongField."""
    word = text.strip().upper()
    if word not in ("REGULAR", "MARGINAL"):
        raise WrongField("unknown_vat_type", "neither REGULAR nor MARGINAL")
    return int(word == "MARGINAL")


def comment(text: str) -> str:
    """Read a seller's comment. Raises: WrongField."""
    if len(text) > MOST_COMMENT:
        raise WrongField("too_long", f"longer than {MOST_COMMENT} characters")
    if UNPRINTABLE.search(text):
        raise WrongField("unprintable", "an invisible sign")
    return text.strip()


def ean_13(text: str) -> str:
    """Read an EAN of 13 digits, or of 12 with a zero that a spreadsheet took away. Raises: WrongField."""
    plain = SPACES.sub("", text)
    if ROUNDED.fullmatch(plain):
        raise WrongField("ean_rounded", "a spreadsheet rounded this EAN: format the column as text and enter it again")
    try:
        return str(ean.validate(plain.zfill(13) if len(plain) == 12 else plain))
    except NotAnEan:
        raise WrongField("not_an_ean", "not an EAN, or its check digit does not hold") from None


def grade_code(text: str) -> str:
    """Return how a grade is looked up: a legacy number by its code. Raises: WrongField for VERY_GOOD."""
    word = fold(text)
    if not word:
        raise WrongField("empty", "empty")
    if word in VERY_GOOD:
        raise WrongField("grade_very_good", "VERY_GOOD is not sold here: “Très bon état” is GOOD")
    return fold(LEGACY_GRADES.get(word, word))


READERS: dict[str, Callable[..., Any]] = {
    "ean": lambda text: ean_13(text) if text.strip() else "",
    "product": str.strip,
    "title": str.strip,
    "grade": grade_code,
    "price": partial(money, least=1),
    "currency": lambda text: text.strip().upper(),
    "min_price": maybe_money,
    "max_price": maybe_money,
    "quantity": partial(count, least=0, most=1_000_000),
    "warranty_delay": warranty,
    "shipping_price": money,
    "shipping_delay": days,
    "vat_type": vat_type,
    "battery": battery,
    "new_battery": flag,
    "comment": comment,
    "paused": flag,
    "confirm_price": flag,
}
"""What reads each field; beside these a row has `sku` and may have `market`."""
AMOUNTS = frozenset({"price", "min_price", "max_price", "shipping_price"})
ALIASES = {
    "state": "grade",
    "backmarket_grade": "grade",
    "shipping_price_1": "shipping_price",
    "shipping_delay_1": "shipping_delay",
    "stock": "quantity",
    "seller_sku": "sku",
}
"""Other names by which a file may call a field."""
FIELDS = frozenset({"sku", "market", *READERS})


def read_fields(fields: dict[str, str], *, currency: str) -> tuple[dict[str, Any], list[FieldProblem]]:
    """Return the values of the fields that are said, and what is wrong with the others."""
    values: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for name, read in READERS.items():
        if name not in fields:
            continue
        try:
            values[name] = read(fields[name], currency=currency) if name in AMOUNTS else read(fields[name])
        except WrongField as wrong:
            problems.append(problem(name, fields[name], wrong))
    return values, problems


def problem(name: str, value: str, wrong: WrongField) -> FieldProblem:
    """Return a reason with its place."""
    return FieldProblem(field=name, value=value[:SHOWN], code=wrong.code, detail=str(wrong))


def unstorable(fields: Mapping[str, str]) -> FieldProblem | None:
    """Return the reason to refuse a row, a field of which no database takes; None where there is none."""
    wrong = WrongField("unprintable", "an invisible sign")
    named = ((name, text) for name, text in fields.items() if UNSTORABLE.search(text))
    return next((problem(name, UNSTORABLE.sub("", text), wrong) for name, text in named), None)
