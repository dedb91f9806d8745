"""The door a customer came through: what each app gives the shop it serves, and what is known of who asks.

Invariant: nothing else of an app is known here, so that every page works the same in a store and at home.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, TypeVar

from flask import current_app, g
from sqlite_utils import Database

from pos import clock
from pos.media import Medium
from pos.offers import Offer
from pos.price_past import PricePast
from pos.scans import Scan
from pos.throttle import Execute

T = TypeVar("T")


class Write(Protocol):
    """Runs work on the selections in one transaction, perhaps again, and returns its answer."""

    def __call__(self, work: Callable[[Execute], T]) -> T:
        """Run `work`."""


class Pictures(Protocol):
    """Drawings and pictures from HQ, by the hash of their bytes."""

    def is_empty(self) -> bool:
        """Tell whether there is none at all."""

    def has(self, sha256: str) -> bool:
        """Tell whether one is here and right."""

    def first_here(self, media: Iterable[Medium]) -> Medium | None:
        """Return the first of `media` that is here; those before it may be asked for."""

    def ask(self, sha256: str) -> None:
        """Ask for one that a page missed."""

    def read(self, sha256: str, *, now: datetime) -> bytes | None:
        """Return the bytes of one, or None when it is not here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Who asks, for this request: their language among those `spoken` here, and the market they are in.

    `partner_id` is the partner whose plans are shown, None for all; `categories` are those its visitors find, () for all;
    `tax_included` tells what a price holds.
    """

    language: str
    spoken: tuple[str, ...]
    currency: str
    time_zone: str
    partner_id: str | None
    categories: tuple[str, ...]
    tax_included: bool


@dataclass(slots=True, kw_only=True)
class Door:
    """What an app gives the shop.

    `part` names its templates, `frame` what its pages stand in, `ending` what a selection ends with, `companion` what stands
    beside its lines where something does, `keeper` what keeps a comparison. `catalog` lends a reader of the visitor's catalogue
    and raises CatalogMissing, CatalogUnreadable. Selections are kept where `read` and `write` lead, each in one transaction; what
    is written may run again. `market` begins a selection's id where several markets are served. `price_past` tells what an offer
    cost before, as far as that is on record. `tariffs` remembers the plans of each market's publication. Where a table of demo
    devices is, `table` are the SKUs on it, and `lying` the SKU under a scanned tag or place of it.
    """

    part: str
    frame: str
    ending: str
    visitor: Callable[[], Visitor]
    catalog: Callable[[], Database]
    pictures: Pictures
    read: Callable[[], AbstractContextManager[Execute]]
    write: Write
    market: Callable[[], str]
    price_past: Callable[[Offer], PricePast | None]
    companion: str | None = None
    keeper: str | None = None
    table: Callable[[], frozenset[int]] = frozenset
    lying: Callable[[Scan], int | None] = lambda _: None
    tariffs: dict[str, Any] = field(default_factory=dict)


def current() -> Door:
    """Return the door of this app."""
    here: Door = current_app.extensions["shop"]
    return here


def catalog() -> Database:
    """Lend this thread's reader of the visitor's catalogue, one a request. Raises: CatalogMissing, CatalogUnreadable."""
    if "catalog" not in g:
        g.catalog = current().catalog()
    lent: Database = g.catalog
    return lent


def visitor() -> Visitor:
    """Return who asks, found out once a request. Filters ask fifty times a page: `g` is looked through once each time."""
    known: Visitor
    try:
        known = g.visitor
    except AttributeError:
        known = g.visitor = current().visitor()
    return known


def today() -> str:
    """Return the day of the laws that hold now, `YYYY-MM-DD`, where the visitor is."""
    return clock.local_day(clock.now(), visitor().time_zone)
