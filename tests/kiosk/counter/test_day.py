from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest
import time_machine
from flask.testing import FlaskClient

from demo.printer import VirtualPrinter
from pos.corners import store_corner
from pos.day_reports import FIGURES
from pos.trusted_time import learn_time
from tests import world
from tests.kiosk.counter.conftest import NUMBER, wait_confirmed
from tests.marketplace.papers.printed import printed


def table(clerk: FlaskClient, query: str = "") -> list[dict[str, str]]:
    answer = clerk.get(f"/counter/day/figures.csv{query}")
    assert answer.mimetype == "text/csv"
    return list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")), delimiter=";"))


def words(page: str) -> str:
    """Return what a page says, its spaces made one."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_the_day_so_far_is_said_as_such(clerk: FlaskClient, slip: str) -> None:
    clerk.post(f"/counter/slips/{NUMBER}/void", data={"reason": "mistake"})

    page = words(clerk.get("/counter/day").text)

    assert "22 novembre 2026" in page
    assert "Journée en cours, commencée à 04:00, comptée à 15:32." in page
    assert "Bons 1 dont 1 annulé" in page, "a voided slip does not vanish"
    assert "Rien à comparer" in page
    assert "Apple iPhone 13 IPHONE-13-128-BLUE 1 1" in page
    assert "Série 100 Go 1 1" in page
    assert "Bons faits pendant la journée du corner, annulés compris." in page


def test_the_file_is_one_long_table_of_every_figure(clerk: FlaskClient, slip: str) -> None:
    rows = table(clerk)

    assert {row["figure"] for row in rows if row["value"] != "0"} == {"slips", "slips_by_hour", "slips_by_sku", "slips_by_plan"}
    assert sum(row["figure"] == "slips_by_hour" for row in rows) == 24
    [hour] = [row for row in rows if row["figure"] == "slips_by_hour" and row["value"] == "1"]
    assert (hour["key"], hour["name"], hour["day"], hour["corner"]) == (
        "2026-11-22T15:00+01:00",
        "15:00",
        "2026-11-22",
        "nantes-crebillon",
    )
    assert (hour["from"], hour["until"]) == ("2026-11-22T03:00:00Z", "2026-11-22T14:32:00Z")
    assert all(row["definition"] for row in rows)


def test_no_name_in_the_file_becomes_a_formula(clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("update slip_line set title = '=HYPERLINK(\"http://evil.test\")', sku = '@SUM(1)'")

    [row] = [row for row in table(clerk) if row["figure"] == "slips_by_sku"]

    assert (row["key"], row["name"]) == ("'@SUM(1)", '\'=HYPERLINK("http://evil.test")')


def test_screen_file_document_and_roll_say_the_same(
    clerk: FlaskClient, slip: str, printer: VirtualPrinter, kiosk: world.Kiosk
) -> None:
    clerk.post(f"/counter/slips/{NUMBER}/reprints")
    wait_confirmed(kiosk, 1)
    with time_machine.travel(world.NOW + timedelta(minutes=1), tick=False):
        where = clerk.post("/counter/day/papers", data={"on": "2026-11-22"}).headers["Location"]
        page, document = clerk.get(where).text, clerk.get("/counter/day/report.pdf")
        rows = table(clerk)

    assert document.mimetype == "application/pdf"
    wait_confirmed(kiosk, 2)
    pdf, roll = printed(document.data), list(printer.papers().values())[-1].text
    assert "Rapport demandé" in page
    assert re.search(r"RAPPORT DU JOUR", roll)
    shown = [row for row in rows if row["value"] != "0" and row["name"]]
    assert {row["figure"] for row in shown} >= {"slips_by_hour", "slips_by_sku", "slips_by_plan", "papers_printed"}
    for row in shown:
        if row["key"] != "report":
            line = rf"{re.escape(row['name'])}\s+{row['value']}\b"
            assert re.search(line, pdf), (row["figure"], "document")
            assert re.search(line, roll), (row["figure"], "roll")
    assert "Bons : 1" in pdf
    assert "Bons 1" in words(page)
    for figure in ("slips_by_sku", "slips_by_plan", "slips_by_hour"):
        [row] = [row for row in shown if row["figure"] == figure]
        name = {"slips_by_sku": f"{row['name']} {row['key']}"}.get(figure, row["name"])
        assert f"{name} {row['value']}" in words(page)


def test_a_day_before_is_asked_for_by_its_date(clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    with time_machine.travel(world.NOW + timedelta(days=7, hours=-3), tick=False):
        clerk.post("/counter/session", data={"clerk": "camille", "pin": world.PIN})
        today = words(clerk.get("/counter/day").text)
        before = clerk.get("/counter/day?on=2026-11-22").text
        whole = words(clerk.get("/counter/day?on=2026-11-28").text)

        assert "Une semaine plus tôt à la même heure : 0 bon." in today
        assert "Du 22 novembre 2026, 04:00 au 23 novembre 2026, 04:00." in words(before)
        assert 'rel="prev"' not in before, "the first day of which anything is known"
        assert "/counter/day?on=2026-11-23" in before
        assert "Rien à comparer" in whole
        assert sum(int(row["value"]) for row in table(clerk, "?on=2026-11-22") if row["figure"] == "slips") == 1
        for missing in ("2026-11-21", "2026-11-30", "tomorrow"):
            assert clerk.get(f"/counter/day?on={missing}").status_code == 404


def test_the_day_begins_where_hq_says(clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    with kiosk.ops_write() as ops:
        store_corner(ops, {**world.corner_document(), "day_begins_hour": 0})

    assert table(clerk)[0]["from"] == "2026-11-21T23:00:00Z"


def test_after_midnight_the_evening_s_slips_are_still_today_s(clerk: FlaskClient, slip: str) -> None:
    with time_machine.travel(world.NOW + timedelta(hours=11), tick=False):
        clerk.post("/counter/session", data={"clerk": "camille", "pin": world.PIN})

        assert "1 bon aujourd’hui" in clerk.get("/counter/").text, "the counter's list and its report mean the same day"
        assert "Bons 1" in words(clerk.get("/counter/day").text)


def test_a_report_without_a_printer_is_refused_and_one_that_waits_can_be_sent_again(
    clerk: FlaskClient, kiosk: world.Kiosk, slip: str
) -> None:
    assert clerk.post("/counter/day/papers", data={}).status_code == 503
    kiosk.set_printer(1)
    clerk.post("/counter/day/papers", data={})
    paper = clerk.get("/counter/paper").text

    assert "Rapport du 22 novembre 2026" in paper
    assert clerk.post("/counter/paper/1/print").status_code == 303


def test_a_report_of_a_day_that_a_clock_left_behind_calls_tomorrow_can_be_sent_again(
    clerk: FlaskClient, kiosk: world.Kiosk
) -> None:
    kiosk.set_printer(1)
    with kiosk.ops_write() as ops:
        learn_time(ops, world.NOW + timedelta(days=1), wall=world.NOW)
    clerk.post("/counter/day/papers", data={})

    assert "Rapport du 23 novembre 2026" in clerk.get("/counter/paper").text
    assert clerk.post("/counter/paper/1/print").status_code == 303


@pytest.mark.parametrize("path", ["/counter/day", "/counter/day/figures.csv", "/counter/day/report.pdf"])
def test_the_report_is_for_clerks(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 303


def test_every_figure_is_defined_on_the_page(clerk: FlaskClient) -> None:
    clerk.post("/language", data={"language": "en"})

    page = words(clerk.get("/counter/day").text)

    assert len(FIGURES) > 7
    assert "Slips of the day voided since, on whatever day that was. They stay counted." in page
