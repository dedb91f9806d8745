"""Every page of both doors over catalogues that sellers of all sorts wrote: nothing fails, nothing runs, nothing is claimed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlite_utils import Database

from pos import catalog
from tests import world
from tests.kiosk.conftest import app, client
from tests.marketplace.conftest import two_markets

__all__ = ["app", "client", "two_markets"]

MARKUP = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>{{ 7 * 7 }}"
WORDS = {"markup": MARKUP, "one long word": "Rindfleischetikett" * 8, "right to left": "هاتف محمول مجدد iPhone 13"}
"""Longer names and turned directions are refused at the border (`pos.shapes`)."""
NAMED = ("name", "detail", "screen", "body", "parts", "city", "legal_name")
MOST_PAGES = 40
EMPTY = re.compile(r">\s*(None|nan|NaN|undefined|null|\{\}|\[\])\s*<")


def name_all(database: Database, word: str) -> None:
    """Call everything by this word: devices, colours, categories, grades, sellers, plans and options."""
    database.execute("update sku set brand = ?, model = ? || ' ' || model", [word, word])
    for table, key in (("sku", "sku_id"), ("grade", "grade_id"), ("category", "category_id"), ("seller", "seller_id")):
        rename(database, table, key, word)
    rename(database, "plan", "plan_id", word)
    rename(database, "option", "option_id", word)


def rename(database: Database, table: str, key: str, word: str) -> None:
    for row_id, text in database.execute(f"select {key}, body from {table}").fetchall():
        body = renamed(json.loads(text), word)
        database.execute(f"update {table} set body = ? where {key} = ?", [json.dumps(body, ensure_ascii=False), row_id])


def renamed(body: Any, word: str) -> Any:
    if not isinstance(body, dict):
        return body
    named = {key: {"fr": word, "en": word} if isinstance(value, dict) else word for key, value in body.items() if key in NAMED}
    return {key: renamed(value, word) for key, value in body.items()} | {key: named[key] for key in named if body[key]}


def know_nothing(database: Database) -> None:
    """Leave of every device what a catalogue must say of it."""
    bare = {"color": None, "specs": {}, "updates_until": None, "new_price": None, "words": "", "weight_g": None}
    database.execute("update sku set storage_gb = null, year = null, body = ?", [json.dumps(bare)])
    database.execute("update listing set battery_pct = null")
    database.execute("delete from law where kind <> 'legal_guarantee'")


def sell_out(database: Database) -> None:
    """Leave nothing to be had."""
    database.execute("delete from stock")


SPOILT: dict[str, Callable[[Database], Any]] = {
    **{name: lambda database, word=word: name_all(database, word) for name, word in WORDS.items()},
    "nothing known": know_nothing,
    "nothing left": sell_out,
}


@pytest.fixture(params=list(SPOILT))
def kiosk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[world.Kiosk]:
    made = world.make_kiosk(tmp_path)
    with made.catalog.write() as database:
        SPOILT[request.param](database)
        catalog.refresh(database, None, now=world.NOW)
    yield made
    made.catalog.close()
    made.ops.close()


@pytest.mark.parametrize("door", ["client", "two_markets"])
def test_every_page_within_reach_is_whole_and_says_nothing_of_what_is_not_known(
    door: str, kiosk: world.Kiosk, request: pytest.FixtureRequest
) -> None:
    visitor: FlaskClient = request.getfixturevalue(door)
    waiting, seen = ["/", "/home", "/browse?q=iphone"], set[str]()
    if door == "client":
        wish = {"listing": "101", "plan": world.SERIE_100}
        selection = visitor.post("/selections", data=wish).headers.get("Location", "/home")
        waiting += [selection, visitor.post(f"{selection}/slip").headers.get("Location", "/home")]
    waiting += ["/sku/IPHONE-13-128-BLUE?grade=GOOD&plan=2&option=1"]
    waiting += ["/compare?sku=IPHONE-13-128-BLUE&sku=GALAXY-S22-256-GREEN&sku=PLAYSTATION-5-825-WHITE"]
    waiting += ["/finder?q=iphone+13+leger+grand+ecran", "/finder?category=phones&max=90000&want=big_battery&whom=elderly"]
    wrong = []
    while waiting and len(seen) < MOST_PAGES:
        path = waiting.pop(0)
        if path in seen or sum(each.startswith(path.partition("?")[0]) for each in seen) > 6:
            continue
        seen.add(path)
        answer = visitor.get(path)
        text = answer.text if answer.mimetype == "text/html" else ""
        wrong += [(path, answer.status_code)] if answer.status_code not in (200, 303) else []
        wrong += [(path, found) for found in ("<img src=x", "<script>alert", "49</") if found in text]
        wrong += [(path, found[0]) for found in EMPTY.finditer(text)]
        waiting += [each.replace("&amp;", "&") for each in re.findall(r'href="(/[^"#]*)', text) if not each.startswith("/static")]
    assert wrong == []
    assert len(seen) > 15
