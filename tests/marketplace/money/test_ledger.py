"""The ledger: entries add up, a fact counts once, and a balance can be asked for any date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from marketplace.db import database_url, open_engine, reading, run_tx
from marketplace.money.ledger import Balance, Fact, Posting, Unbalanced, differences, post, trial_balance
from marketplace.tables import metadata
from tests.marketplace.hq import Hq

ROOT = Path(__file__).parents[3]
CAPTURE = (Posting("provider", "", 100), Posting("customer_money", "order:1", -100))


def fact(name: str = "payment:1", *, at: str = "2026-11-02T09:00:00Z", currency: str = "EUR") -> Fact:
    return Fact(owner_id="customer-1", name=name, subject="order:1", kind="payment", currency=currency, at=at)


def test_a_fact_is_posted_once_for_its_owner(hq: Hq) -> None:
    assert run_tx(hq.engine, lambda connection: post(connection, fact(), CAPTURE))
    assert not run_tx(hq.engine, lambda connection: post(connection, fact(at="2026-11-03T09:00:00Z"), CAPTURE))
    assert hq.rows("select posting_no, account, amount_cents, at from posting order by posting_no") == [
        {"posting_no": 1, "account": "provider", "amount_cents": 100, "at": "2026-11-02T09:00:00Z"},
        {"posting_no": 2, "account": "customer_money", "amount_cents": -100, "at": "2026-11-02T09:00:00Z"},
    ]


@pytest.mark.parametrize(
    "lines",
    [
        (Posting("provider", "", 100), Posting("customer_money", "order:1", -99)),
        (Posting("provider", "", 100), Posting("pocket", "", -100)),
        (Posting("provider", "", 100),),
    ],
)
def test_what_does_not_add_up_is_refused(hq: Hq, lines: tuple[Posting, ...]) -> None:
    with pytest.raises(Unbalanced):
        run_tx(hq.engine, lambda connection: post(connection, fact(), lines))
    with pytest.raises(Unbalanced):
        run_tx(hq.engine, lambda connection: post(connection, fact(currency="XXX"), CAPTURE))
    assert hq.rows("select * from entry") == []


def test_the_database_itself_takes_no_entry_that_does_not_add_up(hq: Hq) -> None:
    with pytest.raises(IntegrityError):
        hq.write("insert into entry values ('c', 'e', 'k', 'f', 's', 'EUR', '2026-11-02T09:00:00Z', 100, 99)")


def test_the_balance_at_a_date_leaves_out_what_came_after(hq: Hq) -> None:
    run_tx(hq.engine, lambda connection: post(connection, fact(), CAPTURE))
    run_tx(hq.engine, lambda connection: post(connection, fact("payment:2", at="2026-11-05T09:00:00Z"), CAPTURE))
    with reading(hq.engine) as connection:
        assert trial_balance(connection, until="2026-11-05T00:00:00Z") == [
            Balance("customer_money", "EUR", -100),
            Balance("provider", "EUR", 100),
        ]
        assert trial_balance(connection, until="2026-11-06T00:00:00Z")[1] == Balance("provider", "EUR", 200)


def test_an_entry_changed_behind_the_ledger_s_back_is_named(hq: Hq) -> None:
    run_tx(hq.engine, lambda connection: post(connection, fact(), CAPTURE))
    run_tx(hq.engine, lambda connection: post(connection, fact("payment:2"), CAPTURE))
    hq.write("update posting set amount_cents = 90 where account = 'provider' and entry_id = (select min(entry_id) from entry)")
    with reading(hq.engine) as connection:
        (difference,) = differences(connection)
        entry_ids = sorted(entry["entry_id"] for entry in hq.rows("select entry_id from entry"))
    assert (difference.entry_id in entry_ids, difference.cents) == (True, -10)

    hq.write("delete from posting")
    with reading(hq.engine) as connection:
        assert len(differences(connection)) == 2


def test_the_balance_reads_the_index_alone(tmp_path: Path) -> None:
    engine = open_engine(database_url(tmp_path))
    metadata.create_all(engine)
    with reading(engine) as connection:
        sql = "select account, currency, sum(amount_cents) from posting where at < '2027' group by account, currency"
        plan = [step[-1] for step in connection.execute(text(f"explain query plan {sql}"))]
    engine.dispose()
    assert plan == ["SCAN posting USING COVERING INDEX posting_by_account"]


def test_no_code_changes_what_was_posted() -> None:
    sources = [path for path in (ROOT / "marketplace").rglob("*.py") if "migrations" not in path.parts]
    writes = re.compile(r"(update|delete from)\s+(entry|posting)\b", re.IGNORECASE)
    assert [path.name for path in sources if writes.search(path.read_text(encoding="utf-8"))] == []
