"""The desk's listings and keys: found, changed, confirmed, and where each stands; a key shown once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.marketplace.hq import Hq, words
from tests.marketplace.sellers.desks import desk
from tests.marketplace.sellers.selling import Seller


@pytest.fixture
def seller(hq: Hq) -> Seller:
    return Seller(hq)


@pytest.fixture
def owner(hq: Hq) -> FlaskClient:
    return desk(hq, 1)


def put(seller: Seller, sku: str = "A-1", **changes: Any) -> str:
    """Put a listing and publish it; return its page's address."""
    listing_id = seller.put(sku, **changes).json["listing_id"]  # type: ignore[index]
    seller.hq.publish()
    return f"/seller/listings/{listing_id}"


def test_listings_are_found_by_their_sku_page_by_page(
    seller: Seller, owner: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("marketplace.sellers.listing_pages.PAGE", 2)
    for sku in ("lot%1-a", "lot%1-b", "lot%1-c", "other"):
        seller.put(sku)
    page = words(owner.get("/seller/listings?q=LOT%251"))
    assert ("lot%1-a" in page, "lot%1-c" in page, "other" in page) == (True, False, False)
    following = re.search(r'href="(/seller/listings\?[^"]*after=[^"]*)"', page)
    assert following is not None
    page = words(owner.get(following[1].replace("&amp;", "&")))
    assert ("lot%1-a" in page, "lot%1-c" in page, "other" in page) == (False, True, False)
    assert "Aucune annonce ici" in words(owner.get("/seller/listings?q=zzz"))


def test_the_price_that_would_win_wins_and_a_cent_more_does_not(hq: Hq, seller: Seller, owner: FlaskClient) -> None:
    address = put(seller, price="500.00")
    page = words(owner.get(address))
    shown = re.search(r"en premier à (\d+),(\d\d) €", page)
    assert shown is not None
    cents = int(shown[1] + shown[2])
    assert "En premier : Atelier Loire" in page
    for price, is_first in ((cents + 1, False), (cents, True)):
        assert owner.post(address, data={"price": f"{price // 100},{price % 100:02}", "quantity": "4"}).status_code == 303
        hq.publish()
        assert ("proposée en premier" in words(owner.get(address))) is is_first
    assert "proposée en premier" in words(owner.get("/seller/listings"))


def test_price_stock_and_pause_are_changed_by_the_rules_of_files(hq: Hq, seller: Seller, owner: FlaskClient) -> None:
    address = put(seller, min_price="300.00")
    assert owner.post(address, data={"price": "349,5", "quantity": "7", "paused": "1"}).location == f"{address}?kept=1"
    assert "Enregistré" in words(owner.get(f"{address}?kept=1"))
    [row] = seller.on_sale()
    assert (row["price_cents"], row["quantity"], row["state"]) == (34950, 7, "offline")
    assert "en pause" in words(owner.get(address))
    refused = owner.post(address, data={"price": "299,00", "quantity": "7"})
    assert refused.status_code == 422
    assert "Sous le prix minimum" in words(refused)
    assert 'value="299,00"' in refused.text, "what was typed stays"
    assert seller.on_sale() == [row]


def test_a_price_that_jumps_is_confirmed_at_the_desk(seller: Seller, owner: FlaskClient) -> None:
    address = put(seller)
    owner.post(address, data={"price": "35,90", "quantity": "4"})
    assert "Prix retenu : 35,90 €" in words(owner.get(address))
    assert seller.on_sale()[0]["price_cents"] == 35900
    listing_id = seller.on_sale()[0]["listing_id"]
    assert owner.post(f"/seller/listings/{listing_id}/confirmation").status_code == 303
    assert seller.on_sale()[0]["price_cents"] == 3590
    assert "Prix retenu" not in words(owner.get(address))


def test_only_owners_change_and_no_seller_sees_another_s(hq: Hq, seller: Seller) -> None:
    address = put(seller)
    reader, stranger = desk(hq, 1, "reader"), desk(hq, 2)
    assert "Enregistrer" not in words(reader.get(address))
    for path in (address, f"{address}/confirmation"):
        assert reader.post(path, data={"price": "1"}).status_code == 403
        assert stranger.post(path, data={"price": "1"}).status_code == 404
    assert stranger.get(address).status_code == 404
    assert reader.get("/seller/keys").status_code == 403


def test_a_key_is_shown_once_works_and_ends(hq: Hq, seller: Seller, owner: FlaskClient) -> None:
    made = words(owner.post("/seller/keys", data={"name": "Caisse", "scope": ["listings"], "days": "30"}))
    shown = re.search(r"cpt_1_[0-9a-f]{8}_[\w-]{43}", made)
    assert shown is not None
    assert shown[0] not in owner.get("/seller/keys").text
    program = Seller(hq)
    program.key = shown[0]
    assert program.put().status_code == 201
    assert program.ask("GET", "/orders").status_code == 403
    key_id = shown[0].split("_")[2]
    assert desk(hq, 2).post(f"/seller/keys/{key_id}/revocation").status_code == 404
    assert owner.post(f"/seller/keys/{key_id}/revocation").status_code == 303
    assert program.put().status_code == 401
    assert "Caisse" not in words(owner.get("/seller/keys"))


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"name": "", "scope": "orders"}, "Un nom de 80 signes"),
        ({"name": "x"}, "Choisissez à quoi elle sert"),
        ({"name": "x", "scope": "orders", "days": "0"}, "Une clé vaut"),
        ({"name": "x", "scope": "orders", "days": "soon"}, "Une clé vaut"),
    ],
)
def test_a_key_that_cannot_be_is_not_made(hq: Hq, owner: FlaskClient, form: dict[str, str], said: str) -> None:
    answer = owner.post("/seller/keys", data=form)
    assert answer.status_code in (400, 422)
    assert said in words(answer)
    assert hq.rows("select * from api_key") == []
    assert f'value="{form["name"]}"' in answer.text, "what was typed stays"
    assert 'value="money"\n      checked' not in answer.text, "a box that was not ticked is not ticked now"
