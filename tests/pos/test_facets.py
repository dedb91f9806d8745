from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from pos import catalog, clock, facets, skus
from pos.colors import COLORS as PLAIN
from pos.colors import color_family
from pos.db import Store
from pos.shelf_index import SPECS
from pos.skus import Query
from tests import world
from tests.world import Kiosk

NAMES = facets.NAMES
NETWORKS = ("4G", "5G", None)
TABLE = frozenset({1, 2, 1005, 1006, 1017, 9999})
COLORS = ({"code": "blue", "name": {"fr": "Bleu"}, "hex": "#00f"}, {"name": {"fr": "Vert"}, "hex": "#0f0"}, None)


@pytest.fixture(scope="module")
def random_catalog(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The world, with 150 SKUs of random facts and random listings more, the same every time."""
    path = tmp_path_factory.mktemp("facets") / "catalog.db"
    world.make_catalog(path)
    store, chance = Store(path, durable=False), random.Random(13)
    with store.write() as database:
        for sku_id in range(1000, 1150):
            specs = {
                "network": chance.choice(NETWORKS),
                "ram_gb": chance.choice((4, 8, None)),
                "grill": chance.choice((True, False)),
            }
            body = {"color": chance.choice(COLORS), "specs": {name: value for name, value in specs.items() if value is not None}}
            kind, brand = chance.choice(("phones", "consoles", "vacuums")), chance.choice(("Apple", "Sony", "Dyson"))
            row = [sku_id, f"SKU-{sku_id}", kind, brand, f"Modèle {sku_id % 7}", chance.choice((64, 128, None)), 2020]
            database.execute("insert into sku values (?, ?, ?, ?, ?, ?, ?, ?)", [*row, json.dumps(body)])
            for turn in range(chance.randrange(5)):
                listing_id, grade_id = sku_id * 10 + turn, chance.choice((9, 10, 11, 12))
                price = chance.randrange(50, 500) * 100
                listing = [listing_id, sku_id, grade_id, 1 + turn % 3, price, 500]
                database.execute("insert into listing values (?, ?, ?, ?, ?, ?, 3, 12, 1, 90, 0, null)", listing)
                database.execute("insert into stock values (?, ?)", [listing_id, chance.randrange(3)])
        catalog.refresh(database, None, now=world.NOW)
    yield store.read()
    store.close()


def listed(database: Database, query: Query) -> set[int]:
    return {card["sku_id"] for card in skus.browse(database, query, limit=1000).cards}


def only(query: Query, name: str, *values: str) -> Query:
    """Return the query as it is once these values, and no others of their facet, are ticked."""
    rest = [pair for pair in query.chosen if pair[0] != name]
    return Query(
        q=query.q,
        chosen=tuple([*rest, (name, values)] if values else rest),
        min_cents=query.min_cents,
        max_cents=query.max_cents,
        table=query.table,
        among=query.among,
    )


VALUES = {
    "category": ("phones", "consoles", "vacuums", "ovens"),
    "brand": ("Apple", "Sony", "Dyson", "Nobody"),
    "storage": ("64", "128", "256"),
    "color": ("blue", "green", "bleu"),
    "grade": ("FAIR", "GOOD", "EXCELLENT", "PREMIUM"),
    "network": ("4G", "5G"),
    "ram_gb": ("4", "8"),
    "grill": ("true", "false"),
    "table": ("1",),
}
QUERIES = st.builds(
    lambda q, chosen, bounds, among: Query(
        q=q,
        chosen=tuple((name, tuple(sorted(values))) for name, values in chosen.items()),
        min_cents=min(bounds) if bounds else None,
        max_cents=max(bounds) if len(bounds) > 1 else None,
        table=TABLE,
        among=among,
    ),
    q=st.sampled_from(("", "", "", "apple", "modele 3", "128", "dysn")),
    chosen=st.fixed_dictionaries(
        {}, optional={name: st.sets(st.sampled_from(values), min_size=1) for name, values in VALUES.items()}
    ),
    bounds=st.lists(st.integers(5000, 51000), max_size=2),
    among=st.sampled_from(((), ("phones", "vacuums"))),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=120, deadline=None)
@given(query=QUERIES)
def test_the_count_of_a_value_is_the_number_of_devices_it_lists(random_catalog: Database, query: Query) -> None:
    told = facets.counts(random_catalog, query, NAMES, unit_cents=100)
    now = listed(random_catalog, query)

    assert told.skus == len(now)
    for name, choices in told.facets.items():
        wanted = dict(query.chosen).get(name, ())
        for choice in choices:
            alone = listed(random_catalog, only(query, name, choice.value))
            assert choice.skus == len(alone), (name, choice)
            assert choice.is_chosen == (choice.value in wanted)
            if name not in ("grade", "table") and wanted and not choice.is_chosen:
                assert len(listed(random_catalog, only(query, name, *wanted, choice.value))) == len(now) + choice.skus
        unshown = {*VALUES.get(name, ())} - {choice.value for choice in choices}
        assert not any(listed(random_catalog, only(query, name, value)) for value in unshown)
    if told.prices:
        assert sum(told.prices.bars) == len(
            listed(random_catalog, Query(q=query.q, chosen=query.chosen, table=TABLE, among=query.among))
        )


def test_prices_are_drawn_between_whole_units_that_hold_them_all(kiosk: Kiosk) -> None:
    prices = facets.counts(kiosk.catalog.read(), Query(max_cents=25000), ("brand",), unit_cents=100).prices

    assert prices is not None
    assert (prices.least_cents, prices.most_cents, prices.step_cents) == (20800, 35900, 100)
    assert (sum(prices.bars), prices.bars[0], prices.bars[-1]) == (5, 1, 1)


def test_one_price_is_nothing_to_choose_from(kiosk: Kiosk) -> None:
    asked = Query(chosen=(("category", ("consoles",)),))
    assert facets.counts(kiosk.catalog.read(), asked, ("brand",), unit_cents=100).prices is None


def test_counts_follow_the_stock_as_it_is(kiosk: Kiosk) -> None:
    def apples() -> int:
        [apple] = [
            each
            for each in facets.counts(kiosk.catalog.read(), Query(), ("brand",), unit_cents=1).facets["brand"]
            if each.value == "Apple"
        ]
        return apple.skus

    before = apples()
    with kiosk.catalog.write() as database:
        database.execute("update stock set quantity = 0 where listing_id = 107")
        catalog.refresh(database, {catalog.TURNED_STOCK: {107}}, now=clock.now())

    assert (before, apples()) == (2, 1)


def test_every_facet_of_a_specification_can_be_named_and_compared() -> None:
    from shop.facets import COLORS
    from shop.specs import LABELS

    assert {*SPECS} <= {*LABELS}
    assert {*PLAIN} == {*COLORS}


@pytest.mark.parametrize(
    "facts", [{"color": None}, {"specs": None}, {"specs": {"ram_gb": {"odd": 1}, "chip": ""}}, {"weight_g": "x"}]
)
def test_facts_of_odd_shapes_are_no_facet(kiosk: Kiosk, facts: dict[str, Any]) -> None:
    with kiosk.catalog.write() as database:
        database.execute("update sku set body = json_patch(body, ?) where sku_id = 1", [json.dumps(facts)])

    assert facets.counts(kiosk.catalog.read(), Query(), NAMES, unit_cents=100).skus == 5


@pytest.mark.parametrize(
    ("shade", "plain"),
    [
        ({"name": {"en": "Midnight Green"}, "hex": "#4e5851"}, "green"),
        ({"name": {"fr": "Bleu nuit"}, "hex": "#000000"}, "blue"),
        ({"name": {"fr": "Rouge et noir"}}, "black"),
        ({"name": {"fr": "Minuit", "en": "Midnight"}, "hex": "#232a31"}, "black"),
        ({"name": {"fr": "Mer"}, "hex": "#5B86B5"}, "blue"),
        ({"name": {"fr": "Feu"}, "hex": "#e00"}, "red"),
        ({"name": {"fr": "Brume"}, "hex": "#c9cfd0"}, "white"),
        ({"name": {"fr": "Mer"}, "hex": "url(x)"}, None),
        ({"name": None, "hex": None}, None),
    ],
)
def test_a_shade_is_looked_for_under_its_plain_colour(shade: dict[str, Any], plain: str | None) -> None:
    assert color_family(shade) == plain


def test_readers_of_all_threads_share_one_index(tmp_path: Path) -> None:
    import threading

    from pos.shelf_index import shelf_index

    world.make_catalog(tmp_path / "catalog.db")
    store = Store(tmp_path / "catalog.db", durable=False)
    mine, theirs = shelf_index(store.read()), []
    thread = threading.Thread(target=lambda: theirs.append(shelf_index(store.read())))
    thread.start()
    thread.join()

    assert theirs[0] is mine
    store.close()
