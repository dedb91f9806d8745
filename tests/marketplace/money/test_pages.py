"""`/console/money` and `/console/fees`: what is posted is seen, and what HQ adds by hand counts once."""

from __future__ import annotations

import pytest

from marketplace.db import run_tx
from marketplace.money.sales import post_received, post_shipped
from tests.marketplace.hq import Hq, words
from tests.marketplace.money.books import SHIPPED, money, unit
from tests.marketplace.test_console import log_in

ADJUSTMENT = {
    "seller": "1",
    "way": "against",
    "amount": "12,50",
    "currency": "EUR",
    "reason": "Colis rendu ouvert",
    "adjustment_id": "a1",
}
RULE = {"name": "commission", "currency": "EUR", "rate": "8,5", "category": "phones", "valid_from": "2099-01-01", "rule_id": "r1"}


@pytest.fixture
def console(hq: Hq) -> Hq:
    log_in(hq)
    return hq


def test_an_empty_ledger_says_so(console: Hq) -> None:
    assert "Aucune écriture" in words(console.client.get("/console/money"))
    page = words(console.client.get("/console/money/clearing"))
    assert "Tout est soldé" in page
    assert "chaque écriture s’équilibre" in page
    assert "Aucun ajustement" in words(console.client.get("/console/money/adjustments"))
    assert "la commission ordinaire" in words(console.client.get("/console/fees"))


def test_the_balance_of_any_day_and_the_lines_behind_it(console: Hq) -> None:
    run_tx(console.engine, lambda connection: post_received(connection, money("pay-1", 36900)))
    run_tx(console.engine, lambda connection: post_shipped(connection, unit(), at=SHIPPED))
    page = words(console.client.get("/console/money?on=2026-11-02"))
    assert "Argent des clients" in page
    assert "Commissions" not in page
    page = words(console.client.get("/console/money?on=2026-11-03"))
    for text in ("Dû aux vendeurs", "324,72 €", "36,90 €", "7,38 €"):
        assert text in page
    lines = words(console.client.get("/console/money/accounts/seller_payable?on=2026-11-03&party=seller:1"))
    assert "vente expédiée" in lines
    assert "324,72 €" in lines
    assert "324,72 €" not in words(console.client.get("/console/money/accounts/seller_payable?party=seller:2"))
    assert console.client.get("/console/money/accounts/pocket").status_code == 404
    assert console.client.get("/console/money?on=yesterday").status_code == 400


def test_what_waits_to_be_cleared_and_what_was_tampered_with_is_named(console: Hq) -> None:
    run_tx(console.engine, lambda connection: post_received(connection, money("pay-1", 36900)))
    assert "order:order-1" in words(console.client.get("/console/money/clearing"))
    console.write("update posting set amount_cents = 36800 where account = 'provider'")
    page = words(console.client.get("/console/money/clearing"))
    assert "payment:pay-1" in page
    assert "ne s’équilibrent pas" in words(console.client.get("/console/money"))


def test_an_adjustment_counts_once_with_its_reason(console: Hq) -> None:
    for _ in range(2):
        assert console.client.post("/console/money/adjustments", data=ADJUSTMENT).status_code == 303
    page = words(console.client.get("/console/money/adjustments"))
    assert page.count("Colis rendu ouvert") == 1
    assert "-12,50 €" in page.replace("−", "-")
    assert console.rows("select account, amount_cents from posting order by posting_no") == [
        {"account": "seller_payable", "amount_cents": 1250},
        {"account": "adjustments", "amount_cents": -1250},
    ]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"reason": " "}, 422),
        ({"amount": "0"}, 422),
        ({"amount": "beaucoup"}, 400),
        ({"seller": "99"}, 404),
        ({"currency": "XXX"}, 400),
    ],
)
def test_an_adjustment_that_says_nothing_is_refused(console: Hq, changes: dict[str, str], status: int) -> None:
    assert console.client.post("/console/money/adjustments", data={**ADJUSTMENT, **changes}).status_code == status
    assert console.rows("select * from entry") == []


def test_a_rule_of_fees_is_added_and_shown(console: Hq) -> None:
    assert console.client.post("/console/fees", data=RULE).status_code == 303
    page = words(console.client.get("/console/fees"))
    for text in ("8,50 %", "à venir", "1 janvier 2099"):
        assert text in page
    assert console.rows("select rate_bp, category_id, seller_id from fee_rule") == [
        {"rate_bp": 850, "category_id": "phones", "seller_id": None}
    ]
    begun = console.client.post("/console/fees", data={**RULE, "valid_from": "2020-01-01", "rule_id": "r2"})
    assert begun.status_code == 422
    assert "commence demain au plus tôt" in words(begun)
    for changes in ({"rate": "beaucoup"}, {"valid_from": "demain"}, {"currency": "XXX"}):
        assert console.client.post("/console/fees", data={**RULE, **changes}).status_code == 400
