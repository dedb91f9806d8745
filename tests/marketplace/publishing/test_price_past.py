"""The shop at home tells what HQ published of an offer, whatever its replica knows."""

from __future__ import annotations

import re

from tests.marketplace.hq import Hq, words

PRICES = "/sku/IPHONE-13-128-BLUE/prices?grade=GOOD"
OF_PRICE = r"<td>\s*<b class=\"price\">([\d,]+)\D"


def published_prices(hq: Hq) -> list[str]:
    return re.findall(OF_PRICE, hq.client.get(PRICES).text)


def test_each_published_price_of_the_listing_is_told_the_newest_first(hq: Hq) -> None:
    hq.write("update listing_terms set published_at = '2026-10-01T08:00:00Z' where publication = 1")
    hq.change(l11={"price": "349.00", "shipping_price": "5.00"})
    answer = hq.client.get(PRICES)

    assert published_prices(hq) == ["354,00", "369,00"]
    assert "Prix tout compris de Atelier Loire, tel que publié depuis le 1 octobre 2026" in words(answer)
    assert re.search(r"Le plus bas des 30 derniers jours</dt><dd><b[^>]*>354,00", answer.text)


def test_an_announced_price_counts_from_its_start_with_the_shipping_of_its_listing(hq: Hq) -> None:
    hq.write("update listing_terms set published_at = '2026-10-01T08:00:00Z', shipping_cents = 500 where publication = 1")
    for publication, cents, withdrawn in ((1, 33000, 0), (2, 32000, 0)):
        hq.write(
            """
            insert into price_start_terms (seller_id, market, price_start_id, publication, line, published_at, listing_id,
              starts_at, price_cents, prior_cents, withdrawn)
            values (1, 'fr', '11@x', :publication, '', '2026-10-02T08:00:00Z', 11,
              '2026-10-09T08:00:00Z', :cents, null, :withdrawn)
            """,
            publication=publication, cents=cents, withdrawn=withdrawn,
        )  # fmt: skip

    assert published_prices(hq) == ["325,00", "374,00"]


def test_a_price_on_trial_and_that_of_another_seller_are_not_told(hq: Hq) -> None:
    hq.write("update listing_terms set line = 'trial' where listing_id = 11")

    assert published_prices(hq) == []
    assert "Aucun prix passé n’est connu ici." in words(hq.client.get(PRICES))
