from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from marketplace.db import changed, run_tx
from marketplace.orders.contacts import masked_name
from marketplace.running.mail import masked_email
from pos import clock
from pos.tokens import TokenLine
from tests.marketplace import world
from tests.marketplace.events.test_inbox import slip_body
from tests.marketplace.hq import CONTACT, IPHONE_13, IPHONE_13_WITH_PLAN, LAST_IPHONE_12, Hq, words

PLAN_ALONE = TokenLine(plan_id=1, one_off_cents=100, monthly_cents=999)


def test_a_slip_becomes_one_order_before_the_kiosk_ever_synced(hq: Hq) -> None:
    digits = hq.digits()
    first, second = hq.claim(digits), hq.claim(digits, name="Another Name")
    assert (first.status_code, second.status_code) == (303, 303)
    assert first.location == second.location
    assert len(hq.rows("select * from customer_order")) == 1


def test_a_used_slip_shows_how_far_its_order_is_and_nothing_that_leads_there(hq: Hq) -> None:
    digits = hq.digits()
    address = hq.claim(digits).location
    found = hq.client.get(f"/k/{digits}")
    stranger = hq.claim(digits, email="somebody@example.net", name="Sam Body")

    assert (found.status_code, stranger.status_code) == (200, 409)
    for page in (found, stranger):
        assert "Ce bon a déjà servi." in words(page)
        assert "au nom de C. R. : à payer." in words(page)
        assert address.rpartition("/")[2] not in page.text
        assert "amille" not in page.text
    assert hq.claim(digits, email=CONTACT["email"].upper()).location == address


def test_many_posts_at_once_make_one_order(hq: Hq) -> None:
    digits = hq.digits()
    with ThreadPoolExecutor(6) as posts:
        answers = list(posts.map(lambda _: hq.app.test_client().post(f"/k/{digits}/claim", data=CONTACT), range(6)))
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.location for answer in answers}) == 1
    assert hq.rows("select reserved from listing where listing_id = 11") == [{"reserved": 1}]


def test_an_order_of_one_device_takes_seventeen_statements_in_one_transaction(hq: Hq) -> None:
    said: list[str] = []
    commits: list[object] = []
    digits, engine = hq.digits(IPHONE_13), hq.app.extensions["marketplace"].engine
    hq.client.get(f"/k/{digits}")
    event.listen(engine, "before_cursor_execute", lambda *args: said.append(args[2]))
    event.listen(engine, "commit", commits.append)
    assert hq.claim(digits).status_code == 303
    assert (len(said), len(commits)) == (17, 1), "\n".join(said)


@pytest.mark.parametrize(
    "line",
    [
        replace(PLAN_ALONE, quantity=2**40 - 1),
        replace(PLAN_ALONE, quantity=10),
        replace(PLAN_ALONE, quantity=0),
        replace(PLAN_ALONE, plan_id=0),
        replace(IPHONE_13, quantity=10),
    ],
)
def test_a_line_that_no_kiosk_lets_anybody_wish_for_is_no_order(hq: Hq, line: TokenLine) -> None:
    digits = hq.digits(line)
    assert [hq.client.get(f"/k/{digits}").status_code, hq.claim(digits).status_code] == [400, 400]
    hq.up(hq.event("slip_issued", slip_body(hq) | {"digits": digits}))
    assert [each["state"] for each in hq.rows("select state from inbox")] == ["dead"]
    assert hq.rows("select order_id from customer_order") == hq.rows("select number from slip") == []


def test_nine_units_are_the_most(hq: Hq) -> None:
    assert hq.claim(hq.digits(replace(PLAN_ALONE, quantity=9))).status_code == 303


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("name", "", "Écrivez le prénom et le nom"),
        ("email", "camille@nowhere", "n’est pas complète"),
        ("email", "élodie@example.org", "n’est pas complète"),
        ("email", "", "Écrivez une adresse e-mail"),
        ("address", "12 rue Crébillon, Nantes", "code postal"),
        ("address", "", "Écrivez la rue"),
        ("address", ", , , , , , , ,", "Écrivez la rue"),
    ],
)
def test_what_is_missing_is_said_and_what_was_typed_is_kept(hq: Hq, field: str, typed: str, sentence: str) -> None:
    answer = hq.claim(hq.digits(), **{field: typed})
    assert answer.status_code == 422
    assert sentence in words(answer)
    for name, value in ({**CONTACT, field: typed}).items():
        assert value in words(answer), name
    assert hq.rows("select * from customer_order") == []


def test_another_language_keeps_what_was_typed_and_orders_nothing(hq: Hq) -> None:
    digits = hq.digits()
    page = words(hq.client.post(f"/k/{digits}/claim?lang=en", data={**CONTACT, "address": "12 rue Crébillon", "look": "en"}))

    assert "Where should it be delivered?" in page
    assert CONTACT["email"] in page
    assert "12 rue Crébillon" in page
    assert 'role="alert"' not in page
    assert hq.rows("select * from customer_order") == []


@pytest.mark.parametrize(
    ("field", "typed", "kept"),
    [
        ("address", "12 rue Crébillon\n44 000 Nantes", "12 rue Crébillon\n44 000 Nantes"),
        ("address", "12 rue Crébillon\nF-44000 Nantes", "12 rue Crébillon\nF-44000 Nantes"),
        ("email", " camille.roux @ exemple.fr.", "camille.roux@exemple.fr"),
        ("email", "<camille.roux＠exemple.fr>", "camille.roux@exemple.fr"),
    ],
)
def test_what_people_type_is_understood_before_it_is_refused(hq: Hq, field: str, typed: str, kept: str) -> None:
    assert hq.claim(hq.digits(), **{field: typed}).status_code == 303
    assert hq.rows(f"select {field} from customer_order") == [{field: kept}]


@pytest.mark.parametrize(
    "address",
    [
        "12 rue Crébillon\n44000 Nantes",
        "44000 Nantes, 12 rue Crébillon",
        "10250 Santa Monica Blvd, Los Angeles, CA 90067",
        "Apt 5\n12345 Ventura Blvd",
        "90067 12345 Ventura Blvd",
    ],
)
def test_the_order_page_shows_no_contact_detail(hq: Hq, address: str) -> None:
    page = hq.client.get(hq.claim(hq.digits(), address=address).location).text
    for secret in ("Camille Roux", "camille@", "12 rue", "44000", "10250", "90067", "Monica", "Apt 5", "12345", "Ventura"):
        assert secret not in page
    assert "<dt>Livraison</dt><dd>à l’adresse que vous avez donnée</dd>" in page
    assert "C. R." in page
    assert "@example.org" in page


def test_masks() -> None:
    assert masked_email("camille@example.org") == "c••••••@example.org"
    assert masked_name("Camille de la Tour") == "C. d. l. T."


def test_a_lower_price_today_is_the_customers(hq: Hq) -> None:
    digits = hq.digits()
    hq.change(l11={"price": "349.00"})
    page = words(hq.client.get(f"/k/{digits}"))
    assert "170,00 €" in page
    assert "150,00 €" in page
    assert "Le prix a baissé de 20,00 €" in page
    hq.claim(digits)
    (line,) = hq.rows("select basis, total_cents from order_line")
    assert line == {"basis": "now", "total_cents": 15000 + 12 * (1499 + 699) + 12 * (2499 + 699)}


def test_a_higher_price_today_leaves_the_slips(hq: Hq) -> None:
    digits = hq.digits()
    hq.change(l11={"price": "399.00"})
    assert "votre bon garde son prix" in words(hq.client.get(f"/k/{digits}"))
    hq.claim(digits)
    (line,) = hq.rows("select basis, total_cents from order_line")
    assert line == {"basis": "then", "total_cents": 17000 + 12 * (1499 + 699) + 12 * (2499 + 699)}


def test_an_expired_slip_costs_what_it_costs_today(hq: Hq) -> None:
    digits = hq.digits(IPHONE_13, hours=0, issued=_yesterday())
    _backdate(hq)
    hq.change(l11={"price": "399.00"})
    page = words(hq.client.get(f"/k/{digits}"))
    assert "a expiré" in page
    assert "399,00 €" in page
    hq.claim(digits)
    assert hq.rows("select basis, total_cents from order_line") == [{"basis": "now", "total_cents": 39900}]


def test_a_total_that_rose_since_the_page_is_not_charged_silently(hq: Hq) -> None:
    digits = hq.digits(IPHONE_13, hours=0, issued=_yesterday())
    _backdate(hq)
    hq.change(l11={"price": "399.00"})
    answer = hq.claim(digits, seen_cents="36900")
    assert answer.status_code == 409
    assert "Le total vient de changer" in words(answer)
    assert hq.rows("select * from customer_order") == []


def test_the_last_unit_goes_to_one_and_the_other_is_offered_nothing_fitting(hq: Hq) -> None:
    assert hq.claim(hq.digits(LAST_IPHONE_12, counter=1)).status_code == 303
    other = hq.claim(hq.digits(LAST_IPHONE_12, counter=2))
    assert other.status_code == 409
    assert "Un article vient de partir" in words(other)
    assert "Aucune autre annonce" in words(other)
    assert len(hq.rows("select * from claim")) == 1


def test_two_lines_of_one_slip_do_not_share_the_last_unit(hq: Hq) -> None:
    refused = hq.claim(hq.digits(LAST_IPHONE_12, LAST_IPHONE_12))

    assert (refused.status_code, hq.rows("select * from claim")) == (409, [])
    assert hq.rows("select reserved from listing where listing_id = 21") == [{"reserved": 0}]


def test_a_gone_listing_is_replaced_by_the_winning_one_if_the_customer_says_so(hq: Hq) -> None:
    digits = hq.digits(IPHONE_13)
    hq.change(l11={"quantity": "0"})
    refused = hq.claim(digits)
    assert refused.status_code == 409
    assert 'value="1:12"' in words(refused)
    assert "372,00 €" in words(refused)
    assert hq.claim(digits, replace="1:13").status_code == 409, "only what we propose counts"
    for seen in ("", "36900"):
        again = hq.claim(digits, replace="1:12", seen_cents=seen)
        assert (again.status_code, "Le total vient de changer" in words(again)) == (409, True)
        assert 'name="seen_cents" value="37200"' in again.text
        assert 'type="hidden" name="replace" value="1:12"' in again.text
    assert hq.claim(digits, replace="1:12", seen_cents="37200").status_code == 303
    assert hq.rows("select basis, listing_id, total_cents from order_line") == [
        {"basis": "replaced", "listing_id": 12, "total_cents": 37200}
    ]
    assert hq.rows("select reserved from listing where listing_id = 12") == [{"reserved": 1}]


def test_a_better_grade_is_proposed_only_at_no_higher_price(hq: Hq) -> None:
    digits = hq.digits(IPHONE_13)
    hq.change(l11={"quantity": "0"}, l12={"quantity": "0"})
    assert "Aucune autre annonce" in words(hq.claim(digits))
    hq.change(l11={"quantity": "0"}, l12={"quantity": "0"}, l13={"price": "365.00"})
    assert 'value="1:13"' in words(hq.claim(digits))


def test_the_rest_can_be_ordered_without_what_is_gone(hq: Hq) -> None:
    digits = hq.digits(IPHONE_13, LAST_IPHONE_12)
    hq.change(l21={"quantity": "0"})
    assert hq.claim(digits).status_code == 409
    assert 'name="seen_cents" value="36900"' in hq.claim(digits, replace="2:0").text
    assert hq.claim(digits, replace="2:0", seen_cents="36900").status_code == 303
    assert hq.rows("select line_no, basis, total_cents from order_line order by line_no") == [
        {"line_no": 1, "basis": "then", "total_cents": 36900},
        {"line_no": 2, "basis": "dropped", "total_cents": 0},
    ]


def test_a_refused_claim_reserves_nothing(hq: Hq) -> None:
    hq.change(l21={"quantity": "0"})
    assert hq.claim(hq.digits(IPHONE_13_WITH_PLAN, LAST_IPHONE_12)).status_code == 409
    assert hq.rows("select sum(reserved) as n from listing") == [{"n": 0}]


def test_a_reserved_unit_leaves_the_published_stock(hq: Hq) -> None:
    hq.claim(hq.digits(LAST_IPHONE_12))
    assert hq.publish() == 2
    assert hq.import_world().marked == 0, "the feed's own quantity does not bring the unit back"


def test_an_order_nobody_made_is_not_found(hq: Hq) -> None:
    for order_id in ("x", "01a202f9-e020-7b83-b37f-5eff0904bf81"):
        assert hq.client.get(f"/orders/{order_id}").status_code == 404


def _yesterday() -> datetime:
    return clock.now() - timedelta(days=1)


def _backdate(hq: Hq) -> None:
    """Make the publications older than yesterday's slip."""
    run_tx(hq.engine, lambda connection: changed(connection, "update sync_publication set published_at = '2026-01-01T00:00:00Z'"))


def test_what_nobody_types_is_left_out_of_the_address(hq: Hq) -> None:
    digits = hq.digits()

    assert hq.claim(digits, name="Ca\0mille\u202e Roux\x1b", address="12 rue\tCrébillon\r\n44000 Nantes").status_code == 303
    [order] = hq.rows("select name, address from customer_order")
    assert order == {"name": "Camille Roux", "address": "12 rue Crébillon\n44000 Nantes"}


def with_plan(hq: Hq, **terms: Any) -> None:
    """Publish the plan with a device discount with other terms."""
    rows = world.world()
    rows["plans"][1].update(terms)
    hq.import_world(rows)
    hq.publish()


def test_the_page_asks_how_the_number_comes_and_the_order_keeps_it(hq: Hq) -> None:
    digits = hq.digits()
    page = words(hq.client.get(f"/k/{digits}"))
    assert "Votre numéro avec Série 100 Go" in page

    open_question = hq.claim(digits, asks_acquisition="1")
    assert open_question.status_code == 422
    assert "Dites comment vient votre numéro." in words(open_question)
    placed = hq.claim(digits, asks_acquisition="1", acquisition_1="port")
    assert "Je garde mon numéro" in words(hq.client.get(placed.location))


def test_a_script_that_does_not_ask_still_orders_and_nothing_is_inferred(hq: Hq) -> None:
    assert "numéro à préciser" in words(hq.client.get(hq.claim(hq.digits()).location))
    with_plan(hq, acquisitions=["port"])
    assert "Je garde mon numéro" in words(hq.client.get(hq.claim(hq.digits(counter=2)).location)), "the only way there is"


def test_a_plan_closed_since_is_not_ordered_in_that_way(hq: Hq) -> None:
    digits = hq.digits()
    with_plan(hq, acquisitions=["port", "renewal"])

    refused = hq.claim(digits, acquisition_1="new")
    assert refused.status_code == 422
    assert "Ce forfait n’est pas proposé dans votre situation." in words(refused)
    assert hq.rows("select * from claim") == []
    assert hq.claim(digits, acquisition_1="renewal").status_code == 303


def test_devices_of_one_plan_count_over_all_lines_of_a_slip(hq: Hq) -> None:
    with_plan(hq, max_devices=1)
    second = TokenLine(listing_id=12, plan_id=2, one_off_cents=17300, monthly_cents=1499)

    refused = hq.claim(hq.digits(IPHONE_13_WITH_PLAN, second))
    assert refused.status_code == 422
    assert "toute la sélection comprise : 1 au plus" in words(refused)
