"""Copy levy: the refurbished scale of decision 23, reference/domain.md §4."""

from __future__ import annotations

from typing import Literal

import pytest

from pos.levies import copy_levy_cents

LAW = {
    "vat_bp": 2000,
    "bands": {
        "phone": [[2, 150], [8, 240], [16, 480], [32, 600], [64, 720], [None, 840]],
        "tablet": [[16, 520], [32, 650], [64, 780], [None, 910]],
    },
}


@pytest.mark.parametrize(
    ("levy", "storage_gb", "cents"),
    [
        ("phone", 1, 180),
        ("phone", 2, 180),
        ("phone", 8, 288),
        ("phone", 16, 576),
        ("phone", 32, 720),
        ("phone", 33, 864),
        ("phone", 64, 864),
        ("phone", 65, 1008),
        ("phone", 128, 1008),
        ("phone", 2048, 1008),
        ("tablet", 8, 624),
        ("tablet", 16, 624),
        ("tablet", 32, 780),
        ("tablet", 64, 936),
        ("tablet", 256, 1092),
    ],
)
def test_scale_with_vat(levy: Literal["phone", "tablet"], storage_gb: int, cents: int) -> None:
    assert copy_levy_cents(levy, storage_gb, law_body=LAW) == cents


def test_none_where_there_is_nothing_to_tell() -> None:
    assert copy_levy_cents(None, 128, law_body=LAW) is None
    assert copy_levy_cents("phone", None, law_body=LAW) is None
    assert copy_levy_cents("tablet", 64, law_body={**LAW, "bands": {"phone": [[None, 840]]}}) is None
    assert copy_levy_cents("phone", 65, law_body={**LAW, "bands": {"phone": [[64, 720]]}}) is None


def test_order_of_the_bands_does_not_matter() -> None:
    backwards = {**LAW, "bands": {name: bands[::-1] for name, bands in LAW["bands"].items()}}  # type: ignore[attr-defined]

    assert copy_levy_cents("phone", 33, law_body=backwards) == 864


@pytest.mark.parametrize(("before_vat", "vat_bp", "cents"), [(333, 2000, 400), (332, 2000, 398), (50, 100, 51), (49, 100, 49)])
def test_vat_rounds_half_a_cent_up(before_vat: int, vat_bp: int, cents: int) -> None:
    assert copy_levy_cents("phone", 1, law_body={"vat_bp": vat_bp, "bands": {"phone": [[None, before_vat]]}}) == cents
