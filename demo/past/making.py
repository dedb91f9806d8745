"""The order in which a past is made: sellers, their offers, corners, customers, and the days that go by."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from demo.bank import Bank
from demo.carrier import ACTIVE_AFTER_S
from demo.past import corners, payouts, prices, sellers
from demo.past.corners import MARKET
from demo.past.day_reports import CornerDays
from demo.past.days import OwnDays
from demo.past.kiosk import PastKiosk, past_kiosk
from demo.past.orders import Customers
from demo.past.prices import OPENED_DAYS
from demo.past.sellers import DeskSeller, SellerAccess
from demo.past.story import Story
from demo.past.units import Handling
from marketplace.installation import read_installation, replica_path
from marketplace.money import payments
from marketplace.money.payouts import PAYOUTS_EVERY
from marketplace.orders import timers
from marketplace.publishing.by_itself import publish_supply
from marketplace.publishing.publications import publish_all
from marketplace.running.handlers import HANDLERS
from marketplace.running.jobs import Handler, Work
from marketplace.running.mail import MAIL
from marketplace.running.working import Working
from pos import clock
from pos.db import Store
from shop.prices import catch_up

DAYS = 25
"""How long ago sellers with desks came: the first units of each are old enough for a payout that came back since."""
SLIPS = 280
REPRICED_DAYS = (5, 12, 19)
"""After how many days sellers with desks moved prices."""
OLD_MAIL = timedelta(hours=12)
"""Mails of these last hours are sent; older ones were read and deleted long ago."""
PUBLISHED_BEFORE = timedelta(minutes=8)
"""How long before the end what changed meanwhile was published: the corners that are heard of hold it."""
TIMERS: Mapping[str, timedelta] = {
    "payouts": PAYOUTS_EVERY,
    "units": timers.EVERY,
    payments.RELEASE_TIMER: payments.CHECK_AGAIN,
}
JOBS_AT_H = (9, 12, 18)
"""The hours, UTC, at which what is due is done on a day of the past."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a past is made in, and how much of it: `slips` over `DAYS` before `now`. The demo's own kiosk is made in `kiosk`."""

    engine: Engine
    directory: Path
    kiosk: Path
    bank: Bank
    now: datetime
    seed: int
    slips: int


def opened_at(now: datetime, *, days: int = OPENED_DAYS) -> datetime:
    """Return when the marketplace of a past opened: its catalogue was published then. Sellers with desks came `DAYS` ago."""
    return (now - timedelta(days=days)).replace(hour=5, minute=0, second=0)


@contextmanager
def hurried(engine: Engine) -> Iterator[None]:
    """Let SQLite wait for no disk during the block: a past cut short is made anew. What it wrote is on disk afterwards."""
    if engine.dialect.name != "sqlite":
        yield
        return

    def hurry(connection: Any, _: object) -> None:
        connection.execute("pragma synchronous=off").fetchall()

    engine.dispose()
    event.listen(engine, "connect", hurry)
    try:
        yield
    finally:
        event.remove(engine, "connect", hurry)
        engine.dispose()
        os.sync()


def make_past(past: Past) -> list[SellerAccess]:
    """Make the past of a marketplace that was set up and published at `opened_at`; return how to get into its sellers' desks."""
    began, public_url = opened_at(past.now, days=DAYS), read_installation(past.directory).public_url
    story = Story(until=past.now, chance=random.Random(past.seed))  # noqa: S311 - a reproducible past, no secrets
    manner, past.bank.webhooks.manner = past.bank.webhooks.manner, "never"
    with hurried(past.engine), ExitStack() as ending:
        ending.callback(setattr, past.bank.webhooks, "manner", manner)
        kiosk = ending.enter_context(_kiosk_since_opening(past))
        _start_prices(past, kiosk, until=began)
        with clock.held_at(began):
            let = sellers.let_in(past.engine, past.directory, story, now=began)
            sellers.offer_listings(past.engine, past.directory, let, story, now=began)
            publish_supply(past.engine, past.directory)
            kiosk.follow()
            names = corners.corners_heard_of()
            enrolled = corners.enrol_corners(past.engine, public_url, names, now=began)
            slips = corners.make_slips(past.engine, past.directory, public_url, names[0], story, now=began)
        handling = Handling(
            engine=past.engine, story=story, sellers={seller.seller_id: seller for seller in let}, phones=_phones(past.directory)
        )
        days = CornerDays(corners=enrolled, story=story)
        customers = Customers(
            engine=past.engine,
            directory=past.directory,
            public_url=public_url,
            bank=past.bank,
            story=story,
            corners=[corner for corner in enrolled if corners.market_of(corner.corner_id) == MARKET],
            slips=slips,
            handling=handling,
            days=days,
        )
        if slips.samples:
            customers.plan_visits(past.slips, since=began)
        days.plan()
        OwnDays(kiosk=kiosk, story=story, claim=customers.claim).plan()
        _plan_prices(past, kiosk, story, [seller for seller in let if not seller.is_slow], since=began)
        payouts.plan_payouts(past.engine, story, since=began, returned=_returned(let))
        _plan_jobs(past, story, public_url, since=began)
        story.tell()
        with clock.held_at(past.now - PUBLISHED_BEFORE):
            publish_all(past.engine, past.directory)
        with clock.held_at(past.now):
            kiosk.follow()
        corners.hear_from(past.engine, past.directory, enrolled, story)
    return [seller.access for seller in let]


@contextmanager
def _kiosk_since_opening(past: Past) -> Iterator[PastKiosk]:
    """Give the demo's own kiosk, enrolled at the opening, to the block."""
    with ExitStack() as ending:
        with clock.held_at(opened_at(past.now)):
            kiosk = ending.enter_context(past_kiosk(past.engine, past.directory, past.kiosk))
        yield kiosk


def _start_prices(past: Past, kiosk: PastKiosk, *, until: datetime) -> None:
    """Let what was announced for the days before the first sellers came start, at the kiosk and in the shop's catalogue."""
    for moment in reversed(prices.moments(opened_at(past.now))):
        if moment < until:
            with clock.held_at(moment):
                kiosk.start_prices()
    with closing(Store(replica_path(past.directory, MARKET), durable=False)) as catalogue:
        catch_up(catalogue, until)


def _plan_prices(past: Past, kiosk: PastKiosk, story: Story, let: list[DeskSeller], *, since: datetime) -> None:
    """Have announced prices start, and sellers move theirs a few times; the kiosk follows as one does that is on."""

    def reprice(at: datetime) -> None:
        prices.move_prices(past.engine, past.directory, let, story, at)
        kiosk.follow()

    for moment in prices.moments(opened_at(past.now)):
        if moment >= since:
            story.plan(moment, lambda _: kiosk.start_prices())
    for days in REPRICED_DAYS:
        story.plan(since + timedelta(days=days, hours=3), reprice)


def _returned(let: list[DeskSeller]) -> int:
    """Return the seller whose bank returns a payout: the second, whose account was closed."""
    return let[1].seller_id


def _plan_jobs(past: Past, story: Story, public_url: str, *, since: datetime) -> None:
    """Have the marketplace's own jobs and timers done a few times a day, as its workers do them, and once more at the end."""
    working = Working(past.engine, past.directory, public_url, handlers=_handlers(past.now), timers=TIMERS)
    moments = [since.replace(hour=hour) + timedelta(days=day) for day in range(DAYS + 1) for hour in JOBS_AT_H]
    for moment in (*moments, past.now - timedelta(seconds=30)):
        story.plan(moment, lambda _: _do_due(working, past.bank))


def _do_due(working: Working, bank: Bank) -> None:
    working.do_due()
    # The carrier goes by the machine's own time, which hardly moves meanwhile: what it was sent is decided when it is asked next.
    bank.carrier.judge(now_s=time.time() + ACTIVE_AFTER_S)


def _handlers(now: datetime) -> Mapping[str, Handler]:
    """Return the marketplace's handlers, less what nobody would see: old mails, and second looks at payments asked for before."""

    def mail(work: Work, body: dict[str, Any]) -> str | None:
        return HANDLERS[MAIL](work, body) if work.now > now - OLD_MAIL else "of the past"

    return {**HANDLERS, MAIL: mail, payments.JOB: lambda _work, _body: "of the past"}


def _phones(directory: Path) -> frozenset[int]:
    with closing(Store(replica_path(directory, MARKET), durable=False)) as catalogue:
        found = catalogue.read().execute("select sku_id from sku where category_id = 'phones'").fetchall()
    return frozenset(sku_id for (sku_id,) in found)
