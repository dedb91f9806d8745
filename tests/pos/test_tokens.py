from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pos import tokens
from pos.errors import TooManyLines
from pos.tokens import CROCKFORD, MAX_BYTES, MangledNumber, MangledToken, Token, TokenLine
from tests import world

PUBLIC_KEY = world.KEY.public_key().public_bytes_raw()
WORKED_EXAMPLES = json.loads(Path(__file__).with_name("token_examples.json").read_text())

ids = st.integers(0, 2**20)
numbers = st.integers(0, tokens.MAX_NUMBER)
lines = st.builds(
    TokenLine,
    listing_id=ids,
    plan_id=ids,
    quantity=st.integers(1, 9),
    option_ids=st.sets(st.integers(1, 2**14 - 1), max_size=3).map(lambda found: tuple(sorted(found))),
    one_off_cents=st.integers(0, 2**27),
    monthly_cents=st.integers(0, 2**20),
)
any_token = st.builds(
    Token,
    clock_quality=st.sampled_from((0, 1, 2)),
    issued_by_clerk=st.booleans(),
    currency=st.sampled_from(tokens.CURRENCIES),
    key_id=st.binary(min_size=4, max_size=4),
    corner_no=numbers,
    counter=numbers,
    issued_minute=st.integers(0, 2**24 - 1),
    validity_hours=numbers,
    publication=numbers,
    lines=st.lists(lines, min_size=1, max_size=tokens.MAX_LINES).map(tuple),
    one_off_cents=numbers,
    monthly_cents=numbers,
)
BUNDLE = Token(
    clock_quality=2,
    issued_by_clerk=False,
    currency="EUR",
    key_id=tokens.key_id(PUBLIC_KEY),
    corner_no=101,
    counter=2,
    issued_minute=995432,
    validity_hours=336,
    publication=7,
    lines=(TokenLine(listing_id=101, plan_id=2, option_ids=(1, 300), one_off_cents=17000, monthly_cents=3198),),
    one_off_cents=17000,
    monthly_cents=3198,
)


@given(token=any_token)
def test_any_fields_round_trip_through_bytes_and_digits(token: Token) -> None:
    data = tokens.encode(token, world.KEY)

    assert tokens.decode(data) == token
    assert tokens.from_digits(tokens.to_digits(data)) == data
    assert tokens.verify(data, PUBLIC_KEY)


@given(token=any_token, where=st.integers(0))
def test_any_flipped_bit_is_refused(token: Token, where: int) -> None:
    data = bytearray(tokens.encode(token, world.KEY))
    place, bit = divmod(where % (len(data) * 8), 8)
    data[place] ^= 1 << bit

    assert not tokens.verify(bytes(data), PUBLIC_KEY)


def test_every_flipped_bit_of_a_slip_is_refused_or_told_apart() -> None:
    data = tokens.encode(BUNDLE, world.KEY)
    for place in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            assert not tokens.verify(bytes(flipped), PUBLIC_KEY)
            try:
                assert tokens.decode(bytes(flipped)) != BUNDLE or place >= len(data) - tokens.SIGNATURE_BYTES
            except MangledToken:
                continue


@given(data=st.binary(max_size=200))
def test_wild_bytes_are_read_canonically_or_refused(data: bytes) -> None:
    for wild in (data, b"\x01" + data, b"\x01\x00" + data + bytes(64)):
        try:
            token = tokens.decode(wild)
        except MangledToken:
            continue
        assert tokens.encode(token, world.KEY)[:-64] == wild[:-64]


def test_a_number_written_longer_than_needed_is_refused() -> None:
    body = tokens.encode(BUNDLE, world.KEY)[:-64]
    assert body[6] == BUNDLE.corner_no

    with pytest.raises(MangledToken):
        tokens.decode(body[:6] + bytes((BUNDLE.corner_no | 0x80, 0)) + body[7:] + bytes(64))


@given(token=any_token, kept=st.integers(0, 400))
def test_a_token_cut_short_or_grown_is_refused(token: Token, kept: int) -> None:
    data = tokens.encode(token, world.KEY)
    body = data[:-64]
    for other in (data[: kept % len(data)], body[: kept % len(body)] + bytes(64), body + b"\x00" + bytes(64)):
        with pytest.raises(MangledToken):
            tokens.decode(other)


@pytest.mark.parametrize(
    "field",
    [
        {"currency": "XAF"},
        {"clock_quality": 3},
        {"key_id": b"abc"},
        {"lines": ()},
        {"lines": BUNDLE.lines * 13},
        {"issued_minute": -1},
        {"issued_minute": 2**24},
        {"counter": -1},
        {"counter": 2**40},
        {"lines": (replace(BUNDLE.lines[0], option_ids=(2, 1)),)},
        {"lines": (replace(BUNDLE.lines[0], option_ids=(1, 1)),)},
        {"lines": (replace(BUNDLE.lines[0], option_ids=tuple(range(1, 17))),)},
        {"lines": (replace(BUNDLE.lines[0], one_off_cents=-1),)},
    ],
)
def test_fields_out_of_range_are_not_signed(field: dict[str, object]) -> None:
    with pytest.raises(MangledToken):
        tokens.encode(replace(BUNDLE, **field), world.KEY)  # type: ignore[arg-type]


def test_a_selection_too_long_for_an_address_is_not_signed() -> None:
    line = replace(BUNDLE.lines[0], option_ids=tuple(range(300, 312)))
    with pytest.raises(TooManyLines):
        tokens.encode(replace(BUNDLE, lines=(line,) * 12), world.KEY)


def test_the_longest_token_fits_the_digits_readers_accept() -> None:
    longest = b"\x01" + b"\xff" * (MAX_BYTES - 1)
    assert tokens.from_digits(tokens.to_digits(longest)) == longest


DIGITS = tokens.to_digits(tokens.encode(BUNDLE, world.KEY))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "1" * 150,
        "7" * 2000,
        "9" * 1_000_000,
        "0" + DIGITS,
        "+" + DIGITS,
        "-" + DIGITS,
        " " + DIGITS,
        DIGITS + "\n",
        DIGITS[:50] + "_" + DIGITS[50:],
        DIGITS[:50] + "a" + DIGITS[51:],
        DIGITS[:50] + "." + DIGITS[51:],
        DIGITS[:50] + "\u0663" + DIGITS[51:],
        DIGITS[:50] + "\uff11" + DIGITS[51:],
        "\u0967" * 200,
        "abc" * 100,
        "1e308" * 60,
        DIGITS[:50] + "\x00" + DIGITS[51:],
    ],
    ids=lambda text: f"{text[:6]!a}-{len(text)}",
)
def test_a_mangled_address_is_refused_at_once(text: str) -> None:
    start = time.process_time()
    with pytest.raises(MangledToken):
        tokens.from_digits(text)
    assert time.process_time() - start < 0.05


def test_digits_that_are_no_token_are_refused() -> None:
    for digits in (DIGITS[:-1], DIGITS + "0", "1" * 151, "9" * 901, str(int(DIGITS) * 256)):
        data = tokens.from_digits(digits)
        assert not tokens.verify(data, PUBLIC_KEY)
        with pytest.raises(MangledToken):
            tokens.decode(data)


def test_a_token_signed_by_another_key_is_refused() -> None:
    data = tokens.encode(BUNDLE, world.KEY)
    assert not tokens.verify(data, bytes(32))
    assert not tokens.verify(data, b"short")
    assert not tokens.verify(b"", PUBLIC_KEY)


@pytest.mark.parametrize("example", WORKED_EXAMPLES, ids=lambda example: example["title"])
def test_the_worked_examples_of_the_protocol_page_hold(example: dict[str, object]) -> None:
    """The same examples stand in docs/protocol.md: a reader written from that page must agree with them for ever."""
    fields = dict(example["fields"])  # type: ignore[call-overload]
    fields["key_id"] = bytes.fromhex(fields["key_id"])
    fields["lines"] = tuple(TokenLine(**{**line, "option_ids": tuple(line["option_ids"])}) for line in fields["lines"])

    data = tokens.encode(Token(**fields), world.KEY)

    assert data.hex() == example["hex"]
    assert tokens.to_digits(data) == example["digits"]
    assert tokens.decode(bytes.fromhex(str(example["hex"]))) == Token(**fields)


@given(corner_no=st.integers(1, 2**20), counter=st.integers(1, 2**20 - 1), place=st.integers(0), other=st.sampled_from(CROCKFORD))
def test_a_slip_number_refuses_any_single_wrong_character(corner_no: int, counter: int, place: int, other: str) -> None:
    number = tokens.slip_number(corner_no, counter)
    places = [index for index, symbol in enumerate(number) if symbol != "-"]
    at = places[place % len(places)]
    wrong = number[:at] + other + number[at + 1 :]

    assert tokens.parse_slip_number(number) == number
    if wrong != number:
        with pytest.raises(MangledNumber):
            tokens.parse_slip_number(wrong)


@given(corner_no=st.integers(1, 2**20), counter=st.integers(1, 2**20 - 1), place=st.integers(0))
def test_a_slip_number_refuses_two_neighbours_swapped(corner_no: int, counter: int, place: int) -> None:
    """All but 0 and Z, which the check takes for each other."""
    number = tokens.slip_number(corner_no, counter)
    pairs = [at for at in range(len(number) - 1) if "-" not in number[at : at + 2]]
    at = pairs[place % len(pairs)]
    left, right = number[at : at + 2]

    if left != right and {left, right} != {"0", "Z"}:
        with pytest.raises(MangledNumber):
            tokens.parse_slip_number(number[:at] + right + left + number[at + 2 :])


def test_a_slip_number_forgives_how_people_type() -> None:
    number = tokens.slip_number(101, 1)
    assert number == "35-0001-H"
    spaced = (
        "35-0001-h",
        "350001H",
        " 35 0001 h ",
        "35 - 0001 - H",
        "35–0001—h",
        "35\u2011 0001\u2011H",
        "35.0001.H",
        "35_0001/h",
    )
    for typed in (
        *spaced,
        "35-OOO1-H",
        "35-ooo1-h",
        "35-000I-H",
        "35 OOOl H",
        "３５-０００１-Ｈ",
        "35-0001-H\u200b",
        "3 5 0 0 0 1 H",
    ):
        assert tokens.parse_slip_number(typed) == number


def test_spaces_part_a_number_whose_counter_has_grown() -> None:
    number = tokens.slip_number(101, 2**30)
    assert tokens.parse_slip_number(number.replace("-", " ")) == number


@pytest.mark.parametrize(
    "text", ["", "-", "--", "H", "35-0001", "35-0001-", "35-0001-U", "35-0001-*", "é", "1" * 5000, "٣٥-٠٠٠١-H"]
)
def test_what_is_no_slip_number_is_refused(text: str) -> None:
    with pytest.raises(MangledNumber):
        tokens.parse_slip_number(text)
