"""Invoices in a seller's name and their credit notes: numbered without gaps, issued once, printed the same for ever."""

from __future__ import annotations

from typing import Any

import pytest

from marketplace.db import reading, run_tx
from marketplace.orders.shipments import Shipment
from marketplace.orders.units import Actor, accept, refund, ship, take_back
from marketplace.papers.invoices import invoices_of_part, vat_in
from marketplace.sellers.fulfilment import units_of_part
from pos import clock
from tests.marketplace.hq import IPHONE_13, IPHONE_13_WITH_PLAN, LAST_IPHONE_12, Hq
from tests.marketplace.orders.carriers import acknowledge_plans
from tests.marketplace.papers.printed import printed
from tests.marketplace.sellers.applicants import admitted
from tests.marketplace.sellers.desks import desk, paid_part

IMEIS = ("490154203237518", "011415009346880")


def act(hq: Hq, part: dict[str, Any], step: Any, *more: Any, line_no: int = 1) -> None:
    def work(connection: Any) -> None:
        every = units_of_part(connection, part["seller_id"], part["part_id"])
        units = [unit for unit in every if unit["line_no"] == line_no]
        step(connection, units, *more, Actor(by="seller:1", at=clock.to_text(clock.now())))

    run_tx(hq.engine, work)


def shipped(hq: Hq, part: dict[str, Any], *imeis: str) -> None:
    act(hq, part, accept)
    act(hq, part, ship, Shipment(carrier="Colissimo", tracking="6A12345678901", imeis=dict(enumerate(imeis, 1)), serials={}))


def refunded(hq: Hq, part: dict[str, Any], cents: int) -> None:
    act(hq, part, lambda connection, units, actor: refund(connection, units[0], cents, actor))


def invoices(hq: Hq) -> list[dict[str, Any]]:
    return hq.rows("select * from invoice order by seller_id, kind desc, invoice_no")


def fetched(hq: Hq, part: dict[str, Any], number: str) -> str:
    order_id = part["order_id"]
    answer = hq.client.get(f"/orders/{order_id}/invoices/{number}.pdf")
    assert answer.status_code == 200
    assert (answer.mimetype, answer.headers["Cache-Control"]) == ("application/pdf", "private, no-store")
    return printed(answer.data)


def test_an_invoice_is_issued_when_units_ship_and_says_what_the_law_asks(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    hq.write("update unit set vat_margin = 0")
    assert invoices(hq) == []
    shipped(hq, part, IMEIS[0])

    [issued] = invoices(hq)
    assert (issued["number"], issued["total_cents"], issued["kind"]) == ("1-F-000001", 36900, "invoice")
    text = fetched(hq, part, "1-F-000001")
    for fact in (
        "Facture 1-F-000001", "Atelier Loire SAS", "Camille Roux", "12 rue Crébillon 44000 Nantes", part["number"],
        "Apple iPhone 13 · 128 Go · bleu · Très bon état · reconditionné", f"IMEI {IMEIS[0]}", "Total hors taxe 307,50 €",
        "TVA 20 % 61,50 €", "Total TTC 369,00 €", "Payé à la commande 369,00 €", "garantie légale de conformité de 24 mois",
        "Facture établie par Comptoir au nom et pour le compte du vendeur.",
    ):  # fmt: skip
        assert fact in text, fact
    assert "Biens d’occasion" not in text


def test_an_invoice_on_the_margin_names_its_scheme_and_no_vat(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    shipped(hq, part, IMEIS[0])

    text = fetched(hq, part, "1-F-000001")
    assert "Régime particulier – Biens d’occasion" in text
    for told in ("hors taxe", "20 %", "Total TTC", "307,50"):
        assert told not in text, told


def test_a_seller_with_a_desk_is_named_with_its_numbers_and_the_mandate_it_gave(hq: Hq) -> None:
    admitted(hq)
    hq.write("update seller_application set seller_id = 1")
    part = paid_part(hq, IPHONE_13)
    hq.write("update unit set vat_margin = 0")
    shipped(hq, part, IMEIS[0])

    text = fetched(hq, part, "1-F-000001")
    for fact in (
        "Renouveau SAS", "3 quai de la Fosse 44000 Nantes", "SIRET 73282932000074", "N° de TVA FR44732829320",
        "RCS Nantes 732 829 320", "TVA 20 %", "Mandat de facturation accepté le",
    ):  # fmt: skip
        assert fact in text, fact


def test_each_seller_has_series_of_its_own_without_gaps(hq: Hq) -> None:
    first = paid_part(hq, IPHONE_13, LAST_IPHONE_12)
    second = paid_part(hq, IPHONE_13, counter=2)
    [other] = hq.rows("select * from part where seller_id = 2")
    shipped(hq, first, IMEIS[0])
    shipped(hq, second, IMEIS[1])
    act(hq, other, accept, line_no=2)
    act(hq, other, ship, Shipment(carrier="DPD", tracking="D12345678", imeis={1: "356938035643809"}, serials={}), line_no=2)
    refunded(hq, second, 1000)
    refunded(hq, first, 500)

    assert [each["number"] for each in invoices(hq)] == [
        "1-F-000001", "1-F-000002", "1-A-000001", "1-A-000002", "2-F-000001",
    ]  # fmt: skip


def test_what_was_cancelled_before_it_shipped_was_never_invoiced(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    refunded(hq, part, 1000)
    assert invoices(hq) == []


@pytest.mark.parametrize("vat_margin", [0, 1])
def test_credit_notes_of_all_refunds_take_back_the_invoice_to_the_cent(hq: Hq, vat_margin: int) -> None:
    part = paid_part(hq, IPHONE_13)
    hq.write("update unit set vat_margin = :vat_margin", vat_margin=vat_margin)
    shipped(hq, part, IMEIS[0])
    for cents in (3333, 7777, 25790):
        refunded(hq, part, cents)

    with reading(hq.engine) as connection:
        invoice, *notes = invoices_of_part(connection, 1, part["part_id"])
    assert sum(note.facts["price_cents"] for note in notes) == invoice.facts["price_cents"]
    assert sum(note.facts["vat"]["vat_cents"] for note in notes) == invoice.facts["vat"]["vat_cents"]
    text = fetched(hq, part, "1-A-000001")
    assert "Avoir 1-A-000001" in text
    assert "la facture 1-F-000001 du" in text
    assert "Remboursé 33,33 €" in text
    assert ("Biens d’occasion" in text) == bool(vat_margin)


def test_of_a_bundle_the_invoice_is_of_the_whole_price_and_says_who_bears_what(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13_WITH_PLAN)
    acknowledge_plans(hq)
    shipped(hq, part, IMEIS[0])
    text = fetched(hq, part, "1-F-000001")
    assert "Total 369,00 € Pris en charge par Loire Mobile avec votre forfait -200,00 € Payé à la commande 169,00 €" in text

    act(hq, part, take_back)
    refunded(hq, part, 16900)
    note = fetched(hq, part, "1-A-000001")
    assert "Total 369,00 € Pris en charge par Loire Mobile avec votre forfait -200,00 € Remboursé 169,00 €" in note


def test_the_same_bytes_are_printed_whatever_changes_afterwards(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13)
    shipped(hq, part, IMEIS[0])
    address = f"/orders/{part['order_id']}/invoices/1-F-000001.pdf"
    before = hq.client.get(address).data
    hq.write('update seller set body = \'{"name": "Other", "legal_name": "Other"}\' where seller_id = 1')
    hq.write("update customer_order set name = 'Other', address = 'Other'")
    hq.write("update unit set owed_cents = 1, collected_cents = 0, imei = null")
    assert hq.client.get(address).data == before


def test_nobody_reads_the_invoice_of_another_order_or_seller(hq: Hq) -> None:
    first, second = paid_part(hq, IPHONE_13), paid_part(hq, IPHONE_13, counter=2)
    shipped(hq, first, IMEIS[0])
    own, other = desk(hq, 1), desk(hq, 2)

    assert own.get("/seller/invoices/1-F-000001.pdf").status_code == 200
    assert other.get("/seller/invoices/1-F-000001.pdf").status_code == 404
    assert hq.client.get(f"/orders/{second['order_id']}/invoices/1-F-000001.pdf").status_code == 404
    assert hq.app.test_client().get("/seller/invoices/1-F-000001.pdf").location == "/seller/login"
    assert "1-F-000001" in own.get("/seller/invoices").text
    assert "1-F-000001" in own.get(f"/seller/orders/{first['part_id']}").text
    assert "1-F-000001" not in other.get("/seller/invoices").text
    assert f"/orders/{first['order_id']}/invoices/1-F-000001.pdf" in hq.client.get(f"/orders/{first['order_id']}").text


@pytest.mark.parametrize(
    ("cents", "rate_bp", "vat"), [(36900, 2000, 6150), (1, 2000, 0), (3, 2000, 1), (9999, 550, 521), (0, 2000, 0)]
)
def test_the_vat_within_a_price_is_rounded_half_up(cents: int, rate_bp: int, vat: int) -> None:
    assert vat_in(cents, rate_bp) == vat
