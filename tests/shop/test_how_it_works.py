from __future__ import annotations

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
