"""Payouts: three days a month, what is ten days old, once; held, reserved, carried, sent, returned and paid again."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from marketplace.db import reading, run_tx
from marketplace.money.adjustments import Adjustment, adjust
from marketplace.money.bank_files import BankAccount, sepa_text, transfer_file
from marketplace.money.payouts import (
    PayoutMoved,
    PayoutTerms,
    move_payout,
    payable_on,
    payout,
    payouts_in,
    plan_payouts,
    send_file,
    set_payout_terms,
)
from marketplace.money.sales import post_received, post_refunded, post_shipped
from marketplace.money.statements import statement_of
from tests.marketplace.deaths import killed_everywhere
from tests.marketplace.hq import Hq
from tests.marketplace.money.books import assert_adds_up, balances, money, open_accounts, unit

IBAN = "FR7630006000011234567890189"
NET = 32472
"""What a seller gets of 369.00: less ten per cent, less VAT on that."""


def at(day: int, hour: int = 12, month: int = 11) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def ship(hq: Hq, day: int, *, unit_no: int = 1, hour: int = 12, **changes: Any) -> None:
    when = f"2026-11-{day:02}T{hour:02}:00:00Z"

    def work(connection: Any) -> None:
        shipped = unit(unit_no=unit_no, placed_at=when, **changes)
        post_received(connection, money(f"pay-{unit_no}", shipped.collected_cents, currency=shipped.currency, at=when))
        post_shipped(connection, shipped, at=when)

    run_tx(hq.engine, work)


def terms(hq: Hq, **changes: Any) -> None:
    facts = {
        "holder": "Atelier Loire SAS",
        "iban": IBAN,
        "is_held": False,
        "reserve_bp": 0,
        "reserve_until": None,
        "least_cents": None,
    }
    run_tx(hq.engine, lambda connection: set_payout_terms(connection, 1, PayoutTerms(**{**facts, **changes})))


def paid(hq: Hq) -> list[tuple[str, int, str]]:
    found = hq.rows("select payout_id, amount_cents, state from payout order by payout_id, seller_id")
    return [(each["payout_id"], each["amount_cents"], each["state"]) for each in found]


def adds_up(hq: Hq) -> None:
    with reading(hq.engine) as connection:
        assert_adds_up(connection)


def move(hq: Hq, state: str, *, reason: str = "") -> None:
    run_tx(hq.engine, lambda connection: move_payout(connection, 1, "2026-11-16-EUR", state, reason=reason, now=at(17)))


def test_what_shipped_ten_days_before_is_paid_and_what_came_after_waits(hq: Hq) -> None:
    ship(hq, 6, unit_no=1, hour=22)
    ship(hq, 6, unit_no=2, hour=23)  # the 7th in Paris
    plan_payouts(hq.engine, now=at(15))
    assert paid(hq) == []
    plan_payouts(hq.engine, now=at(16))
    assert paid(hq) == [("2026-11-16-EUR", NET, "planned")]
    plan_payouts(hq.engine, now=at(25))
    assert len(paid(hq)) == 1
    plan_payouts(hq.engine, now=at(26))
    assert paid(hq)[1] == ("2026-11-26-EUR", NET, "planned")
    adds_up(hq)


def test_the_day_begins_a_quarter_past_midnight_in_the_market(hq: Hq) -> None:
    ship(hq, 5)
    plan_payouts(hq.engine, now=datetime(2026, 11, 15, 23, 10, tzinfo=UTC))
    assert paid(hq) == []
    plan_payouts(hq.engine, now=datetime(2026, 11, 15, 23, 15, tzinfo=UTC))
    assert paid(hq) == [("2026-11-16-EUR", NET, "planned")]


def test_a_day_that_was_missed_is_made_up_for_once(hq: Hq) -> None:
    ship(hq, 5)
    plan_payouts(hq.engine, now=at(19))
    plan_payouts(hq.engine, now=at(20))
    assert paid(hq) == [("2026-11-16-EUR", NET, "planned")]


def test_a_debt_is_carried_until_sales_cover_it(hq: Hq) -> None:
    ship(hq, 3)
    plan_payouts(hq.engine, now=at(16))
    refund = {"refund_id": "r1", "cents": 36900, "at": "2026-11-17T09:00:00Z"}
    run_tx(hq.engine, lambda connection: post_refunded(connection, unit(placed_at="2026-11-03T12:00:00Z"), **refund))
    ship(hq, 14, unit_no=2, owed_cents=10000, collected_cents=10000)
    plan_payouts(hq.engine, now=at(26))
    assert len(paid(hq)) == 1
    with reading(hq.engine) as connection:
        assert payable_on(connection, 1, "EUR", "2026-11-26") == 8800 - NET
    ship(hq, 20, unit_no=3)
    plan_payouts(hq.engine, now=at(6, month=12))
    assert paid(hq)[1:] == [("2026-12-06-EUR", 8800, "planned")]
    adds_up(hq)


def test_a_refund_before_its_sale_is_due_waits_with_it(hq: Hq) -> None:
    ship(hq, 3)
    ship(hq, 15, unit_no=2)
    refund = {"refund_id": "r1", "cents": 36900, "at": "2026-11-15T18:00:00Z"}
    run_tx(hq.engine, lambda connection: post_refunded(connection, unit(unit_no=2, placed_at="2026-11-15T12:00:00Z"), **refund))
    plan_payouts(hq.engine, now=at(16))
    assert paid(hq) == [("2026-11-16-EUR", NET, "planned")]


def test_held_payouts_and_small_ones_stay_the_seller_s(hq: Hq) -> None:
    ship(hq, 3)
    terms(hq, is_held=True)
    plan_payouts(hq.engine, now=at(16))
    terms(hq, least_cents=NET + 1)
    plan_payouts(hq.engine, now=at(26))
    assert paid(hq) == []
    terms(hq)
    plan_payouts(hq.engine, now=at(6, month=12))
    assert paid(hq) == [("2026-12-06-EUR", NET, "planned")]


def test_a_reserve_is_kept_until_its_day_and_then_paid(hq: Hq) -> None:
    ship(hq, 3)
    terms(hq, reserve_bp=1000, reserve_until="2026-11-20")
    plan_payouts(hq.engine, now=at(16))
    assert paid(hq) == [("2026-11-16-EUR", NET - 3247, "planned")]
    plan_payouts(hq.engine, now=at(26))
    assert paid(hq)[1] == ("2026-11-26-EUR", 3247, "planned")
    with reading(hq.engine) as connection:
        assert "seller_reserve" not in balances(connection)
        assert_adds_up(connection)


def test_a_returned_transfer_is_paid_again_with_the_next(hq: Hq) -> None:
    ship(hq, 3)
    plan_payouts(hq.engine, now=at(16))
    move(hq, "sent")
    with pytest.raises(PayoutMoved):
        move(hq, "sent")
    move(hq, "returned", reason="compte clos")
    with reading(hq.engine) as connection:
        assert open_accounts(connection) == set()
        assert balances(connection)["seller_payable"] == -NET
        stored = payout(connection, 1, "2026-11-16-EUR")
    assert (stored.state, stored.reason) == ("returned", "compte clos")
    plan_payouts(hq.engine, now=at(26))
    assert paid(hq)[1] == ("2026-11-26-EUR", NET, "planned")
    adds_up(hq)


def test_what_the_bank_returns_after_it_was_settled_comes_back_from_the_bank(hq: Hq) -> None:
    ship(hq, 3)
    plan_payouts(hq.engine, now=at(16))
    move(hq, "sent")
    move(hq, "settled")
    with reading(hq.engine) as connection:
        assert balances(connection)["bank"] == -NET
    move(hq, "returned", reason="refusé")
    with reading(hq.engine) as connection:
        assert "bank" not in balances(connection)
        assert balances(connection)["seller_payable"] == -NET


def test_two_workers_plan_a_day_once(hq: Hq) -> None:
    for number in range(1, 6):
        ship(hq, 3, unit_no=number, seller_id=1 + number % 2)
    with ThreadPoolExecutor(2) as workers:
        list(workers.map(lambda _: plan_payouts(hq.engine, now=at(16)), range(2)))
    assert [amount for _, amount, _ in paid(hq)] == [2 * NET, 3 * NET]
    adds_up(hq)


def test_a_worker_killed_at_any_statement_leaves_what_the_next_one_finishes(hq: Hq) -> None:
    ship(hq, 3)
    ship(hq, 3, unit_no=2, seller_id=2)
    terms(hq, reserve_bp=1000, reserve_until="2026-11-20")

    def look() -> None:
        made = hq.rows("select seller_id from payout")
        entries = hq.rows("select owner_id from entry where kind = 'payout'")
        assert len(made) == len(entries)
        adds_up(hq)

    assert killed_everywhere(hq.engine, lambda: plan_payouts(hq.engine, now=at(16)), look) > 15
    assert [amount for _, amount, _ in paid(hq)] == [NET - 3247, NET]


def test_the_bank_s_file_holds_its_schema_and_is_the_same_each_time(hq: Hq) -> None:
    for number in (1, 2):
        ship(hq, 3, unit_no=number, seller_id=number)
    terms(hq, holder="Łódź & Frères «Élan» 🎧")
    plan_payouts(hq.engine, now=at(16))
    file_id = run_tx(hq.engine, lambda connection: send_file(connection, now=at(16, 15)))
    assert file_id is not None
    assert run_tx(hq.engine, lambda connection: send_file(connection, now=at(16, 16))) is None
    with reading(hq.engine) as connection:
        carried = payouts_in(connection, file_id)
    assert [each.seller_id for each in carried] == [1], "the other has no IBAN and is transferred by hand"
    account = BankAccount("Comptoir SAS", "FR1420041010050500013M02606", "")
    document = transfer_file(account, carried, file_id=file_id)
    assert transfer_file(account, carried, file_id=file_id) == document
    texts = {element.tag.partition("}")[2]: element.text for element in ET.fromstring(document).iter()}
    assert (texts["InstdAmt"], texts["CtrlSum"], texts["NbOfTxs"]) == ("324.72", "324.72", "1")
    assert texts["EndToEndId"] == "2026-11-16-EUR-1"
    assert texts["ReqdExctnDt"] == "2026-11-16"
    assert "Lodz Freres Elan" in document.decode()


def test_names_keep_to_the_letters_of_sepa() -> None:
    assert sepa_text("Ærø & Søn <GmbH>", 70) == "AEro Son GmbH"
    assert sepa_text("漢字", 70).isascii()
    assert sepa_text("🎧", 70) == "NOTPROVIDED"
    assert len(sepa_text("é" * 200, 70)) == 70


def test_a_statement_explains_every_cent_of_a_payout(hq: Hq) -> None:
    ship(hq, 3)
    fine = Adjustment(
        seller_id=1, adjustment_id="a1", currency="EUR", amount_cents=-500, reason="Retard", at="2026-11-10T09:00:00Z"
    )
    run_tx(hq.engine, lambda connection: adjust(connection, fine))
    plan_payouts(hq.engine, now=at(16))
    move(hq, "sent")
    move(hq, "returned", reason="compte clos")
    plan_payouts(hq.engine, now=at(26))
    with reading(hq.engine) as connection:
        first, second = (statement_of(connection, 1, "EUR", day) for day in ("2026-11-16", "2026-11-26"))
    lines = [(line.kind, line.price_cents, line.fee_cents, line.vat_cents, line.net_cents) for line in first.lines]
    assert lines == [
        ("sale", 36900, 3690, 738, NET),
        ("adjustment", -500, 0, 0, -500),
        ("payout", 500 - NET, 0, 0, 500 - NET),
    ]
    assert first.lines[1].reason == "Retard"
    assert (first.opening_cents, first.closing_cents) == (0, 0)
    assert [line.kind for line in second.lines] == ["payout_returned", "payout"]
    assert second.closing_cents == 0
