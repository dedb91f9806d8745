"""How long the trial balance takes over a million postings, on SQLite and PostgreSQL, beside a plain sum of their amounts."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from sqlalchemy import Engine, text

from bench.measure import Row, timed
from marketplace.db import database_url, open_engine, reading
from marketplace.money.ledger import trial_balance
from marketplace.tables import metadata
from tests.marketplace.postgres import Cluster, PostgresMissing

SALES, LINES = 250_000, 4
HOLD_S = 1.0
NUMBERS = f"with recursive sale (i) as (select 1 union all select i + 1 from sale where i < {SALES})"
SHARES = (("customer_money", "'order:' || i", 36900), ("seller_payable", "'seller:' || i % 250", -32472))
FEES = (("commission", "'seller:' || i % 250", -3690), ("fee_vat", "'seller:' || i % 250", -738))
MOMENT = "'2026-0' || (1 + i % 9) || '-01T00:00:00Z'"
LEFT_OUT = "2026-09-01T00:00:00Z"


def measure(scratch: Path, *, runs: int) -> list[Row]:
    """Return a row for each database there is here."""
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        rows = [_row("SQLite", database_url(Path(directory)), runs=runs)]
    try:
        cluster = Cluster()
    except PostgresMissing:
        return rows
    cluster.start()
    try:
        return [*rows, _row("PostgreSQL", cluster.url(cluster.new_database("postgres")), runs=runs)]
    finally:
        cluster.stop()


def _row(name: str, url: str, *, runs: int) -> Row:
    engine = open_engine(url)
    _fill(engine)
    # They take turns: this machine drifts while it measures.
    turns = [(timed(lambda: _balance(engine)), timed(lambda: _sum(engine))) for _ in range(runs)]
    seconds, floor = (statistics.median(each) for each in zip(*turns, strict=True))
    engine.dispose()
    what = f"trial balance at a date over {SALES * LINES:,} postings, {name}"
    return Row(
        what,
        f"{seconds:.2f} s",
        f"≤ {HOLD_S:.0f} s",
        f"`sum` of the bare amounts: {floor:.2f} s",
        seconds <= HOLD_S,
        seconds / floor,
    )


def _fill(engine: Engine) -> None:
    """Write sales of four postings each, and their amounts alone beside them, all but a ninth of them before `LEFT_OUT`."""
    metadata.create_all(engine, tables=[metadata.tables[name] for name in ("entry", "posting")])
    with engine.begin() as connection:
        connection.execute(
            text(f"""
            {NUMBERS} insert into entry
            select 'seller:' || i % 250, 'e' || i, 'sale', 'f' || i, 'unit:' || i, 'EUR', {MOMENT}, 36900, 36900 from sale
        """)
        )
        for number, (account, party, cents) in enumerate(SHARES + FEES, 1):
            connection.execute(
                text(f"""
                {NUMBERS} insert into posting
                select 'seller:' || i % 250, 'e' || i, {number}, '{account}', {party}, 'EUR', {MOMENT}, {cents}, null from sale
            """)
            )
        connection.execute(text("create table bare (amount_cents bigint)"))
        connection.execute(text("insert into bare select amount_cents from posting"))
        connection.execute(text("analyze"))


def _balance(engine: Engine) -> None:
    with reading(engine) as connection:
        balances = trial_balance(connection, until=LEFT_OUT)
    assert sum(balance.cents for balance in balances) == 0
    assert len(balances) == LINES


def _sum(engine: Engine) -> None:
    with reading(engine) as connection:
        assert connection.execute(text("select sum(amount_cents) from bare")).scalar_one() == 0
