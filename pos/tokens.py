"""The slip token: a slip's selection in about a hundred signed bytes, and its number for people (docs/protocol.md).

A token has exactly one encoding: what does not re-encode to the same bytes is refused, and so is any bit changed after signing.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from pos.currencies import DECIMALS
from pos.errors import Invalid, NotFound, TooManyLines

LAYOUT = 1
DOMAIN = b"comptoir-slip/v1\x00"
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)
SIGNATURE_BYTES = 64
CURRENCIES = tuple(DECIMALS)
MAX_LINES = 12
MAX_OPTIONS = 15
MAX_NUMBER = 2**40 - 1
# 86 bytes, the shortest token, are 205 digits; 901 digits always hold 373 bytes: 12 lines of 4 options each,
# more than a narrow paper's QR can carry.
DIGITS = re.compile(r"[1-9][0-9]{150,900}", re.ASCII)
MAX_BYTES = 373
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
LOOK_ALIKES = str.maketrans("OIL", "011")


class MangledToken(Invalid):
    """Not a slip token: wrong characters, length, layout or order of fields."""


class MangledNumber(NotFound):
    """Not a slip number: wrong shape or check symbol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLine:
    """One line: 0 stands for "no listing" or "no plan"; cents are for the whole line."""

    listing_id: int = 0
    plan_id: int = 0
    quantity: int = 1
    option_ids: tuple[int, ...] = ()
    one_off_cents: int
    monthly_cents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Everything a slip says. `clock_quality`: 0 unknown, 1 battery clock, 2 set by HQ or NTP less than a day ago."""

    clock_quality: int
    issued_by_clerk: bool
    currency: str
    key_id: bytes
    corner_no: int
    counter: int
    issued_minute: int
    validity_hours: int
    publication: int
    lines: tuple[TokenLine, ...]
    one_off_cents: int
    monthly_cents: int

    @property
    def issued_at(self) -> datetime:
        """The minute of issue."""
        return EPOCH + timedelta(minutes=self.issued_minute)

    @property
    def valid_until(self) -> datetime:
        """The minute after which today's prices apply."""
        return self.issued_at + timedelta(hours=self.validity_hours)


def key_id(public_key: bytes) -> bytes:
    """Return the 4-byte id of a raw 32-byte Ed25519 public key: the first bytes of its SHA-256 (docs/protocol.md)."""
    return hashlib.sha256(public_key).digest()[:4]


def encode(token: Token, private_key: Ed25519PrivateKey) -> bytes:
    """Return the signed token: `docs/protocol.md` has it byte by byte, signed as RFC 8032 has Ed25519 over `DOMAIN` and the body.

    Raises: MangledToken when a field is out of range, TooManyLines when its address would be longer than readers accept.
    """
    body = _body(token)
    if len(body) + SIGNATURE_BYTES > MAX_BYTES:
        raise TooManyLines(most=MAX_LINES, bytes=len(body) + SIGNATURE_BYTES)
    return body + private_key.sign(DOMAIN + body)


def verify(data: bytes, public_key: bytes) -> bool:
    """Tell whether `data` was signed by the holder of the raw 32-byte `public_key` (RFC 8032)."""
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, DOMAIN + body)
    except (InvalidSignature, ValueError):
        return False
    return True


def decode(data: bytes) -> Token:
    """Read a token's fields strictly, without judging its signature: call `verify` before believing them.

    Raises: MangledToken.
    """
    if len(data) <= SIGNATURE_BYTES + 6 or data[0] != LAYOUT:
        raise MangledToken("unknown layout")
    body = data[:-SIGNATURE_BYTES]
    token = _read(body)
    if _body(token) != body:
        raise MangledToken("not in its one form")
    return token


def to_digits(data: bytes) -> str:
    """Return the token as one decimal number, the form it has in a slip's URL (reference/printing.md §2.2)."""
    return str(int.from_bytes(data, "big"))


def from_digits(text: str) -> bytes:
    """Read a token's decimal form. Raises: MangledToken, before any arithmetic on wild input."""
    if not DIGITS.fullmatch(text):
        raise MangledToken("a slip address ends in 151 to 901 digits")
    number = int(text)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def slip_number(corner_no: int, counter: int) -> str:
    """Return the number people read and type, `CORNER-COUNTER-CHECK` in Crockford base32.

    The check is Luhn mod 32 over the characters before it: unlike Crockford's own mod 37 it needs no symbol such as `*` or `=`,
    so the number can be typed on any keyboard and stand in a URL.
    """
    head = f"{_base32(corner_no)}-{_base32(counter).rjust(4, '0')}"
    return f"{head}-{check_symbol(head)}"


def parse_slip_number(text: str) -> str:
    """Return the canonical form of a typed slip number; forgives case, spaces, dashes and dots of any kind, missing hyphens,
    and O, I, L for 0, 1, 1.

    Raises: MangledNumber.
    """
    plain = unicodedata.normalize("NFKC", text).upper().translate(LOOK_ALIKES)
    parts = [part for part in re.split(r"[\W_]+", plain) if part]
    whole = "".join(parts)
    for groups in (parts, [whole[:-5], whole[-5:-1], whole[-1:]]):
        if len(groups) == 3 and all(groups) and set(whole) <= set(CROCKFORD) and check_symbol("-".join(groups[:2])) == groups[2]:
            return "-".join(groups)
    raise MangledNumber("not a slip number")


def check_symbol(head: str) -> str:
    """Return the Luhn mod 32 check of a code's Crockford symbols; hyphens do not count."""
    total = 0
    for place, symbol in enumerate(reversed(head.replace("-", ""))):
        product = CROCKFORD.index(symbol) * (2 if place % 2 == 0 else 1)
        total += product // 32 + product % 32
    return CROCKFORD[-total % 32]


def _body(token: Token) -> bytes:
    lines = token.lines
    numbers = [value for line in lines for value in (line.listing_id, line.plan_id, line.quantity, *line.option_ids)]
    if (
        token.currency not in CURRENCIES
        or token.clock_quality not in (0, 1, 2)
        or len(token.key_id) != 4
        or not 1 <= len(lines) <= MAX_LINES
        or not 0 <= token.issued_minute < 2**24
        or any(tuple(sorted(set(line.option_ids))) != line.option_ids or len(line.option_ids) > MAX_OPTIONS for line in lines)
        or any(value < 0 for value in numbers)
    ):
        raise MangledToken("a field is out of range")
    flags = token.clock_quality | token.issued_by_clerk << 2 | CURRENCIES.index(token.currency) << 3
    out = bytearray((LAYOUT, flags))
    out += token.key_id + _varint(token.corner_no) + _varint(token.counter)
    out += token.issued_minute.to_bytes(3, "big") + _varint(token.validity_hours) + _varint(token.publication)
    out.append(len(lines))
    for line in lines:
        out += _varint(line.listing_id) + _varint(line.plan_id) + _varint(line.quantity) + _varint(len(line.option_ids))
        for option_id in line.option_ids:
            out += _varint(option_id)
        out += _varint(line.one_off_cents) + _varint(line.monthly_cents)
    return bytes(out + _varint(token.one_off_cents) + _varint(token.monthly_cents))


def _read(body: bytes) -> Token:
    flags = body[1]
    if flags & 3 == 3:
        raise MangledToken("unknown flags")
    stream = iter(body[6:])
    corner_no, counter = _number(stream), _number(stream)
    issued_minute = int.from_bytes(bytes(_byte(stream) for _ in range(3)), "big")
    validity_hours, publication = _number(stream), _number(stream)
    line_count = _byte(stream)
    if not 1 <= line_count <= MAX_LINES:
        raise MangledToken("between 1 and 12 lines")
    lines = tuple(_line(stream) for _ in range(line_count))
    token = Token(
        clock_quality=flags & 3,
        issued_by_clerk=bool(flags >> 2 & 1),
        currency=CURRENCIES[flags >> 3],
        key_id=body[2:6],
        corner_no=corner_no,
        counter=counter,
        issued_minute=issued_minute,
        validity_hours=validity_hours,
        publication=publication,
        lines=lines,
        one_off_cents=_number(stream),
        monthly_cents=_number(stream),
    )
    if next(stream, None) is not None:
        raise MangledToken("bytes after the end")
    return token


def _line(stream: Iterator[int]) -> TokenLine:
    listing_id, plan_id, quantity, option_count = (_number(stream) for _ in range(4))
    if option_count > MAX_OPTIONS:
        raise MangledToken("too many options")
    return TokenLine(
        listing_id=listing_id,
        plan_id=plan_id,
        quantity=quantity,
        option_ids=tuple(_number(stream) for _ in range(option_count)),
        one_off_cents=_number(stream),
        monthly_cents=_number(stream),
    )


def _varint(value: int) -> bytes:
    if not 0 <= value <= MAX_NUMBER:
        raise MangledToken("a field is out of range")
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(stream: Iterator[int]) -> int:
    value = 0
    for shift in range(0, 42, 7):
        byte = _byte(stream)
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value
    raise MangledToken("a number is too long")


def _byte(stream: Iterator[int]) -> int:
    byte = next(stream, None)
    if byte is None:
        raise MangledToken("cut short")
    return byte


def _base32(value: int) -> str:
    text = ""
    while value:
        value, digit = divmod(value, 32)
        text = CROCKFORD[digit] + text
    return text or "0"
