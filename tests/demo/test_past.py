"""The past of the demo: every state a trade can come to, books that add up, and the same past for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine
from sqlite_utils import Database

from demo.bank import Bank
from demo.made import read_made
from demo.past.corners import OWN_CORNER, SILENT, add_corners, corners_heard_of
from demo.past.living import LivingCorners
from demo.past.making import Past, make_past, opened_at
from demo.past.prices import as_opened, moments
from demo.past.sellers import SellerAccess
from demo.sample import write_feed
from marketplace.db import open_engine, reading, rows, run_tx
from marketplace.feeds.imports import import_feed
from marketplace.fleet.day_reports import corner_days, untold
from marketplace.installation import read_installation, sync_path
from marketplace.money.payments import check_payment
from marketplace.money.provider import store_settings
from marketplace.publishing.price_past import published_past
from marketplace.publishing.publications import publish_all
from marketplace.sellers.keys import known_key
from marketplace.sellers.people import log_in, person_of
from marketplace.setup import create_installation
from pos import clock
from pos.db import Store
from pos.offers import Offer, ladder
from pos.price_past import remembered_past
from tests.marketplace.money.books import assert_adds_up, open_accounts
from tests.processes import five_ports

NOW = clock.from_text("2026-11-28T15:00:00Z")
YESTERDAY = "2026-11-27"
LATE = "2026-11-28T14:50:00Z"
SLIPS = 40
FACTS = (
    """
    select placed_at, state, name, address, source, totals from customer_order order by placed_at, name, totals
    """,
    """
    select seller_id, sku_id, grade_id, state, since, owed_cents, collected_cents, refunded_cents, carrier, tracking, imei,
      shipped_at, delivered_at
    from unit order by since, seller_id, sku_id, owed_cents, state, shipped_at
    """,
    "select seller_id, day, state, amount_cents, sent_at, ended_at from payout order by seller_id, day",
    "select seller_id, state, from_at from seller_step order by seller_id, step_no",
    "select state, ground, opened_at, since, said from unit_case order by opened_at, since",
    """
    select market, listing_id, publication, published_at, price_cents, prior_cents from listing_terms
    order by market, listing_id, publication
    """,
    "select account, currency, sum(amount_cents) as cents from posting group by account, currency order by account, currency",
)
TAKEN_OVER = """
    select 1 from offer_past join offer using (sku_id, grade_id)
    where offer_past.listing_id <> offer.listing_id and offer_past.all_in_cents > offer.all_in_cents
"""


def test_a_past_holds_every_state_and_its_books_add_up(past: tuple[Engine, list[SellerAccess], Bank]) -> None:
    engine, _, _ = past
    with reading(engine) as connection:
        assert {"accepted", "shipped", "delivered", "cancelled"} <= column(connection, "select distinct state from unit")
        assert {"paid", "unpaid"} <= column(connection, "select distinct state from customer_order")
        assert column(connection, "select distinct source from customer_order") == {"slip", "selection"}
        assert "refunded" in column(connection, "select distinct state from unit_case")
        assert {"settled", "returned"} <= column(connection, "select distinct state from payout")
        assert {"active", "warned", "suspended"} == column(connection, "select state from seller where source = 'desk'")
        assert {"applied", "refused"} <= column(connection, "select state from seller_application")
        assert "open" in column(connection, "select dispute from payment")
        assert column(connection, "select state from inbox") == {"judged"}
        assert "dead" not in column(connection, "select state from job")
        assert_adds_up(connection)
        assert open_accounts(connection) <= {"customer_money", "disputes", "payout_transit"}


def test_the_corners_of_a_past_were_heard_of_today(past: tuple[Engine, list[SellerAccess], Bank]) -> None:
    with reading(past[0]) as connection:
        seen = column(connection, "select corner_id from device where seen_at >= :late", late=LATE)

    assert len(seen) == len([*corners_heard_of(), OWN_CORNER]) - SILENT


def test_the_corners_of_a_past_are_heard_of_while_the_demo_runs(past: tuple[Engine, list[SellerAccess], Bank]) -> None:
    directory, later = folder(past) / "marketplace", NOW + timedelta(days=1)

    with clock.held_at(later):
        for _ in range(2):
            assert LivingCorners(directory).speak() == len(corners_heard_of()) - SILENT

    with reading(past[0]) as connection:
        [heard] = rows(connection, "select count(*) as n from device where seen_at >= :later", later=clock.to_text(later))
        told = corner_days(connection, clock.local_day(NOW, clock.HOME_ZONE))
    assert heard["n"] == len(corners_heard_of()) - SILENT
    assert len(told) == len(corners_heard_of()) - SILENT
    assert [day.corner_id for day in told if day.slips != day.held or day.edition != 1] == []
    assert any(day.slips for day in told)


def test_the_corners_of_a_past_told_of_their_days(past: tuple[Engine, list[SellerAccess], Bank]) -> None:
    with reading(past[0]) as connection:
        told, silent = corner_days(connection, YESTERDAY), untold(connection, YESTERDAY, now=NOW)

    assert len(told) == len(corners_heard_of()) - SILENT + 1
    assert len(silent.missing) == SILENT
    assert [day.corner_id for day in told if day.slips != day.held] == []
    [own] = [day for day in told if day.corner_id == OWN_CORNER]
    assert own.slips
    assert {"slips_by_hour", "slips_by_sku", "demo_events"} <= {figure["figure"] for figure in own.facts["figures"]}


def test_the_sellers_of_a_past_get_in_by_what_is_written_down(past: tuple[Engine, list[SellerAccess], Bank]) -> None:
    engine, sellers, _ = past
    assert len(sellers) == 6
    for seller in sellers:
        cookie = log_in(engine, seller["email"], seller["password"], source="here", now=NOW)
        with reading(engine) as connection:
            person = person_of(connection, cookie, now=NOW)
            assert person is not None
            assert (person.seller_id, person.role) == (seller["seller_id"], "owner")
            assert known_key(connection, seller["api_key"], now=NOW).seller_id == seller["seller_id"]


def test_the_bank_still_knows_what_was_paid_in_a_past(past: tuple[Engine, list[SellerAccess], Bank]) -> None:
    engine, _, bank = past
    with reading(engine) as connection:
        before = rows(connection, "select customer_id, payment_id, state, refunded_cents from payment where state <> 'expired'")
    for payment in before:
        assert check_payment(engine, payment["customer_id"], payment["payment_id"], now=NOW) == payment["state"]

    with reading(engine) as connection:
        assert sorted(
            rows(connection, "select customer_id, payment_id, state, refunded_cents from payment where state <> 'expired'"),
            key=str,
        ) == sorted(before, key=str)
    assert bank.books.run("select count(*) from delivery") == [(0,)]


def test_prices_moved_in_a_past_at_the_kiosk_and_in_the_shop(past: tuple[Engine, list[SellerAccess], Bank]) -> None:
    steps: dict[str, list[int]] = {"kiosk": [], "shop": []}
    reductions, starts = 0, set()
    with closing(Store(folder(past) / "kiosk" / "catalog.db", durable=False)) as catalog, reading(past[0]) as connection:
        for offer in offers_of(catalog.read()):
            published = published_past(connection, offer, market="fr", now=NOW)
            pair = {"sku_id": offer.sku_id, "grade_id": offer.grade_id}
            remembered = remembered_past(catalog.read(), **pair, now_cents=offer.all_in_cents, now=NOW)
            assert published is not None
            assert remembered is not None
            assert published.steps[-1].all_in_cents == offer.all_in_cents
            steps["kiosk"].append(len(remembered.steps))
            starts |= {step.since_at for step in remembered.steps}
            steps["shop"].append(len(published.steps))
            if offer.prior_cents is not None:
                reductions += 1
                before = replace(published, steps=published.steps[:-1], until_at=published.steps[-1].since_at)
                assert before.low_cents == offer.prior_cents + offer.shipping_cents
        taken_over = catalog.read().execute(TAKEN_OVER).fetchall()

    for counts in steps.values():
        assert sum(count > 1 for count in counts) > 30
        assert max(counts) > 2
    assert len(starts & {clock.to_text(moment) for moment in moments(opened_at(NOW))}) > 10, "the kiosk was on at each"
    assert reductions
    assert taken_over


def test_after_a_past_the_feed_says_what_prices_are(past: tuple[Engine, list[SellerAccess], Bank]) -> None:
    def prices() -> list[dict[str, Any]]:
        with reading(past[0]) as connection:
            return rows(connection, "select listing_id, price_cents, prior_cents from listing order by listing_id")

    before, static = prices(), sync_path(folder(past) / "marketplace")
    with clock.held_at(NOW):
        again = import_feed(past[0], folder(past) / "feed", static=static, progress=lambda _stage, _count: None)

    assert (again.added, again.removed) == ({}, {})
    assert prices() == before


def test_the_same_seed_makes_the_same_past(past: tuple[Engine, list[SellerAccess], Bank], tmp_path: Path) -> None:
    with made_past(tmp_path) as (engine, _, _):
        assert facts(engine) == facts(past[0])


def test_a_demo_of_an_earlier_version_is_known_again(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text('{"password": "old", "listings": 20}')

    assert read_made(tmp_path) == {"password": "old", "listings": 20}


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, list[SellerAccess], Bank]]:
    with made_past(tmp_path_factory.mktemp("past")) as made:
        yield made


@contextmanager
def made_past(directory: Path) -> Iterator[tuple[Engine, list[SellerAccess], Bank]]:
    """A small past, told in this process with a bank of its own."""
    central, feed, port = directory / "marketplace", directory / "feed", five_ports()
    with clock.held_at(opened_at(NOW)):
        create_installation(central, database=None, public_url="http://127.0.0.1:8000", root_keys=1, threshold=1)
        write_feed(feed, listings=300, seed=1)
        add_corners(feed)
        engine = open_engine(read_installation(central).database)
        with as_opened(feed, opened=opened_at(NOW), seed=1):
            import_feed(engine, feed, static=sync_path(central), progress=lambda _stage, _count: None)
        publish_all(engine, central)
    address = f"http://127.0.0.1:{port}"
    bank = Bank(directory / "bank", host="127.0.0.1", port=port, address=address, webhook_url=f"{address}/nowhere")
    bank.start()
    try:
        key, secret = bank.secret_key.read_text().strip(), bank.webhook_secret.read_text().strip()
        given = {"key": key, "webhook_secret": secret, "api": address}
        run_tx(engine, lambda connection: store_settings(connection, given))  # type: ignore[arg-type]
        yield (
            engine,
            make_past(Past(engine=engine, directory=central, kiosk=directory / "kiosk", bank=bank, now=NOW, seed=7, slips=SLIPS)),
            bank,
        )
    finally:
        bank.stop()
        engine.dispose()


def folder(past: tuple[Engine, list[SellerAccess], Bank]) -> Path:
    """Return the directory that holds all of a past."""
    return Path(past[0].url.database or "").parent.parent


def offers_of(database: Database) -> list[Offer]:
    """Return what a catalogue proposes."""
    skus = [sku_id for (sku_id,) in database.execute("select sku_id from shelf order by sku_id").fetchall()]
    return [rung.offer for sku_id in skus for rung in ladder(database, sku_id) if rung.offer is not None]


def column(connection: Connection, query: str, **values: Any) -> set[Any]:
    return {next(iter(found.values())) for found in rows(connection, query, **values)}


def facts(engine: Engine) -> list[list[dict[str, Any]]]:
    with reading(engine) as connection:
        return [rows(connection, query) for query in FACTS]
