"""The shapes of published rows: what a page could not show is named by field and reason, everything of today's world fits."""

from __future__ import annotations

import copy
import json
import time
from typing import Any

import pytest

from pos.catalog import TABLES
from pos.corner_document import CornerShape
from pos.corners import read_corner
from pos.rows import ROWS, wrong_in, wrong_in_row
from tests import world

COLUMNS = {table.name: table.columns for table in TABLES}
HUGE = 10**30


def facts_of(table: str) -> dict[str, Any]:
    """Return the first row of the world's `table`, columns and body together."""
    row = dict(zip(COLUMNS[table], next(row for name, row in world.rows() if name == table), strict=True))
    body = json.loads(row.pop("body"))
    return {**row, "body": body} if table == "law" else {**body, **row}


def wrong(table: str, path: str, value: Any) -> list[tuple[str, str]]:
    """Return what is wrong with the world's first row of `table` once the value at `path` is another; None takes it away."""
    facts = copy.deepcopy(facts_of(table))
    *way, last = path.split(".")
    place = facts
    for step in way:
        place = place[step]
    place[last] = value
    return list(wrong_in(ROWS[table], facts))


def test_every_row_of_the_world_fits() -> None:
    judged = [(table, row[0], wrong_in_row(table, COLUMNS[table], row)) for table, row in world.rows() if table in ROWS]
    assert len(judged) > 20
    assert [each for each in judged if each[2]] == []


@pytest.mark.parametrize(
    ("table", "path", "value", "reason"),
    [
        ("sku", "specs.lenses", "3", "not a whole number"),
        ("sku", "specs.screen_tenths_in", "6.1", "not a whole number"),
        ("sku", "specs.lenses", True, "not a whole number"),
        ("sku", "specs.battery_mah", HUGE, "more than 10000000"),
        ("sku", "specs.checked_on", "yesterday", "not a day"),
        ("sku", "specs.source", "", "empty"),
        ("sku", "specs.hinge", HUGE, "not"),
        ("sku", "specs.hinge", ["a"], "not"),
        ("sku", "specs.hinge", "x" * 161, "longer"),
        ("sku", "brand", "Ap\nple", "line break"),
        ("sku", "brand", "Apple\u2028", "line break"),
        ("sku", "brand", "\u202eelppA", "invisible"),
        ("sku", "brand", "\ud800", "half a character"),
        ("sku", "brand", " ", "empty"),
        ("sku", "model", "x" * 161, "longer"),
        ("sku", "color", {"name": {"fr": "Bleu"}}, "missing"),
        ("sku", "color.hex", "#12345", "colour"),
        ("sku", "new_price", {"cents": 1, "currency": "EUR", "source": "a", "observed_on": "2026-11-31"}, "not a day"),
        ("sku", "new_price", {"cents": 1, "currency": "EUR", "source": "a", "observed_on": "2026-02-29"}, "not a day"),
        ("sku", "new_price", {"cents": 1, "currency": "EUR", "source": "a", "observed_on": "20261101"}, "not a day"),
        ("sku", "year", HUGE, "more than 2100"),
        ("sku", "note", HUGE, "number out of range"),
        ("sku", "note", "x" * 20_000, "too much"),
        ("plan", "data_gb", None, "not a whole number"),
        ("plan", "acquisitions", [], "fewer than 1"),
        ("plan", "acquisitions", ["gift"], "not one of"),
        ("plan", "monthly_cents", 9.99, "not a whole number"),
        ("plan", "summary", None, "not an object"),
        ("option", "needs_plan", 1, "true or false"),
        ("law", "valid_from", "2026-04-31", "not a day"),
        ("law", "body", {}, "missing"),
        ("grade", "rank", 63, "more than 8"),
        ("grade", "name", {}, "text by language"),
        ("grade", "name", {"fr": ""}, "empty"),
        ("category", "co2", {"grams_per_year": 1, "years": 2}, "missing"),
        ("seller", "legal_name", "x" * 3_000_000, "longer"),
        ("partner", "name", None, "not a text"),
    ],
)
def test_what_a_page_could_not_show_is_named(table: str, path: str, value: Any, reason: str) -> None:
    found = wrong(table, path, value)
    assert found
    assert all(field.startswith(path.split(".")[0]) for field, _ in found)
    assert any(reason in words for _, words in found), found


@pytest.mark.parametrize(
    ("table", "path", "value"),
    [
        ("sku", "new_price", {"cents": 1, "currency": "EUR", "source": "a", "observed_on": "2028-02-29"}),
        ("sku", "specs.hinge", {"fr": "acier", "en": "steel"}),
        ("sku", "specs.foldable", True),
        ("sku", "stories", {"fr": ["a", "b"]}),
        ("law", "kind", "right_of_tomorrow"),
        ("option", "kind", "of_tomorrow"),
        ("partner", "loyalty", [1, 2]),
    ],
)
def test_what_is_new_is_carried(table: str, path: str, value: Any) -> None:
    assert wrong(table, path, value) == []


@pytest.mark.parametrize("body", ["[1]", "{", "null", "[" * 100_000, '"text"'])
def test_a_body_that_is_no_object_is_named(body: str) -> None:
    assert wrong_in_row("partner", COLUMNS["partner"], ("loire-mobile", body)).startswith("body: not")


@pytest.mark.parametrize("field", [*CornerShape.model_fields])
def test_a_corner_document_that_lacks_a_field_is_named(field: str) -> None:
    document = world.corner_document()
    document.pop(field, None)
    found = list(wrong_in(CornerShape, document))
    assert found == ([] if field in ("ring", "support_phone", "day_begins_hour", "panel") else [(field, "missing")])


def test_a_clerk_or_spot_that_could_not_be_shown_is_left_out_of_its_corner() -> None:
    document = world.corner_document()
    document["clerks"][0]["name"] = "C" * 161
    document["planogram"].append({"position": "Z9", "sku_id": "1"})

    corner = read_corner(document)

    assert [clerk["clerk_id"] for clerk in corner.clerks] == ["idriss"]
    assert [spot["position"] for spot in corner.planogram] == ["A1", "A2", "B1"]


@pytest.mark.parametrize("name", ["\u200b", "\u00ad\u2060", "\u3164", " \u00a0"])
def test_a_name_that_shows_nothing_is_none(name: str) -> None:
    assert wrong("seller", "name", name) == [("name", "empty, or with a line break or an invisible sign")]


def test_a_price_in_a_currency_of_small_units_has_room() -> None:
    forint = {"cents": 40_000_000, "currency": "HUF", "source": "Bolt", "observed_on": "2026-11-01"}
    assert wrong("sku", "new_price", forint) == []
    assert wrong("plan", "min_device_cents", 15_000_000) == []


def test_twenty_thousand_skus_are_judged_in_little_time() -> None:
    [row] = [row for table, row in world.rows() if table == "sku"][:1]
    before = time.process_time()
    for _ in range(1_000):
        wrong_in_row("sku", COLUMNS["sku"], row)
    assert (time.process_time() - before) * 20 < 5
