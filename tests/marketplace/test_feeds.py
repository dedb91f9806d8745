from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketplace.feeds import import_feed
from marketplace.problems import FeedRefused
from marketplace.publishing import sync_path
from tests.marketplace import world
from tests.marketplace.hq import Hq, quiet

Rows = dict[str, list[dict[str, Any]]]


def refused(hq: Hq, tmp_path: Path, rows: Rows | None = None, **listings: dict[str, str] | None) -> list[dict[str, Any]]:
    """Import a bad feed; return its problems, having checked that nothing of it was kept."""
    feed = world.write_feed(tmp_path / "bad", rows, world.listings(**listings))
    return refused_feed(hq, feed)


def refused_feed(hq: Hq, feed: Path) -> list[dict[str, Any]]:
    before = hq.rows("select * from listing order by listing_id") + hq.rows("select * from sku order by sku_id")
    with pytest.raises(FeedRefused) as refusal:
        import_feed(hq.engine, feed, static=sync_path(hq.directory), progress=quiet)
    assert hq.rows("select * from listing order by listing_id") + hq.rows("select * from sku order by sku_id") == before
    assert hq.rows("select * from sync_dirty") == []
    problems: list[dict[str, Any]] = refusal.value.data["problems"]
    return problems


@pytest.mark.parametrize(
    ("change", "field", "reason"),
    [
        ({"price": "-1.00"}, "price", "negative price"),
        ({"price": "369"}, "price", "not an amount with two decimals"),
        ({"price": "0.00"}, "price", "a price is above zero"),
        ({"price": "3,69"}, "price", "not an amount with two decimals"),
        ({"sku_id": "99"}, "sku_id", "unknown SKU 99"),
        ({"seller_id": "99"}, "seller_id", "unknown seller 99"),
        ({"grade": "VERY_GOOD"}, "grade", "unknown grade VERY_GOOD"),
        ({"market": "uk"}, "market", "unknown market uk"),
        ({"currency": "USD"}, "currency", "USD is not the market's EUR"),
        ({"comment": "Appareil COMME  neuf"}, "comment", "forbidden wording: comme neuf"),
        ({"comment": "Looks like new"}, "comment", "forbidden wording: like new"),
        ({"battery_pct": "79"}, "battery_pct", "79 % is under the floor of GOOD, 80 %"),
        ({"grade": "PREMIUM", "battery_pct": "84"}, "battery_pct", "84 % is under the floor of PREMIUM, 85 %"),
        ({"warranty_months": "11"}, "warranty_months", "not between 12 and 120"),
        ({"quantity": "-1"}, "quantity", "negative"),
        ({"quantity": "1.5"}, "quantity", "not a whole number"),
        ({"vat_type": "NONE"}, "vat_type", "not one of REGULAR, MARGINAL"),
        ({"new_battery": "yes"}, "new_battery", "not one of 0, 1"),
        ({"state": "sold"}, "state", "not one of online, offline"),
        ({"prior_price": "369.00"}, "prior_price", "not above the price: no reduction to announce"),
        ({"prior_price": "399.00"}, "prior_price", "above 369.00, the lowest price published in 30 days (L112-1-1)"),
        ({"comment": "x" * 501}, "comment", "longer than 500 characters"),
    ],
)
def test_a_bad_listing_is_named_by_file_line_field_and_reason(
    hq: Hq, tmp_path: Path, change: dict[str, str], field: str, reason: str
) -> None:
    problems = refused(hq, tmp_path, l12={}, l11=change)
    assert problems == [{"file": "listings.csv", "line": 2, "field": field, "reason": reason}]


def change_sku(rows: Rows, **values: Any) -> None:
    rows["skus"][0].update(values)


@pytest.mark.parametrize(
    ("spoil", "file", "line", "field", "reason"),
    [
        (lambda rows: change_sku(rows, ean="4006381333932"), "skus.jsonl", 1, "ean", "check digit"),
        (lambda rows: change_sku(rows, category_id="toys"), "skus.jsonl", 1, "category_id", "unknown category toys"),
        (lambda rows: change_sku(rows, weight_g=1.5), "skus.jsonl", 1, "line", "decimal number 1.5"),
        (lambda rows: change_sku(rows, model="iPhone comme neuf"), "skus.jsonl", 1, "model", "forbidden wording: comme neuf"),
        (lambda rows: rows["skus"][1].update(sku_id=1), "skus.jsonl", 2, "sku_id", "already on line 1"),
        (lambda rows: rows["skus"][0].pop("brand"), "skus.jsonl", 1, "brand", "missing"),
        (lambda rows: rows["plans"].pop(0), "plans.jsonl", 1, "commitment_months", "L224-28"),
        (lambda rows: rows["plans"][0].update(monthly_cents=-5), "plans.jsonl", 1, "monthly_cents", "not between"),
        (lambda rows: rows["plans"][0].update(partner_id="nobody"), "plans.jsonl", 1, "partner_id", "no partner nobody"),
        (lambda rows: rows["sellers"][0]["metrics"].pop("late_bp"), "sellers.jsonl", 1, "metrics", "late_bp"),
        (lambda rows: rows["corners"][0].update(time_zone="Nantes"), "corners.jsonl", 1, "time_zone", "unknown time zone"),
        (lambda rows: rows["corners"][0]["clerks"][0].update(pin_hash="246810"), "corners.jsonl", 1, "clerks", "argon2id"),
        (lambda rows: rows["corners"][0]["planogram"][0].update(sku_id=77), "corners.jsonl", 1, "planogram", "unknown SKU 77"),
        (lambda rows: rows["corners"][1].update(corner_no=101), "corners.jsonl", 2, "corner_no", "already on line 1"),
        (lambda rows: rows["options"][0].update(categories=["toys"]), "options.jsonl", 1, "categories", "unknown category toys"),
        (lambda rows: rows.pop("laws"), "laws.jsonl", 0, "file", "missing"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_by_file_line_field_and_reason(
    hq: Hq, tmp_path: Path, spoil: Callable[[Rows], object], file: str, line: int, field: str, reason: str
) -> None:
    rows = world.world()
    spoil(rows)
    first = refused(hq, tmp_path, rows)[0]
    assert (first["file"], first["line"], first["field"]) == (file, line, field)
    assert reason in first["reason"]


def test_every_problem_is_found_at_once_up_to_a_hundred(hq: Hq, tmp_path: Path) -> None:
    assert len(refused(hq, tmp_path, l11={"price": "-1.00", "quantity": "x"}, l12={"currency": "USD"})) == 3
    many = {f"l{number}": {"seller_id": "1", "sku_id": "1", "grade": "GOOD", "price": "-1.00"} for number in range(1000, 1500)}
    assert len(refused(hq, tmp_path, None, **many)) == 100


@pytest.mark.parametrize("spoiled", ["", "listing_id;price\n1;2.00\n", "\xff\xfe", "{}"])
def test_a_broken_file_is_refused(hq: Hq, tmp_path: Path, spoiled: str) -> None:
    feed = world.write_feed(tmp_path / "bad")
    (feed / "listings.csv").write_bytes(spoiled.encode("latin-1"))
    assert refused_feed(hq, feed)[0]["file"] == "listings.csv"
    (feed / "feed.json").write_text("{", encoding="utf-8")
    assert refused_feed(hq, feed)[0]["file"] == "feed.json"


@pytest.mark.parametrize("name", ["", "FR", "f r", "fr/../x", "fr\n", "é", "x" * 33])
def test_a_market_that_could_not_be_published_is_refused(hq: Hq, tmp_path: Path, name: str) -> None:
    feed = world.write_feed(tmp_path / "bad", markets=world.MARKETS | {name: world.MARKETS["fr"]})
    problem = refused_feed(hq, feed)[0]
    assert (problem["file"], problem["field"]) == ("feed.json", "markets")


def test_a_listing_cannot_change_hands(hq: Hq, tmp_path: Path) -> None:
    assert refused(hq, tmp_path, l11={"seller_id": "2"})[0]["reason"] == "belongs to seller 1"


def test_importing_the_same_feed_twice_changes_nothing(hq: Hq) -> None:
    imported = hq.import_world()
    assert (imported.added, imported.changed, imported.removed, imported.marked) == ({}, {}, {}, 0)


def test_only_real_changes_are_marked(hq: Hq) -> None:
    imported = hq.import_world(l11={"price": "349.00"}, l12={"quantity": "4"}, l13={"comment": "Coque offerte"})
    assert imported.changed == {"listing": 3}
    assert sorted((each["table_name"], each["row_key"]) for each in hq.rows("select * from sync_dirty")) == [
        ("listing", "11"),
        ("stock", "12"),
    ]


def test_what_left_the_feed_is_withdrawn_everywhere(hq: Hq) -> None:
    imported = hq.import_world(l11=None)
    assert imported.removed == {"listing": 1}
    assert hq.publish() == 2
    assert hq.rows("select state from listing where listing_id = 11") == [{"state": "withdrawn"}]
    assert hq.import_world(l11=None).marked == 0
    hq.change()
    assert hq.rows("select state from listing where listing_id = 11") == [{"state": "online"}]


def test_a_reduction_may_go_on_and_go_down_but_not_start_from_a_made_up_price(hq: Hq, tmp_path: Path) -> None:
    hq.change(l11={"price": "329.00", "prior_price": "369.00"})
    hq.change(l11={"price": "319.00", "prior_price": "369.00"})
    problems = refused(hq, tmp_path, l11={"price": "325.00", "prior_price": "369.00"})
    assert problems[0]["reason"].startswith("above 319.00")


def test_memory_does_not_grow_with_the_listings(hq: Hq, tmp_path: Path) -> None:
    usual = {"seller_id": "1", "sku_id": "1", "grade": "GOOD", "price": "300.00"}
    feed = world.write_feed(tmp_path / "large", None, dict.fromkeys(range(1000, 21_000), usual))
    tracemalloc.start()
    import_feed(hq.engine, feed, static=sync_path(hq.directory), progress=quiet)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * 2**20


@pytest.mark.parametrize(
    ("file", "change", "field", "reason"),
    [
        ("plans", {"acquisitions": [{}]}, "acquisitions", "empty or not a text"),
        ("plans", {"summary": {}}, "summary", "url: not a web address"),
        ("plans", {"summary": {"url": "javascript:alert(1)"}}, "summary", "url: not a web address"),
        ("skus", {"color": {"hex": "red;}", "name": {"fr": "Rouge"}}}, "color", "hex: not a colour as #rrggbb"),
        ("skus", {"new_price": {"cents": 1}}, "new_price", "currency: not a currency code"),
        ("skus", {"specs": {"box": ["comme neuf"]}}, "specs", "forbidden wording: comme neuf"),
        ("skus", {"model": "iPhone\0"}, "line", "a control character or half a character"),
        ("corners", {"planogram": [{"position": [], "sku_id": 1}]}, "planogram", "position: empty or not a text"),
        ("corners", {"planogram": [{"position": "A1", "sku_id": []}]}, "planogram", "sku_id: not a whole number"),
        ("corners", {"languages": []}, "languages", "fewer than 1"),
        ("corners", {"languages": ["xx"]}, "languages", "not one of fr, en"),
        ("laws", {"kind": "legal_guarantee", "body": {}}, "body", "months: not a whole number"),
        ("laws", {"kind": "copy_levy", "body": {"vat_bp": 2000, "bands": {"phone": [[1]]}}}, "body", None),
    ],
)
def test_what_pages_would_stumble_over_is_refused(
    hq: Hq, tmp_path: Path, file: str, change: dict[str, Any], field: str, reason: str | None
) -> None:
    rows = world.world()
    rows[file][0] = {**rows[file][0], **change}

    problem = refused(hq, tmp_path, rows)[0]

    assert (problem["file"], problem["line"], problem["field"]) == (f"{file}.jsonl", 1, field)
    assert reason is None or problem["reason"] == reason


def market_in(currency: str) -> dict[str, dict[str, Any]]:
    return {"fr": {**world.MARKETS["fr"], "currency": currency}}


def test_prices_have_the_decimals_of_their_market_s_currency(hq: Hq, tmp_path: Path) -> None:
    yen = {name: {"currency": "JPY", "price": "58000", "shipping_price": "0"} for name in ("l11", "l12", "l13", "l21")}
    in_euros = {**yen, "l11": {**yen["l11"], "price": "58000.00"}}
    bad = world.write_feed(tmp_path / "bad", None, world.listings(**in_euros), markets=market_in("JPY"))
    [problem] = refused_feed(hq, bad)
    assert (problem["line"], problem["field"], problem["reason"]) == (2, "price", "not an amount without decimals")

    good = world.write_feed(tmp_path / "good", None, world.listings(**yen), markets=market_in("JPY"))
    import_feed(hq.engine, good, static=sync_path(hq.directory), progress=quiet)
    assert hq.rows("select distinct price_cents from listing") == [{"price_cents": 58000}]


def test_a_market_whose_currency_no_slip_can_name_is_refused(hq: Hq, tmp_path: Path) -> None:
    feed = world.write_feed(tmp_path / "bad", None, world.listings(), markets=market_in("XAF"))
    [problem] = refused_feed(hq, feed)
    assert problem["file"] == "feed.json"
    assert "XAF is none of EUR, USD, GBP, SEK" in problem["reason"]


def test_a_wrong_byte_is_reported_on_its_line(hq: Hq, tmp_path: Path) -> None:
    feed = world.write_feed(tmp_path / "bad", None, world.listings())
    path = feed / "listings.csv"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], lines[2].replace(b";", b"\xe9;", 1), *lines[3:]]))

    [problem] = refused_feed(hq, feed)

    assert (problem["file"], problem["line"]) == ("listings.csv", 3)


def test_a_file_nested_without_end_is_refused(hq: Hq, tmp_path: Path) -> None:
    feed = world.write_feed(tmp_path / "bad", None, world.listings())
    (feed / "plans.jsonl").write_text("[" * 100_000)

    assert refused_feed(hq, feed)[0]["file"] == "plans.jsonl"
