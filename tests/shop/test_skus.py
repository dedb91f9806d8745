from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from pos import languages
from shop.specs import LABELS
from tests import world

PHONE = "/sku/IPHONE-13-128-BLUE"


def totals_bar(text: str) -> list[str]:
    return re.findall(r'<dd class="price">([^<]*)</dd>', text[text.index('class="truth"') :])


def test_the_ladder_shows_each_grade_with_its_winning_offer(client: FlaskClient) -> None:
    page = client.get(PHONE).text

    assert re.findall(r'id="grade-(\w+)"', page) == ["FAIR", "GOOD", "EXCELLENT", "PREMIUM"]
    assert [price in page for price in ("329,00\u00a0€", "369,00\u00a0€", "409,00\u00a0€", "459,00\u00a0€")] == [True] * 4
    assert "batterie ≥ 80 %" in page
    assert "batterie ≥ 85 %" in page


def test_the_page_opens_on_the_price_the_list_showed(client: FlaskClient) -> None:
    assert totals_bar(client.get(PHONE).text) == ["329,00\u00a0€"]


def test_why_this_offer_is_said_with_both_guarantees(client: FlaskClient) -> None:
    page = client.get(f"{PHONE}?grade=GOOD").text

    assert "Atelier Loire, qualité 97 sur 100, livré sous 3 jours, batterie à 86 %" in page
    assert "les deux suivants sont à 375\u00a0€ et 383\u00a0€" in page
    assert "Garantie légale de conformité : 2 ans" in page
    assert "Garantie commerciale du vendeur : 24 mois" in page
    assert "TVA sur la marge, non récupérable." in page
    assert "Dont rémunération pour copie privée : 10,08\u00a0€" in page


def test_the_next_two_are_said_with_what_they_lost_by(client: FlaskClient) -> None:
    page = client.get(f"{PHONE}?grade=GOOD").text

    assert "Ensuite : Boutique du Port, 375,00\u00a0€, qualité 92 sur 100, livré sous 2 jours." in page
    assert "Ensuite : Récif Mobile, 383,00\u00a0€, qualité 88 sur 100, livré sous 4 jours." in page


def test_the_grades_to_choose_from_are_drawn(client: FlaskClient) -> None:
    page = client.get(PHONE).text

    assert re.findall(r"/grades/(\w+)\.svg", page) == ["FAIR", "GOOD", "EXCELLENT", "PREMIUM"]
    assert 'href="/grades"' in page


def test_spare_parts_are_told_with_their_source(client: FlaskClient, kiosk: world.Kiosk) -> None:
    assert "Pièces détachées" not in client.get(PHONE).text
    with kiosk.catalog.write() as catalog:
        catalog.execute(
            "update sku set body = json_set(body, '$.specs.spare_parts_until', 2029, '$.specs.spare_parts_source', 'Apple')"
        )

    assert "Pièces détachées disponibles jusqu’en 2029 (Apple)." in client.get(PHONE).text


def test_spare_parts_by_years_are_told_with_their_source(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute(
            "update sku set body = json_set(body, '$.specs.spare_parts_years', 5, '$.specs.spare_parts_source', 'Apple')"
        )

    assert "Pièces détachées : au moins 5 ans après l’arrêt de la vente du modèle (Apple)." in client.get(PHONE).text


def test_specifications_are_said_with_who_publishes_them_and_when_they_were_noted(
    client: FlaskClient, kiosk: world.Kiosk
) -> None:
    assert "Caractéristiques d’après" not in client.get(PHONE).text
    with kiosk.catalog.write() as catalog:
        catalog.execute("update sku set body = json_set(body, '$.specs.source', 'Apple', '$.specs.checked_on', '2026-11-29')")

    assert "Caractéristiques d’après Apple, relevées le 29 novembre 2026." in client.get(PHONE).text


def test_a_source_without_a_day_is_not_named(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update sku set body = json_set(body, '$.specs.source', 'Apple')")

    assert "Caractéristiques d’après" not in client.get(PHONE).text


def test_a_specification_that_is_not_known_is_a_dash_and_heads_no_page(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute(
            """update category set body = json_set(body, '$.compare', json('["network", "chip", "lenses", "year"]'))"""
        )

    page = client.get(PHONE).text
    whole = re.findall(r"<div><dt>([^<]+)</dt><dd>(?:<span[^>]*>)?([^<]*)", page[page.index('class="all-specs"') :])
    assert whole[:4] == [("Réseau", "5G"), ("Puce", "–"), ("Objectifs", "2"), ("Année", "2021")]
    facts = page[page.index('<ul class="facts">') :]
    assert "puce" not in facts[: facts.index("</ul>")]


def test_a_device_takes_at_most_four_statements(app: Flask, client: FlaskClient) -> None:
    client.get("/sku/GALAXY-S22-256-GREEN")
    with world.statements(app) as asked:
        client.get(f"{PHONE}?grade=GOOD&plan={world.SERIE_100}&option={world.REPAIR}")

    assert 0 < len(asked) <= 4, asked


def test_a_plan_brings_its_discount_and_its_cost(client: FlaskClient) -> None:
    page = client.get(f"{PHONE}?grade=GOOD&plan={world.SERIE_100}").text

    assert totals_bar(page) == ["170,00\u00a0€", "24,99\u00a0€", "769,76\u00a0€"]
    assert "partir après 12 mois coûterait 59,97\u00a0€" in page
    assert "Appareil seul + " in page


def test_instalments_bring_the_credit_disclosure(client: FlaskClient) -> None:
    page = client.get(f"{PHONE}?grade=GOOD&plan={world.ETALE_200}").text

    assert "Un crédit vous engage et doit être remboursé." in page
    assert "acompte 49,00\u00a0€, puis 35 mensualités de 8,89\u00a0€ et une dernière de 8,85\u00a0€" in page
    assert "puis " in page
    assert "80\u00a0€ remboursés sur demande" in page


def test_a_plan_without_discount_says_the_nearest_that_has_one(client: FlaskClient) -> None:
    page = client.get(f"{PHONE}?grade=GOOD&plan={world.FORFAIT_5}").text

    assert "Pas de remise sur l’appareil avec ce forfait." in page
    assert "Avec Série 100 Go, oui (+ 15,00\u00a0€ par mois)" in page


def test_a_plan_that_asks_for_a_dearer_device_cannot_be_chosen(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update listing set price_cents = 20000 where listing_id = 107")
    page = client.get(f"/sku/IPHONE-12-128-BLUE?plan={world.SERIE_100}").text

    assert "Ce forfait demande un appareil à partir de 250\u00a0€." in page
    assert totals_bar(page) == ["200,00\u00a0€"]
    assert f'id="plan-{world.SERIE_100}"' not in page


def test_options_are_added_and_dropped_by_the_address(client: FlaskClient) -> None:
    page = client.get(f"{PHONE}?grade=GOOD&option={world.REPAIR}&option={world.CHARGER}").text

    assert totals_bar(page) == ["384,00\u00a0€", "6,99\u00a0€", "551,76\u00a0€"]
    assert f'href="{PHONE}?grade=GOOD&amp;option={world.CHARGER}#options"' in page


def test_a_device_without_network_has_no_plans(client: FlaskClient) -> None:
    assert "Avec un forfait" not in client.get("/sku/DYSON-V11-PURPLE").text


def test_another_of_the_model_opens_with_what_was_chosen_at_the_price_it_says(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update sku set model = 'iPhone 13', storage_gb = 64 where sku_id = ?", [world.IPHONE_12])

    def others(query: str) -> list[tuple[str, str]]:
        [shown] = re.findall(r'<nav class="rail siblings".*?</nav>', client.get(f"{PHONE}{query}").text, re.DOTALL)
        return re.findall(r'href="([^"]*)".*?<b>([^<]*)</b>', shown, re.DOTALL)

    bundle = f"?grade=EXCELLENT&plan={world.SERIE_100}&option={world.REPAIR}&s=abc"
    asked = bundle.replace("&", "&amp;")
    twelve = "/sku/IPHONE-12-128-BLUE"
    assert others("") == [(twelve, "259\u00a0€"), (PHONE, "329\u00a0€")]
    assert others(bundle) == [(f"{twelve}{asked}", "259\u00a0€"), (f"{PHONE}{asked}", "409\u00a0€")]
    assert others(f"/bundle{bundle}") == others(bundle)
    assert others(f"?plan={world.SERIE_100}")[0] == (f"{twelve}?plan={world.SERIE_100}", "259\u00a0€")


def test_a_device_nobody_offers_points_to_its_family(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update stock set quantity = 0 where listing_id = 110")

    page = client.get("/sku/DYSON-V11-PURPLE").text

    assert "Pas d’offre aujourd’hui." in page
    assert 'href="/browse?category=vacuums"' in page


def test_the_bundle_comes_alone_and_the_address_follows(client: FlaskClient) -> None:
    answer = client.get(f"{PHONE}/bundle?grade=GOOD&plan=2&s=abc", headers={"HX-Request": "true"})
    whole = client.get(f"{PHONE}?grade=GOOD&plan=2&s=abc").text

    assert answer.text.lstrip().startswith('<div id="bundle"')
    assert "".join(answer.text.split()) in "".join(whole.split())
    assert answer.headers["HX-Replace-Url"] == f"{PHONE}?grade=GOOD&plan=2&s=abc"
    assert 'action="/selections/abc/lines"' in answer.text


def test_every_plan_shows_on_demand(client: FlaskClient) -> None:
    few, every = client.get(PHONE).text, client.get(f"{PHONE}?plans=all").text

    assert "1 autre forfait" in few
    assert len(re.findall(r'id="plan-\d+"', every)) == len(world.PLANS)


@pytest.mark.parametrize("query", ["plan=x", "plan=-1", "plan=99999999999999999999"])
def test_a_plan_that_is_no_number_is_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"{PHONE}?{query}").status_code == 400


@pytest.mark.parametrize("query", ["grade=NONE", "plan=4711", "option=4711", "option=x", "acquisition=gift", "s=%22%3E%3Cscript"])
def test_what_does_not_exist_is_left_aside(client: FlaskClient, query: str) -> None:
    answer = client.get(f"{PHONE}?{query}")

    assert answer.status_code == 200
    assert "<script>" not in answer.text


def test_an_unknown_device_is_said(client: FlaskClient) -> None:
    answer = client.get("/sku/NOKIA-3310")

    assert answer.status_code == 404
    assert "Rien à cette adresse." in answer.text


def test_every_label_is_said_in_english() -> None:
    import templates

    words = languages.translations("shop", "en", templates.PATH)
    same = {"SIM", "GPS"}

    assert [label for label in LABELS.values() if words.gettext(label) == label and label not in same] == []


@pytest.mark.parametrize("text", ["9" * 5000, "9" * 19, "٣"])
def test_a_number_nobody_counts_to_is_no_option(client: FlaskClient, text: str) -> None:
    assert client.get("/sku/IPHONE-13-128-BLUE", query_string={"option": text}).status_code == 400


@pytest.mark.parametrize("number", ["9" * 19, "9" * 5000, "-1", "٣"])
def test_a_line_nobody_can_have_is_not_there(client: FlaskClient, number: str) -> None:
    assert client.delete(f"/selections/abc/lines/{number}").status_code == 404
    assert client.post(f"/selections/abc/lines/{number}/removal").status_code == 404
