"""Units and payments in the ledger: held until shipped, ours and the seller's afterwards, back in proportion when refunded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from marketplace.db import open_engine
from marketplace.money.sales import (
    MoreThanCollected,
    SaleShares,
    UnitSale,
    post_dispute,
    post_provider_fee,
    post_received,
    post_refund_paid,
    post_refunded,
    post_shipped,
    post_unused,
)
from marketplace.tables import metadata
from tests.marketplace.hq import Hq
from tests.marketplace.money.books import PAID, RETURNED, SHIPPED, assert_adds_up, balances, money, open_accounts, unit

CURRENCIES = ("EUR", "JPY", "KWD")


@pytest.fixture
def connection(hq: Hq) -> Iterator[Connection]:
    with hq.engine.begin() as opened:
        yield opened


def test_a_sale_is_the_seller_s_less_our_fee_and_its_vat(connection: Connection) -> None:
    post_received(connection, money("pay-1", 36900))
    assert balances(connection) == {"provider": 36900, "customer_money": -36900}
    fee = post_shipped(connection, unit(), at=SHIPPED)
    assert fee is not None
    assert (fee.cents, fee.vat_cents) == (3690, 738)
    assert balances(connection) == {"provider": 36900, "commission": -3690, "fee_vat": -738, "seller_payable": -32472}
    assert post_shipped(connection, unit(), at=SHIPPED) is None
    assert_adds_up(connection)
    assert open_accounts(connection) == set()


def test_what_the_plan_takes_off_is_the_partner_s_debt(connection: Connection) -> None:
    bundle = unit(collected_cents=17000, partner_id="bouygues")
    post_received(connection, money("pay-1", 17000))
    post_shipped(connection, bundle, at=SHIPPED)
    assert balances(connection)["partner_receivable"] == 19900
    assert balances(connection)["seller_payable"] == -32472

    post_refunded(connection, bundle, refund_id="r1", cents=2000, at=RETURNED)
    assert balances(connection)["partner_receivable"] == 19900, "a price lowered afterwards is none of the partner's"
    post_refunded(connection, bundle, refund_id="r2", cents=15000, at=RETURNED)
    assert balances(connection) == {"provider": 17000, "refunds_due": -17000}


def test_a_device_that_cost_nothing_with_its_plan_is_taken_back_whole(connection: Connection) -> None:
    bundle = unit(collected_cents=0, partner_id="bouygues")
    post_shipped(connection, bundle, at=SHIPPED)
    assert post_refunded(connection, bundle, refund_id="r1", cents=0, at=RETURNED)
    assert balances(connection) == {}
    with pytest.raises(MoreThanCollected):
        post_refunded(connection, bundle, refund_id="r2", cents=0, at=RETURNED)


def test_sales_tax_is_the_state_s_and_goes_back_in_proportion(connection: Connection) -> None:
    taxed = unit(owed_cents=20000, collected_cents=20000, tax_cents=1775)
    post_received(connection, money("pay-1", 21775))
    post_shipped(connection, taxed, at=SHIPPED)
    assert balances(connection)["sales_tax"] == -1775
    assert balances(connection)["commission"] == -2000, "no fee on the tax"
    post_refunded(connection, taxed, refund_id="r1", cents=10000, at=RETURNED)
    assert balances(connection)["sales_tax"] == -1775 + 815
    post_refunded(connection, taxed, refund_id="r2", cents=11775, at=RETURNED)
    assert balances(connection) == {"provider": 21775, "refunds_due": -21775}


def test_before_it_ships_a_refund_is_held_money_alone(connection: Connection) -> None:
    post_received(connection, money("pay-1", 36900))
    assert post_refunded(connection, unit(), refund_id="r1", cents=900, at=PAID)
    fee = post_shipped(connection, unit(), at=SHIPPED)
    assert fee is not None
    assert fee.cents == 3600, "the fee is on what is left of the price"
    assert balances(connection)["seller_payable"] == -(36000 - 3600 - 720)
    assert open_accounts(connection) == {"refunds_due"}
    post_refund_paid(connection, money("r1", 900))
    assert open_accounts(connection) == set()


def test_a_cancelled_unit_leaves_nothing_behind(connection: Connection) -> None:
    post_received(connection, money("pay-1", 36900))
    post_refunded(connection, unit(), refund_id="r1", cents=36900, at=PAID)
    assert post_shipped(connection, unit(), at=SHIPPED) is None
    post_refund_paid(connection, money("r1", 36900))
    assert balances(connection) == {}


def test_no_more_than_was_collected_goes_back_and_each_refund_once(connection: Connection) -> None:
    post_received(connection, money("pay-1", 36900))
    post_shipped(connection, unit(), at=SHIPPED)
    assert post_refunded(connection, unit(), refund_id="r1", cents=36900, at=RETURNED)
    assert not post_refunded(connection, unit(), refund_id="r1", cents=36900, at=RETURNED)
    with pytest.raises(MoreThanCollected) as refusal:
        post_refunded(connection, unit(), refund_id="r2", cents=1, at=RETURNED)
    assert refusal.value.data == {"left_cents": 0}


def test_money_that_comes_late_goes_back(connection: Connection) -> None:
    post_received(connection, money("pay-2", 36900))
    post_unused(connection, money("r1", 36900))
    post_refund_paid(connection, money("r1", 36900))
    assert balances(connection) == {}


def test_a_dispute_is_open_until_it_is_won_or_lost(connection: Connection) -> None:
    post_received(connection, money("pay-1", 36900))
    post_provider_fee(connection, money("pay-1", 120))
    post_shipped(connection, unit(), at=SHIPPED)
    before = balances(connection)
    post_dispute(connection, money("dp-1", 36900), "opened")
    assert open_accounts(connection) == {"disputes"}
    post_dispute(connection, money("dp-1", 36900), "won")
    assert balances(connection) == before
    post_dispute(connection, money("dp-2", 36900), "opened")
    post_dispute(connection, money("dp-2", 36900), "lost")
    assert balances(connection)["dispute_losses"] == 36900
    assert open_accounts(connection) == set()


@given(data=st.data())
def test_refunds_in_any_parts_take_back_exactly_what_was_booked(data: st.DataObject) -> None:
    collected = data.draw(st.integers(1, 10**6))
    partner = data.draw(st.integers(0, 10**6))
    fee = data.draw(st.integers(0, collected + partner))
    sale = SaleShares(collected, partner, fee, data.draw(st.integers(0, fee)), data.draw(st.integers(0, 10**6)))
    steps = sorted(data.draw(st.sets(st.integers(1, sale.paid_cents), max_size=6)) | {sale.paid_cents})
    taken = [sale.reversed_at(step) for step in steps]
    assert taken[-1] == sale
    for earlier, later in pairwise(taken):
        assert earlier.fee_cents <= later.fee_cents
        assert earlier.vat_cents <= later.vat_cents
        assert earlier.tax_cents <= later.tax_cents
        assert earlier.collected_cents <= later.collected_cents
    assert all(0 <= each.fee_cents <= fee for each in taken)


@pytest.fixture(scope="module")
def empty_engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}")
    metadata.create_all(engine)
    return engine


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_history_of_an_order_adds_up(empty_engine: Engine, data: st.DataObject) -> None:
    """Whatever ships, is refunded before or after, disputed or paid late: every entry is zero, and what is over holds nothing."""
    currency = data.draw(st.sampled_from(CURRENCIES))
    units = [
        unit(
            unit_no=number,
            currency=currency,
            owed_cents=data.draw(st.integers(1, 90_000)),
            collected_cents=0,
            partner_id="bouygues",
        )
        for number in range(1, data.draw(st.integers(1, 3)) + 1)
    ]
    units = [
        replace(each, collected_cents=data.draw(st.integers(0, each.owed_cents)), tax_cents=data.draw(st.integers(0, 9000)))
        for each in units
    ]

    def history(connection: Connection) -> None:
        paid = sum(each.collected_cents + each.tax_cents for each in units)
        post_received(connection, money("pay-1", paid, currency=currency))
        for each in units:
            live(connection, each, data)
        if data.draw(st.booleans()):
            post_provider_fee(connection, money("pay-1", data.draw(st.integers(0, 500)), currency=currency))
        assert_adds_up(connection)
        assert open_accounts(connection) == set()
        connection.rollback()

    with empty_engine.connect() as connection:
        history(connection)


def live(connection: Connection, each: UnitSale, data: st.DataObject) -> None:
    """Ship or not, refund in any parts; at the end the unit is shipped or refunded whole, and every refund paid out."""
    ships = data.draw(st.booleans())
    left, number = each.collected_cents + each.tax_cents, 0
    for phase in ("before", "after"):
        most = 0 if phase == "after" and not ships else 3
        for _ in range(data.draw(st.integers(0, most))):
            if left:
                number += 1
                cents = data.draw(st.integers(1, left))
                left -= refund(connection, each, number, cents)
        if phase == "before" and ships:
            post_shipped(connection, each, at=SHIPPED)
    if not ships and left:
        refund(connection, each, number + 1, left)


def refund(connection: Connection, each: UnitSale, number: int, cents: int) -> int:
    refund_id = f"{each.subject}-{number}"
    assert post_refunded(connection, each, refund_id=refund_id, cents=cents, at=RETURNED)
    assert post_refund_paid(connection, money(refund_id, cents, currency=each.currency))
    return cents
