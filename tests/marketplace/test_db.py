from __future__ import annotations

import time

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from marketplace import db
from marketplace.db import new_id, reading, run_tx
from pos.errors import Unavailable
from tests.marketplace.hq import Hq


def test_ids_are_uuids_of_version_7_and_sort_by_time(monkeypatch: pytest.MonkeyPatch) -> None:
    first = new_id()
    time.sleep(1.1)
    second = new_id()
    assert first < second
    assert (first[14], first[19] in "89ab") == ("7", True)


def test_a_transaction_is_all_or_nothing_and_tried_again_when_the_database_says_so(hq: Hq) -> None:
    tries = []

    def work(connection: Connection) -> int:
        connection.execute(text("insert into setting (name, value) values ('x', '1')"))
        tries.append(1)
        if len(tries) < 3:
            raise OperationalError("x", {}, Exception("database is locked"))
        return len(tries)

    assert run_tx(hq.engine, work) == 3
    assert len(hq.rows("select * from setting where name = 'x'")) == 1


def test_an_error_of_the_database_says_no_value_of_its_statement(hq: Hq) -> None:
    with pytest.raises(DBAPIError) as problem:
        hq.write("update customer_order set no_such_column = 1 where name = :name", name="Camille Roux")
    assert "no_such_column" in str(problem.value)
    assert "Roux" not in str(problem.value)


def test_what_cannot_succeed_is_not_tried_again(hq: Hq) -> None:
    with pytest.raises(IntegrityError):
        run_tx(
            hq.engine, lambda connection: connection.execute(text("insert into setting (name, value) values ('secret_key', '')"))
        )


def test_a_database_that_stays_busy_is_unavailable(hq: Hq) -> None:
    def work(_: Connection) -> None:
        raise OperationalError("x", {}, Exception("database is locked"))

    with pytest.raises(Unavailable):
        run_tx(hq.engine, work)


def test_a_reader_sees_one_state(hq: Hq) -> None:
    with reading(hq.engine) as connection:
        before = connection.execute(text("select count(*) from customer_order")).scalar()
        hq.claim(hq.digits())
        assert connection.execute(text("select count(*) from customer_order")).scalar() == before


@pytest.mark.parametrize("kind", ["postgres"])
def test_a_connection_that_its_server_closed_while_it_lay_idle_is_opened_anew(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    others = (
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    )
    with reading(hq.engine) as first, reading(hq.engine) as second:
        assert first.execute(text("select 1")).scalar() == second.execute(text("select 1")).scalar()
    with reading(hq.engine) as first:
        first.execute(text(others))
    monkeypatch.setattr(db, "TRUSTED_S", 0.0)
    with reading(hq.engine) as first, reading(hq.engine) as second:
        assert first.execute(text("select 1")).scalar() == second.execute(text("select 1")).scalar()


@pytest.mark.parametrize("kind", ["postgres"])
def test_a_connection_used_a_moment_ago_costs_no_round_trip_to_borrow(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(hq.engine.dialect, "do_ping", lambda connection: asked.append(connection) or True)
    monkeypatch.setattr(db, "TRUSTED_S", 60.0)
    for _ in range(3):
        with reading(hq.engine) as connection:
            connection.execute(text("select 1"))
    assert asked == []
    monkeypatch.setattr(db, "TRUSTED_S", 0.0)
    with reading(hq.engine) as connection:
        connection.execute(text("select 1"))
    assert len(asked) == 1
