from __future__ import annotations

from typing import Any

import pytest

from marketplace.publishing.by_itself import publish_supply
from tests.marketplace.hq import Hq
from tests.marketplace.sellers.selling import EAN, Seller


@pytest.fixture
def seller(hq: Hq) -> Seller:
    return Seller(hq)


def marks(hq: Hq) -> set[tuple[str, str]]:
    return {(each["table_name"], each["row_key"]) for each in hq.rows("select * from sync_dirty")}


def test_a_listing_that_is_put_is_on_sale_under_an_id_of_its_own(seller: Seller) -> None:
    answer = seller.put("iphone a/1")

    assert answer.status_code == 201
    assert answer.json is not None
    listing_id = answer.json["listing_id"]
    assert answer.json | {} == {
        "sku": "iphone a/1", "market": "fr", "listing_id": listing_id, "product": "IPHONE-13-128-BLUE", "ean": EAN,
        "title": "Apple iPhone 13 128 Go bleu", "grade": "GOOD", "price": "359.00", "currency": "EUR", "min_price": None,
        "max_price": None, "held_price": None, "quantity": 4, "reserved": 0, "warranty_delay": 24, "shipping_price": "4.90",
        "shipping_delay": 48, "vat_type": "MARGINAL", "battery": 91, "new_battery": False, "comment": "", "state": "online",
    }  # fmt: skip
    assert listing_id >= 100_000_000
    [row] = seller.on_sale()
    assert (row["sku_id"], row["grade_id"], row["price_cents"], row["delivery_days"]) == (1, 11, 35900, 2)
    assert marks(seller.hq) == {("listing", str(listing_id)), ("stock", str(listing_id))}
    assert seller.ask("GET", "/listings/IPHONE%20A/1").json == {**answer.json, "wins": False, "price_to_win": "364.10"}


def test_a_program_is_told_whether_a_listing_wins_and_at_what_price_it_would(hq: Hq, seller: Seller) -> None:
    def standing(**changes: Any) -> tuple[bool, str | None]:
        assert seller.put(**changes).status_code in (200, 201)
        publish_supply(hq.engine, hq.directory)
        told = seller.ask("GET", "/listings/A-1").json or {}
        return told["wins"], told["price_to_win"]

    assert standing(price="399.00") == (False, "364.10")
    assert standing(price="364.11") == (False, "364.10")
    assert standing(price="364.10") == (True, None)
    assert standing(quantity=0) == (False, "364.10")


def test_two_sellers_and_one_sku_are_two_listings(hq: Hq, seller: Seller) -> None:
    other = Seller(hq, 2)
    seller.put()
    assert other.ask("GET", "/listings/A-1").status_code == 404
    other.put()

    assert [len(each.on_sale()) for each in (seller, other)] == [1, 1]
    assert seller.on_sale()[0]["listing_id"] != other.on_sale()[0]["listing_id"]


def test_a_patch_changes_what_it_says_and_marks_only_that_channel(seller: Seller) -> None:
    listing_id = seller.put(comment="Avec sa boîte").json["listing_id"]  # type: ignore[index]
    seller.hq.publish()

    answer = seller.patch(quantity=9)

    assert answer.json is not None
    assert (answer.json["quantity"], answer.json["comment"], answer.json["price"]) == (9, "Avec sa boîte", "359.00")
    assert marks(seller.hq) == {("stock", str(listing_id))}


def test_what_a_whole_listing_does_not_say_is_gone(seller: Seller) -> None:
    seller.put(comment="Avec sa boîte", max_price="500.00")

    answer = seller.put()

    assert answer.status_code == 200
    assert answer.json is not None
    assert (answer.json["comment"], answer.json["max_price"]) == ("", None)


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"grade": "VERY_GOOD"}, "grade", "“Très bon état” is GOOD"),
        ({"grade": "MINT"}, "grade", "none of FAIR, GOOD, EXCELLENT, PREMIUM"),
        ({"ean": "4006381333930"}, "ean", "check digit"),
        ({"ean": "4012345678901"}, "ean", "no product"),
        ({"ean": None}, "ean", "names its product"),
        ({"product": "IPHONE-12-128-BLUE"}, "ean", "two products"),
        ({"currency": "USD"}, "currency", "EUR"),
        ({"comment": "Comme neuf"}, "comment", "comme neuf"),
        ({"battery": 60}, "battery", "80 %"),
        ({"min_price": "400.00"}, "price", "min_price"),
        ({"min_price": "300.00", "max_price": "200.00"}, "min_price", "max_price"),
        ({"warranty_delay": 6}, "warranty_delay", "12"),
        ({"price": "0.00"}, "price", "above zero"),
        ({"price": 359}, "price", "string"),
        ({"price": None}, "price", "missing"),
        ({"surprise": 1}, "surprise", "permitted"),
    ],
)
def test_a_listing_that_cannot_be_is_refused_with_its_field(
    seller: Seller, changes: dict[str, Any], field: str, words: str
) -> None:
    answer = seller.put(**changes)

    assert answer.status_code == 422
    assert answer.json is not None
    assert set(answer.json) == {"code", "detail", "status", "fields"}
    assert words in answer.json["fields"][field]
    assert seller.on_sale() == []


@pytest.mark.parametrize("grade", ["Très bon état", "tres bon etat", "good", "2"])
def test_a_grade_is_known_by_its_code_its_french_name_and_its_old_number(seller: Seller, grade: str) -> None:
    assert seller.put(grade=grade).json["grade"] == "GOOD"  # type: ignore[index]


@pytest.mark.parametrize("title", ["Apple iPhone 13 128 Go bleu", "iphone 13 - 128GB - Blue"])
def test_a_product_is_known_by_its_title(seller: Seller, title: str) -> None:
    assert seller.put(ean=None, title=title).json["product"] == "IPHONE-13-128-BLUE"  # type: ignore[index]


@pytest.mark.parametrize("price", ["35.90", "3590.00"])
def test_a_price_that_jumps_is_held_until_it_is_confirmed(seller: Seller, price: str) -> None:
    seller.put()

    held = seller.patch(price=price, quantity=7)

    assert held.json is not None
    assert (held.status_code, held.json["price"], held.json["held_price"], held.json["quantity"]) == (200, "359.00", price, 7)
    assert seller.patch(price=price).json["held_price"] == price  # type: ignore[index]
    assert seller.patch(quantity=8).json["held_price"] == price  # type: ignore[index]

    confirmed = seller.patch(confirm_price=True)

    assert confirmed.json is not None
    assert (confirmed.json["price"], confirmed.json["held_price"]) == (price, None)


def test_a_sober_price_takes_the_place_of_a_held_one(seller: Seller) -> None:
    seller.put()
    seller.patch(price="1.00")

    answer = seller.patch(price="349.00")

    assert (answer.json["price"], answer.json["held_price"]) == ("349.00", None)  # type: ignore[index]


def test_a_listing_above_its_limit_or_paused_is_not_on_sale(seller: Seller) -> None:
    seller.put(max_price="400.00")
    assert seller.patch(price="401.00").json["state"] == "offline"  # type: ignore[index]
    assert seller.patch(price="400.00").json["state"] == "online"  # type: ignore[index]
    assert seller.patch(paused=True).json["state"] == "paused"  # type: ignore[index]
    assert [row["state"] for row in seller.on_sale()] == ["offline"]


def test_a_sku_stays_with_its_product_and_its_grade(seller: Seller) -> None:
    seller.put()

    assert "another product" in seller.put(ean="5901234123457").json["fields"]["ean"]  # type: ignore[index]
    assert "another grade" in seller.put(grade="FAIR").json["fields"]["grade"]  # type: ignore[index]


def test_a_feed_leaves_what_sellers_list_alone_and_may_not_use_their_ids(hq: Hq, seller: Seller) -> None:
    seller.put()
    hq.change(l21=None)

    assert [row["state"] for row in seller.on_sale()] == ["online"]
    assert [row["state"] for row in hq.rows("select state from listing where listing_id = 21")] == ["withdrawn"]


def test_the_listings_come_page_by_page_in_the_order_of_their_skus(seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("marketplace.sellers.api_listings.PAGE", 2)
    for sku in ("b", "A", "c"):
        seller.put(sku)

    first = seller.ask("GET", "/listings").json
    assert first is not None
    second = seller.ask("GET", "/listings", query_string={"cursor": first["cursor"]}).json

    assert second is not None
    assert [each["sku"] for each in first["listings"] + second["listings"]] == ["A", "b", "c"]
    assert second["cursor"] is None


def test_patching_what_is_not_there_finds_nothing(seller: Seller) -> None:
    assert seller.patch("B", quantity=1).status_code == 404
    assert seller.ask("GET", "/listings/%00").status_code == 404
    assert seller.ask("GET", "/listings/A-1?market=mars").status_code == 404


def test_every_problem_has_one_shape(seller: Seller) -> None:
    problems = [
        seller.ask("GET", "/nothing"),
        seller.ask("DELETE", "/listings/A-1"),
        seller.ask("PUT", "/listings/A-1", data=b"<a/>", content_type="text/xml"),
        seller.ask("PUT", "/listings/A-1", data=b"{", content_type="application/json"),
        seller.ask("PUT", "/listings/A-1", data=b" " * 70_000, content_type="application/json"),
        seller.hq.client.get("/api/v1/listings"),
    ]

    assert [each.status_code for each in problems] == [404, 405, 415, 422, 413, 401]
    for answer in problems:
        assert answer.json is not None
        assert set(answer.json) - {"fields"} == {"code", "detail", "status"}
        assert answer.json["status"] == answer.status_code
    assert problems[-1].headers["WWW-Authenticate"] == "Bearer"


def test_the_api_describes_itself_to_whoever_asks(hq: Hq) -> None:
    described = hq.client.get("/api/v1/openapi.json").json

    assert described is not None
    assert described["openapi"].startswith("3.1")
    assert {"get", "put", "patch"} <= set(described["paths"]["/api/v1/listings/{sku}"])
