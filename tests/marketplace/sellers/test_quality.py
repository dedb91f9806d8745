"""How well sellers serve: what is counted, that a night can be reckoned again, and what follows from it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from marketplace import tables
from marketplace.db import new_id, reading, run_tx
from marketplace.orders import stock
from marketplace.sellers.quality import QualityFigures, figures_of, rate_sellers
from marketplace.sellers.quality_rules import rules_of
from pos import clock
from pos.offers import quality_bp
from pos.tokens import TokenLine
from tests.marketplace.hq import Hq, words
from tests.marketplace.orders.test_step_mails import mails, written
from tests.marketplace.sellers.applicants import admitted, decide, log_in
from tests.marketplace.sellers.desks import desk
from tests.marketplace.sellers.selling import Seller

DAY = "2027-01-10"
NIGHT = clock.from_text("2027-01-10T03:00:00Z")
PAID = "2027-01-05T10:00:00Z"
GOOD = [("accepted", "2027-01-05T12:00:00Z", "seller:1", ""), ("shipped", "2027-01-06T12:00:00Z", "seller:1", "")]
LATE = [GOOD[0], ("shipped", "2027-01-08T12:00:01Z", "seller:1", "")]
GIVEN_UP = [("cancelled", "2027-01-05T12:00:00Z", "seller:1", "stock")]
TAKEN = [("cancelled", "2027-01-06T10:01:00Z", "timer", "not accepted in time")]
CHANGED_MIND = [GOOD[0], ("cancelled", "2027-01-05T13:00:00Z", "customer", "")]
BROKEN = [*GOOD, ("refunded", "2027-01-09T12:00:00Z", "seller:1", "defect"), ("returned", "2027-01-09T12:00:00Z", "seller:1", "")]
FORGOTTEN = [GOOD[0]]


def sold(hq: Hq, seller_id: int, *lives: list[tuple[str, str, str, str]], paid_at: str = PAID) -> None:
    """Let units have been paid and then lived through these steps."""

    def write(connection: Any) -> None:
        for steps in lives:
            key = {"seller_id": seller_id, "part_id": new_id(), "line_no": 1, "unit_no": 1}
            whose = {"customer_id": "c", "order_id": key["part_id"], "market": "fr", "currency": "EUR"}
            part = {"number": "N", "paid_at": paid_at, "accept_by": paid_at, "changed_no": 1, "reminded_at": paid_at}
            connection.execute(tables.part.insert(), {**key, **whose, **part})
            cents = dict.fromkeys(("owed_cents", "collected_cents", "tax_cents", "refunded_cents", "vat_margin"), 0)
            facts = {"state": "to_accept", "listing_id": 11, "sku_id": 1, "grade_id": 11, "delivery_days": 3, "since": paid_at}
            connection.execute(tables.unit.insert(), {**key, **whose, **cents, **facts})
            first = ("to_accept", paid_at, "customer", "")
            for number, (state, at, by, why) in enumerate([first, *steps], 1):
                step = {"step_no": number, "state": state, "at": at, "by": by, "why": why, "cents": None}
                connection.execute(tables.unit_step.insert(), {**key, **step})

    run_tx(hq.engine, write)


def reckoned(hq: Hq, seller_id: int = 1, day: str = DAY) -> QualityFigures:
    with reading(hq.engine) as connection:
        return figures_of(connection, seller_id, day, rules_of(connection, day))


def test_every_way_a_sale_can_go_is_counted_once(hq: Hq) -> None:
    sold(hq, 1, GOOD, LATE, GIVEN_UP, TAKEN, CHANGED_MIND, BROKEN, FORGOTTEN, [])
    sold(hq, 1, GOOD, paid_at="2026-09-01T10:00:00Z")
    sold(hq, 2, GIVEN_UP)
    counted = reckoned(hq)
    assert counted.units == 8, "what was paid before the window does not count, nor what another sold"
    assert (counted.cancelled, counted.taken, counted.shipped) == (2, 1, 3)
    assert (counted.due, counted.late) == (4, 2), "one shipped after 48 hours, one accepted and forgotten"
    assert (counted.returned, counted.defects) == (1, 1)
    assert (counted.cancel_bp, counted.late_bp, counted.defect_bp) == (2500, 5000, 3333)


def test_a_night_can_be_reckoned_again_whatever_happened_since(hq: Hq) -> None:
    sold(hq, 1, GOOD, FORGOTTEN, [])
    before = reckoned(hq)
    sold(hq, 1, GIVEN_UP, paid_at=f"{DAY}T00:00:00Z")
    hq.write("update unit_step set at = at where state = 'shipped'")
    later = [("cancelled", f"{DAY}T01:00:00Z", "timer", "")]
    for state, at, by, why in later:
        hq.write(
            """
            insert into unit_step (seller_id, part_id, line_no, unit_no, step_no, state, at, by, why)
            select seller_id, part_id, line_no, unit_no, 9, :state, :at, :by, :why from unit where seller_id = 1
            """,
            state=state, at=at, by=by, why=why,
        )  # fmt: skip
    assert reckoned(hq) == before
    assert reckoned(hq, day="2027-01-11") != before


def test_a_claim_under_a_guarantee_counts_unless_it_was_refused(hq: Hq) -> None:
    sold(hq, 1, GOOD, GOOD, GOOD, GOOD)
    parts = hq.rows("select part_id, order_id from part order by part_id")
    claims = [
        ("legal", "2027-01-08T09:00:00Z"),
        ("commercial", "2027-01-08T09:00:00Z"),
        ("legal", f"{DAY}T09:00:00Z"),
        ("return", PAID),
    ]
    for part, (ground, opened_at) in zip(parts, claims, strict=True):
        key = {"seller_id": 1, "part_id": part["part_id"], "line_no": 1, "unit_no": 1, "case_no": 1}
        facts = {
            "customer_id": "c",
            "order_id": part["order_id"],
            "ground": ground,
            "wish": "refund",
            "state": "asked",
            "said": "",
        }
        values = {**key, **facts, "opened_at": opened_at, "since": opened_at}
        run_tx(hq.engine, lambda connection, values=values: connection.execute(tables.unit_case.insert(), values) and None)
    assert reckoned(hq).defects == 2, "what was claimed for later does not count that night, nor does a change of mind"
    step = {
        **key,
        "part_id": parts[0]["part_id"],
        "step_no": 1,
        "state": "refused",
        "at": "2027-01-09T09:00:00Z",
        "by": "hq",
        "why": "",
    }
    run_tx(hq.engine, lambda connection: connection.execute(tables.case_step.insert(), step) and None)
    assert reckoned(hq).defects == 1


def test_few_sales_weigh_little_and_many_all(hq: Hq) -> None:
    assert reckoned(hq).quality_bp == 9000
    sold(hq, 1, *[GOOD] * 10)
    assert reckoned(hq).quality_bp == 9500
    sold(hq, 1, *[GOOD] * 14, GIVEN_UP)
    counted = reckoned(hq)
    assert counted.quality_bp == quality_bp({"cancel_bp": 400, "defect_bp": 0, "late_bp": 0, "reply_h": 0}) == 8400


def test_a_desk_s_seller_is_ranked_by_its_figures_and_a_feed_s_by_its_feed(hq: Hq) -> None:
    desk_seller = admitted(hq)
    sold(hq, desk_seller, *[GOOD] * 30)
    sold(hq, 1, *[GIVEN_UP] * 30)
    before = hq.rows("select quality_bp from seller where seller_id = 1")
    hq.publish()
    hq.write("delete from sync_dirty")
    assert rate_sellers(hq.engine, now=NIGHT) == 3
    assert rate_sellers(hq.engine, now=NIGHT + timedelta(hours=1)) == 0, "each night once"
    assert hq.rows("select quality_bp from seller where seller_id = 1") == before
    assert hq.rows("select quality_bp from seller where source = 'desk'") == [{"quality_bp": 10000}]
    assert {each["row_key"] for each in hq.rows("select row_key from sync_dirty where table_name = 'seller'")} == {
        str(desk_seller)
    }
    assert len(hq.rows("select * from seller_quality where day = :day", day=DAY)) == 3


def test_an_active_seller_past_a_threshold_is_warned_with_reasons_and_relieved_by_better_figures(hq: Hq) -> None:
    seller = admitted(hq)
    decide(hq, seller, "active")
    sold(hq, seller, *[GOOD] * 18, *[GIVEN_UP] * 2)
    rate_sellers(hq.engine, now=NIGHT)
    assert hq.rows("select state from seller where source = 'desk'") == [{"state": "warned"}]
    assert hq.rows("select by, rule from seller_step where state = 'warned'") == [{"by": "quality", "rule": "figures"}]
    [mail] = [mail for mail in mails(hq, "seller_decision") if mail["facts"]["state"] == "warned"]
    french, english = "ventes annulées : 2 sur 20 (seuil : 5 %)", "sales cancelled: 2 of 20 (threshold: 5 %)"
    for language, said in (("fr", french), ("en", english)):
        assert said in written(mail, language).text.replace("\xa0", " ")
        page = hq.client.get(f"/console/sellers/{seller}", headers={"Accept-Language": language})
        assert said in words(page)
    sold(hq, seller, *[GOOD] * 40)
    rate_sellers(hq.engine, now=NIGHT + timedelta(days=1))
    assert hq.rows("select state from seller where source = 'desk'") == [{"state": "active"}]
    decide(hq, seller, "warned")
    rate_sellers(hq.engine, now=NIGHT + timedelta(days=2))
    assert hq.rows("select state from seller where source = 'desk'") == [{"state": "warned"}], "what HQ decided, HQ takes back"


def test_nobody_is_warned_for_a_handful_of_sales(hq: Hq) -> None:
    seller = admitted(hq)
    decide(hq, seller, "active")
    sold(hq, seller, *[GIVEN_UP] * 19)
    rate_sellers(hq.engine, now=NIGHT)
    assert hq.rows("select state from seller where source = 'desk'") == [{"state": "active"}]


def test_figures_stand_beside_their_thresholds_at_the_desk_and_in_the_console(hq: Hq) -> None:
    owner = desk(hq, 1)
    assert "Les premiers chiffres arrivent cette nuit." in words(owner.get("/seller/quality"))
    sold(hq, 1, *[GOOD] * 18, *[GIVEN_UP] * 2)
    rate_sellers(hq.engine, now=NIGHT)
    log_in(hq)
    for page in (words(owner.get("/seller/quality")), words(hq.client.get("/console/sellers/1"))):
        assert "2 sur 20" in page
        assert "10,00 %" in page
        assert "5,00 % au plus" in page
    assert "Un seuil est dépassé." in words(owner.get("/seller/quality"))


def test_thresholds_hold_from_their_day_on(hq: Hq) -> None:
    log_in(hq)
    today = clock.to_text(clock.now())[:10]
    figures = {
        "days": "60", "least_units": "10", "ship_h": "24", "cancel_bp": "300", "late_bp": "900", "defect_bp": "400",
        "start_quality_bp": "8800", "trial_units": "5", "answer_h": "12", "answer_bp": "800",
    }  # fmt: skip
    for wrong in ({"valid_from": today}, {"valid_from": "soon"}, {"days": "-1"}, {"ship_h": ""}, {"cancel_bp": "10001"}):
        assert hq.client.post("/console/quality", data={"valid_from": "2027-01-10", **figures, **wrong}).status_code == 422
    assert hq.client.post("/console/quality", data={"valid_from": "2027-01-10", **figures}).status_code == 303
    assert "5,00 %" in words(hq.client.get("/console/quality"))
    with reading(hq.engine) as connection:
        assert [rules_of(connection, day).ship_h for day in (today, "2027-01-09", "2027-01-10")] == [48, 48, 24]
    sold(hq, 1, [GOOD[0], ("shipped", "2027-01-06T13:00:00Z", "seller:1", "")])
    assert [reckoned(hq, day=day).late for day in ("2027-01-09", "2027-01-10")] == [0, 1]


def test_the_timer_reckons_the_night_by_itself(hq: Hq) -> None:
    hq.work()
    assert len(hq.rows("select * from seller_quality")) == 2
    with time_machine.travel(clock.now() + timedelta(days=1)):
        hq.work()
    assert len(hq.rows("select * from seller_quality")) == 4


def test_a_seller_on_trial_sells_so_much_and_no_more_until_it_ships(hq: Hq) -> None:
    seller = admitted(hq)
    listing_id = Seller(hq, seller).put(quantity=90).json["listing_id"]  # type: ignore[index]
    hq.write("update quality_rule set trial_units = 3")
    publication = hq.publish() or 0
    lines = [TokenLine(listing_id=listing_id, one_off_cents=36390, monthly_cents=0, quantity=quantity) for quantity in (2, 2, 1)]
    answers = [hq.claim(hq.digits(line, counter=counter, publication=publication)) for counter, line in enumerate(lines, 1)]
    assert [answer.status_code for answer in answers] == [303, 409, 303]
    assert hq.rows("select reserved from listing where listing_id = :id", id=listing_id) == [{"reserved": 3}]
    one = {"seller_id": seller, "listing_id": listing_id, "quantity": 1, "line_no": 1}
    with pytest.raises(stock.LinesGone):
        run_tx(hq.engine, lambda connection: stock.reserve(connection, "fr", [one]))
    decide(hq, seller, "active")
    run_tx(hq.engine, lambda connection: stock.reserve(connection, "fr", [one]))


def asked(hq: Hq, *threads: list[tuple[str, str]], seller_id: int = 1) -> None:
    """Let customers and this seller have written to each other, each thread in a part of its own: (time, by)."""

    def write(connection: Any) -> None:
        for thread in threads:
            key = {"seller_id": seller_id, "part_id": new_id()}
            whose = {"customer_id": "c", "order_id": key["part_id"]}
            part = {"number": "N", "paid_at": PAID, "accept_by": PAID, "changed_no": 1, "market": "fr", "currency": "EUR"}
            connection.execute(tables.part.insert(), {**key, **whose, **part})
            for number, (at, by) in enumerate(thread, 1):
                words = {"message_no": number, "at": at, "by": by, "body": "?"}
                connection.execute(tables.message.insert(), {**key, **whose, **words})

    run_tx(hq.engine, write)


FIFTH, SIXTH, EIGHTH, NINTH = (f"2027-01-0{day}T10:00:00Z" for day in (5, 6, 8, 9))


@pytest.mark.parametrize(
    ("thread", "counts"),
    [
        ([(FIFTH, "customer"), (SIXTH, "seller:1")], (1, 0, 24)),
        ([(FIFTH, "customer"), (SIXTH, "customer"), (EIGHTH, "seller:1")], (1, 1, 72)),
        ([(FIFTH, "customer"), (SIXTH, "hq"), (EIGHTH, "customer"), (NINTH, "seller:1")], (2, 0, 24)),
        ([(FIFTH, "customer")], (1, 1, 110)),
        ([(NINTH, "customer")], (0, 0, 0)),
        ([(NINTH, "customer"), ("2027-01-10T09:00:00Z", "seller:1")], (0, 0, 0)),
        ([(FIFTH, "seller:1"), (SIXTH, "seller:1")], (0, 0, 0)),
        ([("2026-10-01T10:00:00Z", "customer"), (SIXTH, "customer"), (EIGHTH, "seller:1")], (0, 0, 0)),
    ],
)
def test_a_question_waits_from_its_first_word_to_the_next_that_is_not_its_customer_s(
    hq: Hq, thread: list[tuple[str, str]], counts: tuple[int, int, int]
) -> None:
    asked(hq, thread)
    asked(hq, [(FIFTH, "customer")], seller_id=2)
    night = reckoned(hq)
    assert (night.asked, night.slow, night.reply_h) == counts


def test_the_middle_answer_enters_the_ranking_and_late_ones_warn(hq: Hq) -> None:
    seller = admitted(hq)
    decide(hq, seller, "active")
    sold(hq, seller, *[GOOD] * 20)
    asked(hq, *[[(FIFTH, "customer"), (SIXTH, "seller:1")]] * 15, *[[(FIFTH, "customer")]] * 4, seller_id=seller)
    rate_sellers(hq.engine, now=NIGHT)
    [desk_seller] = hq.rows("select state, quality_bp from seller where source = 'desk'")
    expected = quality_bp({"cancel_bp": 0, "defect_bp": 0, "late_bp": 0, "reply_h": 24})
    assert (desk_seller["state"], desk_seller["quality_bp"]) == ("active", expected), "19 questions are too few to warn for"
    assert expected < 10_000
    asked(hq, [(FIFTH, "customer")], seller_id=seller)
    rate_sellers(hq.engine, now=NIGHT + timedelta(days=1))
    assert hq.rows("select state from seller where source = 'desk'") == [{"state": "warned"}]
    [mail] = [mail for mail in mails(hq, "seller_decision") if mail["facts"]["state"] == "warned"]
    assert "réponses en retard : 5 sur 20 (seuil : 15 %)" in written(mail, "fr").text.replace("\xa0", " ")


def test_thresholds_of_answers_hold_from_their_day_on(hq: Hq) -> None:
    asked(hq, [(FIFTH, "customer"), (SIXTH, "seller:1")])
    hq.write(
        """
        insert into quality_rule (owner_id, valid_from, days, least_units, ship_h, cancel_bp, late_bp, defect_bp,
          start_quality_bp, trial_units, answer_h, answer_bp, made_at)
        select owner_id, :day, days, least_units, ship_h, cancel_bp, late_bp, defect_bp, start_quality_bp, trial_units, 12, 0,
          made_at from quality_rule
        """,
        day=DAY,
    )
    assert [reckoned(hq, day=day).slow for day in ("2027-01-09", DAY)] == [0, 1]
