"""The shop's door at home: the published catalogue of the visitor's market, and selections in the central database.

A market is chosen by what the visitor has open (a selection's id begins with its market; a slip's is its corner's, an order has
its own), else by `?market=`, the partner whose entry this is, a cookie or the browser's languages; else HQ's first corner has it.
A language is the one that was chosen, else the browser's, else that of the slip or order that is open, else the market's first.
A visit that entered by `/p/<partner>` is known by a cookie until the browser is closed, or until `?partner=` leaves it.
Invariant: pages read the replica and never the database's own rows of the catalogue.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from flask import g, request
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlite_utils import Database

import templates
from marketplace.db import execute_on, reading, row, run_tx
from marketplace.installation import blobs_path, replica_path, replica_paths
from pos import clock, tokens
from pos.catalog import currency
from pos.db import DatabaseError, Store
from pos.errors import CatalogMissing, Unavailable
from pos.file_states import catalog_problem
from pos.languages import offered, spoken_among
from pos.media import Medium
from pos.offers import Offer
from pos.partners import PartnerShop, partner_shop
from pos.price_past import PricePast
from pos.selections import check_token, market_of
from pos.throttle import Execute
from pos.tokens import MangledToken
from shop import door
from shop.door import Door, Visitor
from shop.web import LANGUAGE_COOKIE

MARKET_COOKIE = "market"
PARTNER_COOKIE = "partner"
UNBRANDED = ("/console", "/seller")
"""HQ's and sellers' own pages look the same whatever the shop looked like before, and speak the languages of staff."""
KNOWN_FOR_S = 60.0
"""How long the facts of a market are taken as known: HQ changes them by importing a feed."""
NO_CORNER = 2**31
"""Stands after the number of any corner."""
CURRENCY = "EUR"
SLIP_READER = """
    select corner.market, corner.body as corner, slip.facts
    from device
    join corner on corner.corner_id = device.corner_id
    left join slip on slip.corner_id = device.corner_id and slip.key_id = device.key_id and slip.counter = :counter
    where device.key_id = :key_id
"""
ORDER_READER = "select market, language from customer_order where order_id = :order_id"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketFacts:
    """What HQ says of a market. `time_zone` is that of its first corner: a market has none of its own.

    `languages` are its own, in its order, whether we speak them yet or not.
    """

    languages: tuple[str, ...] = ()
    tax_included: bool = True
    time_zone: str = clock.HOME_ZONE
    first_corner_no: int = NO_CORNER
    post_codes: tuple[str, ...] = ()
    address_example: str = ""

    @property
    def spoken(self) -> tuple[str, ...]:
        """The languages customers of this market are offered, in its order."""
        known = offered("marketplace", templates.PATH)
        return spoken_among(self.languages, known)


@dataclass(frozen=True, slots=True)
class Opened:
    """What an open slip or order says of whoever reads it: its market, and the languages they may read, the likeliest first."""

    market: str
    languages: tuple[str, ...]


class Markets:
    """The markets published by this marketplace, each with its replica, shared by the threads of a worker."""

    def __init__(self, engine: Engine, directory: Path) -> None:
        self._engine = engine
        self._directory = directory
        self._stores: dict[str, Store] = {}
        self._facts: dict[str, tuple[float, MarketFacts]] = {}

    def names(self) -> list[str]:
        """Return the markets whose catalogue was published, in order of their names."""
        return sorted(path.stem for path in replica_paths(self._directory) if "." not in path.stem)

    def store(self, market: str) -> Store:
        """Return the replica of a market: each loan of it is of the file that lies there now."""
        if market not in self._stores:
            self._stores[market] = Store(replica_path(self._directory, market), durable=False)
        return self._stores[market]

    def facts(self, market: str) -> MarketFacts:
        """Return what is known of a market; what was known a while ago while the database does not answer."""
        known_at, known = self._facts.get(market, (float("-inf"), MarketFacts()))
        if time.monotonic() - known_at < KNOWN_FOR_S:
            return known
        try:
            known = _market_facts(self._engine, market)
        except SQLAlchemyError:
            return known
        self._facts[market] = (time.monotonic(), known)
        return known

    def opened(self, address: Mapping[str, Any]) -> Opened | None:
        """Return what the slip or order says that an address names by the parts of its route; None without one we know."""
        if not {"digits", "order_id"} & address.keys():
            return None
        try:
            with reading(self._engine) as connection:
                if "digits" in address:
                    return _of_slip(connection, address["digits"])
                return _of_order(connection, address["order_id"])
        except SQLAlchemyError:
            return None


def _of_slip(connection: Connection, digits: str) -> Opened | None:
    """Return the languages of a slip, its own before its corner's, which are all there is until its kiosk was heard."""
    try:
        token = tokens.decode(tokens.from_digits(digits))
        check_token(token)
    except MangledToken:
        return None
    slip = row(connection, SLIP_READER, key_id=token.key_id.hex(), counter=token.counter)
    if slip is None:
        return None
    facts, corner = json.loads(slip["facts"] or "{}"), json.loads(slip["corner"])
    return Opened(slip["market"], (facts.get("language", ""), *corner["languages"]))


def _of_order(connection: Connection, order_id: str) -> Opened | None:
    order = row(connection, ORDER_READER, order_id=order_id)
    return Opened(order["market"], (order["language"],)) if order else None


@dataclass(frozen=True, slots=True)
class BlobPictures:
    """HQ's own media, which lie beside the blobs of the catalogue: all that is published is here."""

    folder: Path

    def is_empty(self) -> bool:
        """Never: looking costs as much as telling."""
        return False

    def has(self, sha256: str) -> bool:
        """Tell whether one is here; HQ stored it under its own hash."""
        return (self.folder / sha256).exists()

    def first_here(self, media: Iterable[Medium]) -> Medium | None:
        """Return the first of `media` that is here."""
        return next((medium for medium in media if self.has(medium.sha256)), None)

    def ask(self, sha256: str) -> None:
        """Nobody could bring it: the next import does."""

    def read(self, sha256: str, *, now: datetime) -> bytes | None:  # noqa: ARG002 - the shop's contract; a kiosk notes the time
        """Return the bytes of one, or None when it is not here."""
        try:
            return (self.folder / sha256).read_bytes()
        except FileNotFoundError:
            return None


class PublishedPast(Protocol):
    """Tells what was published of an offer's price in a market until `now`."""

    def __call__(self, connection: Connection, offer: Offer, *, market: str, now: datetime) -> PricePast | None:
        """Return it; None where nothing was."""


def door_of(engine: Callable[[], Engine], markets: Markets, directory: Path, *, past: PublishedPast) -> Door:
    """Return the door of a marketplace; `engine` is asked for at each request, `past` for what an offer cost before."""

    @contextmanager
    def read() -> Iterator[Execute]:
        with reading(engine()) as connection:
            yield execute_on(connection)

    def price_past(offer: Offer) -> PricePast | None:
        with reading(engine()) as connection:
            return past(connection, offer, market=_market(markets), now=clock.now())

    def write(work: Callable[[Execute], T]) -> T:
        return run_tx(engine(), lambda connection: work(execute_on(connection)))

    return Door(
        part="marketplace",
        frame="marketplace/shop.html",
        ending="marketplace/ending.html",
        visitor=lambda: _visitor(markets),
        catalog=lambda: _catalog(markets),
        pictures=BlobPictures(blobs_path(directory)),
        read=read,
        write=write,
        market=lambda: _market(markets),
        price_past=price_past,
    )


def _market(markets: Markets) -> str:
    """Return the market of this request, "" before the first publication."""
    if "market" not in g:
        g.market = _chosen(markets)
    return str(g.market)


def _opened(markets: Markets) -> Opened | None:
    """Return what the customer's slip or order of this request says of them."""
    if "opened" not in g:
        g.opened = None if request.path.startswith(UNBRANDED) else markets.opened(request.view_args or {})
    known: Opened | None = g.opened
    return known


def _chosen(markets: Markets) -> str:
    names = markets.names()
    selection_id = (request.view_args or {}).get("selection_id") or request.args.get("s", "")
    opened = _opened(markets)
    open_market = opened.market if opened else market_of(selection_id)
    for wished in (open_market, request.args.get("market"), _market_of_entry(markets), request.cookies.get(MARKET_COOKIE)):
        if wished in names:
            return str(wished)
    for tag, _ in request.accept_languages:
        region = tag.replace("_", "-").rpartition("-")[2].lower()
        if region in names:
            return region
    return min(names, key=lambda name: (markets.facts(name).first_corner_no, name), default="")


def entered_partner() -> str:
    """Return the partner whose entry this request asks for, "" elsewhere."""
    return str((request.view_args or {}).get("partner", ""))


def _market_of_entry(markets: Markets) -> str | None:
    """Return the market of the partner whose entry is asked for."""
    partner_id = entered_partner()
    names = markets.names() if partner_id else []
    return next((name for name in names if partner_shop(markets.store(name).read(), partner_id)), None)


def visited_partner() -> PartnerShop | None:
    """Return the partner by whose entry this visit came, where its market has one."""
    if "partner" not in g:
        g.partner = _partner()
    partner: PartnerShop | None = g.partner
    return partner


def _partner() -> PartnerShop | None:
    partner_id = entered_partner() or ("" if PARTNER_COOKIE in request.args else request.cookies.get(PARTNER_COOKIE, ""))
    if not partner_id or request.path.startswith(UNBRANDED):
        return None
    try:
        return partner_shop(door.catalog(), partner_id)
    except (Unavailable, DatabaseError):
        return None


def _catalog(markets: Markets) -> Database:
    market = _market(markets)
    if not market:
        raise CatalogMissing("no market was published yet")
    store = markets.store(market)
    try:
        return store.read()
    except (DatabaseError, OSError) as problem:
        raise catalog_problem(store.path, problem) from problem


def _visitor(markets: Markets) -> Visitor:
    """Return who asks, in the language they chose, their browser's, or that of what they have open; and what holds in the market.

    Whoever scans a slip printed in German with an English telephone reads English.
    """
    asked = request.args.get("lang") or request.cookies.get(LANGUAGE_COOKIE, "")
    market = _market(markets)
    facts, partner = markets.facts(market), visited_partner()
    is_staff = request.path.startswith(UNBRANDED)
    spoken = offered("marketplace", templates.PATH, to_staff=True) if is_staff else facts.spoken
    opened = _opened(markets)
    likely = next((code for code in (opened.languages if opened else ()) if code in spoken), spoken[0])
    return Visitor(
        language=asked if asked in spoken else request.accept_languages.best_match((likely, *spoken), default=likely),
        spoken=spoken,
        currency=_currency(),
        time_zone=facts.time_zone,
        partner_id=partner.partner_id if partner else None,
        categories=partner.categories if partner else (),
        tax_included=facts.tax_included,
    )


def _currency() -> str:
    try:
        return currency(door.catalog()) or CURRENCY
    except (Unavailable, DatabaseError):
        return CURRENCY


def _market_facts(engine: Engine, market: str) -> MarketFacts:
    with reading(engine) as connection:
        of_market = row(connection, "select body from market where market = :market", market=market)
        of_corner = row(
            connection, "select corner_no, body from corner where market = :market order by corner_no limit 1", market=market
        )
    body, corner = (json.loads(each["body"]) if each else {} for each in (of_market, of_corner))
    return MarketFacts(
        languages=tuple(body.get("languages", ())),
        tax_included=body.get("tax_included", True),
        time_zone=corner.get("time_zone", clock.HOME_ZONE),
        first_corner_no=of_corner["corner_no"] if of_corner else NO_CORNER,
        post_codes=tuple(body.get("post_codes", ())),
        address_example=body.get("address_example", ""),
    )
