"""IMEI: the vectors of reference/domain.md §6."""

from __future__ import annotations

import pytest

from pos.errors import InvalidImei
from pos.imei import check_imei


@pytest.mark.parametrize("imei", ["490154203237518", "011415009346880"])
def test_vectors(imei: str) -> None:
    assert check_imei(imei) == imei


@pytest.mark.parametrize("typed", ["49 015420 323751 8", "49-015420-323751-8", " 490154203237518\n"])
def test_spaces_and_hyphens_are_left_out(typed: str) -> None:
    assert check_imei(typed) == "490154203237518"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "490154203237517",
        "940154203237518",
        "49015420323751",
        "4901542032375180",
        "49015420323751X",
        "٤90154203237518",
        "490154203237518" * 2,
    ],
)
def test_refused(typed: str) -> None:
    with pytest.raises(InvalidImei) as refusal:
        check_imei(typed)
    assert refusal.value.status == 422
    assert refusal.value.data == {}
    assert str(refusal.value) == "invalid_imei"


@pytest.mark.parametrize("place", range(15))
def test_any_one_mistyped_digit_is_refused(place: int) -> None:
    imei = "490154203237518"

    for digit in set("0123456789") - {imei[place]}:
        with pytest.raises(InvalidImei):
            check_imei(imei[:place] + digit + imei[place + 1 :])
