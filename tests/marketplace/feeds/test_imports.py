from __future__ import annotations

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marketplace.feeds.imports import import_feed
from marketplace.feeds.problems import FeedRefused
from marketplace.installation import sync_path
from tests.marketplace import world
from tests.marketplace.hq import Hq, quiet

SUMMARY = {"url": "https://example.invalid/1.pdf", "version": "1", "sha256": "0" * 64}
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
        ({"price": "3,69"}, "price", "not an amount with two decimals: a decimal comma, where a point belongs"),
        ({"price": "1,299.00"}, "price", "not an amount with two decimals: a comma between thousands"),
        ({"price": " 369.00"}, "price", "not an amount with two decimals: a space around it"),
        ({"price": ""}, "price", "not an amount with two decimals: empty"),
        ({"sku_id": "1" * 30}, "sku_id", "not between 1 and 2147483647: a number of 30 digits"),
        ({"quantity": "007"}, "quantity", "not a whole number: a zero before it"),
        ({"grade": "G" * 5_000}, "grade", f"unknown grade {'G' * 60}"),
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
        (lambda rows: rows["plans"][0].update(monthly_cents=-5), "plans.jsonl", 1, "monthly_cents", "less than 0"),
        (lambda rows: rows["plans"][0].update(partner_id="nobody"), "plans.jsonl", 1, "partner_id", "no partner nobody"),
        (lambda rows: rows["sellers"][0]["metrics"].pop("late_bp"), "sellers.jsonl", 1, "metrics", "late_bp"),
        (lambda rows: rows["corners"][0].update(time_zone="Nantes"), "corners.jsonl", 1, "time_zone", "unknown time zone"),
        (lambda rows: rows["corners"][0]["clerks"][0].update(pin_hash="246810"), "corners.jsonl", 1, "clerks", "pin_hash"),
        (lambda rows: rows["corners"][0]["planogram"][0].update(sku_id=77), "corners.jsonl", 1, "planogram", "unknown SKU 77"),
        (
            lambda rows: rows["corners"][0].update(
                planogram=[{"position": place, "sku_id": 1, "demo_id": "7K3M9QXT"} for place in ("A1", "A2")]
            ),
            "corners.jsonl",
            1,
            "planogram",
            "two devices with the tag 7K3M9QXT",
        ),
        (lambda rows: rows["corners"][1].update(corner_no=101), "corners.jsonl", 2, "corner_no", "already on line 1"),
        (lambda rows: rows["partners"][0].update(categories=["toys"]), "partners.jsonl", 1, "categories", "category toys"),
        (lambda rows: rows["partners"][0].update(color="red;}"), "partners.jsonl", 1, "color", "not a colour"),
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
        ("plans", {"acquisitions": [{}]}, "acquisitions", "0: not one of 'new', 'port' or 'renewal'"),
        ("plans", {"summary": {}}, "summary", "url: missing; version: missing; sha256: missing"),
        (
            "plans",
            {"summary": {"url": "javascript:alert(1)", "version": "1", "sha256": "0" * 64}},
            "summary",
            "url: not a web address",
        ),
        ("skus", {"color": {"hex": "red;}", "name": {"fr": "Rouge"}}}, "color", "hex: not a colour as #rrggbb"),
        ("skus", {"new_price": {"cents": 1}}, "new_price", "currency: missing; source: missing; observed_on: missing"),
        ("skus", {"specs": {"box": {"fr": "comme neuf"}}}, "specs", "forbidden wording: comme neuf"),
        (
            "skus",
            {"specs": {"lenses": "3", "screen_tenths_in": 10**29}},
            "specs",
            "screen_tenths_in: more than 10000000; lenses: not a whole number",
        ),
        ("skus", {"model": "iPhone\0"}, "model", "empty, or with a line break or an invisible sign"),
        ("skus", {"model": "iPhone\n13"}, "model", "empty, or with a line break or an invisible sign"),
        ("sellers", {"name": "Atelier\u2028Loire"}, "name", "empty, or with a line break or an invisible sign"),
        ("sellers", {"legal_name": "x" * 3_000}, "legal_name", "longer than 160 characters"),
        ("laws", {"kind": "forbidden_words", "body": {"words": None}}, "body", "words: not a list"),
        ("corners", {"planogram": [{"position": [], "sku_id": 1}]}, "planogram", "0.position: not a text"),
        ("corners", {"planogram": [{"position": "A1", "sku_id": []}]}, "planogram", "0.sku_id: not a whole number"),
        ("corners", {"languages": []}, "languages", "fewer than 1"),
        (
            "corners",
            {"languages": ["xx"] * 1_000},
            "languages",
            "; ".join(f"{at}: xx is none of fr, en, es, de, ar" for at in range(5)),
        ),
        ("corners", {"languages": ["xx"]}, "languages", "0: xx is none of fr, en, es, de, ar"),
        ("laws", {"kind": "legal_guarantee", "body": {}}, "body", "months: missing"),
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


def spoilt(tmp_path: Path, name: str, change: Callable[[bytes], bytes]) -> Path:
    feed = world.write_feed(tmp_path / "spoilt", None, world.listings())
    (feed / name).write_bytes(change((feed / name).read_bytes()))
    return feed


@pytest.mark.parametrize("name", ["listings.csv", "skus.jsonl", "feed.json"])
@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"\xef\xbb\xbf" + content,
        lambda content: content.replace(b"\n", b"\r\n"),
        lambda content: content + b"\n \n\r\n",
        lambda content: content.rstrip(b"\n"),
    ],
    ids=["byte order mark", "CR LF", "empty lines at the end", "no line end at the end"],
)
def test_what_editors_and_spreadsheets_leave_in_a_file_changes_nothing(
    hq: Hq, tmp_path: Path, name: str, change: Callable[[bytes], bytes]
) -> None:
    feed = spoilt(tmp_path, name, change)
    imported = import_feed(hq.engine, feed, static=sync_path(hq.directory), progress=quiet)
    assert (imported.added, imported.changed, imported.removed, imported.listings) == ({}, {}, {}, 4)


SECOND_LINE = world.HEADER.encode() + b"\n"


@pytest.mark.parametrize(
    ("name", "change", "line", "reason"),
    [
        ("listings.csv", lambda content: content.decode().encode("utf-16"), 1, "UTF-16, not UTF-8"),
        ("listings.csv", lambda content: content.decode().encode("utf-16-le"), 1, "UTF-16, not UTF-8"),
        ("skus.jsonl", lambda content: content.decode().encode("utf-32"), 1, "UTF-32, not UTF-8"),
        ("feed.json", lambda content: content.decode().encode("utf-16-be"), 1, "UTF-16, not UTF-8"),
        ("grades.jsonl", lambda content: content.decode().encode("latin-1"), 1, "byte 0xE9 at character"),
        ("grades.jsonl", lambda content: content.decode().encode("latin-1"), 1, "“é” in Latin-1 or Windows-1252"),
        ("listings.csv", lambda content: content.replace(b";", b","), 1, "a comma between the fields, where a semicolon belongs"),
        ("listings.csv", lambda content: content.replace(b";", b"\t"), 1, "a tab between the fields, where a semicolon belongs"),
        ("listings.csv", lambda content: content.replace(b";state\n", b"\n", 1), 1, "state missing"),
        ("listings.csv", lambda content: content.replace(b"\n", b"\n\n", 1), 2, "an empty line between others"),
        ("listings.csv", lambda content: content.replace(b"\n11;", b'\n"11;', 1), 2, "a quote is opened and not closed"),
        ("listings.csv", lambda content: content.replace(b"\n11;", b"\n11\0;", 1), 2, "a NUL byte at character 3"),
        ("listings.csv", lambda content: content.replace(b"\n11;", b"\n11;;", 1), 2, "18 fields instead of 17"),
        ("listings.csv", lambda content: content.replace(b"\n", b"\r"), 1, "a carriage return at character"),
        ("listings.csv", lambda content: content[: content.index(b"\n") + 20], 2, "6 fields instead of 17"),
        ("listings.csv", lambda content: SECOND_LINE + b"1" * 70_000, 2, "longer than 65,536 bytes"),
        ("listings.csv", lambda _: b"", 1, "the file is empty"),
        ("skus.jsonl", lambda content: content.replace(b'{"sku_id"', b'{"sku_id": 7, "sku_id"', 1), 1, "sku_id stands twice"),
        ("skus.jsonl", lambda content: content.replace(b": 128", b": 1" + b"0" * 5_000, 1), 1, "a number of 5001 digits"),
        ("skus.jsonl", lambda content: content.replace(b"\n", b"\n\n", 1), 2, "empty, where a JSON object belongs"),
        ("skus.jsonl", lambda content: b"[" + content, 1, "no JSON"),
        ("feed.json", lambda content: content.replace(b"{", b'{"name": "x",', 1), 1, "name stands twice in one object"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_told_where_and_why(
    hq: Hq, tmp_path: Path, name: str, change: Callable[[bytes], bytes], line: int, reason: str
) -> None:
    problem = refused_feed(hq, spoilt(tmp_path, name, change))[0]
    assert (problem["file"], problem["line"]) == (name, line)
    assert reason in problem["reason"]


@pytest.mark.parametrize("name", ["feed.json", "skus.jsonl", "listings.csv", "prices.csv", "media.jsonl"])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "a named pipe, not a file"),
        (os.mkdir, "a directory, not a file"),
        (lambda path: path.symlink_to("/etc/hostname"), "a symbolic link, not a file"),
        (lambda path: path.symlink_to(path.with_name("nowhere")), "a symbolic link, not a file"),
        (lambda path: os.truncate(os.open(path, os.O_WRONLY | os.O_CREAT), 2**40), "1,099,511,627,776 bytes, more than"),
    ],
    ids=["pipe", "directory", "link", "link to nothing", "sparse"],
)
def test_only_plain_files_of_a_feed_are_read(
    hq: Hq, tmp_path: Path, name: str, make: Callable[[Path], object], reason: str
) -> None:
    feed = world.write_feed(tmp_path / "odd", None, world.listings())
    (feed / name).unlink(missing_ok=True)
    make(feed / name)
    problem = refused_feed(hq, feed)[0]
    assert (problem["file"], problem["line"], problem["field"]) == (name, 0, "file")
    assert problem["reason"].startswith(f"cannot be read: {reason}")


def test_what_is_stored_is_what_was_judged(hq: Hq, tmp_path: Path) -> None:
    feed = world.write_feed(tmp_path / "replaced", None, world.listings(l11={"price": "349.00"}))

    def replace(stage: str, _: int) -> None:
        if stage == "judged":
            (feed / "listings.csv").write_text(world.HEADER + "\n", encoding="utf-8")

    imported = import_feed(hq.engine, feed, static=sync_path(hq.directory), progress=replace)

    assert (imported.listings, imported.changed, imported.removed) == (4, {"listing": 1}, {})
    assert hq.rows("select price_cents from listing where listing_id = 11") == [{"price_cents": 34_900}]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"format": "comptoir-feed/2"}, "format"),
        ({"name": ["Test"]}, "name"),
        ({"name": None}, "name"),
        ({"markets": []}, "markets"),
        ({"markets": {}}, "markets"),
        ({"markets": {"fr": 5}}, "markets"),
        ({"markets": {"fr": {**world.MARKETS["fr"], "tax_included": "no"}}}, "markets"),
        ({"markets": {"fr": {**world.MARKETS["fr"], "currency": {"EUR": 1}}}}, "markets"),
        ({"markets": {"fr": {**world.MARKETS["fr"], "languages": "fr"}}}, "markets"),
    ],
)
def test_a_header_of_another_shape_is_refused(hq: Hq, tmp_path: Path, change: dict[str, Any], field: str) -> None:
    feed = world.write_feed(tmp_path / "bad", None, world.listings())
    header = json.loads((feed / "feed.json").read_text(encoding="utf-8"))
    (feed / "feed.json").write_text(json.dumps(header | change), encoding="utf-8")
    problem = refused_feed(hq, feed)[0]
    assert (problem["file"], problem["line"], problem["field"]) == ("feed.json", 1, field)


@pytest.mark.parametrize("content", ["[]", "5", "null", '"feed"', "[" * 100_000, "{}"])
def test_a_header_that_is_no_object_is_refused(hq: Hq, tmp_path: Path, content: str) -> None:
    feed = world.write_feed(tmp_path / "bad", None, world.listings())
    (feed / "feed.json").write_text(content, encoding="utf-8")
    problem = refused_feed(hq, feed)[0]
    assert (problem["file"], problem["line"]) == ("feed.json", 1)
