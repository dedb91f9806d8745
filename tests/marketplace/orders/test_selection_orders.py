"""A selection made in the public shop becomes one order, and leads to its payment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import time_machine
from werkzeug.test import TestResponse

from demo.bank import Bank
from marketplace.db import run_tx
from marketplace.money.payments import PRICES_KEPT
from marketplace.money.provider import store_settings
from pos import clock
from tests.marketplace.hq import CONTACT, Hq, words
from tests.marketplace.money.banks import running_bank
from tests.marketplace.test_console import log_in


@pytest.fixture
def bank(hq: Hq, tmp_path: Path) -> Iterator[Bank]:
    """A bank whose keys the marketplace has."""
    with running_bank(tmp_path / "bank") as answering:
        key, secret = answering.secret_key.read_text().strip(), answering.webhook_secret.read_text().strip()
        stored = {"key": key, "webhook_secret": secret, "api": answering.address}
        run_tx(hq.engine, lambda connection: store_settings(connection, stored=stored))  # type: ignore[arg-type]
        yield answering


def select(hq: Hq, **line: str) -> str:
    """Make a selection of one line in the shop and return its id."""
    return str(hq.client.post("/selections", data=line or {"listing": "11"}).location).rpartition("/")[2]


def post(hq: Hq, selection: str, **form: str) -> TestResponse:
    """Order a selection having seen 369 euros, fields changed as given."""
    return hq.client.post(f"/selections/{selection}/order", data={**CONTACT, "seen_cents": "36900", **form})


def states(hq: Hq) -> list[str]:
    return [str(order["state"]) for order in hq.rows("select state from customer_order order by placed_at")]


def test_a_selection_is_ordered_and_leads_to_the_payment_page(hq: Hq, bank: Bank) -> None:
    selection = select(hq)
    shown = hq.client.get(f"/selections/{selection}")
    assert f'href="/selections/{selection}/order"' in shown.text
    page = hq.client.get(f"/selections/{selection}/order")
    assert "369,00 €" in words(page)
    assert f"form-action 'self' {bank.address}" in page.headers["Content-Security-Policy"]
    assert bank.address not in shown.headers["Content-Security-Policy"]
    answer = post(hq, selection)
    assert (answer.status_code, answer.location.startswith(f"{bank.address}/c/pay/")) == (303, True)
    [order] = hq.rows("select order_id, state, source from customer_order")
    assert (order["state"], order["source"]) == ("open", "selection")
    [payment] = hq.rows("select payment_id, back_url, amount_cents from payment")
    assert urlsplit(payment["back_url"]).path == f"/payments/{payment['payment_id']}/return"
    assert hq.client.get(urlsplit(payment["back_url"]).path).location == f"/orders/{order['order_id']}"
    assert payment["amount_cents"] == 36900


def test_an_order_says_by_which_partner_s_entry_it_came_and_nobody_pays_for_that(hq: Hq, bank: Bank) -> None:
    assert "Loire Mobile" in words(hq.client.get("/p/loire-mobile"))
    selection = select(hq)
    assert "Loire Mobile" in words(hq.client.get(f"/selections/{selection}/order"))
    post(hq, selection)
    [order] = hq.rows("select customer_id, number, facts from customer_order")
    assert json.loads(order["facts"])["partner_id"] == "loire-mobile"
    assert hq.rows("select partner_id from order_line") == [{"partner_id": None}]
    log_in(hq)
    assert "par l’entrée /p/loire-mobile" in words(hq.client.get(f"/console/orders/{order['customer_id']}/{order['number']}"))


def test_the_payment_page_names_each_device_though_line_numbers_have_gaps(hq: Hq, bank: Bank) -> None:
    selection = select(hq)
    hq.client.post(f"/selections/{selection}/lines", data={"listing": "21"})
    hq.client.post(f"/selections/{selection}/lines/1/removal")
    assert post(hq, selection, seen_cents="24900").status_code == 303
    [session] = bank.books.listed("checkout.session")
    assert hq.rows("select line_no from order_line") == [{"line_no": 2}]
    assert [item["description"] for item in session["line_items"]["data"]] == ["Apple iPhone 12"]


def test_many_posts_of_one_order_make_one(hq: Hq, bank: Bank) -> None:
    selection = select(hq)
    with ThreadPoolExecutor(6) as posts:
        form = {**CONTACT, "seen_cents": "36900"}
        answers = list(posts.map(lambda _: hq.app.test_client().post(f"/selections/{selection}/order", data=form), range(12)))
    assert {answer.status_code for answer in answers} == {303}
    assert states(hq) == ["open"]
    assert len(hq.rows("select payment_id from payment")) == 1
    assert hq.rows("select reserved from listing where listing_id = 11") == [{"reserved": 1}]


def test_who_was_given_the_address_orders_for_themselves_and_sees_no_other_order(hq: Hq, bank: Bank) -> None:
    selection = select(hq)
    first, other = post(hq, selection), post(hq, selection, email="sam@example.net")
    assert first.location != other.location
    assert states(hq) == ["open", "open"]


def test_an_order_nobody_paid_in_its_day_can_be_placed_anew(hq: Hq, bank: Bank) -> None:
    selection = select(hq)
    post(hq, selection)
    with time_machine.travel(clock.now() + PRICES_KEPT + timedelta(hours=1), tick=False):
        assert post(hq, selection).status_code == 303
    assert len(states(hq)) == 2


def test_the_last_unit_goes_to_one_and_the_other_is_told_before_paying(hq: Hq, bank: Bank) -> None:
    first, second = select(hq, listing="21"), select(hq, listing="21")
    assert post(hq, first, seen_cents="24900").status_code == 303
    late = post(hq, second, email="sam@example.net", seen_cents="24900")
    assert (late.status_code, "Un article vient de partir." in words(late)) == (409, True)
    assert len(hq.rows("select payment_id from payment")) == 1


def test_a_price_that_moved_is_said_before_the_button_and_never_charged_silently(hq: Hq, bank: Bank) -> None:
    selection = select(hq)
    hq.change(l11={"price": "399.00"})
    assert "369,00 € alors, 399,00 € maintenant" in words(hq.client.get(f"/selections/{selection}/order"))
    refused = post(hq, selection)
    assert (refused.status_code, "Le total vient de changer." in words(refused)) == (409, True)
    assert post(hq, selection, seen_cents="").status_code == 409
    assert states(hq) == []
    assert post(hq, selection, seen_cents="39900").status_code == 303


def test_without_a_provider_what_costs_something_is_not_ordered_and_the_page_says_so(hq: Hq) -> None:
    selection = select(hq)
    page = hq.client.get(f"/selections/{selection}/order")
    assert "Le paiement n’est pas encore ouvert ici." in page.text
    assert "avec obligation de paiement" not in page.text
    assert post(hq, selection).status_code == 503
    assert states(hq) == []


def test_an_order_stands_when_the_provider_does_not_answer(hq: Hq, bank: Bank) -> None:
    bank.mood = "down"
    answer = post(hq, select(hq))
    assert (answer.status_code, answer.location.startswith("/orders/")) == (303, True)
    assert states(hq) == ["open"]
    assert "Payer 369,00" in words(hq.client.get(answer.location))


def test_what_was_typed_is_kept_when_something_is_missing_or_in_another_language(hq: Hq, bank: Bank) -> None:
    selection = select(hq)
    refused = post(hq, selection, address="12 rue Crébillon")
    assert (refused.status_code, "code postal" in refused.text, CONTACT["email"] in refused.text) == (422, True, True)
    other = hq.client.post(f"/selections/{selection}/order?lang=en", data={**CONTACT, "look": "en"})
    assert "Where should it be delivered?" in other.text
    assert CONTACT["email"] in other.text
    assert states(hq) == []


def test_a_selection_without_lines_has_nothing_to_order(hq: Hq, bank: Bank) -> None:
    selection = select(hq)
    hq.client.post(f"/selections/{selection}/lines/1/removal")
    answer = hq.client.get(f"/selections/{selection}/order")
    assert (answer.status_code, answer.location) == (303, f"/selections/{selection}")
    assert post(hq, selection).status_code == 409
