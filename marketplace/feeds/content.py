"""The readable files of a feed: markets, grades, categories, SKUs, sellers, partners, plans, options, laws and corners.

Invariant: what `read_content` returns without a problem keeps every rule of the feed; a row is judged by its fields first,
then by what it refers to.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from marketplace.bodies import compact
from marketplace.feeds.media_files import MediaFile, judge_files
from marketplace.feeds.problems import NotInOrder, Problems
from marketplace.feeds.shapes import FEED_ROWS, FeedHeader, FeedMarket
from marketplace.feeds.text_files import MOST_ROWS_BYTES, read_lines, read_row_object
from pos.claims import forbidden_words
from pos.errors import Invalid
from pos.offers import quality_bp
from pos.rows import wrong_in
from pos.shapes import Shape
from pos.totals import OptionTerms, PlanTerms
from sync.heads import MARKET

HEADER_FILE = "feed.json"
MOST_HEADER_BYTES = 2**20
MOST_REASONS = 5
"""So much is said of one field: a list may be wrong a thousand times."""
OPTIONAL_FILES = frozenset({"media"})
DESK_SELLERS_FROM = 1_000_000_000
"""The first id of sellers with a desk, who are counted from here; a feed's sellers have lower ones."""
Row = dict[str, Any]


@dataclass(slots=True)
class Content:
    """A feed's readable files, row by row as sent: `rows[file][key]`."""

    name: str = ""
    markets: dict[str, Row] = field(default_factory=dict)
    rows: dict[str, dict[Any, Row]] = field(default_factory=dict)
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: list[MediaFile] = field(default_factory=list)

    def take_words(self) -> None:
        """Note what no text may say in each market, by the feed's own laws."""
        self.words = {market: _words(self.rows["laws"].values(), market) for market in self.markets}

    def columns(self, file: str) -> dict[Any, Row]:
        """Return a file's rows by key as the rows of its table (`marketplace.tables`)."""
        return {key: COLUMNS[file](row) for key, row in self.rows[file].items()}


def read_content(directory: Path, problems: Problems) -> Content:
    """Read and judge every file of `directory` but the listings; what is wrong goes to `problems`.

    Raises: FeedRefused when the feed cannot be read further.
    """
    content = Content()
    _read_header(directory, content, problems)
    lines = {name: dict(_read_rows(directory, name, problems)) for name in FEED_ROWS}
    for name in FEED_ROWS:
        content.rows[name] = _keyed(name, lines[name], problems)
    problems.refuse_any()
    content.take_words()
    for name in FEED_ROWS:
        for line, row in lines[name].items():
            for reason_field, reason in _wrong_references(name, row, content):
                problems.add(f"{name}.jsonl", line, reason_field, reason)
    _take_files(directory, lines["media"], content, problems)
    problems.refuse_any()
    return content


def _take_files(directory: Path, lines: Mapping[int, Row], content: Content, problems: Problems) -> None:
    """Judge the files that media rows name, and put what each is beside what its row says of it."""
    judged = judge_files(directory, dict(lines), problems)
    for line, file in judged.items():
        facts = {"sha256": file.sha256, "length": file.length, "type": file.type, "width": file.width, "height": file.height}
        content.rows["media"][lines[line]["media_id"]] = lines[line] | facts
    content.files = [*judged.values()]


def wrong_in_feed_row(name: str, row: Row, content: Content) -> Iterator[tuple[str, str]]:
    """Yield the field and reason of all that is wrong with one row of a readable file, held against the rest of the feed."""
    wrong = _wrong_fields(FEED_ROWS[name], row)
    yield from wrong.items()
    if not wrong:
        yield from _wrong_references(name, row, content)


@lru_cache(maxsize=65536)
def wrong_words(text: str, words: tuple[str, ...]) -> str:
    """Return the forbidden words of `text`, comma-separated; empty when there are none. Source: R122-4 to 6."""
    return ", ".join(forbidden_words(text, words=words))


def _read_header(directory: Path, content: Content, problems: Problems) -> None:
    """Read `feed.json`. Raises: FeedRefused: without it no other file can be judged."""
    lines = [text for _, text in read_lines(directory / HEADER_FILE, problems, most_bytes=MOST_HEADER_BYTES)]
    problems.refuse_any()
    try:
        header = read_row_object("\n".join(lines))
    except NotInOrder as problem:
        problems.add(HEADER_FILE, 1, "file", str(problem))
        problems.refuse_any()
    for column, reason in _wrong_fields(FeedHeader, header).items():
        problems.add(HEADER_FILE, 1, column, reason)
    problems.refuse_any()
    content.name, content.markets = header["name"], {name: _market(name, body) for name, body in header["markets"].items()}
    for market in content.markets:
        if not MARKET.fullmatch(market):
            problems.add(HEADER_FILE, 1, "markets", f"{market!r} is no market's name: a-z, 0-9 and -, at most 32")
    problems.refuse_any()


def _market(market: str, body: Row) -> Row:
    return {"market": market, **{name: body[name] for name in FeedMarket.model_fields if body.get(name) is not None}}


def _read_rows(directory: Path, name: str, problems: Problems) -> Iterator[tuple[int, Row]]:
    path = directory / f"{name}.jsonl"
    if name in OPTIONAL_FILES and not os.path.lexists(path):
        return
    for line, text in read_lines(path, problems, most_bytes=MOST_ROWS_BYTES):
        try:
            row = read_row_object(text)
        except NotInOrder as problem:
            problems.add(path.name, line, "line", str(problem))
            continue
        wrong = _wrong_fields(FEED_ROWS[name], row)
        for column, reason in wrong.items():
            problems.add(path.name, line, column, reason)
        if not wrong:
            yield line, row


def _wrong_fields(shape: type[Shape], row: Row) -> dict[str, str]:
    """Return what is wrong with a row by its field; the place within it, where there is one, leads the reason."""
    reasons_by_column: dict[str, list[str]] = {}
    for place, reason in wrong_in(shape, row):
        column, _, part = place.partition(".")
        reasons_by_column.setdefault(column, []).append(f"{part}: {reason}" if part else reason)
    return {column: "; ".join(reasons[:MOST_REASONS]) for column, reasons in reasons_by_column.items()}


def _keyed(name: str, lines: Mapping[int, Row], problems: Problems) -> dict[Any, Row]:
    kept: dict[Any, Row] = {}
    uniques = ("sku_id", "sku") if name == "skus" else ("corner_id", "corner_no") if name == "corners" else (_key_of(name),)
    seen: dict[str, dict[Any, int]] = {column: {} for column in uniques}
    for line, row in lines.items():
        for column in uniques:
            first = seen[column].setdefault(row[column], line)
            if first != line:
                problems.add(f"{name}.jsonl", line, column, f"already on line {first}")
        kept[row[_key_of(name)]] = row
    return kept


def _key_of(name: str) -> str:
    return next(iter(FEED_ROWS[name].model_fields))


def _words(laws: Iterable[Row], market: str) -> tuple[str, ...]:
    every = (law["body"]["words"] for law in laws if law["kind"] == "forbidden_words" and law["market"] == market)
    return tuple(sorted({word for words in every for word in words}))


def _wrong_references(name: str, row: Row, content: Content) -> Iterator[tuple[str, str]]:
    """Yield the field and reason of whatever a row says of others that does not hold."""
    if "market" in row and row["market"] not in content.markets:
        yield "market", f"unknown market {row['market']}"
        return
    if "partner_id" in row and name != "partners":
        partner = content.rows["partners"].get(row["partner_id"])
        if partner is None or partner["market"] != row["market"]:
            yield "partner_id", f"no partner {row['partner_id']} in this market"
    if row.get("category_id") is not None and row["category_id"] not in content.rows["categories"]:
        yield "category_id", f"unknown category {row['category_id']}"
    judge = JUDGES.get(name)
    if judge is not None:
        yield from judge(row, content)
    if name != "laws":
        yield from _wrong_wording(row, content)


def _wrong_wording(row: Row, content: Content) -> Iterator[tuple[str, str]]:
    markets = [row["market"]] if "market" in row else list(content.markets)
    words = tuple(sorted({word for market in markets for word in content.words[market]}))
    for column, value in row.items():
        for text in _texts_in(value):
            found = wrong_words(text, words)
            if found:
                yield column, f"forbidden wording: {found}"


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts_in(each)


def _judge_plan(row: Row, content: Content) -> Iterator[tuple[str, str]]:
    try:
        PlanTerms.from_body(row)
    except Invalid as problem:
        yield "terms", problem.detail
    length = row["commitment_months"]
    for most, sibling, source in _plan_lengths(row["market"], content):
        if length > most:
            yield "commitment_months", f"at most {most} months here ({source})"
        if (
            sibling is not None
            and length > sibling
            and not any(
                other["partner_id"] == row["partner_id"] and other["commitment_months"] <= sibling
                for other in content.rows["plans"].values()
            )
        ):
            yield "commitment_months", f"a plan of more than {sibling} months needs a sibling of at most {sibling} ({source})"


def _plan_lengths(market: str, content: Content) -> Iterator[tuple[int, int | None, str]]:
    """Yield the most months of a plan, those of the sibling a longer one needs, and the source, as the market's rows say."""
    for law in content.rows["laws"].values():
        if (law["market"], law["kind"], law["valid_to"]) == (market, "plan_lengths", None):
            yield law["body"]["most_months"], law["body"].get("sibling_months"), law["source"]


def _judge_law(row: Row, content: Content) -> Iterator[tuple[str, str]]:
    """A market's prices hold the taxes where its law says so."""
    said = row["body"].get("tax_included") if row["kind"] == "tax_display" and row["valid_to"] is None else None
    if said is not None and said != content.markets[row["market"]]["tax_included"]:
        yield "body", f"tax_included of this market in {HEADER_FILE} says otherwise"


def _judge_option(row: Row, content: Content) -> Iterator[tuple[str, str]]:
    try:
        OptionTerms.from_body(row)
    except Invalid as problem:
        yield "terms", problem.detail
    yield from _judge_categories(row, content)


def _judge_corner(row: Row, content: Content) -> Iterator[tuple[str, str]]:
    positions: set[str] = set()
    tags: set[str] = set()
    for spot in row["planogram"]:
        if (tag := spot.get("demo_id")) in tags:
            yield "planogram", f"two devices with the tag {tag}"
        tags |= {tag} if tag else set()
        if spot["position"] in positions:
            yield "planogram", f"two spots at {spot['position']}"
        positions.add(spot["position"])
        if spot["sku_id"] not in content.rows["skus"]:
            yield "planogram", f"unknown SKU {spot['sku_id']} at {spot['position']}"


def _judge_media(row: Row, content: Content) -> Iterator[tuple[str, str]]:
    if (row.get("sku_id") is None) == (row.get("category_id") is None):
        yield "sku_id", "one of sku_id and category_id, and not both"
    elif row.get("sku_id") is not None and row["sku_id"] not in content.rows["skus"]:
        yield "sku_id", f"unknown SKU {row['sku_id']}"


def _judge_seller(row: Row, content: Content) -> Iterator[tuple[str, str]]:  # noqa: ARG001 - as every judge
    if row["seller_id"] >= DESK_SELLERS_FROM:
        yield "seller_id", f"ids from {DESK_SELLERS_FROM} on are those of sellers with a desk"


def _judge_categories(row: Row, content: Content) -> Iterator[tuple[str, str]]:
    for category_id in row.get("categories") or []:
        if category_id not in content.rows["categories"]:
            yield "categories", f"unknown category {category_id}"


JUDGES = {
    "partners": _judge_categories,
    "sellers": _judge_seller,
    "media": _judge_media,
    "laws": _judge_law,
    "plans": _judge_plan,
    "options": _judge_option,
    "corners": _judge_corner,
}

MEDIUM_BODY = ("type", "width", "height", "alt", "credit")
COLUMNS: dict[str, Callable[[Row], Row]] = {
    "laws": lambda row: {
        **{name: row[name] for name in ("law_id", "market", "kind", "valid_from", "valid_to")},
        "body": compact({**row["body"], "source": row["source"]}),
    },
    "partners": lambda row: _whole(row, "partner_id", "market"),
    "grades": lambda row: _whole(row, "grade_id", "rank"),
    "categories": lambda row: _whole(row, "category_id", "rank"),
    "sellers": lambda row: {
        **_whole(row, "seller_id"),
        "quality_bp": quality_bp(row["metrics"]),
        "suspended": int(row["status"] != "active"),
        "source": "feed",
        "state": row["status"],
    },
    "skus": lambda row: _whole(row, "sku_id", "sku", "category_id", "brand", "model", "storage_gb", "year"),
    "media": lambda row: {
        **{name: row.get(name) for name in ("media_id", "sku_id", "category_id", "kind", "rank", "sha256", "length")},
        "body": compact({name: row[name] for name in MEDIUM_BODY}),
    },
    "plans": lambda row: _whole(row, "plan_id", "market", "partner_id", "rank"),
    "options": lambda row: _whole(row, "option_id", "market", "rank"),
    "corners": lambda row: _whole(row, "corner_id", "corner_no", "market"),
}
"""How the rows of each file become rows of its table."""


def _whole(row: Row, *names: str) -> Row:
    """Return a table's row: these columns, and all that was sent as its body."""
    return {**{name: row[name] for name in names}, "body": compact(row)}
