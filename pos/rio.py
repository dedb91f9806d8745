"""The RIO, the key that ports a French number to another operator: `OO Q RRRRRR CCC`, checked against the number.

Checked in memory, never stored: neither RIO nor number appears in errors.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice, product
from typing import Literal

from pos.errors import InvalidRio

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+"
SHAPE = re.compile(r"([0-9]{2})([PE])([A-Z0-9+]{6})([A-Z0-9+]{3})")
NUMBER = re.compile(r"0[1-9][0-9]{8}")
MOST_READINGS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Rio:
    """A RIO that belongs to its number: `operator` is its two digits ("03")."""

    operator: str
    kind: Literal["personal", "business"]
    reference: str


def normalize_rio(text: str) -> str:
    """Return a typed RIO in capitals without spaces, dots or hyphens, its operator in digits where O was typed for 0.

    Source of the form `OO Q RRRRRR CCC`: ARCEP 2009-0239 art. 10.
    """
    plain = re.sub(r"[\s.\-]", "", text).upper()
    return plain[:2].replace("O", "0") + plain[2:]


def check_rio(rio: str, phone_number: str) -> Rio:
    """Check a RIO as typed against the number as typed, and read it.

    O and 0 look alike on paper: where the text as typed does not hold, its other readings are tried.
    Raises: InvalidRio, with `reason` "shape", "number" or "check". Source: ARCEP 2009-0239 art. 10.
    """
    number = _number(phone_number)
    text = normalize_rio(rio)
    if not SHAPE.fullmatch(text):
        raise InvalidRio(reason="shape")
    for reading in _readings(text):
        operator, kind, reference, key = _parts(reading)
        if key == _key(operator + kind + reference + number):
            return Rio(operator=operator, kind="personal" if kind == "P" else "business", reference=reference)
    raise InvalidRio(reason="check")


def _number(text: str) -> str:
    plain = re.sub(r"^(\+|00)33(\(?0\)?)?", "0", re.sub(r"[\s.\-]", "", text))
    if not NUMBER.fullmatch(plain):
        raise InvalidRio(reason="number")
    return plain


def _readings(text: str) -> list[str]:
    """The text as typed first, then with each O or 0 after the operator read the other way."""
    choices = [(sign, "0" if sign == "O" else "O") if sign in "O0" else (sign,) for sign in text[3:]]
    # Few readings only: each wrong one has a chance in 50,653 of passing for the right one.
    return [text[:3] + "".join(signs) for signs in islice(product(*choices), MOST_READINGS)]


def _parts(rio: str) -> tuple[str, str, str, str]:
    return rio[:2], rio[2], rio[3:9], rio[9:]


def _key(text: str) -> str:
    a = b = c = 0
    for sign in text:
        position = ALPHABET.index(sign)
        a, b, c = (a + position) % 37, (2 * b + position) % 37, (4 * c + position) % 37
    return ALPHABET[a] + ALPHABET[b] + ALPHABET[c]
