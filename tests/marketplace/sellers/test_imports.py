"""A seller's file over the API and at the desk: every line told, a crash gone on from, its publication named."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import event

from marketplace.db import changed, reading, run_tx
from marketplace.running.housekeeping import PUBLISH_EVERY
from marketplace.running.jobs import MOST_TRIES, Work
from marketplace.sellers import imports
from marketplace.sellers.fields import FIELDS
from marketplace.sellers.imports import KEPT, follow_publications, forget_imports, publishing_imports, take_import
from pos import clock
from tests.marketplace.hq import Hq, words
from tests.marketplace.orders.test_step_mails import mails, written
from tests.marketplace.sellers.desks import desk
from tests.marketplace.sellers.selling import EAN, Seller
from tests.marketplace.sellers.workbook import workbook
from tests.marketplace.test_console import log_in

HEADER = "sku;ean;grade;price;quantity;warranty_delay;shipping_delay;vat_type;comment"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@pytest.fixture
def seller(hq: Hq) -> Seller:
    return Seller(hq)


def line(sku: str, price: str = "359,00", **changes: str) -> str:
    fields = {"ean": EAN, "grade": "GOOD", "price": price, "quantity": "4", "warranty": "24", "delay": "48", "vat": "MARGINAL"}
    return ";".join([sku, *(fields | changes).values(), ""])


def table(*lines: str) -> bytes:
    return "\n".join([HEADER, *lines]).encode()


def send(seller: Seller, content: bytes, kind: str = "text/csv", **asked: Any) -> str:
    answer = seller.ask("POST", "/imports", data=content, content_type=kind, **asked)
    assert (answer.status_code, set(answer.json or {})) == (202, {"import_id"}), answer.text
    return str(answer.json["import_id"])  # type: ignore[index]


def told(seller: Seller, import_id: str) -> dict[str, Any]:
    answer = seller.ask("GET", f"/imports/{import_id}").json
    assert answer is not None
    return answer


def test_a_file_is_taken_in_line_by_line_and_followed_into_its_publication(hq: Hq, seller: Seller) -> None:
    seller.put("A-2")
    seller.put("A-3")
    start = clock.now()
    with time_machine.travel(start, tick=False) as travel:
        hq.work()
        held, again, bad = line("A-3", "3,00"), line("a-1"), line("A-4", ean="4,00638E+12", grade="VERY_GOOD")
        import_id = send(seller, table(line("A-1"), line("A-2", "349.00"), held, again, bad, "A-5;1"))
        assert told(seller, import_id)["state"] == "waiting"
        hq.work()
        assert told(seller, import_id)["state"] == "publishing"
        travel.move_to(start + PUBLISH_EVERY)
        hq.work()
    [latest] = hq.rows("select max(publication) as n from sync_publication")
    answer = told(seller, import_id)
    problems = {(each["line"], each["field"], each["code"]) for each in answer.pop("problems")}
    assert answer == {
        "state": "done", "lines": 6, "added": 1, "changed": 1, "unchanged": 0, "held": 1, "refused": 3,
        "publication": latest["n"],
    }  # fmt: skip
    assert problems == {
        (4, "price", "price_jumped"),
        (5, "sku", "sku_twice"),
        (6, "ean", "ean_rounded"),
        (6, "grade", "grade_very_good"),
        (7, "", "wrong_columns"),
    }
    assert {row["price_cents"] for row in seller.on_sale()} == {35900, 34900}


def test_the_same_file_again_changes_and_publishes_nothing(hq: Hq, seller: Seller) -> None:
    content = table(line("A-1"), line("A-2"))
    send(seller, content)
    hq.work()
    hq.publish()
    again = send(seller, content)
    hq.work()
    assert told(seller, again) | {"problems": None} == {
        "state": "done", "lines": 2, "added": 0, "changed": 0, "unchanged": 2, "held": 0, "refused": 0, "publication": None,
        "problems": None,
    }  # fmt: skip
    assert hq.rows("select * from sync_dirty") == []


def test_a_workbook_comes_in_as_a_table_does(hq: Hq, seller: Seller) -> None:
    row = ["X-1", int(EAN), "GOOD", 359.5, 4, 24, 48, "MARGINAL", ""]
    import_id = send(seller, workbook(list(HEADER.split(";")), row), XLSX)
    hq.work()
    assert told(seller, import_id)["added"] == 1
    assert seller.on_sale()[0]["price_cents"] == 35950


def test_a_file_that_cannot_be_trusted_is_refused_whole_and_the_next_goes_on(hq: Hq, seller: Seller) -> None:
    bad = send(seller, b"sku;pirce\nA;1\n")
    good = send(seller, table(line("A-1")))
    hq.work()
    refused = told(seller, bad)
    assert (refused["state"], refused["lines"], refused["publication"]) == ("refused", 0, None)
    [problem] = refused["problems"]
    assert (problem["line"], problem["field"], problem["code"]) == (1, "pirce", "unknown_column")
    with time_machine.travel(clock.now() + timedelta(seconds=6), tick=False):
        hq.work()
        assert told(seller, good)["added"] == 1
    assert hq.rows("select * from seller_import_file") == []


def test_files_of_one_second_are_taken_in_as_they_were_sent(hq: Hq, seller: Seller) -> None:
    start = clock.now()
    with time_machine.travel(start, tick=False) as travel:
        sent = [send(seller, table(line("A-1", f"{price},00"))) for price in range(351, 357)]
        for turn in range(2):
            travel.move_to(start + turn * imports.AGAIN)
            hq.work()
    assert [(told(seller, each)["added"], told(seller, each)["changed"]) for each in sent] == [(1, 0), *[(0, 1)] * 5]
    assert [row["price_cents"] for row in seller.on_sale()] == [35600]


def test_a_row_that_no_database_takes_is_refused_alone(hq: Hq, seller: Seller) -> None:
    rows = (["_x0000_A", int(EAN)], ["B", "_x0000_"], ["C", int(EAN)])
    sheet = [[*each, "GOOD", 359.5, 4, 24, 48, "MARGINAL", ""] for each in rows]
    import_id = send(seller, workbook(list(HEADER.split(";")), *sheet), XLSX)
    hq.work()
    answer = told(seller, import_id)
    assert (answer["added"], answer["refused"]) == (1, 2)
    assert [(each["line"], each["field"], each["code"]) for each in answer["problems"]] == [
        (2, "sku", "unprintable"),
        (3, "ean", "unprintable"),
    ]


def test_a_file_whose_job_is_dead_is_refused_and_the_next_goes_on(
    hq: Hq, seller: Seller, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = send(seller, table(line("A-1")))
    hq.write("update job set tries = :tries where kind = 'import'", tries=MOST_TRIES - 1)
    with monkeypatch.context() as patched:
        patched.setattr(imports, "take_rows", None)
        hq.work()
    answer = told(seller, dead)
    assert (answer["state"], [each["code"] for each in answer["problems"]]) == ("refused", ["not_taken"])
    assert "envoyez-le à nouveau" in words(desk(hq, 1).get(f"/seller/imports/{dead}"))
    after = send(seller, table(line("A-1")))
    hq.work()
    assert told(seller, after)["added"] == 1


def test_a_file_hq_sets_aside_is_called_so_with_its_reason_and_its_seller_is_mailed(hq: Hq, seller: Seller) -> None:
    aside, after = send(seller, table(line("A-1"))), send(seller, table(line("A-2")))
    browser = desk(hq, 1)
    log_in(hq)
    [job] = hq.rows("select owner_id, job_id from job where kind = 'import' order by job_id limit 1")
    assert "le vendeur le lira" in words(hq.client.get("/console/jobs"))
    assert hq.client.post("/console/jobs/notes", data={**job, "note": "prix d’un autre mois"}).status_code == 303
    hq.work()
    answer = told(seller, aside)
    assert (answer["state"], [each["code"] for each in answer["problems"]]) == ("refused", ["set_aside"])
    assert "écarté par notre équipe" in words(browser.get("/seller/imports"))
    assert "prix d’un autre mois" in words(browser.get(f"/seller/imports/{aside}"))
    [mail] = mails(hq, "import_given_up")
    assert "Notre équipe a écarté ce fichier : prix d’un autre mois" in written(mail).text
    assert "Our team set this file aside: prix d’un autre mois" in written(mail, "en").text
    assert told(seller, after)["added"] == 1
    assert hq.rows("select import_id from seller_import_file where import_id = :aside", aside=aside) == []


def test_what_is_no_file_is_refused_at_once(seller: Seller) -> None:
    assert seller.ask("POST", "/imports", data=b"", content_type="text/csv").status_code == 422
    assert seller.ask("POST", "/imports", data=b"x", content_type="application/pdf").status_code == 415
    assert seller.ask("POST", "/imports", json={}).status_code == 415
    assert seller.ask("POST", "/imports?market=mars", data=b"x", content_type="text/csv").status_code == 404
    assert seller.ask("POST", "/imports", data=b" " * (8 * 2**20 + 1), content_type="text/csv").status_code == 413
    assert seller.ask("GET", "/imports/none").status_code == 404


def test_one_idempotency_key_is_one_import(hq: Hq, seller: Seller) -> None:
    headers = {"Idempotency-Key": "monday"}
    first, again = (send(seller, table(line("A-1")), headers=headers) for _ in range(2))
    assert first == again
    assert len(hq.rows("select * from seller_import")) == 1


def test_a_worker_that_dies_between_chunks_is_gone_on_from(hq: Hq, seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "CHUNK", 2)
    import_id = send(seller, table(*(line(f"A-{number}") for number in range(5)), line("a-0")))
    work = Work(
        engine=hq.engine, directory=hq.directory, public_url="", now=clock.now(), owner_id="1", job_id=f"import:{import_id}"
    )  # fmt: skip
    whole, calls = imports.take_rows, []

    def dying(*arguments: Any, **asked: Any) -> Any:
        calls.append(1)
        verdicts = whole(*arguments, **asked)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return verdicts

    monkeypatch.setattr(imports, "take_rows", dying)
    with pytest.raises(KeyboardInterrupt):
        take_import(work, {"import_id": import_id})
    assert (told(seller, import_id)["state"], len(seller.on_sale())) == ("running", 2)
    take_import(work, {"import_id": import_id})
    answer = told(seller, import_id)
    assert (answer["added"], answer["refused"], answer["lines"]) == (5, 1, 6)
    assert [each["code"] for each in answer["problems"]] == ["sku_twice"], "what came before the crash is remembered"
    assert len(seller.on_sale()) == 5
    assert take_import(work, {"import_id": import_id}) == "publishing"


def test_what_is_held_back_is_not_called_published_until_hq_lets_it_go(hq: Hq, seller: Seller) -> None:
    send(seller, table(*(line(f"A-{number}") for number in range(20))))
    hq.work()
    hq.publish()
    start = clock.now() + PUBLISH_EVERY
    with time_machine.travel(start, tick=False) as travel:
        import_id = send(seller, table(*(line(f"A-{number}", "99,00") for number in range(20))))
        hq.work()
        for turn in (1, 2):
            travel.move_to(start + turn * PUBLISH_EVERY)
            hq.work()
        browser = desk(hq, 1, "reader")
        assert told(seller, import_id)["state"] == "publishing"
        assert "20 annonces changent trop d’un coup" in words(browser.get(f"/seller/imports/{import_id}"))
        log_in(hq)
        hq.client.post("/console/trials/fr/releases")
        travel.move_to(start + 3 * PUBLISH_EVERY)
        hq.work()
        answer = told(seller, import_id)
    assert (answer["state"], answer["publication"] is not None) == ("done", True)


def test_what_a_busy_seller_changes_after_a_file_does_not_keep_it_from_being_published(hq: Hq, seller: Seller) -> None:
    start = clock.now()
    with time_machine.travel(start, tick=False) as travel:
        hq.work()
        import_id = send(seller, table(line("A-1"), line("A-2")))
        hq.work()
        travel.move_to(start + timedelta(seconds=2))
        seller.patch("A-1", price="349.00")
        with reading(hq.engine) as connection:
            waiting = publishing_imports(connection)
        assert follow_publications(hq.engine, waiting, now=clock.now()) == 0, "a mark renewed is still the file's"
        number = hq.publish()
        seller.patch("A-1", price="339.00")
        assert follow_publications(hq.engine, waiting, now=clock.now()) == 1
    answer = told(seller, import_id)
    assert (answer["state"], answer["publication"]) == ("done", number)


def test_the_desk_takes_a_file_and_shows_its_report(hq: Hq) -> None:
    owner = desk(hq, 1)
    content = table(line("=1+1"), line("B", grade="VERY_GOOD"), line("C", "359,00"))
    sent = owner.post("/seller/imports", data={"market": "fr", "file": (io.BytesIO(content), "stock du lundi.csv")})
    assert sent.status_code == 303
    hq.work()
    page = words(owner.get(sent.location))
    for said in (
        "stock du lundi.csv",
        "FR",
        "« Très bon état » s’écrit GOOD",
        "grade = VERY_GOOD",
        "Ajoutées",
        "publié dans la version 2",
    ):
        assert said in page
    assert "=1+1" not in words(owner.get(f"{sent.location}?outcome=refused"))
    assert "Aucune ligne ici" in words(owner.get(f"{sent.location}?after=99"))
    assert "stock du lundi.csv" in words(owner.get("/seller/imports"))
    report = owner.get(f"{sent.location}/report.csv")
    told_lines = list(csv.reader(io.StringIO(report.data.decode("utf-8-sig")), delimiter=";"))
    assert told_lines[0] == ["line", "sku", "outcome", "field", "value", "code", "detail"]
    assert [each[:3] for each in told_lines[1:]] == [["2", "'=1+1", "added"], ["3", "B", "refused"], ["4", "C", "added"]]
    assert "attachment" in report.headers["Content-Disposition"]


def test_listings_taken_away_as_a_file_and_sent_back_change_nothing(hq: Hq, seller: Seller) -> None:
    seller.put("A-1", comment="-10 % sur la coque", min_price="300.00", battery=None)
    seller.put("B-2", grade="EXCELLENT", paused=True, shipping_price="0.00")
    owner = desk(hq, 1)
    taken = owner.get("/seller/listings.csv?market=fr")
    assert taken.headers["Content-Disposition"] == 'attachment; filename="listings-fr.csv"'
    assert taken.data.startswith(b"\xef\xbb\xbfsku;product;grade;price;"), "a spreadsheet knows UTF-8 by its mark"
    assert "'-10 % sur la coque" in taken.text, "nothing is worked out"
    before = seller.on_sale()
    import_id = send(seller, taken.data)
    hq.work()
    answer = told(seller, import_id)
    assert (answer["state"], answer["unchanged"], answer["lines"]) == ("done", 2, 2)
    assert seller.on_sale() == before
    assert owner.get("/seller/listings.csv?market=xx").status_code == 404
    assert "A-1" not in desk(hq, 2).get("/seller/listings.csv?market=fr").text


def test_the_page_explains_every_column_a_file_may_have(hq: Hq) -> None:
    page = words(desk(hq, 1).get("/seller/imports"))
    for name in FIELDS:
        assert f"<code>{name}</code></dt><dd>" in page
    assert "<dd></dd>" not in page


def test_an_empty_file_is_named_and_no_file_is_asked_for(hq: Hq) -> None:
    owner = desk(hq, 1)
    sent = owner.post("/seller/imports", data={"market": "fr", "file": (io.BytesIO(b""), "lundi.csv")})
    assert "« lundi.csv » est vide" in words(sent)
    assert "Choisissez d’abord un fichier" in words(owner.post("/seller/imports", data={"market": "fr"}))


def test_a_report_renews_itself_while_it_is_made_and_not_afterwards(hq: Hq) -> None:
    owner = desk(hq, 1)
    content = io.BytesIO(b"reference;prix\nA-1;359\n")
    sent = owner.post("/seller/imports", data={"market": "fr", "file": (content, "x.csv")}).location
    page = owner.get(sent).text
    assert "attend d’être lu" in words(owner.get(sent))
    assert 'http-equiv="refresh"' in page
    hq.work()
    assert 'http-equiv="refresh"' not in owner.get(sent).text
    assert "Celles qui le sont : battery, comment" in words(owner.get(sent)), "a wrong header leads to the right ones"


def test_a_refused_file_says_why_at_the_desk(hq: Hq) -> None:
    owner = desk(hq, 1)
    sent = owner.post("/seller/imports", data={"market": "fr", "file": (io.BytesIO(b"%PDF\0"), "x.pdf")})
    hq.work()
    page = words(owner.get(sent.location))
    assert "Rien n’a été pris dans ce fichier" in page
    assert "enregistrez-le en CSV UTF-8" in page
    assert "refused" in owner.get(f"{sent.location}/report.csv").text


def test_owners_send_files_and_nobody_sees_another_seller_s(hq: Hq, seller: Seller) -> None:
    import_id = send(seller, table(line("A-1")))
    assert desk(hq, 1, "reader").get(f"/seller/imports/{import_id}").status_code == 200
    assert desk(hq, 1, "shipping").post("/seller/imports", data={}).status_code == 403
    owner = desk(hq, 2)
    assert owner.get(f"/seller/imports/{import_id}").status_code == 404
    assert owner.get(f"/seller/imports/{import_id}/report.csv").status_code == 404
    assert Seller(hq, 2).ask("GET", f"/imports/{import_id}").status_code == 404
    assert owner.post("/seller/imports", data={"market": "fr"}).status_code == 422


def test_a_seller_may_have_ten_files_waiting(hq: Hq, seller: Seller) -> None:
    for number in range(imports.MOST_UNDONE):
        send(seller, table(line(f"A-{number}")))
    refused = seller.ask("POST", "/imports", data=table(line("A-1")), content_type="text/csv")
    assert (refused.status_code, refused.headers["Retry-After"]) == (409, "5")
    owner = desk(hq, 1)
    sent = owner.post("/seller/imports", data={"market": "fr", "file": (io.BytesIO(b"x"), "x.csv")})
    assert "ne sont pas finis" in words(sent)


def test_a_row_for_another_market_is_refused_with_that_reason(hq: Hq, seller: Seller) -> None:
    import_id = send(seller, b"sku;market;price\nA;us;3\n")
    hq.work()
    assert [each["code"] for each in told(seller, import_id)["problems"]] == ["other_market"]


def test_imports_of_long_ago_are_forgotten_some_lines_at_a_time(hq: Hq, seller: Seller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "CHANGED_AT_ONCE", 2)
    import_id = send(seller, table(*[line("A-1")] * 5))
    hq.work()
    run_tx(hq.engine, lambda connection: changed(connection, "update seller_import set state = 'done'"))
    assert forget_imports(hq.engine, now=clock.now()) == 0
    deleted: list[int] = []
    event.listen(hq.engine, "after_cursor_execute", lambda *told: deleted.append(told[1].rowcount))
    assert forget_imports(hq.engine, now=clock.now() + KEPT + timedelta(days=1)) == 1
    assert max(deleted) == 2
    assert seller.ask("GET", f"/imports/{import_id}").status_code == 404
    assert hq.rows("select * from seller_import_line") == []
