"""Our own invoices to sellers: one a period with the payout, of what the ledger booked; nothing without our identity."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from marketplace.db import reading, run_tx
from marketplace.money.adjustments import Adjustment, adjust
from marketplace.money.identity import our_identity, read_identity, store_identity
from marketplace.money.payouts import invoice_fees, plan_payouts
from marketplace.money.sales import UnitSale, post_refunded, post_shipped
from marketplace.papers.fee_invoices import newest_fee_invoices
from marketplace.papers.printing import print_page
from pos import clock
from pos.errors import Invalid
from tests.marketplace.deaths import killed_everywhere
from tests.marketplace.hq import Hq, words
from tests.marketplace.money.books import unit
from tests.marketplace.papers.issuing import US
from tests.marketplace.papers.printed import printed
from tests.marketplace.sellers.applicants import log_in
from tests.marketplace.sellers.desks import desk
from tests.processes import run

FEE, VAT = 3690, 738
"""On a phone at 369.00."""


def at(day: int, month: int = 11) -> datetime:
    return datetime(2026, month, day, 12, tzinfo=UTC)


def named(hq: Hq) -> None:
    run_tx(hq.engine, lambda connection: store_identity(connection, US))


def ship(hq: Hq, day: int, unit_no: int = 1, **changes: Any) -> None:
    when = clock.to_text(at(day))
    run_tx(hq.engine, lambda connection: post_shipped(connection, unit(unit_no=unit_no, placed_at=when, **changes), at=when))


def refund(hq: Hq, day: int, unit_no: int = 1, *, cents: int = 36900, **changes: Any) -> None:
    def work(connection: Any) -> None:
        post_refunded(
            connection, unit(unit_no=unit_no, **changes), refund_id=f"{day}-{unit_no}", cents=cents, at=clock.to_text(at(day))
        )

    run_tx(hq.engine, work)


def fine(hq: Hq, day: int, cents: int, reason: str = "Colis perdu", seller_id: int = 1) -> None:
    given = Adjustment(
        seller_id=seller_id,
        adjustment_id=f"a-{day}",
        currency="EUR",
        amount_cents=cents,
        reason=reason,
        at=clock.to_text(at(day)),
    )
    run_tx(hq.engine, lambda connection: adjust(connection, given))


def pay_out(hq: Hq, day: int, month: int = 11) -> None:
    """Do what the hourly job does."""
    plan_payouts(hq.engine, now=at(day, month))
    invoice_fees(hq.engine, now=at(day, month))


def issued(hq: Hq) -> list[tuple[str, str, int, str, int, int]]:
    found = hq.rows("select number, kind, seller_id, day, fee_cents, vat_cents from fee_invoice order by invoice_no")
    return [tuple(each.values()) for each in found]  # type: ignore[misc]


def text_of(hq: Hq, number: int = 1) -> str:
    with reading(hq.engine) as connection:
        newest = {each.invoice_no: each for each in newest_fee_invoices(connection)}
    made = newest[number]
    return printed(print_page("fee_invoice", made.facts, language=made.language, at=made.issued_at))


def set_company(hq: Hq, seller_id: int, **facts: str) -> None:
    [stored] = hq.rows("select body from seller where seller_id = :seller_id", seller_id=seller_id)
    body = json.dumps(json.loads(stored["body"]) | facts)
    hq.write("update seller set body = :body where seller_id = :seller_id", body=body, seller_id=seller_id)


def test_a_payout_brings_the_invoice_of_its_fees_in_its_own_transaction(hq: Hq) -> None:
    named(hq)
    ship(hq, 3)
    ship(hq, 4, 2)
    ship(hq, 9, 3)  # falls due after the 16th
    plan_payouts(hq.engine, now=at(16))

    assert issued(hq) == [("C-000001", "invoice", 1, "2026-11-16", 2 * FEE, 2 * VAT)]
    text = text_of(hq)
    for fact in (
        "Comptoir SAS", "1 rue Kervégan 44000 Nantes", "RCS Nantes 732 829 320", "SIRET 73282932000074",
        "N° de TVA FR44732829320", "Facture C-000001",
        "Atelier Loire SAS", "Total hors taxe 73,80 €", "TVA 20 % 14,76 €", "Total TTC 88,56 €",
        "Retenu sur vos ventes 88,56 €", "après le 6 novembre 2026 et jusqu’au 16 novembre 2026",
    ):  # fmt: skip
        assert fact in text, fact
    assert "Autoliquidation" not in text


def test_a_period_has_one_invoice_whoever_asks_again_and_the_next_one_the_next_number(hq: Hq) -> None:
    named(hq)
    for seller_id in (1, 2):
        ship(hq, 3, seller_id, seller_id=seller_id)
    for _ in range(2):
        pay_out(hq, 16)
    ship(hq, 9, 3)
    pay_out(hq, 26)
    assert [(number, seller_id, day) for number, _, seller_id, day, *_ in issued(hq)] == [
        ("C-000001", 1, "2026-11-16"),
        ("C-000002", 2, "2026-11-16"),
        ("C-000003", 1, "2026-11-26"),
    ]


@pytest.mark.parametrize(
    ("company", "vat_cents", "said"),
    [
        ({"country": "FR"}, VAT, "TVA 20 % 7,38 €"),
        ({"country": "DE", "vat_number": "DE136695976"}, 0, "Autoliquidation TVA due par le preneur : articles 44 et 196"),
        ({"country": "DE", "vat_number": "FR44732829320"}, VAT, "TVA 20 % 7,38 €"),
        ({"country": "DE"}, VAT, "TVA 20 % 7,38 €"),
        ({"country": "GB", "vat_number": "GB980780684"}, 0, "TVA non applicable, article 259, 1°"),
    ],
)
def test_vat_on_the_invoice_is_what_was_booked_for_the_seller_s_country(
    hq: Hq, company: dict[str, str], vat_cents: int, said: str
) -> None:
    named(hq)
    set_company(hq, 1, **company)
    ship(hq, 3)
    pay_out(hq, 16)
    [made] = issued(hq)
    assert made[-2:] == (FEE, vat_cents)
    text = text_of(hq)
    assert said in text
    assert f"N° de TVA {US['vat_number']}" in text
    assert company.get("vat_number", "") in text
    assert ("TVA 20 %" in text) == bool(vat_cents)


def test_a_seller_who_changed_its_vat_number_is_charged_what_was_booked_and_told_so(hq: Hq) -> None:
    named(hq)
    ship(hq, 3)
    set_company(hq, 1, country="DE", vat_number="DE136695976")
    pay_out(hq, 16)
    assert "TVA 20 % 7,38 €" in text_of(hq)
    assert "Autoliquidation" not in text_of(hq)

    set_company(hq, 1, country="FR", vat_number="")
    ship(hq, 9, 2)
    set_company(hq, 1, country="DE", vat_number="DE136695976")
    ship(hq, 9, 3)
    pay_out(hq, 26)
    assert "Total hors taxe 73,80 € dont sans TVA 36,90 € TVA 20 % 7,38 € Total TTC 81,18 €" in text_of(hq, 2)
    assert "Autoliquidation" in text_of(hq, 2)


def test_fees_taken_back_beyond_those_charged_make_a_credit_note_that_names_the_invoice(hq: Hq) -> None:
    named(hq)
    ship(hq, 3)
    pay_out(hq, 16)
    refund(hq, 20)
    pay_out(hq, 26)
    assert issued(hq)[1:] == [("C-000002", "credit_note", 1, "2026-11-26", -FEE, -VAT)]
    text = text_of(hq, 2)
    for fact in (
        "Avoir C-000002",
        "Rectifie la facture C-000001 du 16 novembre 2026",
        "Total TTC 44,28 €",
        "Rendu avec vos ventes 44,28 €",
    ):
        assert fact in text, fact


def test_fees_taken_back_below_those_charged_are_a_line_of_the_invoice(hq: Hq) -> None:
    named(hq)
    ship(hq, 3)
    ship(hq, 4, 2)
    refund(hq, 5, 2, cents=9225)
    pay_out(hq, 16)
    assert issued(hq) == [("C-000001", "invoice", 1, "2026-11-16", 2 * FEE - FEE // 4, 2 * VAT - VAT // 4)]
    assert "Frais repris sur les ventes remboursées 1 -9,22 €" in text_of(hq)


def test_an_adjustment_stands_below_the_total_without_vat(hq: Hq) -> None:
    named(hq)
    ship(hq, 3)
    fine(hq, 7, -1500)
    fine(hq, 8, 400, "Geste", seller_id=2)
    pay_out(hq, 16)
    assert [made[-2:] for made in issued(hq)] == [(FEE, VAT), (0, 0)]
    text = text_of(hq)
    assert "Total TTC 44,28 € Hors TVA, le 7 novembre 2026 : Colis perdu 15,00 € Retenu sur vos ventes 59,28 €" in text
    assert "Geste -4,00 €" in text_of(hq, 2)


def test_without_our_identity_nothing_is_issued_and_later_all_of_it_in_order(hq: Hq) -> None:
    ship(hq, 3)
    ship(hq, 9, 2)
    ship(hq, 3, 3, seller_id=2)
    pay_out(hq, 16)
    pay_out(hq, 26)
    assert issued(hq) == []
    log_in(hq)
    assert "comptoir marketplace identity" in words(hq.client.get("/console/fee-invoices"))
    assert "nos frais ne sont pas facturés" in words(hq.client.get("/console/"))

    named(hq)
    pay_out(hq, 27)
    assert [(number, seller_id, day) for number, _, seller_id, day, *_ in issued(hq)] == [
        ("C-000001", 1, "2026-11-16"),
        ("C-000002", 1, "2026-11-26"),
        ("C-000003", 2, "2026-11-16"),
    ]
    assert "nos frais ne sont pas facturés" not in words(hq.client.get("/console/"))
    page = words(hq.client.get("/console/fee-invoices"))
    assert "C-000003" in page
    assert "comptoir marketplace identity" not in page


def test_a_seller_that_gets_no_payout_has_its_invoice_all_the_same(hq: Hq) -> None:
    named(hq)
    ship(hq, 3, owed_cents=800, collected_cents=800)
    fine(hq, 7, -5000)
    pay_out(hq, 16)
    assert hq.rows("select 1 as one from payout") == []
    assert [made[-2:] for made in issued(hq)] == [(80, 16)]


def test_a_worker_killed_at_any_statement_leaves_a_series_without_gaps(hq: Hq) -> None:
    named(hq)
    for seller_id in (1, 2):
        ship(hq, 3, seller_id, seller_id=seller_id)

    def look() -> None:
        numbers = [each["invoice_no"] for each in hq.rows("select invoice_no from fee_invoice order by invoice_no")]
        assert numbers == list(range(1, len(numbers) + 1))
        paid = {each["seller_id"] for each in hq.rows("select seller_id from payout")}
        assert paid <= {each["seller_id"] for each in hq.rows("select seller_id from fee_invoice")}

    assert killed_everywhere(hq.engine, lambda: pay_out(hq, 16), look) > 10
    assert [made[-2:] for made in issued(hq)] == [(FEE, VAT), (FEE, VAT)]


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_cent_of_fees_and_vat_is_on_one_invoice_whatever_happened(hq: Hq, seed: int) -> None:
    chance = random.Random(seed)
    named(hq)
    sold: list[UnitSale] = []
    for days in range(0, 68, 2):
        day = at(1) + timedelta(days=days)
        when = clock.to_text(day)
        for _ in range(chance.randrange(3)):
            cents = chance.randrange(300, 90000)
            facts = {"owed_cents": cents, "collected_cents": cents, "placed_at": when}
            sold.append(unit(unit_no=days * 3 + len(sold), seller_id=chance.choice((1, 2)), **facts))
            run_tx(hq.engine, partial(post_shipped, unit=sold[-1], at=when))
        if len(sold) > 1 and chance.random() < 0.4:
            back = sold.pop(chance.randrange(len(sold)))
            cents = chance.choice((back.owed_cents, back.owed_cents // 3))
            run_tx(hq.engine, partial(post_refunded, unit=back, refund_id="r", cents=cents, at=when))
        plan_payouts(hq.engine, now=day)
        invoice_fees(hq.engine, now=day)
    for account, column in (("commission", "fee_cents"), ("fee_vat", "vat_cents")):
        invoiced = hq.rows(f"select seller_id, sum({column}) as cents from fee_invoice group by seller_id")
        booked = hq.rows(
            """
            select party, -sum(amount_cents) as cents from posting
            where account = :account and due_on <= '2027-01-06' group by party
            """,
            account=account,
        )
        assert {f"seller:{each['seller_id']}": each["cents"] for each in invoiced} == {
            each["party"]: each["cents"] for each in booked
        }
    made = hq.rows("select number, issued_at from fee_invoice order by invoice_no")
    assert made == sorted(made, key=lambda each: (each["issued_at"], each["number"]))


def test_the_desk_shows_owners_their_own_invoices_and_no_other_s(hq: Hq) -> None:
    named(hq)
    ship(hq, 3)
    ship(hq, 3, 2, seller_id=2)
    pay_out(hq, 16)
    owner = desk(hq, 1)
    page = owner.get("/seller/money").text
    assert "C-000001" in page
    assert "C-000002" not in page
    assert "Facture C-000001" in printed(owner.get("/seller/money/fee-invoices/1.pdf").data)
    assert owner.get("/seller/money/fee-invoices/2.pdf").status_code == 404
    assert desk(hq, 1, "shipping").get("/seller/money/fee-invoices/1.pdf").status_code == 403
    log_in(hq)
    assert "Facture C-000002" in printed(hq.client.get("/console/fee-invoices/2.pdf").data)


def test_an_invoice_keeps_the_names_it_was_issued_with(hq: Hq) -> None:
    named(hq)
    ship(hq, 3)
    pay_out(hq, 16)
    before = text_of(hq)
    set_company(hq, 1, legal_name="Autre SARL", country="DE", vat_number="DE136695976")
    run_tx(hq.engine, lambda connection: store_identity(connection, {**US, "name": "Comptoir Europe SE"}))
    assert text_of(hq) == before


def test_hq_says_who_it_is_by_command_and_a_wrong_number_changes_nothing(hq: Hq) -> None:
    command = ("marketplace", "identity", "--dir", str(hq.directory))
    assert "not set" in run(*command).stdout
    given = ("--name", "Comptoir SAS", "--address", "1 rue Kervégan, 44000 Nantes", "--siret", "732 829 320 00074")
    assert run(*command, *given).returncode == 2
    wrong = run(*command, *given, "--vat-number", "FR 45 732829320")
    assert (wrong.returncode, "not a French VAT number" in wrong.stderr) == (1, True)
    with reading(hq.engine) as connection:
        assert our_identity(connection) is None
    said = run(*command, *given, "--vat-number", "FR 44 732829320").stdout
    assert "Comptoir SAS, 1 rue Kervégan, 44000 Nantes, SIRET 73282932000074, VAT number FR44732829320" in said


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": " "}, "name"),
        ({"address": "\n"}, "address"),
        ({"siret": "73282932000075"}, "siret"),
        ({"vat_number": "DE136695976"}, "vat_number"),
        ({"vat_number": "FR 83 404833048"}, "vat_number"),
        ({"name": "x" * 121}, "name"),
    ],
)
def test_an_identity_that_no_invoice_may_bear_is_refused(changes: dict[str, str], field: str) -> None:
    facts = {"name": "C", "address": "R", "siret": US["siret"], "vat_number": US["vat_number"], "register": ""}
    with pytest.raises(Invalid) as problem:
        read_identity(**{**facts, **changes})
    assert problem.value.data["field"] == field
