from __future__ import annotations

import pytest

from pos import offers
from tests.marketplace.hq import Hq, words


def test_the_page_says_the_figures_the_choice_is_made_with(hq: Hq, monkeypatch: pytest.MonkeyPatch) -> None:
    said = words(hq.client.get("/how-we-rank?lang=en"))
    assert "orders cancelled by the seller4 points" in said.replace("</dt><dd>", "")
    assert "86.00 points" in said, "4 × 1 + 3 × 2 + 3 + 10 h × 0.1 off 100, as pos.offers counts it"

    monkeypatch.setitem(offers.WEIGHTS, "cancel_bp", 6)
    said = words(hq.client.get("/how-we-rank?lang=en"))
    assert "orders cancelled by the seller6 points" in said.replace("</dt><dd>", "")
    assert "84.00 points" in said


def test_every_turn_of_the_order_has_its_words(hq: Hq) -> None:
    said = hq.client.get("/how-we-rank?lang=en").text
    assert said.count("<li>") == len(offers.ORDER)
    assert len(set(said.split("<li>"))) == len(offers.ORDER) + 1


def test_commission_is_not_among_what_ranks(hq: Hq) -> None:
    assert "changing the fees moves no offer" in hq.client.get("/how-we-rank?lang=en").text
    assert "commission" not in offers.BEST_FIRST + "".join(offers.WEIGHTS)
