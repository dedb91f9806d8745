"""Rows that no page could show: kept, left out of what pages read, and back once they are mended."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlite_utils import Database

from pos import catalog, offers, plans, skus
from pos.catalog import TABLES
from pos.db import connect, write
from pos.laws import laws_on
from pos.left_out import KEYS, left_out
from tests import world
from tests.world import FORFAIT_5, GOOD, IPHONE_12, IPHONE_13

UNFIT = {
    "law": ("fr-levy", "body = json_set(body, '$.bands', 3)"),
    "partner": ("loire-mobile", "body = json_remove(body, '$.name')"),
    "grade": (GOOD, "rank = 63"),
    "category": ("phones", "body = json_set(body, '$.name', null)"),
    "seller": (1, "body = json_remove(body, '$.legal_name')"),
    "sku": (IPHONE_13, "body = json_set(body, '$.specs.lenses', '3')"),
    "media": (1, "body = '{}'"),
    "plan": (FORFAIT_5, "body = json_remove(body, '$.data_gb')"),
    "option": (1, "body = json_set(body, '$.needs_plan', 'no')"),
    "listing": (101, "price_cents = 9000000000000000000"),
    "price_start": ("101@tomorrow", "price_cents = 1"),
}


@pytest.fixture
def database(kiosk: world.Kiosk) -> Iterator[Database]:
    database = connect(kiosk.directory / "catalog.db", durable=False)
    with write(database):
        alt = json.dumps({"type": "image/png", "width": 1, "height": 1, "alt": {"fr": "a", "en": "a"}, "credit": "a"})
        database.execute("insert into media values (1, ?, null, 'picture', 1, ?, 9, ?)", [IPHONE_13, "0" * 64, alt])
        database.execute("insert into price_start values ('101@tomorrow', 1, 101, 'tomorrow', 1, null)")
        database.execute("delete from price_start")
    yield database
    database.close()


def change(database: Database, table: str, key: Any, values: str) -> None:
    with write(database):
        if table == "price_start":
            database.execute("insert or replace into price_start values ('101@tomorrow', 1, 101, 'tomorrow', 1, null)")
        database.execute(f"update {table} set {values} where {KEYS[table]} = ?", [key])
        catalog.refresh(database, {table: {key}}, now=world.NOW)


def shown(database: Database, table: str) -> set[Any]:
    return {key for (key,) in database.execute(f"select {KEYS[table]} from shown_{table}")}


def rows(database: Database) -> dict[str, list[Any]]:
    return {table.name: database.execute(f"select * from {table.name}").fetchall() for table in TABLES}


@pytest.mark.parametrize("table", UNFIT)
def test_a_row_that_no_page_could_show_is_kept_and_left_out(database: Database, table: str) -> None:
    key, values = UNFIT[table]
    change(database, table, key, values)

    held = rows(database)[table]
    assert key in [row[0] for row in held]
    assert key not in shown(database, table)
    assert len(shown(database, table)) == len(held) - 1
    found = left_out(database)
    assert found.rows == 1
    assert found.since == "2026-11-22T14:32:00Z"
    [example] = found.examples
    assert example.startswith(f"{table} {key}: ")


@pytest.mark.parametrize("table", [name for name in UNFIT if name not in ("price_start", "media")])
def test_a_row_comes_back_when_it_is_mended(database: Database, table: str) -> None:
    key, values = UNFIT[table]
    before = database.execute(f"select * from {table} where {KEYS[table]} = ?", [key]).fetchone()
    derived = {name: database.execute(f"select * from {name} order by 1, 2").fetchall() for name in ("offer", "shelf", "facet")}
    change(database, table, key, values)
    with write(database):
        marks = ", ".join("?" * len(before))
        database.execute(f"insert or replace into {table} values ({marks})", list(before))
        catalog.refresh(database, {table: {key}}, now=world.NOW)

    assert key in shown(database, table)
    assert left_out(database).rows == 0
    for name, was in derived.items():
        assert database.execute(f"select * from {name} order by 1, 2").fetchall() == was


def test_what_refers_to_a_row_left_out_is_not_on_offer(database: Database) -> None:
    change(database, "sku", *UNFIT["sku"])
    assert [card["sku_id"] for card in skus.browse(database, skus.Query(q="iphone")).cards] == [IPHONE_12]
    change(database, "category", *UNFIT["category"])
    assert [card["category_id"] for card in skus.browse(database, skus.Query()).cards].count("phones") == 0
    change(database, "seller", *UNFIT["seller"])
    assert 1 not in [rung.offer.seller_id for rung in offers.ladder(database, IPHONE_12) if rung.offer]
    change(database, "grade", *UNFIT["grade"])
    assert GOOD not in [rung.grade["grade_id"] for rung in offers.ladder(database, IPHONE_12)]
    change(database, "plan", *UNFIT["plan"])
    assert FORFAIT_5 not in [plan.plan_id for plan in plans.plans(database)]
    change(database, "law", *UNFIT["law"])
    assert "copy_levy" not in laws_on(database, "2026-11-22")


def test_a_file_of_an_earlier_version_is_judged_when_it_is_opened(kiosk: world.Kiosk, database: Database) -> None:
    with write(database):
        for table, (key, values) in UNFIT.items():
            database.execute(f"update {table} set {values} where {KEYS[table]} = ?", [key])
        for name in KEYS:
            database.execute(f"drop view shown_{name}")
        database.execute("drop table left_out")
        database.execute("pragma user_version = 0")
    held = rows(database)

    catalog.upgrade_catalog(kiosk.directory / "catalog.db", now=world.NOW)

    assert rows(database) == held
    assert left_out(database).rows == len(UNFIT) - 1
    assert FORFAIT_5 not in [plan.plan_id for plan in plans.plans(database)]
    written = database.execute("pragma data_version").fetchone()
    catalog.upgrade_catalog(kiosk.directory / "catalog.db", now=world.NOW)
    assert database.execute("pragma data_version").fetchone() == written


def test_without_a_file_there_is_nothing_to_upgrade(kiosk: world.Kiosk) -> None:
    catalog.upgrade_catalog(kiosk.directory / "none.db", now=world.NOW)
    assert not (kiosk.directory / "none.db").exists()
