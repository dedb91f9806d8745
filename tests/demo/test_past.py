"""The past of the demo: every state a trade can come to, books that add up, and the same past for the same seed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine

from demo.bank import Bank
from demo.made import read_made
from demo.past.corners import SILENT, add_corners, corners_heard_of
from demo.past.living import LivingCorners
from demo.past.making import Past, make_past, opened_at
from demo.past.sellers import SellerAccess
from demo.sample import write_feed
from marketplace.db import open_engine, reading, rows, run_tx
from marketplace.feeds.imports import import_feed
from marketplace.installation import read_installation, sync_path
from marketplace.money.payments import check_payment
from marketplace.money.provider import store_settings
from marketplace.publishing.publications import publish_all
from marketplace.sellers.keys import known_key
from marketplace.sellers.people import log_in, person_of
from marketplace.setup import create_installation
from pos import clock
from tests.marketplace.money.books import assert_adds_up, open_accounts
from tests.processes import five_ports

NOW = clock.from_text("2026-11-28T15:00:00Z")
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
    "select account, currency, sum(amount_cents) as cents from posting group by account, currency order by account, currency",
)


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

    assert len(seen) == len(corners_heard_of()) - SILENT


def test_the_corners_of_a_past_are_heard_of_while_the_demo_runs(past: tuple[Engine, list[SellerAccess], Bank]) -> None:
    directory, before = Path(past[0].url.database or "").parent, clock.to_text(NOW + timedelta(hours=1))

    with clock.held_at(NOW + timedelta(hours=1)):
        assert LivingCorners(directory).speak() == len(corners_heard_of()) - SILENT

    with reading(past[0]) as connection:
        [heard] = rows(connection, "select count(*) as n from device where seen_at >= :before", before=before)
    assert heard["n"] == len(corners_heard_of()) - SILENT


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
        import_feed(engine, feed, static=sync_path(central), progress=lambda _stage, _count: None)
        publish_all(engine, central)
    address = f"http://127.0.0.1:{port}"
    bank = Bank(directory / "bank", host="127.0.0.1", port=port, address=address, webhook_url=f"{address}/nowhere")
    bank.start()
    try:
        key, secret = bank.secret_key.read_text().strip(), bank.webhook_secret.read_text().strip()
        given = {"key": key, "webhook_secret": secret, "api": address}
        run_tx(engine, lambda connection: store_settings(connection, given))  # type: ignore[arg-type]
        yield engine, make_past(Past(engine=engine, directory=central, bank=bank, now=NOW, seed=7, slips=SLIPS)), bank
    finally:
        bank.stop()
        engine.dispose()


def column(connection: Connection, query: str, **values: Any) -> set[Any]:
    return {next(iter(found.values())) for found in rows(connection, query, **values)}


def facts(engine: Engine) -> list[list[dict[str, Any]]]:
    with reading(engine) as connection:
        return [rows(connection, query) for query in FACTS]
