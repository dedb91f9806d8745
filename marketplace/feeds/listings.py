"""`listings.csv` of a feed, read row by row: what sellers offer, judged before anything is written.

Invariant: a row that is yielded keeps every rule that needs only the feed itself; what is stored later is the very row that was
judged; memory does not grow with the file but for the ids seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from marketplace.feeds.content import Content, Row, wrong_words
from marketplace.feeds.problems import NotInOrder, Problems
from marketplace.feeds.text_files import read_table
from marketplace.publishing.marks import Marks
from pos.currencies import MOST_CENTS, places
from pos.shapes import MOST_ID, UNPRINTABLE

FILE = "listings.csv"
FIRST_SELLERS_ID = 100_000_000
"""Ids from here on are of listings sellers keep themselves; a feed has those below. Up to 268,435,455 a slip takes 4 bytes."""
LEAST_WARRANTY_MONTHS = 12
MOST_COMMENT = 500
MONEY = re.compile(r"(?:0|[1-9]\d{0,6})(?:\.(\d{2,3}))?", re.ASCII)
NOT_AN_AMOUNT = {
    0: "not an amount without decimals",
    2: "not an amount with two decimals",
    3: "not an amount with three decimals",
}
WHOLE = re.compile(r"0|[1-9]\d{0,9}", re.ASCII)
DIGITS = re.compile(r"[1-9]\d{10,}", re.ASCII)


class Supply(NamedTuple):
    """A listing as judged: the columns of `marketplace.tables` but `reserved`. `state` is "online" or "offline"."""

    seller_id: int
    listing_id: int
    market: str
    sku_id: int
    grade_id: int
    price_cents: int
    shipping_cents: int
    delivery_days: int
    warranty_months: int
    vat_margin: int
    battery_pct: int | None
    new_battery: int
    prior_cents: int | None
    comment: str
    state: str
    quantity: int

    @property
    def is_online(self) -> bool:
        """Tell whether it is on sale, and so published."""
        return self.state == "online"

    def is_published_as(self, other: Supply) -> bool:
        """Tell whether both say the same in the channel of prices: comments stay at HQ, and quantities travel apart."""
        return self._replace(comment="", state="", quantity=0) == other._replace(comment="", state="", quantity=0)


@dataclass(slots=True)
class JudgedSupply:
    """The judged rows of a feed, kept in the file `_aside` until they are stored; `lines` has the line of every listing id."""

    _aside: BinaryIO
    lines: dict[int, int] = field(default_factory=dict)

    def add(self, batch: list[tuple[int, Supply]]) -> None:
        """Keep rows."""
        rows = json.dumps([row for _, row in batch], ensure_ascii=False, separators=(",", ":"))
        self._aside.write(rows.encode() + b"\n")

    def batches(self) -> Iterator[list[Supply]]:
        """Yield the rows as they were added, from the first on, however often they are asked for."""
        self._aside.seek(0)
        for batch in self._aside:
            yield [Supply(*row) for row in json.loads(batch)]


def mark_supply(marks: Marks, before: Supply | None, after: Supply) -> None:
    """Mark price and stock rows apart: they travel in channels of their own. An offline listing is not published at all."""
    was_online = before is not None and before.is_online
    for market in {after.market} if before is None else {before.market, after.market}:
        if was_online != after.is_online or (after.is_online and before is not None and not before.is_published_as(after)):
            marks.add(market, "listing", after.listing_id)
        if was_online != after.is_online or (after.is_online and before is not None and before.quantity != after.quantity):
            marks.add(market, "stock", after.listing_id)


def whole(text: str, least: int, most: int) -> int:
    """Read a plain decimal number in this range. Raises: NotInOrder."""
    if not WHOLE.fullmatch(text):
        if DIGITS.fullmatch(text):
            raise NotInOrder(f"not between {least} and {most}: a number of {len(text)} digits")
        raise NotInOrder("negative" if text.startswith("-") else f"not a whole number{_hint(text)}")
    value = int(text)
    if not least <= value <= most:
        raise NotInOrder(f"not between {least} and {most}")
    return value


def amount(text: str) -> tuple[int, int]:
    """Read an amount in minor units, and with how many decimals it is written. Raises: NotInOrder."""
    match = MONEY.fullmatch(text)
    if match is None:
        raise NotInOrder("negative price" if text.startswith("-") else f"not an amount{_hint(text)}")
    value = int(text.replace(".", ""))
    if value > MOST_CENTS:
        raise NotInOrder("too large")
    return value, len(match[1] or "")


def cents(text: str, *, decimals: int) -> int:
    """Read an amount with exactly the decimals of its currency. Raises: NotInOrder."""
    match = MONEY.fullmatch(text)
    if match is None or len(match[1] or "") != decimals:
        raise NotInOrder("negative price" if text.startswith("-") else f"{NOT_AN_AMOUNT[decimals]}{_hint(text)}")
    return amount(text)[0]


def _hint(text: str) -> str:
    """Return what a person can see in a field that is no number."""
    if not text.strip():
        return ": empty"
    if text != text.strip():
        return ": a space around it"
    if "," in text:
        return ": a decimal comma, where a point belongs" if "." not in text else ": a comma between thousands"
    if text.startswith("0") and text[1:2].isdigit():
        return ": a zero before it"
    return ""


def price(text: str, *, decimals: int) -> int:
    """Read an amount above zero. Raises: NotInOrder."""
    value = cents(text, decimals=decimals)
    if value == 0:
        raise NotInOrder("a price is above zero")
    return value


def prior_price(text: str, *, decimals: int) -> int | None:
    """Read the price before a reduction; nothing where none is announced. Raises: NotInOrder."""
    return price(text, decimals=decimals) if text else None


def one_of(**values: int | str) -> Callable[[str], int | str]:
    """Return a reader of named values."""

    def read(text: str) -> int | str:
        if text not in values:
            raise NotInOrder(f"not one of {', '.join(values)}")
        return values[text]

    return read


def comment(text: str) -> str:
    """Read a seller's comment. Raises: NotInOrder."""
    if len(text) > MOST_COMMENT:
        raise NotInOrder(f"longer than {MOST_COMMENT} characters")
    if UNPRINTABLE.search(text):
        raise NotInOrder("an invisible sign")
    return text


AMOUNTS = {"price": price, "shipping_price": cents, "prior_price": prior_price}
READERS: dict[str, Callable[[str], Any]] = {
    "listing_id": lambda text: whole(text, 1, FIRST_SELLERS_ID - 1),
    "seller_id": lru_cache(lambda text: whole(text, 1, MOST_ID)),
    "sku_id": lru_cache(maxsize=65536)(lambda text: whole(text, 1, MOST_ID)),
    "market": str,
    "grade": str,
    "price": str,
    "currency": str,
    "quantity": lru_cache(lambda text: whole(text, 0, 1_000_000)),
    "shipping_price": str,
    "delivery_days": lru_cache(lambda text: whole(text, 0, 90)),
    "warranty_months": lru_cache(lambda text: whole(text, LEAST_WARRANTY_MONTHS, 120)),
    "vat_type": one_of(REGULAR=0, MARGINAL=1),
    "battery_pct": lru_cache(lambda text: whole(text, 1, 100) if text else None),
    "new_battery": one_of(**{"0": 0, "1": 1}),
    "comment": comment,
    "prior_price": str,
    "state": one_of(online="online", offline="offline"),
}
HEADER = list(READERS)
CURRENCY_AT = HEADER.index("currency")


@dataclass(slots=True)
class _Judge:
    """What a row is held against. `lines` remembers the line of every listing id."""

    content: Content
    grades: dict[str, Row]
    problems: Problems
    lines: dict[int, int]

    @classmethod
    def of(cls, content: Content, lines: dict[int, int], problems: Problems) -> _Judge:
        grades = {grade["code"]: grade for grade in content.rows["grades"].values()}
        return cls(content=content, grades=grades, problems=problems, lines=lines)

    def add(self, line: int, column: str, reason: str) -> None:
        self.problems.add(FILE, line, column, reason)


def read_supply(directory: Path, content: Content, lines: dict[int, int], problems: Problems) -> Iterator[tuple[int, Supply]]:
    """Yield the line number and the columns of every good row; what is wrong goes to `problems`, each id's line to `lines`.

    Raises: FeedRefused when there are too many problems to go on.
    """
    judge = _Judge.of(content, lines, problems)
    for line, record in read_table(directory / FILE, HEADER, problems):
        supply = _judged(record, line, judge)
        if supply is not None:
            yield line, supply


def judge_record(record: list[str], content: Content, problems: Problems) -> Supply | None:
    """Return the columns of one row by its fields as text, as `read_supply` does; None where something is wrong with it."""
    return _judged(record, 0, _Judge.of(content, {}, problems))


def _judged(record: list[str], line: int, judge: _Judge) -> Supply | None:
    values = _read_fields(record, line, judge)
    return _columns(values, judge) if values is not None and _is_in_order(values, line, judge) else None


@cache
def _readers(decimals: int) -> list[tuple[str, Callable[[str], Any]]]:
    """Return what reads each field of a row whose currency has so many decimals."""
    amounts: dict[str, Callable[[str], Any]] = {
        column: lru_cache(maxsize=65536)(partial(read, decimals=decimals)) for column, read in AMOUNTS.items()
    }
    return list({**READERS, **amounts}.items())


def _read_fields(record: list[str], line: int, judge: _Judge) -> dict[str, Any] | None:
    values: dict[str, Any] = {}
    for (column, read), text in zip(_readers(places(record[CURRENCY_AT])), record, strict=True):
        try:
            values[column] = read(text)
        except NotInOrder as problem:
            judge.add(line, column, str(problem))
    return values if len(values) == len(HEADER) else None


def _is_in_order(values: dict[str, Any], line: int, judge: _Judge) -> bool:
    """Judge a row by what it refers to; every reason is noted, not only the first."""
    before = len(judge.problems.found)
    rows, market = judge.content.rows, judge.content.markets.get(values["market"])
    if judge.lines.setdefault(values["listing_id"], line) != line:
        judge.add(line, "listing_id", f"already on line {judge.lines[values['listing_id']]}")
    for column, file, words in (("sku_id", "skus", "unknown SKU"), ("seller_id", "sellers", "unknown seller")):
        if values[column] not in rows[file]:
            judge.add(line, column, f"{words} {values[column]}")
    if market is None:
        judge.add(line, "market", f"unknown market {values['market']:.60}")
        return False
    if values["currency"] != market["currency"]:
        judge.add(line, "currency", f"{values['currency']:.60} is not the market's {market['currency']}")
    _judge_condition(values, line, judge)
    if values["prior_price"] is not None and values["prior_price"] <= values["price"]:
        judge.add(line, "prior_price", "not above the price: no reduction to announce")
    found = wrong_words(values["comment"], judge.content.words[values["market"]]) if values["comment"] else ""
    if found:
        judge.add(line, "comment", f"forbidden wording: {found}")
    return len(judge.problems.found) == before


def _judge_condition(values: dict[str, Any], line: int, judge: _Judge) -> None:
    grade = judge.grades.get(values["grade"])
    if grade is None:
        judge.add(line, "grade", f"unknown grade {values['grade']:.60}")
    elif values["battery_pct"] is not None and values["battery_pct"] < (floor := grade["battery_min_pct"]):
        judge.add(line, "battery_pct", f"{values['battery_pct']} % is under the floor of {values['grade']}, {floor} %")


def _columns(values: dict[str, Any], judge: _Judge) -> Supply:
    return Supply(
        seller_id=values["seller_id"],
        listing_id=values["listing_id"],
        market=values["market"],
        sku_id=values["sku_id"],
        grade_id=judge.grades[values["grade"]]["grade_id"],
        price_cents=values["price"],
        shipping_cents=values["shipping_price"],
        delivery_days=values["delivery_days"],
        warranty_months=values["warranty_months"],
        vat_margin=values["vat_type"],
        battery_pct=values["battery_pct"],
        new_battery=values["new_battery"],
        prior_cents=values["prior_price"],
        comment=values["comment"],
        state=values["state"],
        quantity=values["quantity"],
    )
