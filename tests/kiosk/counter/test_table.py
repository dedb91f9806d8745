from __future__ import annotations

import io
import re
import time
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
import zxingcpp
from flask.testing import FlaskClient
from PIL import Image

from demo.printer import VirtualPrinter
from pos import corners, demo_devices
from pos.scans import code_of, place_value
from tests import world

TABLE = "/counter/table"


@pytest.fixture
def tags(kiosk: world.Kiosk) -> dict[str, str]:
    """The number of the device that HQ plans at each place."""
    ops = kiosk.ops.read()
    return {each.planned: each.demo_id for each in demo_devices.devices(ops, corners.corner(ops))}


@pytest.fixture
def opening(clerk: FlaskClient) -> FlaskClient:
    """Camille in an opening round."""
    assert clerk.post("/counter/table/rounds", data={"kind": "opening"}).headers["Location"] == TABLE
    return clerk


def scan(client: FlaskClient, *codes: str) -> str:
    for code in codes:
        assert client.post("/counter/table/scans", data={"code": code}).headers["Location"] == TABLE
    return client.get(TABLE).text


def tag(demo_id: str) -> str:
    return code_of("device", demo_id)


def label(position: str) -> str:
    return code_of("place", place_value("nantes-crebillon", position))


def figures(page: str) -> list[str]:
    """Return how many devices stand in each of the three lists."""
    return re.findall(r"<h2 id=\"(?:right|elsewhere|missing)\">.*?<b>(\d+)</b>", page)


def test_without_a_round_the_table_shows_its_devices_and_offers_both_rounds(clerk: FlaskClient, tags: dict[str, str]) -> None:
    page = clerk.get(TABLE).text

    assert "Aucun tour n’a encore été fait ici." in page
    assert all(f'href="{TABLE}/devices/{demo_id}"' in page for demo_id in tags.values())
    assert 'class="thumb next" name="kind" value="opening"' in page


def test_an_opening_round_by_scan_fills_three_lists(opening: FlaskClient, tags: dict[str, str]) -> None:
    page = scan(opening, tag(tags["A1"]), label("B1") + tag(tags["A2"]))

    assert "2 places vues sur 3" in page
    assert "vu en B1, attendu en A2." in page
    assert figures(page) == ["1", "1", "0"]
    opening.post(f"/counter/table/devices/{tags['B1']}/sightings", data={"missing": "yes"})
    page = opening.get(TABLE).text
    assert figures(page) == ["1", "1", "1"]
    assert "Jamais vu jusqu’ici." in page
    assert "Toutes les places sont vues." in page


def test_a_move_is_accepted_with_one_tap_and_the_customers_table_follows(opening: FlaskClient, tags: dict[str, str]) -> None:
    scan(opening, label("A2") + tag(tags["A1"]) + label("A1") + tag(tags["A2"]))
    assert "Échangés, c’est fait" in opening.get(TABLE).text

    opening.post("/counter/table/moves", data={"demo_id": tags["A1"]})

    assert figures(opening.get(TABLE).text) == ["2", "0", "0"]
    home = opening.get("/home").text
    assert home.index(">A1<") < home.index("<h3><bdi>Galaxy S22") < home.index(">A2<") < home.index("<h3><bdi>iPhone 13")


def test_thumbs_answer_for_the_next_device_and_the_last_answer_can_be_undone(opening: FlaskClient, tags: dict[str, str]) -> None:
    assert "A1 · iPhone 13" in opening.get(TABLE).text
    opening.post(f"/counter/table/devices/{tags['A1']}/sightings", data={"position": "A1"})
    page = opening.get(TABLE).text
    assert "A2 · Galaxy S22" in page

    event_no = re.search(r"/counter/table/answers/(\d+)/removal", page)
    assert event_no is not None
    assert "Annuler A1" in page
    opening.post(f"/counter/table/answers/{event_no[1]}/removal")

    assert "A1 · iPhone 13" in opening.get(TABLE).text
    assert opening.post(f"/counter/table/answers/{event_no[1]}/removal").status_code == 409


def test_a_tapped_place_is_where_the_next_scan_lies(opening: FlaskClient, tags: dict[str, str]) -> None:
    opening.post("/counter/table/turn", data={"position": "B1"})
    assert "Vous êtes en B1." in opening.get(TABLE).text

    assert "iPhone 13 : pas à sa place." in scan(opening, tag(tags["A1"]))
    assert opening.post("/counter/table/turn", data={"position": "Z9"}).status_code == 404


def test_elsewhere_asks_where_and_takes_a_tap(opening: FlaskClient, tags: dict[str, str]) -> None:
    page = opening.get(f"{TABLE}?elsewhere={tags['A1']}").text
    assert "touchez la place où vous le voyez" in page
    assert f'action="/counter/table/devices/{tags["A1"]}/sightings"' in page

    demo_id = tags["A1"]
    opening.post(f"/counter/table/devices/{demo_id}/sightings", data={"position": "A2"})

    assert "vu en A2, attendu en A1." in opening.get(TABLE).text


def test_a_missing_device_found_in_the_back_room_is_missing_no_more(opening: FlaskClient, tags: dict[str, str]) -> None:
    opening.post(f"/counter/table/devices/{tags['A1']}/sightings", data={"missing": "yes"})
    assert "noté manquant" in opening.get(f"{TABLE}/devices/{tags['A1']}").text

    opening.post(f"/counter/table/devices/{tags['A1']}/sightings", data={"reserve": "yes"})

    page = opening.get(TABLE).text
    assert figures(page) == ["0", "0", "0"]
    assert "iPhone 13 : en réserve" in page


def test_cares_are_noted_with_one_thumb_each(opening: FlaskClient, tags: dict[str, str]) -> None:
    for kind in ("charged", "cleaned", "tested", "wiped"):
        answer = opening.post(f"/counter/table/devices/{tags['A1']}/events", data={"kind": kind, "next": TABLE})
        assert answer.headers["Location"] == TABLE

    assert opening.get(TABLE).text.count('aria-pressed="true"') >= 4


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("3017620422003", "ni une place ni un appareil"),
        ("n'importe", "ne se lit pas"),
        (code_of("device", "00000000"), "n’est pas au plan"),
    ],
)
def test_what_a_scan_was_is_said(opening: FlaskClient, code: str, words: str) -> None:
    assert words in scan(opening, code)


def test_the_round_ends_with_the_rest_missing_or_open(opening: FlaskClient, tags: dict[str, str]) -> None:
    number = 1
    assert "Terminer : 3 non vues sont manquantes" in opening.get(TABLE).text
    opening.post(f"/counter/table/rounds/{number}/end", data={"unseen": "missing"})

    page = opening.get(TABLE).text
    assert "Dernier tour : tour d’ouverture, fini" in page
    assert page.count(">manquant<") == 3
    assert 'class="thumb next" name="kind" value="closing"' in page
    assert opening.post("/counter/table/scans", data={"code": tag(tags["A1"])}).status_code == 409


def test_a_device_s_page_notes_loan_battery_damage_and_theft(clerk: FlaskClient, tags: dict[str, str]) -> None:
    demo_id = tags["A1"]
    page, events = f"/counter/table/devices/{demo_id}", f"/counter/table/devices/{demo_id}/events"
    for form in (
        {"kind": "battery", "detail": "78"},
        {"kind": "damaged", "detail": "screen"},
        {"kind": "loaned", "borrower": "idriss", "back_by": "2026-12-01"},
    ):
        assert clerk.post(events, data=form).headers["Location"] == page
    text = clerk.get(page).text
    assert "prêté à Idriss jusqu’au 1 décembre 2026" in text.replace("1er", "1")
    assert "batterie à 78 %" in text
    assert "abîmé : écran" in text

    clerk.post(events, data={"kind": "returned"})
    clerk.post(events, data={"kind": "stolen"})

    assert ">volé<" in clerk.get(page).text
    assert clerk.post(events, data={"kind": "moved"}).status_code == 400
    assert clerk.post(events, data={"kind": "battery", "detail": "beaucoup"}).status_code == 400
    assert clerk.get(f"{TABLE}/devices/ZZZZZZZZ").status_code == 404


def test_the_bar_turns_round_for_the_other_hand(opening: FlaskClient) -> None:
    assert "Main gauche" in opening.get(TABLE).text
    opening.post("/counter/table/hand")
    page = opening.get(TABLE).text
    assert "for-left" in page
    assert "Main droite" in page


def test_a_round_is_made_without_a_catalogue(opening: FlaskClient, kiosk: world.Kiosk, tags: dict[str, str]) -> None:
    with kiosk.catalog.write() as catalog:
        catalog.execute("delete from shelf")
        catalog.execute("delete from sku")

    assert f"appareil {tags['A1']}" in opening.get(TABLE).text
    assert "à sa place." in scan(opening, tag(tags["A1"]))


def test_yesterday_s_round_is_still_open_and_says_since_when(opening: FlaskClient) -> None:
    with time_machine.travel(world.NOW + timedelta(days=1), tick=False):
        opening.post("/counter/session", data={"clerk": "idriss", "pin": world.PIN})
        assert "Commencé 22 novembre 2026" in opening.get(TABLE).text


def test_a_missing_device_is_a_fault_of_the_kiosk_until_it_is_seen(opening: FlaskClient, tags: dict[str, str]) -> None:
    opening.post(f"/counter/table/devices/{tags['A1']}/sightings", data={"missing": "yes"})
    faults = opening.get("/status.json").json["faults"]
    assert [fault["since"] for fault in faults if fault["code"] == "demo_missing"] == ["2026-11-22T14:32:00Z"]

    scan(opening, tag(tags["A1"]))

    assert "demo_missing" not in opening.get("/status.json").text


def test_a_loan_is_a_fault_of_the_kiosk_from_the_day_after_it_was_due(clerk: FlaskClient, tags: dict[str, str]) -> None:
    page = f"/counter/table/devices/{tags['A1']}"
    clerk.post(f"{page}/events", data={"kind": "loaned", "borrower": "idriss", "back_by": "2026-12-01"})

    def late_at(moment: datetime) -> list[str]:
        with time_machine.travel(moment, tick=False):
            faults = clerk.get("/status.json").json["faults"]
        return [fault["since"] for fault in faults if fault["code"] == "demo_overdue"]

    midnight = datetime(2026, 12, 1, 23, tzinfo=UTC)
    assert late_at(midnight - timedelta(seconds=1)) == []
    assert late_at(midnight) == ["2026-12-01T23:00:00Z"]
    clerk.post(f"{page}/events", data={"kind": "returned"})
    assert late_at(midnight) == []


def test_a_loan_to_the_last_day_of_all_hides_no_other_fault(clerk: FlaskClient, tags: dict[str, str]) -> None:
    clerk.post(
        f"/counter/table/devices/{tags['A1']}/events", data={"kind": "loaned", "borrower": "idriss", "back_by": "9999-12-31"}
    )
    codes = [fault["code"] for fault in clerk.get("/status.json").json["faults"]]
    assert not {"demo_overdue", "records_damaged"} & set(codes)
    assert "prêté à" in clerk.get(f"/counter/table/devices/{tags['A1']}").text


def test_the_tag_of_a_device_is_printed_and_a_round_reads_it_off_the_paper(
    opening: FlaskClient, printer: VirtualPrinter, tags: dict[str, str]
) -> None:
    demo_id = tags["B1"]
    page = f"{TABLE}/devices/{demo_id}"
    assert opening.post(f"/counter/table/devices/{demo_id}/tags").headers["Location"] == page

    until = time.monotonic() + 30
    while not printer.papers() and time.monotonic() < until:
        time.sleep(0.02)
    [paper] = printer.papers().values()
    code = zxingcpp.read_barcode(Image.open(io.BytesIO(paper.png))).text
    assert code == tag(demo_id)
    assert "PlayStation 5" in paper.text
    assert "Étiquette de l’appareil" in opening.get(page).text
    assert "1 place vue sur 3" in scan(opening, code)
