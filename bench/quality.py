"""How long a night's figures take of 250 sellers over 100,000 orders, beside reading the steps they rest on."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sqlalchemy import Engine, TextClause, text

from bench.measure import Row, timed
from marketplace.db import database_url, open_engine
from marketplace.sellers.quality import rate_sellers
from marketplace.upgrades import upgrade
from pos import clock
from tests.marketplace.postgres import Cluster, PostgresMissing

SELLERS, ORDERS = 250, 100_000
HOLD_S = 20.0
NIGHT = clock.from_text("2026-11-01T03:00:00Z")
NUMBERS = f"with recursive sale (i) as (select 1 union all select i + 1 from sale where i < {ORDERS})"
KEY = f"1000000000 + i % {SELLERS}, 'p' || i"
DAY = "'2026-' || case i % 3 when 0 then '08' when 1 then '09' else '10' end || '-' || (10 + i % 18) || 'T'"
STEPS = (("to_accept", "08:00:00Z", "customer"), ("accepted", "10:00:00Z", "seller:1"), ("shipped", "16:00:00Z", "seller:1"))


def measure(scratch: Path) -> list[Row]:
    """Return a row for each database there is here."""
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as directory:
        rows = [_row("SQLite", database_url(Path(directory)))]
    try:
        cluster = Cluster()
    except PostgresMissing:
        return rows
    cluster.start()
    try:
        return [*rows, _row("PostgreSQL", cluster.url(cluster.new_database("postgres")))]
    finally:
        cluster.stop()


def _row(name: str, url: str) -> Row:
    engine = open_engine(url)
    upgrade(engine, say=lambda _step: None)
    _fill(engine)
    floor = timed(lambda: _read(engine))
    seconds = timed(lambda: rate_sellers(engine, now=NIGHT))
    engine.dispose()
    what = f"nightly quality of {SELLERS} sellers over {ORDERS:,} orders, {name}"
    beside = f"reading their steps: {floor:.2f} s"
    return Row(what, f"{seconds:.1f} s", f"≤ {HOLD_S:.0f} s", beside, seconds <= HOLD_S, seconds / floor)


def _fill(engine: Engine) -> None:
    """Write sellers with desks, and for each order a part with one unit that was accepted and shipped, one in ten cancelled
    and one in five asked about."""
    with engine.begin() as connection:
        connection.execute(
            _sql(f"""
            {NUMBERS} insert into seller (seller_id, quality_bp, suspended, body, source, state)
            select 999999999 + i, 9000, 0, '{{"name": "S"}}', 'desk', 'active' from sale where i <= {SELLERS}
        """)
        )
        connection.execute(
            _sql(f"""
            {NUMBERS} insert into part (seller_id, part_id, customer_id, order_id, number, market, currency, paid_at, accept_by,
              changed_no)
            select {KEY}, 'c' || i, 'o' || i, 'n' || i, 'fr', 'EUR', {DAY} || '08:00:00Z', {DAY} || '08:00:00Z', i from sale
        """)
        )
        connection.execute(
            _sql(f"""
            {NUMBERS} insert into unit (seller_id, part_id, line_no, unit_no, customer_id, order_id, market, currency, state,
              listing_id, sku_id, grade_id, owed_cents, collected_cents, tax_cents, refunded_cents, vat_margin,
              delivery_days, since)
            select {KEY}, 1, 1, 'c' || i, 'o' || i, 'fr', 'EUR', 'accepted', 1, 1, 1, 100, 100, 0, 0, 0, 3, {DAY} || '08:00:00Z'
            from sale
        """)
        )
        for number, (state, hour, by) in enumerate(STEPS, 1):
            is_last = number == len(STEPS)
            stated = f"case i % 10 when 0 then 'cancelled' else '{state}' end" if is_last else f"'{state}'"
            connection.execute(
                _sql(f"""
                {NUMBERS} insert into unit_step (seller_id, part_id, line_no, unit_no, step_no, state, at, by, why)
                select {KEY}, 1, 1, {number}, {stated}, {DAY} || '{hour}', '{by}', '' from sale
            """)
            )
        for number, by, hour in ((1, "customer", "09:00:00Z"), (2, "seller:1", "20:00:00Z")):
            connection.execute(
                _sql(f"""
                {NUMBERS} insert into message (seller_id, part_id, message_no, customer_id, order_id, at, by, body)
                select {KEY}, {number}, 'c' || i, 'o' || i, {DAY} || '{hour}', '{by}', '?' from sale where i % 5 = 0
            """)
            )
        connection.execute(text("analyze"))


def _sql(statement: str) -> TextClause:
    """Return a statement whose colons are those of times."""
    return text(statement.replace(":", "\\:"))


def _read(engine: Engine) -> int:
    with engine.connect() as connection:
        return len(connection.execute(text("select part_id, state, at, by, why from unit_step")).all())
