"""What each condition of the finder leaves of the shelf, and that its counts are those of the lists they lead to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from pos import catalog, skus
from pos.db import Store
from pos.finder.conditions import HOLDS, texts_of
from pos.finder.matching import find, query_of
from pos.skus import Query
from tests import world

SPECS = {
    world.IPHONE_12: {"screen_tenths_in": 61, "network": "5G", "connector": "Lightning", "sim": "nano + eSIM", "ram_gb": 4},
    world.IPHONE_13: {"screen_tenths_in": 61, "network": "5G", "connector": "Lightning", "sim": "nano", "jack": True},
    world.GALAXY_S22: {"screen_tenths_in": 66, "connector": "USB-C", "chip": "Core i5-1135", "keyboard": "QWERTY US"},
    world.PLAYSTATION_5: {"disc_drive": True, "connectivity": "Wi-Fi + Cellular", "gps": False},
    world.DYSON_V11: {},
}
EVERY = {*SPECS}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """The world with specifications, words and a new battery."""
    path = tmp_path_factory.mktemp("conditions") / "catalog.db"
    world.make_catalog(path)
    store = Store(path, durable=False)
    with store.write() as database:
        for sku_id, specs in SPECS.items():
            database.execute(
                "update sku set body = json_set(body, '$.specs', json(?)) where sku_id = ?", [json.dumps(specs), sku_id]
            )
        database.execute("update sku set body = json_set(body, '$.words', 'apple ios') where sku_id in (1, 2)")
        database.execute("update sku set body = json_set(body, '$.updates_until', 2039) where sku_id = 3")
        database.execute("update listing set new_battery = 1 where listing_id = 105")
        catalog.refresh(database, None, now=world.NOW)
    return store.read()


@pytest.mark.parametrize(
    ("criteria", "left"),
    [
        ({"model": ["iPhone 13", "Galaxy S22"]}, {2, 3}),
        ({"family": "iPhone"}, {1, 2}),
        ({"exclude_family": ["iPhone"]}, {3, 4, 5}),
        ({"model_contains": "S22"}, {3}),
        ({"exclude_model_contains": "13"}, {1, 3, 4, 5}),
        ({"exclude_brand": ["Apple", "Sony"]}, {3, 5}),
        ({"color": ["blue"]}, {1, 2}),
        ({"exclude_color": ["blue", "gray"]}, {3, 4, 5}),
        ({"storage_gb": 128}, {1, 2}),
        ({"storage_min_gb": 200}, {3, 4}),
        ({"ram_gb": 4}, {1}),
        ({"ram_min_gb": 5}, set()),
        ({"screen_tenths_in": 60}, {1, 2, 3}),
        ({"screen_tenths_in": 61}, {1, 2}),
        ({"screen_min_tenths_in": 65}, {3}),
        ({"screen_max_tenths_in": 65}, {1, 2}),
        ({"year_min": 2021}, {2, 3}),
        ({"updates_min_year": 2038}, {3}),
        ({"network": "5g"}, {1, 2}),
        ({"connector": "usb-c"}, {3}),
        ({"chip": "Core i5"}, {3}),
        ({"keyboard": "QWERTY"}, {3}),
        ({"connectivity": "Cellular"}, {4}),
        ({"dual_sim": True}, {1}),
        ({"jack": True}, {2}),
        ({"jack": False}, {1, 3, 4, 5}),
        ({"disc_drive": True}, {4}),
        ({"disc_drive": False}, {1, 2, 3, 5}),
        ({"gps": True}, set()),
        ({"os": "iOS"}, {1, 2}),
        ({"type": "robot"}, set()),
        ({"new_battery": True}, {2}),
        ({"new_battery": True, "price_max_cents": 40000}, set()),
        ({"grade_min": "EXCELLENT"}, {2, 3}),
        ({"grade_min": "EXCELLENT", "prefer": ["grade_min"]}, EVERY),
        ({"price_max_cents": 26000, "category": "phones"}, {1}),
    ],
)
def test_a_criterion_leaves_what_its_field_says(shelf: Database, criteria: dict[str, Any], left: set[int]) -> None:
    told = find(shelf, criteria, year=2026, limit=9)

    assert {each.card["sku_id"] for each in told.suggestions} == left
    assert listed(shelf, told.query) == left
    assert told.skus == len(left)


def listed(database: Database, query: Query) -> set[int]:
    return {card["sku_id"] for card in skus.browse(database, query, limit=1000).cards}


CRITERIA = st.fixed_dictionaries(
    {},
    optional={
        "category": st.sampled_from(("phones", "consoles")),
        "brand": st.sampled_from((["Apple"], ["Samsung", "Sony"])),
        "exclude_brand": st.sampled_from((["Apple"], ["Dyson"])),
        "family": st.sampled_from(("iPhone", "Galaxy")),
        "color": st.sampled_from((["blue"], ["white", "green"])),
        "storage_min_gb": st.sampled_from((128, 256, 1024)),
        "year_min": st.integers(2019, 2024),
        "grade_min": st.sampled_from(("FAIR", "GOOD", "EXCELLENT", "PREMIUM")),
        "price_max_cents": st.integers(10000, 50000),
        "price_min_cents": st.integers(10000, 50000),
        "new_battery": st.just(True),
        "jack": st.booleans(),
        "prefer": st.sampled_from((["grade_min"], ["color"], ["new_battery"])),
        "wants": st.just(["big_screen", "cheap"]),
        "price_target_cents": st.just(30000),
        "sort": st.sampled_from(("price", "newest", "camera", "smallest")),
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(criteria=CRITERIA)
def test_what_is_promised_is_what_the_list_holds(shelf: Database, criteria: dict[str, Any]) -> None:
    told = find(shelf, criteria, year=2026, limit=9)

    assert told.skus == len(listed(shelf, told.query)) == len(told.suggestions)
    assert {each.card["sku_id"] for each in told.suggestions} == listed(shelf, told.query)
    if told.loosened:
        rest = {key: value for key, value in criteria.items() if key != told.loosened.key}
        cards = skus.browse(shelf, query_of(shelf, rest, among=()), limit=1000).cards
        assert (told.loosened.skus, told.loosened.from_cents) == (len(cards), min(card["from_cents"] for card in cards))
    alone = {key: value for key, value in criteria.items() if key not in ("prefer", "wants", "price_target_cents", "sort")}
    if "prefer" not in criteria:
        assert find(shelf, alone, year=2026, limit=9).skus == told.skus


@pytest.mark.parametrize(
    ("criteria", "first"),
    [
        ({"sort": "price"}, "DYSON-V11-PURPLE"),
        ({"sort": "newest"}, "GALAXY-S22-256-GREEN"),
        ({"sort": "screen"}, "GALAXY-S22-256-GREEN"),
        ({"sort": "smallest", "exclude_model_contains": "13"}, "IPHONE-12-128-BLUE"),
        ({"sort": "storage"}, "PLAYSTATION-5-825-WHITE"),
        ({"wants": ["cheap"]}, "DYSON-V11-PURPLE"),
        ({"wants": ["big_screen"], "category": "phones"}, "GALAXY-S22-256-GREEN"),
        ({"price_target_cents": 36000}, "PLAYSTATION-5-825-WHITE"),
        ({"brand": ["Dyson"], "prefer": ["brand"]}, "DYSON-V11-PURPLE"),
        ({"prefer": ["new_battery"]}, "IPHONE-13-128-BLUE"),
        ({"connector": "USB-C", "prefer": ["connector"]}, "GALAXY-S22-256-GREEN"),
    ],
)
def test_wishes_and_orders_rank_and_leave_everything(shelf: Database, criteria: dict[str, Any], first: str) -> None:
    told = find(shelf, criteria, year=2026, limit=9)

    assert told.suggestions[0].card["sku"] == first
    assert told.skus == (3 if "category" in criteria else 4 if "exclude_model_contains" in criteria else 5)


def test_a_condition_of_an_address_is_written_as_it_is_read() -> None:
    assert HOLDS
    assert [texts_of(value) for value in (True, 2021, ["a", "b"], "x")] == [("true",), ("2021",), ("a", "b"), ("x",)]
