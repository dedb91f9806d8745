from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from pos import catalog, clock, corners, day_reports, demo_devices, demo_rounds, labels, scans, shelf_labels
from pos.corners import Corner
from pos.db import write
from pos.labels import LabelPlace
from pos.shelf_labels import LabelSettled, LabelUnknown, ShelfLabel
from tests import world
from tests.world import NOW, Kiosk


def corner(kiosk: Kiosk) -> Corner:
    return corners.corner(kiosk.ops.read())


def places(kiosk: Kiosk) -> dict[str, LabelPlace]:
    found = labels.label_places(kiosk.catalog.read(), kiosk.ops.read(), corner(kiosk), now=NOW)
    return {place.position: place for place in found}


def states(kiosk: Kiosk) -> list[str]:
    return [place.state for place in places(kiosk).values()]


def print_one(kiosk: Kiosk, position: str, *, form: str = "a6") -> ShelfLabel:
    place = places(kiosk)[position]
    assert place.facts is not None
    with kiosk.ops_write() as ops:
        return shelf_labels.print_label(ops, position, place.facts, newest=place.newest, clerk_id="camille", now=NOW, format=form)


def put_up(kiosk: Kiosk, label: ShelfLabel) -> ShelfLabel:
    with kiosk.ops_write() as ops:
        return shelf_labels.confirm_label(ops, label.label_no, clerk_id="camille", now=NOW)


def change(kiosk: Kiosk, statement: str, touched: dict[str, set[Any]] | None = None) -> None:
    """Change the catalogue as a round does."""
    with kiosk.catalog.writer() as database, write(database):
        database.execute(statement)
        catalog.refresh(database, touched, now=NOW)


def announce(kiosk: Kiosk, listing_id: int, cents: int, *, hours: int) -> str:
    at = clock.to_text(NOW + timedelta(hours=hours))
    change(kiosk, f"insert into price_start values ('{listing_id}@{at}', 1, {listing_id}, '{at}', {cents}, null)")
    return at


def test_a_label_says_what_the_page_of_its_device_says_first(kiosk: Kiosk) -> None:
    said = {position: place.facts for position, place in places(kiosk).items()}

    assert said["A1"] == {
        "sku_id": world.IPHONE_13,
        "language": "fr",
        "title": "Apple iPhone 13",
        "storage_gb": 128,
        "color": "Bleu",
        "grade": "État correct",
        "battery_min_pct": 80,
        "new_battery": 0,
        "price_cents": 32900,
        "prior_cents": None,
        "currency": "EUR",
        "tax_included": True,
        "vat_note": "margin",
        "copy_levy_cents": 1008,
        "legal_months": 24,
        "warranty_months": 12,
        "seller": "Boutique du Port SAS",
    }
    assert said["B1"] is not None
    assert (said["B1"]["battery_min_pct"], said["B1"]["copy_levy_cents"]) == (None, None), "a console has neither"


@pytest.mark.parametrize(("spoken", "language"), [(["br", "en", "fr"], "en"), (["br"], "fr")])
def test_a_label_is_in_the_first_of_the_corner_s_languages_that_we_speak(kiosk: Kiosk, spoken: list[str], language: str) -> None:
    with kiosk.ops_write() as ops:
        corners.store_corner(ops, world.corner_document() | {"languages": spoken})

    facts = places(kiosk)["A1"].facts
    assert facts is not None
    assert (facts["language"], facts["grade"]) == (language, {"en": "Fair", "fr": "État correct"}[language])


def test_a_former_price_stands_on_a_label_only_with_its_evidence(kiosk: Kiosk) -> None:
    """The 30 days of a price without shipping prove nothing about one with it."""
    change(kiosk, "update listing set prior_cents = 39900 where listing_id in (104, 107)")
    with kiosk.ops_write() as ops:
        document = world.corner_document() | {"planogram": [{"position": "A1", "sku_id": 2}, {"position": "A2", "sku_id": 1}]}
        corners.store_corner(ops, document)

    assert [place.facts and place.facts["prior_cents"] for place in places(kiosk).values()] == [None, 39900]
    change(kiosk, "update listing set prior_cents = 25900 where listing_id = 107")
    assert [place.facts and place.facts["prior_cents"] for place in places(kiosk).values()] == [None, None]


def test_a_label_is_printed_put_up_overtaken_and_replaced(kiosk: Kiosk) -> None:
    assert states(kiosk) == ["blank", "blank", "blank"]
    first = print_one(kiosk, "A1")
    assert states(kiosk)[0] == "printed"
    put_up(kiosk, first)
    assert states(kiosk)[0] == "right"

    change(kiosk, "update listing set price_cents = 31400 where listing_id = 104", {"listing": {104}})
    assert states(kiosk)[0] == "stale"
    second = print_one(kiosk, "A1")
    assert states(kiosk)[0] == "printed"

    assert put_up(kiosk, first).state == "standing", "the old one is still what stands there"
    assert put_up(kiosk, second).state == "standing"
    assert states(kiosk)[0] == "right"
    assert put_up(kiosk, first).state == "replaced", "the scan of the old one is known for what it is"


@pytest.mark.parametrize(
    ("statement", "state"),
    [
        ("update listing set price_cents = 99999 where listing_id = 101", "right"),
        ("update stock set quantity = 0 where listing_id = 104", "stale"),
        ("update listing set warranty_months = 24 where listing_id = 104", "stale"),
        ("update law set valid_to = '2026-01-01' where kind = 'copy_levy'", "stale"),
        ("update seller set suspended = 1", "gone"),
        ("update listing set delivery_days = 9 where listing_id = 104", "right"),
    ],
)
def test_what_is_printed_decides_whether_a_label_is_still_right(kiosk: Kiosk, statement: str, state: str) -> None:
    put_up(kiosk, print_one(kiosk, "A1"))

    change(kiosk, statement)

    assert states(kiosk)[0] == state


def test_a_place_that_is_no_more_has_its_label_taken_away(kiosk: Kiosk) -> None:
    put_up(kiosk, print_one(kiosk, "B1"))
    with kiosk.ops_write() as ops:
        corners.store_corner(ops, world.corner_document() | {"planogram": [{"position": "A1", "sku_id": world.IPHONE_13}]})

    gone = places(kiosk)["B1"]
    assert (gone.state, gone.name) == ("gone", "Sony PlayStation 5")
    with kiosk.ops_write() as ops:
        shelf_labels.take_away(ops, "B1", now=NOW)
    assert list(places(kiosk)) == ["A1"]


@pytest.mark.parametrize(("hours", "state"), [(71, "expiring"), (73, "right")])
def test_an_announced_price_is_warned_of_three_days_before(kiosk: Kiosk, hours: int, state: str) -> None:
    put_up(kiosk, print_one(kiosk, "A1"))

    at = announce(kiosk, 104, 29900, hours=hours)

    place = places(kiosk)["A1"]
    assert place.state == state
    if place.next_facts is not None:
        assert (place.changes_at, place.next_facts["price_cents"]) == (at, 30400)


def test_an_announced_price_of_another_seller_counts_where_it_will_win_and_nowhere_else(kiosk: Kiosk) -> None:
    put_up(kiosk, print_one(kiosk, "A1"))
    announce(kiosk, 103, 35000, hours=10)
    assert states(kiosk)[0] == "right", "still dearer than what the label says"

    announce(kiosk, 103, 30000, hours=20)

    place = places(kiosk)["A1"]
    assert place.next_facts is not None
    assert (place.state, place.next_facts["seller"], place.next_facts["price_cents"]) == ("expiring", "Récif Mobile SAS", 30000)


def test_a_page_from_before_prints_no_second_label(kiosk: Kiosk) -> None:
    before = places(kiosk)["A1"]
    assert before.facts is not None
    print_one(kiosk, "A1")

    with kiosk.ops_write() as ops, pytest.raises(LabelSettled):
        shelf_labels.print_label(ops, "A1", before.facts, newest=before.newest, clerk_id="camille", now=NOW)


def test_a_print_that_never_came_out_is_as_good_as_none(kiosk: Kiosk) -> None:
    label = print_one(kiosk, "A1", form=shelf_labels.PRINTER)
    assert states(kiosk)[0] == "blank", "nothing was queued"
    with kiosk.ops_write() as ops:
        ops.execute(
            """
            insert into print_job (kind, subject, copy_no, printer, state, requested_by, requested_at)
            values ('label', ?, 0, 'printer', 'queued', 'camille', ?)
            """,
            [label.subject, clock.to_text(NOW)],
        )
    assert states(kiosk)[0] == "printed"

    with kiosk.ops_write() as ops:
        ops.execute("update print_job set state = 'failed'")
    assert states(kiosk)[0] == "blank"
    put_up(kiosk, label)
    assert states(kiosk)[0] == "right", "it was seen: it exists"


def test_a_damaged_label_is_due_until_the_next_one_stands(kiosk: Kiosk) -> None:
    put_up(kiosk, print_one(kiosk, "A1"))
    with kiosk.ops_write() as ops:
        shelf_labels.mark_damaged(ops, "A1")
        with pytest.raises(LabelSettled):
            shelf_labels.mark_damaged(ops, "A2")

    counts = labels.count_labels(places(kiosk).values())
    assert counts.due == ("A1", "A2", "B1")
    put_up(kiosk, print_one(kiosk, "A1"))
    assert states(kiosk)[0] == "right"


def test_the_code_tells_place_and_print_in_twenty_signs(kiosk: Kiosk) -> None:
    label = print_one(kiosk, "A1")
    code = shelf_labels.label_code(corner(kiosk), label)

    assert len(code) == 20
    assert [scan.kind for scan in scans.codes_in(code + code)] == ["place", "label"] * 2
    assert shelf_labels.scanned_label(kiosk.ops.read(), corner(kiosk), scans.codes_in(code.lower())) == label
    place, mark = code[:11], code[11:]
    for other in (
        mark,
        place,
        "D-00000000",
        scans.code_of("place", "00000000") + mark,
        f"{place}{scans.code_of('label', '000100')}",
    ):
        with pytest.raises(LabelUnknown):
            shelf_labels.scanned_label(kiosk.ops.read(), corner(kiosk), scans.codes_in(other))


def test_a_label_printed_after_the_copy_that_was_put_back_is_not_taken_for_a_later_one(kiosk: Kiosk) -> None:
    lost = shelf_labels.label_code(corner(kiosk), print_one(kiosk, "A1"))
    with kiosk.ops_write() as ops:
        ops.execute("delete from shelf_label")
    change(kiosk, "update listing set price_cents = 31400 where listing_id = 104", {"listing": {104}})
    again = print_one(kiosk, "A1")

    assert again.label_no == 1
    with pytest.raises(LabelUnknown):
        shelf_labels.scanned_label(kiosk.ops.read(), corner(kiosk), scans.codes_in(lost))


def test_hq_is_told_of_each_label_seen_at_its_place_once(kiosk: Kiosk) -> None:
    label = print_one(kiosk, "A1")
    for _ in range(2):
        put_up(kiosk, label)

    [(kind, body)] = kiosk.ops.read().execute("select kind, body from outbox").fetchall()
    assert kind == "label_confirmed"
    assert json.loads(body) == {
        "label_no": 1,
        "position": "A1",
        "sku_id": world.IPHONE_13,
        "price_cents": 32900,
        "clerk_id": "camille",
        "confirmed_at": clock.to_text(NOW),
    }


def test_since_when_a_label_is_untrue_is_noted_once_and_forgotten_when_it_is_right_again(kiosk: Kiosk) -> None:
    put_up(kiosk, print_one(kiosk, "A1"))
    assert labels.turned(places(kiosk).values()) == {}
    for cents, turns in ((31400, {1: False}), (32400, {1: True})):
        change(kiosk, f"update listing set price_cents = {cents} where listing_id = 104", {"listing": {104}})
        assert labels.turned(places(kiosk).values()) == turns
        with kiosk.ops_write() as ops:
            shelf_labels.note_turned(ops, turns, now=NOW)
        assert labels.turned(places(kiosk).values()) == {}
        stale_at = shelf_labels.shelf_label(kiosk.ops.read(), 1).stale_at
        assert stale_at == (None if turns[1] else clock.to_text(NOW))


def test_a_label_is_of_the_device_that_belongs_to_its_place_now(kiosk: Kiosk) -> None:
    put_up(kiosk, print_one(kiosk, "A1"))
    with kiosk.ops_write() as ops:
        one, two, *_ = demo_devices.devices(ops, corner(kiosk))
        demo_devices.move(ops, corner(kiosk), [(one, two.position), (two, one.position)], clerk_id="camille", now=NOW)

    here = places(kiosk)
    assert (here["A1"].state, here["A1"].name, here["A2"].name) == ("stale", "Samsung Galaxy S22", "Apple iPhone 13")


def test_a_round_that_passes_a_label_confirms_it_and_names_an_old_one(kiosk: Kiosk) -> None:
    first = print_one(kiosk, "A1")
    codes = [shelf_labels.label_code(corner(kiosk), first)]
    with kiosk.ops_write() as ops:
        demo_rounds.begin_round(ops, "opening", clerk_id="camille", now=NOW)
        demo_rounds.hear(ops, corner(kiosk), codes[0], clerk_id="camille", now=NOW)
    assert states(kiosk)[0] == "right"
    second = print_one(kiosk, "A1")
    codes.append(shelf_labels.label_code(corner(kiosk), second))

    heard = []
    for code in (codes[1], codes[0], codes[1]):
        with kiosk.ops_write() as ops:
            demo_rounds.hear(ops, corner(kiosk), code, clerk_id="camille", now=NOW)
            running = demo_rounds.round_under_way(ops)
            turn = demo_rounds.turn_of(ops, running, "camille")
            heard.append((turn.heard, turn.position))
    assert heard == [("here", "A1"), ("old_label", "A1"), ("here", "A1")]


def test_the_label_of_another_corner_s_table_confirms_none_of_ours(kiosk: Kiosk) -> None:
    ours = print_one(kiosk, "A1")
    foreign = shelf_labels.label_code(replace(corner(kiosk), corner_id="paris-beaubourg"), ours)
    with kiosk.ops_write() as ops:
        running = demo_rounds.begin_round(ops, "opening", clerk_id="camille", now=NOW)
        demo_rounds.go_to(ops, corner(kiosk), "A1", clerk_id="camille")
        demo_rounds.hear(ops, corner(kiosk), foreign, clerk_id="camille", now=NOW)

    assert demo_rounds.turn_of(kiosk.ops.read(), running, "camille").heard == "foreign_place"
    assert states(kiosk)[0] == "printed"


def test_the_day_counts_the_labels_put_up_in_it_and_those_it_left_untrue(kiosk: Kiosk) -> None:
    put_up(kiosk, print_one(kiosk, "A1"))
    put_up(kiosk, print_one(kiosk, "A2"))
    change(kiosk, "update listing set price_cents = 31400 where listing_id = 104", {"listing": {104}})
    with kiosk.ops_write() as ops:
        shelf_labels.note_turned(ops, labels.turned(places(kiosk).values()), now=NOW)

    def totals(now: datetime) -> tuple[int, int]:
        report = day_reports.day_report(kiosk.ops.read(), corner(kiosk), now=now)
        return report.total("labels_confirmed"), report.total("labels_stale")

    assert totals(NOW) == (2, 1)
    tomorrow = NOW + timedelta(days=1)
    assert totals(tomorrow) == (0, 1), "it still stands there"
    place = places(kiosk)["A1"]
    assert place.facts is not None
    with kiosk.ops_write() as ops:
        label = shelf_labels.print_label(
            ops, "A1", place.facts, newest=place.newest, clerk_id="camille", now=tomorrow, format="a6"
        )
        shelf_labels.confirm_label(ops, label.label_no, clerk_id="camille", now=tomorrow)
    assert totals(tomorrow) == (1, 0)
