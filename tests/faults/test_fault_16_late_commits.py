"""Fault 16: writers commit in another order than they wrote (PostgreSQL). Every change is published, none is skipped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import Connection, text

from marketplace.db import run_tx
from sync.hq.log import mark_dirty
from tests.marketplace.hq import Hq
from tests.marketplace.postgres import Cluster
from tests.sync.conftest import rows_of

WRITERS = 6
CHANGES = 5


@pytest.fixture
def postgres_hq(tmp_path: Path, cluster: Cluster) -> Iterator[Hq]:
    with cluster.lent_database("postgres") as address, closing(Hq(tmp_path / "hq", address)) as made:
        yield made


def change(connection: Connection, listing_id: int, price_cents: int) -> None:
    """Change a price as business code does: the row and its mark in one transaction."""
    connection.execute(
        text("update listing set price_cents = :price_cents where listing_id = :listing_id"),
        {"listing_id": listing_id, "price_cents": price_cents},
    )
    mark_dirty(connection, "fr", "listing", [listing_id])


def published_prices(hq: Hq) -> dict[int, int]:
    rows = rows_of(hq.directory / "replica" / "fr.db")["listing"]
    return {int(key): int(row[4]) for key, row in rows.items()}


def test_fault_16_what_was_written_first_and_committed_last_is_published_too(postgres_hq: Hq) -> None:
    early, late = postgres_hq.engine.connect(), postgres_hq.engine.connect()
    early_work, late_work = early.begin(), late.begin()
    change(early, 11, 30_000)
    change(late, 12, 31_000)
    late_work.commit()
    assert postgres_hq.publish() == 2
    assert {key: published_prices(postgres_hq)[key] for key in (11, 12)} == {11: 36_900, 12: 31_000}

    early_work.commit()
    assert postgres_hq.publish() == 3
    assert published_prices(postgres_hq)[11] == 30_000
    assert postgres_hq.publish() is None
    early.close()
    late.close()


def test_fault_16_many_writers_and_a_publisher_at_once_lose_no_change(postgres_hq: Hq) -> None:
    failures: list[Exception] = []

    def write(number: int) -> None:
        chance = Random(number)
        try:
            for at in range(CHANGES):
                price = 20_000 + number * 1_000 + at

                def work(connection: Connection, price: int = price) -> None:
                    change(connection, chance.choice((11, 12, 13, 21)), price)
                    time.sleep(chance.uniform(0, 0.03))

                run_tx(postgres_hq.engine, work)
        except Exception as problem:  # noqa: BLE001 - told by the test itself
            failures.append(problem)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    numbers = []
    while any(writer.is_alive() for writer in writers):
        numbers.append(postgres_hq.publish())
    for writer in writers:
        writer.join()
    numbers.append(postgres_hq.publish())

    assert failures == []
    made = [number for number in numbers if number is not None]
    assert made == list(range(2, len(made) + 2))
    held = {each["listing_id"]: each["price_cents"] for each in postgres_hq.rows("select listing_id, price_cents from listing")}
    assert published_prices(postgres_hq) == held
    assert postgres_hq.rows("select * from sync_dirty where market = 'fr'") == []
