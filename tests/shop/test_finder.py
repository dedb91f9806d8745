from __future__ import annotations

import re
from html import unescape

import pytest
from flask.testing import FlaskClient

from tests import world


def test_a_sentence_becomes_criteria_and_what_they_find(client: FlaskClient) -> None:
    sentence = "un téléphone pas d'Apple, moins de 320 €, qui vole"
    answer = client.get("/finder.json", query_string={"q": sentence, "lang": "fr"}).json

    assert answer == {
        "criteria": {"category": "phones", "exclude_brand": ["Apple"], "price_max_cents": 32000},
        "not_understood": ["vole"],
        "results": [{"sku": "GALAXY-S22-256-GREEN", "offer_cents": 31900}],
    }


def test_a_grade_asked_for_has_its_own_price(client: FlaskClient) -> None:
    results = client.get("/finder.json?q=iphone+13+premium").json["results"]

    assert results == [{"sku": "IPHONE-13-128-BLUE", "offer_cents": 45900}]


def test_a_wish_ranks_and_empties_no_list(client: FlaskClient) -> None:
    wished = client.get("/finder.json?q=telephone+vert+de+preference").json["results"]

    assert wished[0]["sku"] == "GALAXY-S22-256-GREEN"
    assert len(wished) == 3


def test_nothing_asked_finds_nothing_and_hostile_text_breaks_nothing(client: FlaskClient) -> None:
    assert client.get("/finder.json").json == {"criteria": {}, "not_understood": [], "results": []}
    for hostile in ("<script>alert(1)</script>", "'; drop table sku; --", "9" * 400, "\x00\u202e", "é" * 5000):
        assert client.get("/finder.json", query_string={"q": hostile, "lang": "xx"}).status_code == 200


def test_what_no_device_answers_finds_none(client: FlaskClient) -> None:
    answer = client.get("/finder.json?q=vendre+mon+iphone+13").json

    assert answer["criteria"] == {"intent": "trade_in", "model": ["iPhone 13"]}
    assert answer["results"] == []


def test_a_page_shows_each_criterion_with_a_way_to_take_it_away(client: FlaskClient) -> None:
    page = client.get("/finder?q=iphone+13+bleu+moins+de+400+€+qui+vole").text
    without_color = unescape(re.findall(r'href="(/finder[^"]*color[^"]*)"', page)[0])

    assert '<span class="must">iphone 13</span>' in page
    assert '<span class="left">vole</span>' in page
    assert "400\u00a0€ au plus" in page
    assert "iPhone 13" in page
    after = client.get(without_color).text
    assert "400\u00a0€ au plus" in after
    assert "drop=color.blue" in without_color
    assert re.findall(r'class="chip must" href="[^"]*">\s*(?:<bdi>)?([^<\n]+?)(?:</bdi>)?\s*<', after) == [
        "iPhone 13",
        "400\u00a0€ au plus",
    ]


def test_each_answer_says_which_wishes_hold_and_which_do_not(kiosk: world.Kiosk, client: FlaskClient) -> None:
    with kiosk.catalog.write() as database:
        for code, tenths in (("IPHONE-13-128-BLUE", 61), ("GALAXY-S22-256-GREEN", 66)):
            database.execute("update sku set body = json_set(body, '$.specs.screen_tenths_in', ?) where sku = ?", [tenths, code])

    page = client.get("/finder?q=telephone+grand+ecran+vert+de+preference").text

    assert page.index("Galaxy S22") < page.index("iPhone 13")
    assert re.search(r"Écran : 6,6″\s*</li>", page)
    assert re.search(r"Écran : 6,1″ au lieu de 6,4″\s*</li>", page)
    assert "2 souhaits sur 2" in page
    assert "0 souhaits sur 2" in page or "0 souhait sur 2" in page


def test_an_empty_list_names_the_one_criterion_to_loosen(client: FlaskClient) -> None:
    page = client.get("/finder?q=iphone+13+moins+de+100+€").text

    assert "Un seul critère à desserrer" in page
    assert "Passer à" in page
    loosened = unescape(re.findall(r'class="btn next" href="([^"]*)"', page)[0])
    assert "IPHONE-13-128-BLUE" in client.get(loosened).text


def test_four_questions_can_each_be_skipped(client: FlaskClient) -> None:
    page = client.get("/finder").text

    assert page.count("<fieldset>") == 4
    assert page.count("Peu importe") == 4
    answered = client.get("/finder?category=phones&max=32000&whom=&want=light&deal=").text
    assert "Galaxy S22" in answered
    assert "PlayStation" not in answered
    assert "léger" in answered
    assert client.get("/finder?category=&max=&whom=&deal=").text.count("<fieldset>") == 4


@pytest.mark.parametrize("query", ["max=abc", "whom=nobody", "deal=free", "network=9G"])
def test_an_answer_that_is_none_is_said(client: FlaskClient, query: str) -> None:
    assert client.get(f"/finder?{query}").status_code == 400


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("vendre mon iphone", "Vendre un appareil ne se fait pas encore"),
        ("réparer mon écran", "Faire réparer ne se fait pas encore"),
        ("30 iphone 13 pour une école", "voici les prix à l’unité"),
        ("phone under $300", "ne compte pas"),
        ("un forfait seul 20 Go", "Voir les forfaits"),
        ("un téléphone simple", "Aucune fiche ne le dit"),
        ("un téléphone étanche", "Nous ne l’annonçons jamais."),
    ],
)
def test_other_intentions_are_answered_with_what_can_be_done(client: FlaskClient, sentence: str, said: str) -> None:
    assert said in client.get("/finder", query_string={"q": sentence}).text


def test_nothing_of_a_sentence_is_trusted(client: FlaskClient) -> None:
    page = client.get(
        "/finder", query_string={"q": 'télé <b onclick="x">"\u202e\x00', "drop": ["color.<em>"] * 500, "s": "<u>"}
    ).text

    assert "<b onclick" not in page
    assert "<em>" not in page


def test_a_wish_for_a_colour_is_said_in_words_and_marked_as_a_wish(client: FlaskClient) -> None:
    page = client.get("/finder?q=telephone+vert+ou+bleu+de+preference").text

    assert '<span class="wish">bleu</span>' in page
    assert "['" not in unescape(page)
    assert "Bleu" in page


@pytest.mark.parametrize(
    ("bound", "cents"), [("", [45900, 31900, 25900]), ("moins de 400 €", [32900, 31900, 25900]), ("moins de 300 €", [25900])]
)
def test_a_grade_that_is_preferred_takes_nothing_off_the_list(client: FlaskClient, bound: str, cents: list[int]) -> None:
    sentence = {"q": f"un téléphone {bound} premium si possible"}
    results = client.get("/finder.json", query_string=sentence).json["results"]

    assert [each["offer_cents"] for each in results] == cents
    assert client.get("/finder", query_string=sentence).status_code == 200


@pytest.mark.parametrize(
    ("sentence", "grade", "compared"),
    [
        ("iphone 13 premium", "PREMIUM", "grade=PREMIUM"),
        ("iphone 13 premium si possible", "PREMIUM", ""),
        ("iphone 13 parfait état minimum", "EXCELLENT", "grade=EXCELLENT&grade=PREMIUM"),
        ("iphone 13", "", ""),
    ],
)
def test_an_answer_opens_in_the_grade_whose_price_it_tells(client: FlaskClient, sentence: str, grade: str, compared: str) -> None:
    page = client.get("/finder", query_string={"q": sentence}).text
    [told, path] = re.findall(r'<span class="price">([^<]+)</span>\s*<a class="btn" href="(/sku/[^"]+)"', page)[0]

    assert path == "/sku/IPHONE-13-128-BLUE" + (f"?grade={grade}" if grade else "")
    assert f'<dd class="price">{told}' in client.get(path).text.partition('class="truth"')[2]
    both = client.get("/finder", query_string={"q": sentence.replace("iphone 13", "téléphone")}).text
    for address in re.findall(r'href="(/compare[^"]+)"', both):
        assert re.findall(r"grade=\w+", address) == ["grade=" + each for each in re.findall(r"grade=(\w+)", compared)]


@pytest.mark.parametrize(
    ("sentence", "dropped"), [("téléphone bleu de préférence", "color.blue"), ("téléphone premium si possible", "grade_min")]
)
def test_a_preference_that_is_taken_away_is_none_any_more(client: FlaskClient, sentence: str, dropped: str) -> None:
    page = client.get("/finder", query_string={"q": sentence, "drop": dropped})

    assert page.status_code == 200
    assert "chip wish" not in page.text


def test_a_wish_that_no_specification_tells_is_neither_held_nor_missed(client: FlaskClient) -> None:
    page = client.get("/finder", query_string={"q": "un téléphone avec une bonne batterie"}).text

    assert "bonne batterie : –" in page
    assert "non :" not in page.partition('class="pad advice"')[2]


@pytest.mark.parametrize(
    "sentence",
    [
        "un téléphone pas d'Apple, moins de 350 €",
        "iPhone 12 ou plus récent",
        "un téléphone bleu, 128 Go minimum, très bon état",
        "pas de Samsung, 300 € maximum",
        "téléphone vert de préférence",
        "iPhone pas un Pro à moins de 330,50 €",
        "le moins cher des téléphones",
    ],
)
def test_the_list_a_finder_leads_to_counts_what_the_finder_counts(client: FlaskClient, sentence: str) -> None:
    page = client.get("/finder", query_string={"q": sentence, "s": "abc"}).text
    [count] = re.findall(r"(\d+) références? tien", page)
    [address] = re.findall(r'href="(/browse\?[^"]*)">Voir la liste', page)
    listed = client.get(unescape(address)).text

    assert int(count) > 0
    assert re.search(rf"<b>{count} appareils?</b>", listed)
    assert "s=abc" in address


def test_a_condition_no_facet_tells_is_seen_on_the_list_and_taken_away(client: FlaskClient) -> None:
    page = client.get("/browse?hold=exclude_brand:Apple&hold=exclude_brand:Sony&hold=year_min:2020&max=400").text
    without = [unescape(address) for address in re.findall(r'<a class="chip" href="(/browse[^"]*)" aria-label="Enlever', page)]

    assert "<b>1 appareil</b>" in page
    assert "sans Apple" in page
    assert "modèle de 2020 ou après" in page
    assert page.count('type="hidden" form="search" name="hold"') == 3
    assert "<b>3 appareils</b>" in client.get(without[0]).text
    assert "Apple" not in without[0]
    assert [client.get(address).status_code for address in without] == [200] * 4


@pytest.mark.parametrize("hold", ["x", "year_min:", "year_min:soon", "jack:maybe", "price:3", ":", "brand:Apple"])
def test_a_condition_that_is_none_is_refused(client: FlaskClient, hold: str) -> None:
    assert client.get("/browse", query_string={"hold": hold}).status_code == 400
