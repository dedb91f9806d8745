"""What a scanner typed: the codes in a text, told apart also where two run together or a keyboard of another layout wrote them.

Invariant: a code is only what its form and check character say it is; whatever fits no code, or could be read in two ways, is
"nothing", and never somebody's or something's by default.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stdnum import ean

from pos import tokens
from pos.tokens import CROCKFORD, LOOK_ALIKES, MangledNumber, MangledToken

ScanKind = Literal["slip", "device", "place", "badge", "selection", "label", "product", "nothing"]
OwnKind = Literal["device", "place", "badge", "selection", "label"]

FORMS: dict[OwnKind, tuple[str, int]] = {
    "device": ("D", 8),
    "place": ("P", 8),
    "badge": ("B", 10),
    "selection": ("S", 5),
    "label": ("E", 6),
}
"""Our own codes: a letter, a hyphen, so many Crockford symbols, a check symbol. Of fixed length, they split without doubt."""
KIND_OF_LETTER: dict[str, OwnKind] = {letter: kind for kind, (letter, _) in FORMS.items()}
PRODUCT_DIGITS = (13, 12, 8)
LONGEST = 10_000
"""Characters that are looked at: a scanner's buffer is far shorter."""
LONGEST_TYPED = 20
"""As a slip's number with a space around each sign."""

QWERTY = "1234567890-qwertyuiopasdfghjkl;zxcvbnm,./" + "!@#$%^&*()_QWERTYUIOPASDFGHJKL:ZXCVBNM<>?"
AZERTY = "&é\"'(-è_çà)azertyuiopqsdfghjklmwxcvbn,;:!" + "1234567890°AZERTYUIOPQSDFGHJKLMWXCVBN?./§"
LAYOUTS = (str.maketrans(AZERTY, QWERTY), str.maketrans(QWERTY, AZERTY))
"""The same keys on both keyboards: what a scanner set to the one typed into a machine set to the other."""

DASHES = str.maketrans(dict.fromkeys("‐‒–—−", "-"))
GAPS = re.compile(r"[\s\x00-\x1f\x7f]+")
OWN = re.compile("|".join(rf"{letter}-[0-9A-TV-Z]{{{size + 1}}}" for letter, size in FORMS.values()))
ADDRESS = re.compile(r"HTTPS?://(?:(?!HTTPS?://)[A-Z0-9.:/\[\]_~-]){1,200}?/K/(?=[1-9])")
"""The start of a slip's address. No other begins within it: one token is looked at once, however many starts lead to it."""
NUMBER = re.compile(r"[1-9A-TV-Z][0-9A-TV-Z]{0,3}-[0-9A-TV-Z]{4,8}-[0-9A-TV-Z]")
DIGITS = re.compile(r"[0-9]+")
FEWEST_TOKEN_DIGITS, MOST_TOKEN_DIGITS = 151, 901


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One code. `value` is a slip's number, the symbols of our own code, a product's digits, or the text that is nothing.

    `digits` is the token of a slip whose address was scanned, unproven: its signature was not looked at.
    """

    kind: ScanKind
    value: str
    digits: str = ""


def codes_in(text: str) -> list[Scan]:
    """Return the codes of a text in their order; what lies between them and is none comes as "nothing"."""
    plain = unicodedata.normalize("NFKC", text[:LONGEST])
    readings = [_read(plain), *(_read(plain.translate(layout)) for layout in LAYOUTS)]
    best = min(readings, key=_unread)
    if any(scan.kind != "nothing" for scan in best):
        return best
    return _typed(plain) or readings[0]


def code_of(kind: OwnKind, value: str) -> str:
    """Return our own code as it is printed, such as `D-7K3M9QXT4`. Raises: ValueError where `value` is not of the kind's form."""
    letter, size = FORMS[kind]
    if len(value) != size or set(value) - set(CROCKFORD):
        raise ValueError(f"not {size} symbols: {value}")
    return f"{letter}-{value}{tokens.check_symbol(letter + value)}"


def derived_value(kind: OwnKind, *parts: str) -> str:
    """Return the value of a code for what has a name elsewhere: the same for the same parts, on every machine."""
    digest = hashlib.sha256("\0".join((kind, *parts)).encode()).digest()
    return "".join(CROCKFORD[byte % 32] for byte in digest[: FORMS[kind][1]])


def place_value(corner_id: str, position: str) -> str:
    """Return the value of a place's code; a label of another corner's table is therefore no place here."""
    return derived_value("place", corner_id, position)


def _unread(scans: list[Scan]) -> int:
    return sum(len(scan.value) for scan in scans if scan.kind == "nothing")


def _read(text: str) -> list[Scan]:
    """Read a text as it stands: parted by white space, each part exactly tiled by codes, else searched for those of ours."""
    signs = text.translate(DASHES).upper()
    return [scan for part in GAPS.split(signs) if part for scan in _tiled(part) or _searched(part)]


def _tiled(part: str) -> list[Scan] | None:
    """Return the codes that follow each other without a gap, if they do in one way and no other."""
    ways = [1] + [0] * len(part)
    last: dict[int, tuple[int, Scan]] = {}
    for at in range(len(part)):
        for end, scan in _codes_at(part, at) if ways[at] else ():
            ways[end] += ways[at]
            last[end] = (at, scan)
    if ways[-1] != 1:
        return None
    scans: list[Scan] = []
    at = len(part)
    while at:
        at, scan = last[at]
        scans.append(scan)
    return scans[::-1]


def _searched(part: str) -> list[Scan]:
    """Return our own codes and slips' addresses wherever they stand, and what lies between as what it is, or as nothing."""
    scans: list[Scan] = []
    begun = at = 0
    while at < len(part):
        marked = next(_marked_codes_at(part, at), None)
        if marked is None:
            at += 1
            continue
        end, scan = marked
        scans += [*_gap(part[begun:at]), scan]
        begun = at = end
    return scans + _gap(part[begun:])


def _gap(part: str) -> list[Scan]:
    return (_tiled(part) or [Scan(kind="nothing", value=part)]) if part else []


def _codes_at(part: str, at: int) -> Iterator[tuple[int, Scan]]:
    """Yield each code that may begin here, with its end."""
    yield from _marked_codes_at(part, at)
    if number := NUMBER.match(part, at):
        try:
            yield number.end(), Scan(kind="slip", value=tokens.parse_slip_number(number[0]))
        except MangledNumber:
            pass
    if digits := DIGITS.match(part, at):
        for size in PRODUCT_DIGITS:
            product = digits[0][:size]
            if len(product) == size and ean.is_valid(product):
                yield at + size, Scan(kind="product", value=product)


def _marked_codes_at(part: str, at: int) -> Iterator[tuple[int, Scan]]:
    """Yield our own code or a slip's address if one begins here: they say what they are. The longest reading comes first."""
    if own := OWN.match(part, at):
        letter, symbols = own[0][0], own[0][2:].translate(LOOK_ALIKES)
        if tokens.check_symbol(letter + symbols[:-1]) == symbols[-1]:
            yield own.end(), Scan(kind=KIND_OF_LETTER[letter], value=symbols[:-1])
    if address := ADDRESS.match(part, at):
        digits = DIGITS.match(part, address.end())
        whole = digits[0][:MOST_TOKEN_DIGITS] if digits else ""
        for size in range(len(whole), FEWEST_TOKEN_DIGITS - 1, -1):
            if number := _slip_of(whole[:size]):
                yield address.end() + size, Scan(kind="slip", value=number, digits=whole[:size])


def _slip_of(digits: str) -> str | None:
    try:
        token = tokens.decode(tokens.from_digits(digits))
    except MangledToken:
        return None
    return tokens.slip_number(token.corner_no, token.counter)


def _typed(text: str) -> list[Scan]:
    """Return the slip whose number a person typed, however they parted it; of so few signs that chance makes none."""
    if len(text) > LONGEST_TYPED:
        return []
    try:
        return [Scan(kind="slip", value=tokens.parse_slip_number(text))]
    except MangledNumber:
        return []
