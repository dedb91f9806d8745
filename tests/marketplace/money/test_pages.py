"""`/console/money` and `/console/fees`: what is posted is seen, and what HQ adds by hand counts once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from marketplace.db import run_tx
from marketplace.money.adjustments import Adjustment, adjust
from marketplace.money.payouts import plan_payouts
from marketplace.money.sales import post_received, post_shipped
from tests.marketplace.hq import Hq, words
from tests.marketplace.money.books import SHIPPED, money, unit
from tests.marketplace.papers.printed import printed
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


IBAN = "FR76 3000 6000 0112 3456 7890 189"
OURS = {"holder": "Comptoir SAS", "iban": "FR14 2004 1010 0505 0001 3M02 606", "bic": ""}
PAYOUT_TIME = datetime(2026, 11, 16, 9, tzinfo=UTC)


@pytest.fixture
def paying(console: Hq) -> Hq:
    """One unit shipped ten days before a payout day, its seller's IBAN and our own account known."""
    run_tx(console.engine, lambda connection: post_received(connection, money("pay-1", 17000)))
    bundle = unit(collected_cents=17000, partner_id="loire-mobile")
    run_tx(console.engine, lambda connection: post_shipped(connection, bundle, at=SHIPPED))
    assert console.client.post("/console/payouts/sellers/1", data={"holder": "Atelier Loire", "iban": IBAN}).status_code == 303
    assert console.client.post("/console/payouts/account", data=OURS).status_code == 303
    plan_payouts(console.engine, now=PAYOUT_TIME)
    return console


def test_a_payout_goes_out_by_file_and_is_marked_by_hand(paying: Hq) -> None:
    page = words(paying.client.get("/console/payouts"))
    for text in ("324,72 €", "FR7630006000011234567890189", "Faire le fichier SEPA de 1 virement", "préparé", "16 novembre 2026"):
        assert text in page
    assert paying.client.post("/console/payouts/files").status_code == 303
    (stored,) = paying.rows("select file_id, state from payout")
    assert stored["state"] == "sent"
    document = paying.client.get(f"/console/payouts/files/{stored['file_id']}")
    assert document.mimetype == "application/xml"
    assert b'<InstdAmt Ccy="EUR">324.72</InstdAmt>' in document.data
    assert paying.client.get("/console/payouts/files/none").status_code == 404

    marked = "/console/payouts/sellers/1/payouts/2026-11-16-EUR"
    assert paying.client.post(marked, data={"state": "returned"}).status_code == 400, "a return has its reason"
    assert paying.client.post(marked, data={"state": "settled"}).status_code == 303
    assert paying.client.post(marked, data={"state": "settled"}).status_code == 409
    assert paying.client.post(marked, data={"state": "returned", "reason": "compte clos"}).status_code == 303
    page = words(paying.client.get("/console/payouts"))
    assert "compte clos" in page
    assert "Tout est soldé" in words(paying.client.get("/console/money/clearing"))


def test_without_our_account_nothing_is_sent(console: Hq) -> None:
    answer = console.client.post("/console/payouts/files")
    assert answer.status_code == 422
    assert "Il manque notre propre compte" in words(answer)
    for changes in ({"iban": "FR00"}, {"bic": "NOBIC"}, {"holder": ""}):
        assert console.client.post("/console/payouts/account", data={**OURS, **changes}).status_code == 422


def test_how_a_seller_is_paid_is_kept_and_shown(console: Hq) -> None:
    form = {
        "holder": "Atelier Loire",
        "iban": IBAN,
        "reserve": "12,5",
        "reserve_until": "2027-01-31",
        "least": "50",
        "is_held": "on",
    }
    assert console.client.post("/console/payouts/sellers/1", data=form).status_code == 303
    page = words(console.client.get("/console/payouts/sellers/1"))
    for text in ('value="12,50"', 'value="2027-01-31"', "checked", "50,00 €"):
        assert text in page
    assert console.client.post("/console/payouts/sellers/1", data={**form, "iban": "FR76"}).status_code == 422
    assert console.client.post("/console/payouts/sellers/1", data={**form, "reserve": "101"}).status_code == 400
    assert console.client.post("/console/payouts/sellers/99", data=form).status_code == 404
    assert console.client.get("/console/payouts/sellers/99").status_code == 404


def test_a_seller_s_statement_as_page_and_file(paying: Hq) -> None:
    page = words(paying.client.get("/console/payouts/sellers/1/statements/2026-11-16"))
    for text in ("vente expédiée", "369,00 €", "-36,90 €", "-7,38 €", "324,72 €", "virement"):
        assert text in page.replace("−", "-")
    lines = paying.client.get("/console/payouts/sellers/1/statements/2026-11-16/lines.csv")
    assert lines.mimetype == "text/csv"
    text = lines.data.decode("utf-8-sig")
    assert "sale;;unit:p1/1/1;;369.00;36.90;7.38;324.72;EUR\r\n" in text
    assert text.endswith(";-324.72;EUR\r\n")
    document = paying.client.get("/console/payouts/sellers/1/statements/2026-11-16/statement.pdf")
    told = printed(document.data)
    for fact in ("Relevé du 16 novembre 2026", "Atelier Loire SAS", "vente expédiée", "369,00 €", "-36,90 €", "324,72 €"):
        assert fact in told.replace("−", "-"), fact
    for day in ("2026-11-17", "soon"):
        assert paying.client.get(f"/console/payouts/sellers/1/statements/{day}").status_code in (400, 404)


def test_a_reason_that_looks_like_a_formula_is_text_in_the_file(console: Hq) -> None:
    facts = {"currency": "EUR", "amount_cents": -1250, "at": "2026-11-17T09:00:00Z"}
    fine = Adjustment(seller_id=1, adjustment_id="a1", reason="=HYPERLINK(1)", **facts)
    run_tx(console.engine, lambda connection: adjust(connection, fine))
    text = console.client.get("/console/payouts/sellers/1/statements/2026-11-26/lines.csv").text
    assert ";'=HYPERLINK(1);-12.50;" in text


def test_an_adjustment_is_in_no_period_that_has_ended_in_its_currency_s_markets(console: Hq) -> None:
    console.write("""update market set body = replace(body, '"EUR"', '"JPY"')""")
    console.write("update corner set body = replace(body, 'Europe/Paris', 'Asia/Tokyo')")
    for currency in ("JPY", "EUR"):
        facts: dict[str, Any] = {"currency": currency, "amount_cents": -100, "at": "2026-11-15T16:00:00Z"}
        fine = Adjustment(seller_id=1, adjustment_id=currency, reason="Colis", **facts)
        run_tx(console.engine, lambda connection, fine=fine: adjust(connection, fine))
    found = console.rows("select distinct currency, due_on from posting order by currency")
    assert [tuple(line.values()) for line in found] == [("EUR", "2026-11-16"), ("JPY", "2026-11-17")]


def test_a_partner_s_debt_its_statement_and_its_payment(paying: Hq) -> None:
    assert "199,00 €" in words(paying.client.get("/console/partners"))
    page = words(paying.client.get("/console/partners/loire-mobile/statements/2026-11"))
    assert "vente expédiée" in page
    assert ";199.00;EUR" in paying.client.get("/console/partners/loire-mobile/statements/2026-11/lines.csv").text
    told = printed(paying.client.get("/console/partners/loire-mobile/statements/2026-11/statement.pdf").data)
    for fact in ("Relevé de 2026-11", "Loire Mobile", "199,00 €"):
        assert fact in told, fact
    assert paying.client.get("/console/partners/nobody/statements/2026-11").status_code == 404

    receipt = {"partner": "loire-mobile", "currency": "EUR", "amount": "199,00", "receipt_id": "r1"}
    for _ in range(2):
        assert paying.client.post("/console/partners/receipts", data=receipt).status_code == 303
    assert "199,00 €" not in words(paying.client.get("/console/partners"))
    transfer = {"partner": "", "currency": "EUR", "amount": "170", "receipt_id": "r2"}
    assert paying.client.post("/console/partners/receipts", data=transfer).status_code == 303
    lines = words(paying.client.get("/console/money/accounts/bank"))
    assert lines.count("199,00 €") == 1
    assert lines.count("170,00 €") == 1
    assert paying.client.post("/console/partners/receipts", data={**receipt, "amount": "0"}).status_code == 422
    assert paying.client.post("/console/partners/receipts", data={**receipt, "partner": "nobody"}).status_code == 404
