"""RIO: the vectors of reference/domain.md §3, and what people really type."""

from __future__ import annotations

import itertools

import pytest

from pos.errors import InvalidRio
from pos.rio import ALPHABET, Rio, check_rio, normalize_rio

VECTORS = [
    ("03P123456559", "0612345678", Rio(operator="03", kind="personal", reference="123456")),
    ("01PABC123QQP", "0700000001", Rio(operator="01", kind="personal", reference="ABC123")),
    ("04E9Z+001UTD", "0600000000", Rio(operator="04", kind="business", reference="9Z+001")),
]


@pytest.mark.parametrize(("rio", "number", "expected"), VECTORS)
def test_vectors(rio: str, number: str, expected: Rio) -> None:
    assert check_rio(rio, number) == expected


@pytest.mark.parametrize(
    ("typed", "number"),
    [
        ("03 p 123456 559", "06 12 34 56 78"),
        ("03-P-123456-559", "06.12.34.56.78"),
        ("o3p123456559", "+33612345678"),
        ("O3P123456559", "0033 6 12 34 56 78"),
        (" 03\u00a0P\u202f123456\t559 ", "+33 (0)6 12 34 56 78"),
    ],
)
def test_as_people_type_it(typed: str, number: str) -> None:
    assert check_rio(typed, number).reference == "123456"


def test_o_read_for_zero_anywhere() -> None:
    assert check_rio("O4E9Z+O01UTD", "0600000000").reference == "9Z+001"
    assert check_rio("04E9Z+OO1UTD", "0600000000").reference == "9Z+001"


def test_zero_read_for_o_anywhere() -> None:
    assert check_rio("02PNEM042MTA", "0611223344").reference == "NEMO42"
    assert check_rio("02PNEM042Y9J", "0611223344").reference == "NEM042"


def test_normalize_keeps_the_ambiguous_part_as_typed() -> None:
    assert normalize_rio(" o4 e 9z+o01 utd ") == "04E9Z+O01UTD"


@pytest.mark.parametrize(
    "typed",
    ["", "03P12345655", "03P1234565590", "03X123456559", "A3P123456559", "03P12345é559", "03P123456٣59", "0" * 10_000],
)
def test_not_of_the_shape(typed: str) -> None:
    with pytest.raises(InvalidRio) as refusal:
        check_rio(typed, "0612345678")
    assert refusal.value.data == {"reason": "shape"}


@pytest.mark.parametrize("number", ["", "612345678", "06123456789", "061234567x", "0012345678", "+34612345678", "٠612345678"])
def test_not_a_french_number(number: str) -> None:
    with pytest.raises(InvalidRio) as refusal:
        check_rio("03P123456559", number)
    assert refusal.value.data == {"reason": "number"}


def test_rio_of_another_line_is_refused() -> None:
    with pytest.raises(InvalidRio) as refusal:
        check_rio("03P123456559", "0612345679")
    assert refusal.value.data == {"reason": "check"}


def test_refusal_repeats_neither_rio_nor_number() -> None:
    with pytest.raises(InvalidRio) as refusal:
        check_rio("03P123456550", "0612345678")
    assert "123456" not in f"{refusal.value} {refusal.value.detail} {refusal.value.data}"


@pytest.mark.parametrize(("rio", "number", "expected"), VECTORS)
def test_any_one_mistyped_sign_is_refused(rio: str, number: str, expected: Rio) -> None:
    for place, sign in itertools.product(range(12), ALPHABET):
        typed = rio[:place] + sign + rio[place + 1 :]
        if typed.replace("O", "0") == rio.replace("O", "0"):
            assert check_rio(typed, number) == expected
            continue
        with pytest.raises(InvalidRio):
            check_rio(typed, number)
