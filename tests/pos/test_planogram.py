from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from pos.corner_document import SpotShape
from pos.planogram import drawn_rows, planned_devices


def spots(*positions: str) -> list[Any]:
    return [{"position": position, "sku_id": number} for number, position in enumerate(positions, start=1)]


def names(planogram: list[Any]) -> list[list[str]]:
    return [[spot["position"] if spot else "" for spot in row] for row in drawn_rows(planogram)]


def test_a_device_without_hq_s_number_has_one_that_is_the_same_everywhere() -> None:
    [device] = planned_devices("nantes-crebillon", spots("A1"))

    assert device.demo_id == planned_devices("nantes-crebillon", spots("A1"))[0].demo_id
    assert len(device.demo_id) == 8
    others = [planned_devices("paris-beaubourg", spots("A1")), planned_devices("nantes-crebillon", spots("A2"))]
    others.append(planned_devices("nantes-crebillon", [{"position": "A1", "sku_id": 2}]))
    assert device.demo_id not in {other.demo_id for [other] in others}


def test_hq_s_number_stays_with_the_device_wherever_it_lies() -> None:
    here = planned_devices("nantes-crebillon", [{"position": "A1", "sku_id": 1, "demo_id": "7K3M9QXT"}])
    there = planned_devices("nantes-crebillon", [{"position": "B4", "sku_id": 1, "demo_id": "7K3M9QXT"}])

    assert [(each.demo_id, each.planned) for each in here + there] == [("7K3M9QXT", "A1"), ("7K3M9QXT", "B4")]


def test_one_number_given_twice_names_the_first_alone() -> None:
    twice: list[Any] = [{**spot, "demo_id": "7K3M9QXT"} for spot in spots("A1", "A2")]
    first, second = planned_devices("nantes-crebillon", twice)

    assert (first.demo_id, first.planned, second.planned) == ("7K3M9QXT", "A1", "A2")
    assert second.demo_id != "7K3M9QXT"


def test_places_stand_as_their_names_say() -> None:
    assert names(spots("B1", "A2", "A1", "C3")) == [["A1", "A2", ""], ["B1", "", ""], ["", "", "C3"]]


def test_hq_s_rows_and_columns_come_before_names() -> None:
    drawn: list[Any] = [
        {"position": "A1", "sku_id": 1, "row": 2, "column": 1},
        {"position": "vitrine", "sku_id": 2, "row": 1, "column": 1},
    ]

    assert names(drawn) == [["vitrine"], ["A1"]]


def test_places_without_a_name_of_that_kind_follow_in_rows() -> None:
    assert names(spots("vitrine", "comptoir", "A1", "A2", "îlot")) == [["A1", "A2"], ["vitrine", "comptoir"], ["îlot", ""]]
    assert names(spots("un", "deux", "trois", "quatre", "cinq")) == [["un", "deux", "trois", "quatre"], ["cinq", "", "", ""]]


def test_two_places_drawn_at_one_spot_are_both_shown() -> None:
    drawn: list[Any] = [{**spot, "row": 1, "column": 1} for spot in spots("A1", "A2")]

    assert names(drawn) == [["A1"], ["A2"]]


@pytest.mark.parametrize("more", [{"demo_id": "7k3m9qxt"}, {"demo_id": "7K3M9QX"}, {"demo_id": 5}, {"row": 0}, {"column": 99}])
def test_a_spot_with_an_odd_number_is_unfit(more: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SpotShape.model_validate({"position": "A1", "sku_id": 1, **more})
