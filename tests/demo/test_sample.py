"""The sample world: what it holds, what a feed grown from it promises, and that it grows the same everywhere.

Invariant: every row of every file obeys the feed contract, whatever the number of listings.
"""

import csv
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import UnionType
from typing import Any

import pytest
from argon2 import PasswordHasher

from demo.sample import COLUMNS, write_feed
from demo.sample_markets import MARKETS, read_countries
from demo.sample_skus import SAMPLE, grow_skus
from marketplace.orders.contacts import InvalidContact, read_contact
from pos.colors import color_family
from pos.languages import LANGUAGES

FILES = {
    "categories.jsonl",
    "corners.jsonl",
    "feed.json",
    "grades.jsonl",
    "laws.jsonl",
    "listings.csv",
    "media.jsonl",
    "options.jsonl",
    "partners.jsonl",
    "plans.jsonl",
    "sellers.jsonl",
    "skus.jsonl",
    *(f"media/{path.name}" for path in (SAMPLE / "media").glob("*.svg")),
}
SHAPES: dict[str, dict[str, type | UnionType]] = {
    "categories": {
        "category_id": str,
        "rank": int,
        "form": str,
        "name": dict,
        "levy": str | None,
        "co2": dict | None,
        "compare": list,
    },
    "corners": {
        "corner_id": str,
        "corner_no": int,
        "name": str,
        "city": str,
        "market": str,
        "partner_id": str,
        "time_zone": str,
        "phone": str,
        "languages": list,
        "paper_mm": int,
        "panel": str,
        "ring": str,
        "planogram": list,
        "clerks": list,
    },
    "grades": {
        "grade_id": int,
        "code": str,
        "rank": int,
        "battery_min_pct": int,
        "name": dict,
        "screen": dict,
        "body": dict,
        "parts": dict,
    },
    "laws": {
        "law_id": str,
        "market": str,
        "kind": str,
        "valid_from": str,
        "valid_to": str | None,
        "source": str,
        "body": dict,
    },
    "media": {
        "media_id": int,
        "sku_id": int,
        "kind": str,
        "rank": int,
        "credit": str,
        "file": str,
        "alt": dict,
        "sha256": str,
    },
    "options": {
        "option_id": int,
        "market": str,
        "rank": int,
        "kind": str,
        "name": dict,
        "detail": dict,
        "one_off_cents": int,
        "monthly_cents": int,
        "commitment_months": int,
        "needs_plan": bool,
        "needs_device": bool,
        "categories": list | None,
    },
    "partners": {"partner_id": str, "kind": str, "market": str, "name": str, "phone": str, "color": str, "categories": list},
    "plans": {
        "plan_id": int,
        "market": str,
        "partner_id": str,
        "rank": int,
        "fictitious": bool,
        "name": dict,
        "data_gb": int,
        "data_eu_gb": int,
        "network": str,
        "speed_after": dict | None,
        "monthly_cents": int,
        "promo_monthly_cents": int | None,
        "promo_months": int,
        "commitment_months": int,
        "activation_cents": int,
        "exit_fee_cents": int,
        "device_discount_cents": int,
        "min_device_cents": int,
        "refund_cents": int,
        "refund_deadline_days": int,
        "instalment_months": int,
        "deposit_cents": int,
        "acquisitions": list,
        "max_devices": int,
        "tax_note": dict | None,
        "summary": dict,
    },
    "sellers": {
        "seller_id": int,
        "name": str,
        "legal_name": str,
        "city": str,
        "country": str,
        "status": str,
        "metrics": dict,
    },
    "skus": {
        "sku_id": int,
        "sku": str,
        "category_id": str,
        "brand": str,
        "model": str,
        "storage_gb": int | None,
        "color": dict,
        "year": int,
        "ean": str,
        "weight_g": int | None,
        "specs": dict,
        "updates_until": int | None,
        "new_price": dict | None,
        "words": str,
    },
}
FORBIDDEN = re.compile(r"\b(comme neu\w*|état neuf|à neuf|like new|as new|good as new)\b", re.IGNORECASE)
PUBLISHER = re.compile(r"[A-Za-z][\w.+]*( [\w.+]+){0,2}")
MONEY = re.compile(r"\d+\.\d\d")
SHELF_PRICE = re.compile(r"\d*9\.00|\d*4\.99")


class Feed:
    """A written feed, read back the way an importer would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listings = list(csv.DictReader((folder / "listings.csv").read_text("utf-8").splitlines(), delimiter=";"))
        self.tables = {path.stem: read_rows(path) for path in sorted(folder.glob("*.jsonl"))}

    def keys(self, table: str, key: str) -> list[Any]:
        return [row[key] for row in self.tables[table]]


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Feed:
    folder = tmp_path_factory.mktemp("feed")
    write_feed(folder, listings=600, seed=7)
    return Feed(folder)


def refuse_float(text: str) -> Any:
    raise AssertionError(f"a float in the feed: {text}")


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line, parse_float=refuse_float) for line in path.read_text("utf-8").splitlines()]


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def texts_of(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from texts_of(part)
    elif isinstance(value, list):
        for part in value:
            yield from texts_of(part)


def language_pairs(value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, dict):
        if value and set(value) <= set(LANGUAGES):
            yield value
        for part in value.values():
            yield from language_pairs(part)


def test_same_size_and_seed_give_the_same_bytes(tmp_path: Path, feed: Feed) -> None:
    write_feed(tmp_path, listings=600, seed=7)
    assert digests(tmp_path) == digests(feed.folder)
    assert set(digests(tmp_path)) == FILES


def test_another_seed_changes_the_listings_alone(tmp_path: Path, feed: Feed) -> None:
    write_feed(tmp_path, listings=600, seed=8)
    ours, theirs = digests(tmp_path), digests(feed.folder)
    assert {name for name in FILES if ours[name] != theirs[name]} == {"listings.csv"}


@pytest.mark.parametrize("listings", [0, 1, 2, 37, 499, 500])
def test_listings_are_counted_exactly(tmp_path: Path, listings: int) -> None:
    write_feed(tmp_path, listings=listings, seed=1)
    assert [int(row["listing_id"]) for row in Feed(tmp_path).listings] == list(range(1, listings + 1))


def test_progress_ends_at_the_last_listing(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    write_feed(tmp_path, listings=250, seed=1, progress=lambda done, wanted: seen.append((done, wanted)))
    assert seen == sorted(seen)
    assert seen[-1] == (250, 250)


def test_more_listings_than_the_world_holds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at most"):
        write_feed(tmp_path / "feed", listings=100_000_000, seed=1)
    with pytest.raises(ValueError, match="negative"):
        write_feed(tmp_path / "feed", listings=-1, seed=1)
    assert not (tmp_path / "feed").exists()


def test_the_world_is_as_large_as_promised(feed: Feed) -> None:
    assert len(feed.tables["categories"]) >= 12
    models = {(sku["brand"], sku["model"]) for sku in feed.tables["skus"]}
    phones = {sku["model"] for sku in feed.tables["skus"] if sku["category_id"] == "phones"}
    assert len(models) >= 210
    assert len(phones) >= 80
    assert len(feed.tables["sellers"]) == 24
    assert len(feed.tables["partners"]) == 7
    assert [plan["market"] for plan in feed.tables["plans"]] == ["fr"] * 12 + ["us"] * 3 + ["de"] * 4 + ["es"] * 4
    assert [corner["market"] for corner in feed.tables["corners"]] == ["fr"] * 5 + ["us"] * 2 + ["de", "es"]
    assert {"playstation", "dyson"} <= {sku["brand"].lower() for sku in feed.tables["skus"]}


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("categories", "category_id"),
        ("corners", "corner_id"),
        ("corners", "corner_no"),
        ("grades", "grade_id"),
        ("laws", "law_id"),
        ("options", "option_id"),
        ("partners", "partner_id"),
        ("plans", "plan_id"),
        ("sellers", "seller_id"),
        ("skus", "ean"),
        ("skus", "sku"),
        ("skus", "sku_id"),
    ],
)
def test_ids_are_unique_and_small(feed: Feed, table: str, key: str) -> None:
    ids = feed.keys(table, key)
    assert len(ids) == len(set(ids))
    for value in ids:
        assert isinstance(value, str) or 0 < value < 1_000_000


def test_references_resolve(feed: Feed) -> None:
    categories, partners = set(feed.keys("categories", "category_id")), set(feed.keys("partners", "partner_id"))
    sellers, skus = set(feed.keys("sellers", "seller_id")), set(feed.keys("skus", "sku_id"))
    assert {sku["category_id"] for sku in feed.tables["skus"]} == categories
    assert {row["partner_id"] for row in feed.tables["plans"] + feed.tables["corners"]} == partners
    assert {row["market"] for rows in feed.tables.values() for row in rows if "market" in row} == {
        path.name for path in MARKETS.iterdir()
    }
    assert {name for row in feed.tables["partners"] for name in row["categories"]} == {"consoles", "handhelds"}
    assert {name for option in feed.tables["options"] for name in option["categories"] or ()} <= categories
    assert {spot["sku_id"] for corner in feed.tables["corners"] for spot in corner["planogram"]} <= skus
    assert {int(row["sku_id"]) for row in feed.listings} <= skus
    assert {int(row["seller_id"]) for row in feed.listings} <= sellers


@pytest.mark.parametrize("table", sorted(SHAPES))
def test_rows_have_the_shape_of_the_contract(feed: Feed, table: str) -> None:
    assert feed.tables[table]
    for row in feed.tables[table]:
        assert list(row) == list(SHAPES[table])
        for key, kind in SHAPES[table].items():
            assert isinstance(row[key], kind), (table, key, row[key])


def test_skus_obey_the_contract(feed: Feed) -> None:
    for sku in feed.tables["skus"]:
        assert re.fullmatch(r"[A-Z0-9]+(-[A-Z0-9]+)*", sku["sku"])
        assert re.fullmatch(r"#[0-9a-fA-F]{6}", sku["color"]["hex"])
        assert sku["sku"].endswith(sku["color"]["code"])
        assert 2000 <= sku["year"] <= 2026
        assert sku["weight_g"] is None or 1 < sku["weight_g"] < 40_000
        assert sku["updates_until"] is None or sku["year"] < sku["updates_until"] < 2040
        assert sku["specs"]
        assert all(isinstance(value, str | int) for value in sku["specs"].values())
        if sku["new_price"] is not None:
            assert set(sku["new_price"]) == {"cents", "currency", "source", "observed_on"}
            assert sku["new_price"]["observed_on"].startswith(("20",))


def test_the_sixty_best_sellers_name_who_publishes_their_specifications_and_when_they_were_noted() -> None:
    models = [model for path in (SAMPLE / "models").glob("*.json") for model in json.loads(path.read_text("utf-8"))]
    sourced = [model for model in models if "source" in model["specs"]]

    assert len([model for model in sourced if model["popularity"] > 5]) >= 60
    assert [model["model"] for model in models if model["popularity"] > 6 and model not in sourced] == []
    for model in models:
        assert ("source" in model["specs"]) == ("checked_on" in model["specs"]), model["model"]
    for model in sourced:
        assert all(PUBLISHER.fullmatch(name) for name in model["specs"]["source"].split(", ")), model["model"]
        assert date(2026, 11, 29) <= date.fromisoformat(model["specs"]["checked_on"]) <= date(2027, 12, 31)


def test_no_word_of_the_sample_says_that_a_device_resists_water() -> None:
    """A device that was opened keeps no promise of its model's: nobody reads one, and no search for one finds anything."""
    resists = re.compile(
        r"étanche|waterproof|water[- ]resist|wasserdicht|wasserfest|impermeable|resistente al agua|مقاوم للماء", re.I
    )
    texts = {path: path.read_text("utf-8") for path in SAMPLE.rglob("*.json*")}

    assert len(texts) > 20
    assert [path.name for path, text in texts.items() if resists.search(text)] == []


def test_what_is_known_of_repair_has_its_source(feed: Feed) -> None:
    for sku in feed.tables["skus"]:
        specs = sku["specs"]
        assert ("repair_tenths" in specs) == ("repair_source" in specs)
        assert ("spare_parts_years" in specs) == ("spare_parts_source" in specs)


def test_a_variant_that_differs_from_its_model_has_no_source() -> None:
    skus = {sku.row["sku"]: sku.row["specs"] for sku in grow_skus(20_000)}

    assert skus["IPHONE-13-128-BLUE-CASE"]["source"] == skus["IPHONE-13-128-BLUE"]["source"]
    assert "source" in skus["MACBOOK-AIR-13-M1-256-GOLD"]
    assert not {"source", "checked_on"} & skus["MACBOOK-AIR-13-M1-256-GOLD-QWERTY-US"].keys()


def test_eans_carry_their_check_digit(feed: Feed) -> None:
    for ean in feed.keys("skus", "ean"):
        assert re.fullmatch(r"\d{13}", ean)
        weighed = sum(int(digit) * weight for digit, weight in zip(ean, [1, 3] * 6 + [1], strict=True))
        assert weighed % 10 == 0


def test_every_compared_fact_is_known_of_some_model(feed: Feed) -> None:
    for category in feed.tables["categories"]:
        facts: set[str] = set()
        for sku in feed.tables["skus"]:
            if sku["category_id"] == category["category_id"]:
                facts |= set(sku) | set(sku["specs"])
        assert set(category["compare"]) <= facts, category["category_id"]


def test_every_text_comes_in_every_language(feed: Feed) -> None:
    pairs = [pair for rows in feed.tables.values() for row in rows for pair in language_pairs(row)]
    assert len(pairs) > 1000
    for pair in pairs:
        assert list(pair) == list(LANGUAGES), pair
        assert all(text.strip() for text in pair.values())


def test_a_shade_s_plain_colour_does_not_hang_on_the_languages_it_is_named_in(feed: Feed) -> None:
    for color in (sku["color"] for sku in feed.tables["skus"]):
        two = {language: color["name"][language] for language in ("en", "fr")}
        assert color_family({**color, "name": dict(sorted(color["name"].items()))}) == color_family({**color, "name": two}), color


def test_listings_obey_the_contract(feed: Feed) -> None:
    currencies = {"fr": "EUR", "us": "USD", "de": "EUR", "es": "EUR"}
    floors = {row["code"]: row["battery_min_pct"] for row in feed.tables["grades"]}
    for row in feed.listings:
        assert tuple(row) == COLUMNS
        assert SHELF_PRICE.fullmatch(row["price"]), row
        assert MONEY.fullmatch(row["shipping_price"])
        assert row["currency"] == currencies[row["market"]]
        assert row["prior_price"] == "" or float(row["prior_price"]) > float(row["price"])
        assert int(row["quantity"]) >= 0
        assert 1 <= int(row["delivery_days"]) <= 7
        assert row["warranty_months"] in {"12", "24", "36"}
        assert row["vat_type"] in {"MARGINAL", "REGULAR"}
        assert row["battery_pct"] == "" or floors[row["grade"]] <= int(row["battery_pct"]) <= 100
        assert row["new_battery"] == "0" or row["battery_pct"] == "100"
        assert row["state"] in {"online", "offline"}


def test_a_seller_lists_a_sku_and_grade_once_a_market(feed: Feed) -> None:
    keys = [(row["seller_id"], row["sku_id"], row["market"], row["grade"]) for row in feed.listings]
    assert len(keys) == len(set(keys))


def test_devices_on_a_table_have_offers_in_three_grades_and_more(feed: Feed) -> None:
    active = {row["seller_id"] for row in feed.tables["sellers"] if row["status"] == "active"}
    grades: dict[tuple[str, int], set[str]] = defaultdict(set)
    for row in feed.listings:
        if row["state"] == "online" and int(row["quantity"]) > 0 and int(row["seller_id"]) in active:
            grades[row["market"], int(row["sku_id"])].add(row["grade"])
    for corner in feed.tables["corners"]:
        assert 9 <= len(corner["planogram"]) <= 12
        positions = [spot["position"] for spot in corner["planogram"]]
        assert len(positions) == len(set(positions))
        for spot in corner["planogram"]:
            assert len(grades[corner["market"], spot["sku_id"]]) >= 3, (corner["corner_id"], spot)


def test_a_better_grade_mostly_costs_more(tmp_path: Path) -> None:
    write_feed(tmp_path, listings=6000, seed=3)
    prices: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for row in Feed(tmp_path).listings:
        prices[row["market"], row["sku_id"], row["grade"]].append(float(row["price"]))
    for worse, better in [("FAIR", "GOOD"), ("GOOD", "EXCELLENT"), ("EXCELLENT", "PREMIUM")]:
        pairs = [
            (min(prices[market, sku, worse]), min(prices[market, sku, better]))
            for market, sku, grade in sorted(prices)
            if grade == worse and (market, sku, better) in prices
        ]
        assert len(pairs) > 300
        assert sum(low <= high for low, high in pairs) > 0.9 * len(pairs)


def test_plans_form_a_lawful_ladder(feed: Feed) -> None:
    plans = feed.tables["plans"]
    assert all(plan["fictitious"] for plan in plans)
    assert any(plan["promo_months"] and plan["promo_monthly_cents"] < plan["monthly_cents"] for plan in plans)
    assert any(plan["instalment_months"] in {24, 36} and plan["refund_cents"] for plan in plans)
    for plan in plans:
        assert (plan["promo_monthly_cents"] is None) == (plan["promo_months"] == 0)
        assert plan["commitment_months"] in {0, 12, 24}
        assert re.fullmatch(r"[0-9a-f]{64}", plan["summary"]["sha256"])
        siblings = [
            other
            for other in plans
            if other["data_gb"] == plan["data_gb"] and other["market"] == plan["market"] and 0 < other["commitment_months"] <= 12
        ]
        assert plan["commitment_months"] <= 12 or siblings, "L224-28: a shorter version must exist"


def test_every_country_says_its_law_with_source_and_date(feed: Feed) -> None:
    for country in read_countries():
        laws = [law for law in feed.tables["laws"] if law["market"] == country.market]
        kinds = {law["kind"] for law in laws}
        europe_s = {"legal_guarantee", "withdrawal", "vat", "prior_price", "plan_lengths", "plan_notice"}
        in_europe = europe_s if country.market != "us" else set()
        assert kinds >= {"forbidden_words", "tax_display", "porting"} | in_europe, country.market
        assert all(law["source"] and law["valid_from"] <= "2026-11-29" for law in laws)


def test_the_address_that_a_country_shows_as_an_example_is_one_it_takes() -> None:
    for country in read_countries():
        contact = {"name": "Alix Durand", "email": "alix@example.org", "address": country.facts["address_example"]}
        assert read_contact(contact, country.facts["post_codes"]).address == contact["address"]
        with pytest.raises(InvalidContact):
            read_contact({**contact, "address": re.sub(r"\d{5}", "1234", contact["address"])}, country.facts["post_codes"])


def test_a_genuine_sku_keeps_its_id_when_the_world_grows() -> None:
    small, large = grow_skus(1), grow_skus(20_000)
    assert len(large) == 20_000
    assert [sku.row for sku in large[: len(small)]] == [sku.row for sku in small]
    codes = [sku.row["sku"] for sku in large]
    assert len(codes) == len(set(codes))


def test_every_clerk_opens_the_counter_with_the_demo_pin(feed: Feed) -> None:
    hashes = [clerk["pin_hash"] for corner in feed.tables["corners"] for clerk in corner["clerks"]]
    assert len(hashes) == len(set(hashes)) == 18
    for pin_hash in hashes:
        assert pin_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert PasswordHasher().verify(pin_hash, "246810")


def test_nothing_carries_a_forbidden_word(feed: Feed) -> None:
    texts = [text for name, rows in feed.tables.items() if name != "laws" for row in rows for text in texts_of(row)]
    texts += [row["comment"] for row in feed.listings]
    assert len(texts) > 10_000
    assert [text for text in texts if FORBIDDEN.search(text)] == []


def test_tariffs_and_sellers_are_marked_as_fictitious(feed: Feed) -> None:
    assert "fictitious" in json.loads((feed.folder / "feed.json").read_text("utf-8"))["note"]
