"""Every field of every file of the sample feed, changed in every way that went wrong somewhere once: generated, never drawn.

A field is changed in the first row that has it; of lists the first item stands for all.
"""

from __future__ import annotations

import copy
import csv
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.sample import write_feed
from marketplace.feeds.content import read_content
from marketplace.feeds.listings import read_supply
from marketplace.feeds.problems import FeedRefused, Problems
from marketplace.feeds.shapes import FEED_ROWS

MISSING = object()
LISTED = "listings"
FILES = ("feed", *FEED_ROWS, LISTED)
SKUS_A_CATEGORY = 2
MOST_LISTINGS = 150

VALUES: dict[str, Any] = {
    "missing": MISSING,
    "null": None,
    "true": True,
    "zero": 0,
    "one": 1,
    "minus one": -1,
    "a decimal": 1.5,
    "no number": float("nan"),
    "more than a column holds": 2**63,
    "thirty digits": 10**30,
    "a number as text": "3",
    "a decimal as text": "6.1",
    "empty": "",
    "blank": " \t",
    "a word": "abc",
    "very long": "x" * 20_000,
    "markup": '"><script>alert(1)</script>',
    "a template": "{{ 7 * 7 }}%s%(a)s",
    "a line break": "a\nb",
    "a line separator": "a\u2028b",
    "turned around": "\u202eabc",
    "half a character": "\ud800",
    "NUL": "a\0b",
    "another script": "模型 ⚙️ ﷺ",
    "no day": "2026-11-31",
    "an address": "javascript:alert(1)//",
    "an empty list": [],
    "a list of lists": [[]],
    "an empty object": {},
    "a text by language": {"fr": "a", "en": "b"},
    "a text by no language": {"": "", "../x": "b"},
    "nested deep": json.loads("[" * 90 + "]" * 90),
}


@dataclass(frozen=True, slots=True)
class Mutation:
    """One field of one row with another value; `row` counts from 0, `path` leads into the row."""

    file: str
    row: int
    path: tuple[str | int, ...]
    name: str

    def __str__(self) -> str:
        return f"{self.file}[{self.row}].{'.'.join(map(str, self.path))}: {self.name}"


@dataclass(slots=True)
class Feed:
    """A feed in memory: the rows of each file, `feed` as one row, listings as texts by column."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    media: Path = Path()

    def with_changes(self, mutations: Sequence[Mutation]) -> Feed:
        """Return the feed with these fields changed."""
        changed = {mutation.file for mutation in mutations}
        rows = {file: copy.deepcopy(rows) if file in changed else rows for file, rows in self.rows.items()}
        for mutation in mutations:
            place: Any = rows[mutation.file][mutation.row]
            for step in mutation.path[:-1]:
                place = place[step]
            value = VALUES[mutation.name]
            if value is MISSING:
                del place[mutation.path[-1]]
            else:
                place[mutation.path[-1]] = value
        return Feed(rows, self.media)

    def write(self, directory: Path, *, files: Sequence[str] = FILES) -> Path:
        """Write these of its files."""
        directory.mkdir(exist_ok=True)
        if not (directory / "media").exists():
            shutil.copytree(self.media, directory / "media")
        for file in files:
            if file == LISTED:
                _write_listings(directory / "listings.csv", self.rows[file])
            else:
                suffix = "json" if file == "feed" else "jsonl"
                text = "".join(f"{json.dumps(row)}\n" for row in self.rows[file])
                (directory / f"{file}.{suffix}").write_text(text, encoding="utf-8")
        return directory


def sample(directory: Path) -> Feed:
    """Return the sample with a few devices of each category, all that corners show and all that have media."""
    write_feed(directory, listings=2_000, seed=1)
    rows = {file: _read(directory / f"{file}.jsonl") for file in FEED_ROWS}
    rows["feed"] = _read(directory / "feed.json")
    with (directory / "listings.csv").open(encoding="utf-8", newline="") as file:
        listings = list(csv.DictReader(file, delimiter=";"))
    named = {spot["sku_id"] for corner in rows["corners"] for spot in corner["planogram"]}
    named |= {medium["sku_id"] for medium in rows["media"]}
    counts: dict[str, int] = {}
    for sku in rows["skus"]:
        counts[sku["category_id"]] = counts.get(sku["category_id"], 0) + 1
        if counts[sku["category_id"]] <= SKUS_A_CATEGORY:
            named.add(sku["sku_id"])
    rows["skus"] = [sku for sku in rows["skus"] if sku["sku_id"] in named]
    rows[LISTED] = [each for each in listings if int(each["sku_id"]) in named][:MOST_LISTINGS]
    return Feed(rows, directory / "media")


def mutations(feed: Feed, file: str) -> list[Mutation]:
    """Return every change of every field of a file."""
    found = []
    seen: set[tuple[object, ...]] = set()
    for number, row in enumerate(feed.rows[file]):
        for path, value in _paths(row):
            # A law's body has the fields of its kind.
            name = (row.get("kind") if file == "laws" else None, path, value is None)
            if name in seen:
                continue
            seen.add(name)
            found += [Mutation(file, number, path, change) for change in _changes(file)]
    return found


def refusals(directory: Path) -> list[dict[str, Any]]:
    """Return what is wrong with a feed, as an import says it; nothing when it would be taken."""
    problems = Problems()
    try:
        content = read_content(directory, problems)
        for _ in read_supply(directory, content, {}, problems):
            pass
        problems.refuse_any()
    except FeedRefused as refusal:
        found: list[dict[str, Any]] = refusal.data["problems"]
        return found
    return []


def _changes(file: str) -> list[str]:
    return [name for name, value in VALUES.items() if file != LISTED or isinstance(value, str)]


def _paths(value: Any, way: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield the way to every field and what it holds."""
    steps: list[str | int] = list(value) if isinstance(value, dict) else [0] if isinstance(value, list) and value else []
    for step in steps:
        yield (*way, step), value[step]
        yield from _paths(value[step], (*way, step))


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _write_listings(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="", errors="surrogatepass") as file:
        writer = csv.DictWriter(file, list(rows[1]), delimiter=";", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
