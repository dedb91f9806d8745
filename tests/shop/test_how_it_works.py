from __future__ import annotations

import re

from flask.testing import FlaskClient

from tests.world import Kiosk


def test_the_grades_and_the_law_come_from_the_catalogue(client: FlaskClient) -> None:
    page = client.get("/how-it-works").text.replace("\xa0", " ")

    for grade in ("État correct", "Très bon état", "Parfait état", "Premium"):
        assert grade in page
    assert "Garantie légale de conformité : 2 ans" in page
    assert "14 jours pour changer d’avis" in page
    assert "≈ 49 kg CO₂e" in page
    assert "ADEME 2022" in page


def test_a_market_without_such_laws_promises_nothing(client: FlaskClient, kiosk: Kiosk) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("delete from law")
    page = client.get("/how-it-works").text

    assert "Garantie légale" not in page
    assert "changer d’avis" not in page
    assert "garantie commerciale" in page


def test_what_is_presumed_comes_from_the_law(client: FlaskClient) -> None:
    assert "Une panne des 12 premiers mois est présumée venir de l’appareil" in client.get("/how-it-works").text


def test_the_rules_of_what_is_claimed_are_said(client: FlaskClient) -> None:
    page = client.get("/how-it-works").text

    assert "le plus bas du même vendeur sur les 30 jours d’avant" in page
    assert "Nous ne l’annonçons jamais." in page
    assert 'href="/grades"' in page


def test_each_grade_is_drawn_and_described_with_its_battery(client: FlaskClient) -> None:
    page = client.get("/grades").text.replace("\xa0", " ")

    drawn = re.findall(r'src="(/static/\w+/grades/(\w+)\.svg)"', page)
    assert [code for _, code in drawn] == ["FAIR", "GOOD", "EXCELLENT", "PREMIUM"]
    for address, _ in drawn:
        assert client.get(address).mimetype == "image/svg+xml"
    assert "batterie ≥ 85 %" in page
    assert page.count('width="76"') == 3, "80 % of the battery's 96"
    assert page.count('width="81"') == 1


def test_a_grade_of_another_name_has_words_and_no_drawing(client: FlaskClient, kiosk: Kiosk) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update grade set body = json_set(body, '$.code', 'MINT', '$.name.fr', 'Menthe') where rank = 4")
    page = client.get("/grades").text

    assert "Menthe" in page
    assert "grades/MINT" not in page
    assert "grades/PREMIUM" not in page
