"""The confirmation of an order as a durable medium: issued once it is paid, with the boxed text of D211-2 where it applies."""

from __future__ import annotations

from marketplace.db import reading
from marketplace.papers.confirmations import confirmation
from marketplace.papers.printing import print_page
from tests.marketplace.hq import IPHONE_13_WITH_PLAN, LAST_IPHONE_12, Hq
from tests.marketplace.money.paying import money_arrives
from tests.marketplace.papers.printed import printed
from tests.marketplace.sellers.desks import paid_part


def test_a_paid_order_is_confirmed_with_what_was_agreed_and_the_customer_s_rights(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13_WITH_PLAN, LAST_IPHONE_12)
    order_id = part["order_id"]
    address = f"/orders/{order_id}/confirmation.pdf"
    text = printed(hq.client.get(address).data)
    for fact in (
        "Confirmation de commande", "Camille Roux", "12 rue Crébillon", "camille@example.org", "Atelier Loire SAS",
        "Phare Ouest SAS", "Apple iPhone 13 · 128 Go · bleu · Très bon état · reconditionné", "Prix 369,00 €", "Série 100 Go",
        "engagement 24 mois", "garantie commerciale du vendeur : 24 mois", "Livraison en 3 jours",
        "Vous avez 14 jours pour vous rétracter", "Modèle de formulaire de rétractation",
        "Le consommateur dispose d’un délai de deux ans à compter de la délivrance du bien",
        "articles L. 217-1 à L. 217-32 du code de la consommation", "300 000 euros", "garantie légale des vices cachés",
    ):  # fmt: skip
        assert fact in text, fact
    assert address in hq.client.get(f"/orders/{part['order_id']}").text


def test_the_confirmation_stays_as_it_was_issued(hq: Hq) -> None:
    part = paid_part(hq, LAST_IPHONE_12, seller_id=2)
    address = f"/orders/{part['order_id']}/confirmation.pdf"
    before = hq.client.get(address).data
    hq.write('update seller set body = \'{"name": "Other", "legal_name": "Other"}\'')
    hq.write("update customer_order set name = 'Other', facts = replace(facts, 'iPhone', 'Other')")
    assert hq.client.get(address).data == before


def test_a_confirmation_of_many_sellers_and_lines_runs_over_pages(hq: Hq) -> None:
    part = paid_part(hq, IPHONE_13_WITH_PLAN)
    with reading(hq.engine) as connection:
        issued = confirmation(connection, part["customer_id"], part["order_id"])
    [seller], [line] = issued.facts["sellers"], issued.facts["lines"]
    sellers = [{**seller, "name": f"Atelier {number} {'et Compagnie ' * 9}"} for number in range(20)]
    facts = {**issued.facts, "sellers": sellers, "lines": [line] * 60}
    text = printed(print_page("confirmation", facts, language="fr", at=issued.issued_at))
    assert all(f"Atelier {number} et" in text for number in range(20))
    assert text.count("Livraison en 3 jours") == 60


def test_an_order_nobody_paid_has_no_confirmation(hq: Hq) -> None:
    order = hq.claim(hq.digits(LAST_IPHONE_12)).location
    assert hq.client.get(f"{order}/confirmation.pdf").status_code == 404
    assert "confirmation.pdf" not in hq.client.get(order).text


def test_the_confirmation_is_in_the_language_of_the_order(hq: Hq) -> None:
    form = {"name": "Camille Roux", "email": "camille@example.org", "address": "12 rue Crébillon\n44000 Nantes"}
    order = hq.client.post(f"/k/{hq.digits(LAST_IPHONE_12)}/claim?lang=en", data=form).location
    assert money_arrives(hq, order.rpartition("/")[2]) == "paid"
    text = printed(hq.client.get(f"{order}/confirmation.pdf?lang=fr").data)
    assert "Order confirmation" in text
    assert "The consumer has two years from the delivery" in text


def test_documents_of_an_arabic_order_are_in_another_language_of_its_market(hq: Hq) -> None:
    hq.speak("de", "ar")
    form = {"name": "Camille Roux", "email": "camille@example.org", "address": "12 rue Crébillon\n44000 Nantes"}
    order = hq.client.post(f"/k/{hq.digits(LAST_IPHONE_12)}/claim?lang=ar", data=form).location
    assert money_arrives(hq, order.rpartition("/")[2]) == "paid"
    assert 'lang="ar" dir="rtl"' in hq.client.get(order).text
    assert "Bestellbestätigung" in printed(hq.client.get(f"{order}/confirmation.pdf").data)
