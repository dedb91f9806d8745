"""Grow the sample world in `demo/sample/` into a catalogue feed of any size.

Invariant: the same number of listings and the same seed give the same bytes on every Python ≥ 3.11. Only `random.Random.random`
is drawn from, no order comes from a set, and no clock is read. A genuine SKU keeps its `sku_id` whatever the size.
"""

import csv
import hashlib
import json
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from demo.sample_markets import TABLES, Country, read_countries, rows_of
from demo.sample_skus import SAMPLE, Row, SampleSku, grow_skus, read_rows
from pos.currencies import decimal, places

Progress = Callable[[int, int], None]

GRADES = ("GOOD", "EXCELLENT", "FAIR", "PREMIUM")
GRADE_TURNS = (0, 1, 2, 3, 0, 1, 0, 2, 1, 0, 3, 2)
PRICE_PER_MILLE = (1000, 1085, 890, 1180)
PLANOGRAM_OFFERS = 4
LISTINGS_PER_SKU = 25
LISTINGS_PER_STOCKED_SKU = 6
COLUMNS = (
    "listing_id",
    "seller_id",
    "sku_id",
    "market",
    "grade",
    "price",
    "currency",
    "quantity",
    "shipping_price",
    "delivery_days",
    "warranty_months",
    "vat_type",
    "battery_pct",
    "new_battery",
    "comment",
    "prior_price",
    "state",
)


@dataclass(frozen=True, slots=True)
class Trade:
    """What the listings of one market share."""

    market: str
    currency: str
    price_per_mille: int
    sellers: Mapping[str, Sequence[Row]]
    comments: Mapping[str, Sequence[Row]]
    floors: Sequence[int]
    promised: frozenset[int]


def write_feed(out: Path, *, listings: int, seed: int, progress: Progress | None = None, added: Sequence[Path] = ()) -> None:
    """Write a whole catalogue feed with exactly `listings` listings into `out`.

    `progress` is called with (listings written, listings wanted); `added` are folders of more countries (`demo.sample_markets`).

    Raises:
        ValueError: `listings` is negative, or more than the sample world can hold.
    """
    if listings < 0:
        raise ValueError("the number of listings cannot be negative")
    skus = grow_skus(max(1, listings // LISTINGS_PER_SKU))
    sku_ids: dict[str, int] = {sku.row["sku"]: sku.row["sku_id"] for sku in skus}
    countries = read_countries(added)
    corners = [place_skus(corner, sku_ids) for corner in rows_of("corners", countries)]
    trades = [(country, open_trade(country, corners, rows_of("sellers", countries))) for country in countries]
    room = room_for(skus, trades[0][1])
    if listings > room:
        raise ValueError(f"the sample world holds at most {room} listings")
    out.mkdir(parents=True, exist_ok=True)
    header = json.loads((SAMPLE / "feed.json").read_text("utf-8"))
    write_json(out / "feed.json", header | {"markets": {country.market: country.facts for country in countries}})
    write_rows(out / "grades.jsonl", read_rows("grades"))
    for table in TABLES:
        write_rows(out / f"{table}.jsonl", corners if table == "corners" else rows_of(table, countries))
    write_rows(out / "categories.jsonl", (without(row, "battery") for row in read_rows("categories")))
    write_rows(out / "sellers.jsonl", (without(row, "markets", "deals_in") for row in rows_of("sellers", countries)))
    write_rows(out / "skus.jsonl", (sku.row for sku in skus))
    write_media(out, sku_ids)
    write_listings(out / "listings.csv", skus, trades, wanted=listings, seed=seed, progress=progress)


def place_skus(corner: Row, sku_ids: Mapping[str, int]) -> Row:
    """Return a corner whose planogram names SKUs by `sku_id` instead of by code."""
    planogram = [{"position": spot["position"], "sku_id": sku_ids[spot["sku"]]} for spot in corner["planogram"]]
    return corner | {"planogram": planogram}


def write_media(out: Path, sku_ids: Mapping[str, int]) -> None:
    """Write the sample's own drawings: the files, and a row for each SKU one shows."""
    (out / "media").mkdir(exist_ok=True)
    rows = []
    for number, row in enumerate(read_rows("media"), start=1):
        content = (SAMPLE / "media" / row["file"]).read_bytes()
        (out / "media" / row["file"]).write_bytes(content)
        facts = {"media_id": number, "sku_id": sku_ids[row["sku"]], "kind": "drawing", "rank": 1, "credit": "Comptoir"}
        rows.append(facts | without(row, "sku") | {"sha256": hashlib.sha256(content).hexdigest()})
    write_rows(out / "media.jsonl", rows)


def write_listings(
    path: Path,
    skus: Sequence[SampleSku],
    trades: Sequence[tuple[Country, Trade]],
    *,
    wanted: int,
    seed: int,
    progress: Progress | None,
) -> None:
    """Write exactly `wanted` listings, those at home first, one row at a time."""
    rng = random.Random(seed)  # noqa: S311  # a reproducible sample world, no secrets
    abroad = [(trade, *share_abroad(skus, country, trade, wanted=wanted)) for country, trade in trades[1:]]
    at_home = (trades[0][1], skus, wanted - sum(share for _, _, share in abroad))
    step = max(1, wanted // 100)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, delimiter=";", lineterminator="\n")
        rows.writerow(COLUMNS)
        listing_id = 0
        for trade, stock, share in (at_home, *abroad):
            for facts in make_listings(rng, trade, stock, wanted=share):
                listing_id += 1
                rows.writerow((listing_id, *facts))
                if progress is not None and (listing_id % step == 0 or listing_id == wanted):
                    progress(listing_id, wanted)


def share_abroad(skus: Sequence[SampleSku], country: Country, trade: Trade, *, wanted: int) -> tuple[list[SampleSku], int]:
    """Return what is sold in a country that is not home, and how many of all listings are offered there."""
    sold = [sku for sku in skus if sku.genuine and (country.categories is None or sku.row["category_id"] in country.categories)]
    tables = min(PLANOGRAM_OFFERS * len(trade.promised), wanted // 12)
    return sold, min(max(wanted * (country.share_per_mille or 0) // 1000, tables), room_for(sold, trade))


def open_trade(country: Country, corners: Sequence[Row], everybody: Sequence[Row]) -> Trade:
    """Gather who of `everybody` sells what in a country, and which SKUs its corners show on their tables."""
    market = country.market
    sellers = sorted((row for row in everybody if market in row["markets"]), key=lambda row: str(row["status"]))
    comments = country.rows("comments")
    categories = [row["category_id"] for row in read_rows("categories")]
    return Trade(
        market=market,
        currency=country.facts["currency"],
        price_per_mille=country.price_per_mille,
        sellers={category: deal_in(category, sellers) for category in categories},
        comments={category: deal_in(category, comments) for category in categories},
        floors=[{row["code"]: row["battery_min_pct"] for row in read_rows("grades")}[grade] for grade in GRADES],
        promised=frozenset(spot["sku_id"] for corner in corners if corner["market"] == market for spot in corner["planogram"]),
    )


def deal_in(category_id: str, rows: Sequence[Row]) -> list[Row]:
    """Return the sellers who deal in a category, or the comments that make sense there."""
    return [row for row in rows if row["deals_in"] is None or category_id in row["deals_in"]]


def room_for(skus: Sequence[SampleSku], trade: Trade) -> int:
    """Return how many listings a market can hold: one a seller, SKU and grade."""
    return sum(len(trade.sellers[sku.row["category_id"]]) * len(GRADES) for sku in skus)


def make_listings(rng: random.Random, trade: Trade, skus: Sequence[SampleSku], *, wanted: int) -> Iterator[tuple[object, ...]]:
    """Yield `wanted` listings, SKU by SKU, in the order of `COLUMNS` after `listing_id`."""
    by_interest = sorted(skus, key=lambda sku: interest(sku, trade))
    stocked = by_interest[: max(wanted // LISTINGS_PER_STOCKED_SKU, len(trade.promised), 1)]
    if room_for(stocked, trade) < wanted:
        stocked = by_interest
    shares = share_out(stocked, trade, wanted=wanted)
    for sku, share in zip(stocked, shares, strict=True):
        promised = PLANOGRAM_OFFERS if sku.row["sku_id"] in trade.promised else 0
        for turn, (seller, grade) in enumerate(pair_sellers(rng, trade.sellers[sku.row["category_id"]], share)):
            yield describe_listing(rng, trade, sku, seller, grade, on_table=turn < promised)


def interest(sku: SampleSku, trade: Trade) -> tuple[bool, bool, int, int, int]:
    """Sort key: what stands on tables, then each model's first SKU, popular models before others; variants last."""
    return (sku.row["sku_id"] not in trade.promised, not sku.genuine, sku.turn, -sku.popularity, sku.row["sku_id"])


def share_out(skus: Sequence[SampleSku], trade: Trade, *, wanted: int) -> list[int]:
    """Return how many listings each SKU gets: four on a corner's table, the rest by popularity, never more than its room.

    `wanted` must fit in the room of all SKUs together.
    """
    rooms = [room_for([sku], trade) for sku in skus]
    weights = [sku.popularity * sku.popularity * 12 // (2 + sku.turn if sku.genuine else 8) + 1 for sku in skus]
    shares = [0] * len(skus)
    left = wanted
    for index, sku in enumerate(skus):
        shares[index] = min(PLANOGRAM_OFFERS, left) if sku.row["sku_id"] in trade.promised else 0
        left -= shares[index]
    while left:
        open_weights = [weight if share < room else 0 for weight, share, room in zip(weights, shares, rooms, strict=True)]
        total, passed, given = sum(open_weights), 0, 0
        for index, weight in enumerate(open_weights):
            due = (passed + weight) * left // total - passed * left // total
            passed += weight
            due = min(due, rooms[index] - shares[index])
            shares[index] += due
            given += due
        left -= given
    return shares


def pair_sellers(rng: random.Random, sellers: Sequence[Row], share: int) -> Iterator[tuple[Row, int]]:
    """Yield `share` different pairs of seller and grade, the first four in four grades and by active sellers, who come first."""
    active = sum(seller["status"] == "active" for seller in sellers)
    starts = [int(rng.random() * active) for _ in GRADES]
    used = [0] * len(GRADES)
    for turn in range(share):
        grade = GRADE_TURNS[turn % len(GRADE_TURNS)]
        while used[grade] == len(sellers):
            grade = (grade + 1) % len(GRADES)
        yield sellers[(starts[grade] + used[grade]) % len(sellers)], grade
        used[grade] += 1


def describe_listing(
    rng: random.Random, trade: Trade, sku: SampleSku, seller: Row, grade: int, *, on_table: bool
) -> tuple[object, ...]:
    """Return one listing's facts; what a corner shows on its table is always online and in stock."""
    draw = rng.random
    comments = trade.comments[sku.row["category_id"]]
    level = 970 + seller["seller_id"] * 37 % 61 + int(draw() * 31) - 15
    unit, currency = 10 ** places(trade.currency), trade.currency
    price_cents = shop_price(sku.good_cents * PRICE_PER_MILLE[grade] * level * trade.price_per_mille // 1_000_000_000, unit)
    new_battery = sku.has_battery and draw() < 0.06
    quantity = 0 if draw() < 0.015 and not on_table else 1 + int(draw() * draw() * 40)
    reduced = draw() < 0.03
    return (
        seller["seller_id"],
        sku.row["sku_id"],
        trade.market,
        GRADES[grade],
        decimal(price_cents, currency),
        currency,
        quantity,
        decimal(shipping_cents(draw(), sku.row["weight_g"] or 0) * trade.price_per_mille // 1000, currency),
        1 + int(draw() * 3) + int(draw() * 3),
        pick_warranty(draw()),
        "MARGINAL" if draw() < 0.6 else "REGULAR",
        battery_pct(draw(), trade.floors[grade], new_battery=new_battery) if sku.has_battery else "",
        int(new_battery),
        comments[int(draw() * len(comments))]["text"] if draw() < 0.25 else "",
        decimal(shop_price(price_cents * (1060 + int(draw() * 140)) // 1000 + 5 * unit, unit), currency) if reduced else "",
        "offline" if draw() < 0.02 and not on_table else "online",
    )


def shop_price(cents: int, unit: int) -> int:
    """Return the nearest price that ends in 9 or just under 5, at least 9; `unit` is a whole one in the minor unit."""
    tens, rest = divmod(max(cents, 9 * unit), 10 * unit)
    if rest < 2 * unit:
        return tens * 10 * unit - unit
    return tens * 10 * unit + (5 * unit - 1 if rest < 7 * unit else 9 * unit)


def shipping_cents(chance: float, weight_g: int) -> int:
    """Return what delivery costs at home: usually nothing, more for what is heavy."""
    if chance < 0.78:
        return 0
    return 1499 if weight_g > 8000 else 499


def pick_warranty(chance: float) -> int:
    """Return the seller's commercial warranty in months."""
    if chance < 0.72:
        return 12
    return 24 if chance < 0.95 else 36


def battery_pct(chance: float, floor: int, *, new_battery: bool) -> int:
    """Return a battery's remaining capacity, never under the grade's floor."""
    return 100 if new_battery else floor + int(chance * (100 - floor))


def without(row: Row, *keys: str) -> Row:
    """Return a row less the keys that only the sample knows."""
    return {key: value for key, value in row.items() if key not in keys}


def write_json(path: Path, document: Row) -> None:
    """Write one JSON document on one line."""
    write_rows(path, [document])


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write compact JSON, one object a line."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
