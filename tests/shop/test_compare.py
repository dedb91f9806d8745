from __future__ import annotations

import re
from html import unescape
from itertools import permutations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import world

PHONES = "sku=IPHONE-13-128-BLUE&sku=GALAXY-S22-256-GREEN"
TWO = f"/compare?{PHONES}"


def words(page: str) -> str:
    """Return what a page says, without its markup, each run of spaces as one."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", re.sub("</?bdi>", "", page))).split())


def sentences(page: str) -> list[str]:
    """Return the sentences of the verdict."""
    shown = re.search(r'class="why verdicts">.*?<ul>(.*?)</ul>', page, re.DOTALL)
    return [words(each) for each in re.findall(r"<li>(.*?)</li>", shown[1], re.DOTALL)] if shown else []


def row(page: str, label: str) -> list[str]:
    """Return the cells of the line called `label`, in words."""
    shown = re.search(rf'<th scope="row">{label}</th>(.*?)</tr>', page, re.DOTALL)
    return [words(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", shown[1], re.DOTALL)] if shown else []


def change_body(kiosk: world.Kiosk, sku_id: int, path: str, value: str | int | None) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute(f"update sku set body = json_set(body, '$.{path}', ?) where sku_id = ?", [value, sku_id])


def test_what_differs_is_in_columns_and_what_is_the_same_is_folded(client: FlaskClient) -> None:
    page = client.get(TWO).text

    assert page.index("Apple iPhone 13") < page.index("Samsung Galaxy S22")
    assert row(page, "Stockage") == ["128 Go", "256 Go le plus"]
    assert row(page, "Poids") == []
    folded = words(page[page.index('<details class="all-specs same">') :])
    assert "lignes identiques" in folded
    assert "Poids 170 g" in folded
    assert "CO₂e évité, face au neuf environ 49 kg en 2 ans ADEME 2022" in folded


def test_the_better_value_is_said_in_words(client: FlaskClient) -> None:
    page = client.get(TWO).text

    assert "319,00 € le moins cher" in words(page)
    assert row(page, "Garantie commerciale") == [], "both offer twelve months"
    assert row(page, "Livraison") == ["sous 3 jours", "sous 2 jours le plus tôt"]


def test_the_verdict_is_made_of_measured_differences(client: FlaskClient, kiosk: world.Kiosk) -> None:
    change_body(kiosk, world.IPHONE_13, "updates_until", 2029)
    change_body(kiosk, world.IPHONE_13, "weight_g", 140)

    assert sentences(client.get(TWO).text) == [
        "iPhone 13 coûte 10 € de plus et reçoit des mises à jour jusqu’en 2029 ; Galaxy S22, jusqu’en 2028.",
        "Galaxy S22 a 128 Go de stockage de plus.",
        "iPhone 13 pèse 30 g de moins.",
    ]


def test_the_verdict_does_not_depend_on_the_order(client: FlaskClient, kiosk: world.Kiosk) -> None:
    change_body(kiosk, world.IPHONE_12, "weight_g", 140)
    codes = ("IPHONE-12-128-BLUE", "IPHONE-13-128-BLUE", "GALAXY-S22-256-GREEN")
    told = {
        tuple(sentences(client.get("/compare?" + "&".join(f"sku={code}" for code in each)).text)) for each in permutations(codes)
    }

    assert told == {
        (
            "Le prix le plus bas : iPhone 12, 60 € de moins que le suivant.",
            "Le plus de stockage : Galaxy S22, 128 Go de plus que le suivant.",
            "Le plus léger : iPhone 12, 30 g de moins que le suivant.",
            "Livré le premier : Galaxy S22, 1 jour avant le suivant.",
        )
    }


def test_nothing_is_said_of_what_is_not_known_of_both(client: FlaskClient, kiosk: world.Kiosk) -> None:
    change_body(kiosk, world.IPHONE_13, "updates_until", None)
    change_body(kiosk, world.IPHONE_13, "weight_g", None)
    page = client.get(TWO).text

    assert not [each for each in sentences(page) if "mises à jour" in each or "pèse" in each]
    assert row(page, "Poids") == ["–", "170 g"]


def test_devices_of_different_kinds_get_no_verdict(client: FlaskClient) -> None:
    assert sentences(client.get("/compare?sku=IPHONE-13-128-BLUE&sku=DYSON-V11-PURPLE").text) == []


def test_a_grade_is_asked_for_by_the_address(client: FlaskClient) -> None:
    page = client.get(f"{TWO}&grade=EXCELLENT").text
    dearer = client.get(f"{TWO}&grade=PREMIUM").text

    assert "409,00 €" in words(page)
    assert row(page, "Grade") == [], "both in the grade asked for"
    assert "Pas d’offre dans ce grade" in dearer
    assert not [each for each in sentences(dearer) if "coûte" in each], "a price is compared with a price"


def test_of_some_grades_each_device_stands_at_its_lowest_price(client: FlaskClient) -> None:
    page = client.get(f"{TWO}&grade=EXCELLENT&grade=GOOD&grade=MINT").text

    assert re.findall(r'<b class="price">([^<]*)', page) == ["369,00\u00a0€", "319,00\u00a0€"]
    assert re.findall(r'class="chip on" href="[^"]*" aria-current="true">\s*([^<]*?)</a>', page) == [
        "Très bon état",
        "Parfait état",
        "Sans forfait",
    ]
    assert 'name="grade" value="GOOD"' in client.get(f"{TWO}&grade=EXCELLENT&grade=GOOD&add=1").text


def test_a_device_opens_as_it_was_compared(client: FlaskClient) -> None:
    page = client.get(f"{TWO}&grade=GOOD&plan={world.SERIE_100}&acquisition=port&s=abc").text

    opened = f"/sku/IPHONE-13-128-BLUE?grade=GOOD&plan={world.SERIE_100}&acquisition=port&s=abc"
    assert [unescape(address) for address in re.findall(r'href="(/sku/IPHONE[^"]*)"', page)] == [opened] * 2


def test_the_plan_of_the_selection_under_way_is_reckoned_unless_it_is_left_out(client: FlaskClient) -> None:
    begun = client.post("/selections", data={"listing": "101", "plan": str(world.SERIE_100), "acquisition": "port"})
    own = f"{TWO}&s={begun.headers['Location'].rpartition('/')[2]}"
    page = client.get(own).text
    [without] = re.findall(r'href="([^"]*)">\s*Sans forfait', page)

    assert row(page, "En tout, avec ce forfait")
    assert "acquisition=port" in unescape(without)
    for address in (unescape(without), unescape(without).replace("&plan=0", "&plan=0&add=1"), f"{TWO}&s=nobody"):
        assert not row(client.get(address).text, "En tout, avec ce forfait")
    assert 'name="plan" value="0"' in client.get(f"{unescape(without)}&add=1").text


def test_a_plan_is_reckoned_with_each_device(client: FlaskClient) -> None:
    page = client.get(f"/compare?sku=IPHONE-13-128-BLUE&sku=IPHONE-12-128-BLUE&plan={world.SERIE_100}").text

    # 329 - 200 + 1 + 24 × 24.99, and 259 - 200 + 1 + 24 × 24.99
    assert row(page, "Aujourd’hui") == ["130,00 €", "60,00 € le moins à régler"]
    assert row(page, "En tout, avec ce forfait") == ["729,76 €", "659,76 € le moins"]
    assert [each for each in sentences(page) if "forfait" in each] == [], "the total only repeats the prices"


def test_a_plan_that_is_not_open_to_a_device_says_why(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update offer set all_in_cents = 24000 where sku_id = ?", [world.IPHONE_12])
        catalog.execute("update listing set price_cents = 24000 where listing_id = 107")
    page = client.get(f"/compare?sku=IPHONE-13-128-BLUE&sku=IPHONE-12-128-BLUE&plan={world.SERIE_100}").text

    assert "Ce forfait demande un appareil à partir de 250 €." in words(page)
    assert row(page, "Aujourd’hui") == ["130,00 €", "–"]


def test_a_device_is_added_replaced_and_taken_away_by_links(client: FlaskClient) -> None:
    page = client.get(f"{TWO}&grade=GOOD&plan=2&s=abc").text

    assert 'href="/compare?sku=GALAXY-S22-256-GREEN&amp;grade=GOOD&amp;plan=2&amp;s=abc"' in page
    assert (
        'href="/compare?sku=IPHONE-13-128-BLUE&amp;sku=GALAXY-S22-256-GREEN&amp;grade=GOOD&amp;plan=2&amp;add=1&amp;s=abc#adding"'
        in page
    )
    adding = client.get(f"{TWO}&add=1").text
    assert f'href="{TWO.replace("&", "&amp;")}&amp;sku=IPHONE-12-128-BLUE"' in adding
    instead = client.get(f"{TWO}&instead=IPHONE-13-128-BLUE").text
    assert 'href="/compare?sku=IPHONE-12-128-BLUE&amp;sku=GALAXY-S22-256-GREEN"' in instead
    found = client.get(f"{TWO}&q=dyson").text
    assert f'href="{TWO.replace("&", "&amp;")}&amp;sku=DYSON-V11-PURPLE"' in found
    assert "Rien sous ces mots." in client.get(f"{TWO}&q=zzzzzz").text


def test_one_device_alone_is_shown_with_what_to_compare_it_with(client: FlaskClient) -> None:
    page = client.get("/compare?sku=IPHONE-13-128-BLUE&s=abc").text

    assert 'href="/compare?sku=IPHONE-13-128-BLUE&amp;sku=GALAXY-S22-256-GREEN&amp;s=abc"' in page
    assert sentences(page) == []
    assert client.get("/compare?s=abc").headers["Location"] == "/browse?s=abc"


def test_what_is_proposed_is_had_in_the_grade_that_is_compared_at_its_price(client: FlaskClient) -> None:
    console = client.get("/compare?sku=PLAYSTATION-5-825-WHITE&grade=EXCELLENT").text
    phones = words(client.get("/compare?sku=IPHONE-12-128-BLUE&grade=EXCELLENT").text)

    assert not re.search('class="proposed"|Rien sous ces mots', console), "no other console is there, and no words were said"
    assert "Apple iPhone 13 128 Go bleu 409 €" in phones
    assert "Samsung Galaxy S22 256 Go vert 319 €" in phones
    assert "Apple iPhone 13 128 Go bleu 329 €" in words(client.get("/compare?sku=IPHONE-12-128-BLUE").text)


def test_the_page_of_a_device_leads_here_with_its_grade_and_plan(client: FlaskClient) -> None:
    page = client.get(f"/sku/IPHONE-13-128-BLUE?grade=GOOD&plan={world.SERIE_100}").text

    assert f'href="/compare?sku=IPHONE-13-128-BLUE&amp;grade=GOOD&amp;plan={world.SERIE_100}"' in page


def test_the_same_model_twice_is_told_apart_by_what_differs(client: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("update sku set model = 'iPhone 13' where sku_id = ?", [world.GALAXY_S22])

    assert "iPhone 13 256 Go a 128 Go de stockage de plus." in sentences(client.get(TWO).text)


def test_repair_facts_are_shown_only_with_their_source(client: FlaskClient, kiosk: world.Kiosk) -> None:
    change_body(kiosk, world.IPHONE_13, "specs.repair_tenths", 62)
    assert "réparabilité" not in client.get(TWO).text

    change_body(kiosk, world.IPHONE_13, "specs.repair_source", "indice 2022")
    change_body(kiosk, world.GALAXY_S22, "specs.spare_parts_until", 2029)
    change_body(kiosk, world.GALAXY_S22, "specs.spare_parts_source", "Samsung")
    page = client.get(TWO).text
    assert row(page, "Indice de réparabilité du modèle neuf") == ["6,2 sur 10 indice 2022", "–"]
    assert row(page, "Pièces détachées jusqu’en") == ["–", "2029 Samsung"]


def test_spare_parts_are_compared_by_years_with_their_source(client: FlaskClient, kiosk: world.Kiosk) -> None:
    change_body(kiosk, world.IPHONE_13, "specs.spare_parts_years", 5)
    change_body(kiosk, world.IPHONE_13, "specs.spare_parts_source", "Apple")

    assert row(client.get(TWO).text, "Pièces détachées") == ["au moins 5 ans après l’arrêt de la vente Apple", "–"]


def test_each_device_names_the_source_of_its_own_specifications(client: FlaskClient, kiosk: world.Kiosk) -> None:
    change_body(kiosk, world.IPHONE_13, "specs.source", "Apple")
    change_body(kiosk, world.IPHONE_13, "specs.checked_on", "2026-11-29")

    page = words(client.get(TWO).text)
    assert page.count("Caractéristiques d’après") == 1
    assert "iPhone 13 · Caractéristiques d’après Apple, relevées le 29 novembre 2026." in page


def test_no_device_is_said_to_resist_water(client: FlaskClient, kiosk: world.Kiosk) -> None:
    for key, value in (("ip", "IP68"), ("water_m", 50), ("waterproof", 1)):
        change_body(kiosk, world.IPHONE_13, f"specs.{key}", value)

    for path in (TWO, "/sku/IPHONE-13-128-BLUE"):
        page = words(client.get(path).text)
        assert "IP68" not in page
        assert "50 m" not in page
        assert not re.search(r"(?i)\bétanchéité|résiste à l’eau|lavable", page)


@pytest.mark.parametrize("query", ["grade=%3Cb%3E", "plan=4711", "acquisition=gift", "instead=NOKIA", "q=%3Cscript%3E", "add=x"])
def test_what_does_not_exist_is_left_aside(client: FlaskClient, query: str) -> None:
    answer = client.get(f"{TWO}&{query}")

    assert answer.status_code == 200
    assert "<script>" not in answer.text
    assert '<b>"' not in answer.text


def test_an_unknown_device_is_said(client: FlaskClient) -> None:
    assert client.get("/compare?sku=IPHONE-13-128-BLUE&sku=NOKIA-3310").status_code == 404


def test_a_fifth_device_is_left_aside_and_that_is_said(client: FlaskClient) -> None:
    four = f"{TWO}&sku=IPHONE-12-128-BLUE&sku=PLAYSTATION-5-825-WHITE"
    page = client.get(f"{four}&sku=DYSON-V11-PURPLE").text

    assert "Quatre appareils au plus" in page
    assert page.count('scope="col"') == 4
    assert "Quatre appareils au plus" not in client.get(f"{four}&sku=IPHONE-12-128-BLUE").text


def test_four_devices_take_at_most_four_statements(app: Flask, client: FlaskClient) -> None:
    client.get("/compare?sku=PLAYSTATION-5-825-WHITE&sku=DYSON-V11-PURPLE")
    with world.statements(app) as asked:
        client.get(f"{TWO}&sku=IPHONE-12-128-BLUE&sku=DYSON-V11-PURPLE&plan={world.SERIE_100}")

    assert 0 < len(asked) <= 4, asked
