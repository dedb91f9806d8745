from __future__ import annotations

from flask.testing import FlaskClient


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
