"""`/console/trials/`: nothing is published before its outlook was shown, and every way on and back is a form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from marketplace.db import reading
from marketplace.installation import sync_path
from marketplace.publishing.publications import publish_market
from sync.hq.log import open_trial
from sync.hq.trials import whole_ring
from tests.marketplace.hq import Hq, words
from tests.marketplace.test_console import log_in

CANARY = {"ring": "canary", "percent": "100"}


@pytest.fixture
def console(hq: Hq) -> Hq:
    log_in(hq)
    return hq


def look(hq: Hq, **form: str) -> str:
    answer = hq.client.post("/console/trials/fr/outlooks", data=form)
    assert answer.status_code == 200
    return words(answer)


def on_trial(hq: Hq) -> str | None:
    with reading(hq.engine) as connection:
        trial = open_trial(connection, "fr")
    return trial.trial_id if trial else None


def numbers(hq: Hq) -> list[tuple[int, str]]:
    return [(each["publication"], each["line"]) for each in hq.rows("select * from sync_publication order by publication")]


def files(hq: Hq) -> list[Path]:
    return sorted(sync_path(hq.directory).rglob("*"))


def try_out(hq: Hq) -> None:
    hq.import_world(l11={"price": "149.00"})
    assert hq.client.post("/console/trials/fr/publications", data=CANARY).status_code == 303


def test_the_page_shows_publications_rings_and_what_waits(console: Hq) -> None:
    console.import_world(l11={"price": "349.00"})
    page = words(console.client.get("/console/trials/"))
    for text in ("Catalogue FR", "Anneau éclaireur", "Anneau précoce", "Anneau stable", "Voir ce que publier changera", "marque"):
        assert text in page
    assert "Essai t" not in page


def test_an_outlook_shows_rows_prices_corners_and_bytes_and_publishes_nothing(console: Hq) -> None:
    console.import_world(l11={"price": "149.00"}, l12={"price": "380.00"})
    before = (numbers(console), files(console))
    page = look(console, act="publish", ring="stable", percent="100")
    shown = page.split('class="card outlook"')[1].split("</section>")[0]
    for text in (
        "<dt>Lignes</dt>",
        "<dt>Comptoirs</dt>",
        "<dt>Octets par comptoir</dt>",
        "369,00 €",
        "149,00 €",
        "−60 %",
        "380,00 €",
    ):
        assert text in shown
    assert "Envoyer à tous" in shown
    assert (numbers(console), files(console)) == before
    page = look(console, act="publish", ring="early", percent="25")
    assert "Envoyer à 25 % de l’anneau précoce" in page
    assert (numbers(console), files(console)) == before


def test_nothing_to_publish_offers_no_button(console: Hq) -> None:
    page = look(console, act="publish", ring="stable", percent="100")
    assert "Rien ne changerait" in page
    assert "Envoyer à tous" not in page


def test_publishing_to_everybody_or_to_a_ring(console: Hq) -> None:
    console.import_world(l11={"price": "349.00"})
    answer = console.client.post("/console/trials/fr/publications", data={"ring": "stable", "percent": "100"})
    assert (answer.status_code, answer.location) == (303, "/console/trials/")
    assert numbers(console) == [(1, ""), (2, "")]
    try_out(console)
    assert (numbers(console)[2:], on_trial(console)) == ([(3, ""), (4, "t3")], "t3"), "HQ's track is numbered, too"
    page = words(console.client.get("/console/trials/"))
    for text in ("Essai t3 ouvert", "100 % de l’anneau éclaireur", "0 comptoir sur 0", "essai t3"):
        assert text in page
    assert "Y revenir…" not in page, "a roll-back has to wait for the end of the trial"


def test_a_trial_that_fails_says_why(console: Hq) -> None:
    try_out(console)
    said = {"line": "t2", "jumps": {"line": "t2", "publication": 2, "changed": 40, "jumped": 20}}
    console.write("update device set seen_at = '2999-01-01T00:00:00Z', heartbeat = :said", said=json.dumps(said))
    page = words(console.client.get("/console/trials/"))
    assert "20 prix sur 40 ont sauté" in page
    assert "is-failing" in page


def test_promoting_step_by_step(console: Hq) -> None:
    try_out(console)
    page = look(console, act="promote", ring="early", percent="50")
    assert "Étendre l’essai FR" in page
    assert "149,00 €" in page
    for share in ({"ring": "early", "percent": "50"}, {"ring": "stable", "percent": "100"}):
        assert on_trial(console) == "t2"
        answer = console.client.post("/console/trials/fr/promotions", data=share)
        assert (answer.status_code, answer.location) == (303, "/console/trials/")
    assert on_trial(console) is None
    assert "donné à tous" in words(console.client.get("/console/trials/"))


def test_halting_with_a_reason(console: Hq) -> None:
    try_out(console)
    page = look(console, act="halt")
    assert "Arrêter l’essai FR" in page
    assert 0 < page.index("149,00 €") < page.index("369,00 €") < page.index("+148 %")
    assert console.client.post("/console/trials/fr/halts", data={"reason": " trop bas " + "x" * 300}).status_code == 303
    page = words(console.client.get("/console/trials/"))
    assert (on_trial(console), "arrêté" in page, "trop bas x" in page, "x" * 201 in page) == (None, True, True, False)


def test_rolling_back(console: Hq) -> None:
    console.change(l11={"price": "149.00"})
    page = words(console.client.get("/console/trials/"))
    assert page.count("Y revenir…") == 1
    page = look(console, act="rollback", publication="1")
    assert "Revenir à la publication 1 de FR" in page
    assert "369,00 €" in page
    assert numbers(console) == [(1, ""), (2, "")]
    assert console.client.post("/console/trials/fr/rollbacks", data={"publication": "1"}).status_code == 303
    assert numbers(console) == [(1, ""), (2, ""), (3, "")]
    assert "Rien ne changerait" in look(console, act="rollback", publication="1")


def test_the_ring_of_a_corner_is_changed_on_its_page(console: Hq) -> None:
    assert 'value="stable" selected' in console.client.get("/console/corners/nantes-crebillon").text
    answer = console.client.post("/console/trials/rings/nantes-crebillon", data={"ring": "canary"})
    assert (answer.status_code, answer.location) == (303, "/console/corners/nantes-crebillon")
    assert 'value="canary" selected' in console.client.get("/console/corners/nantes-crebillon").text
    assert console.rows("select ring from corner_ring where corner_id = 'nantes-crebillon'") == [{"ring": "canary"}]


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("de/outlooks", {"act": "publish"}, 404),
        ("de/publications", {}, 404),
        ("de/promotions", {}, 404),
        ("de/halts", {}, 404),
        ("de/rollbacks", {"publication": "1"}, 404),
        ("rings/nowhere", {"ring": "canary"}, 404),
        ("rings/nantes-crebillon", {"ring": "tiny"}, 400),
        ("rings/nantes-crebillon", {}, 400),
        ("fr/outlooks", {}, 400),
        ("fr/outlooks", {"act": "delete"}, 400),
        ("fr/outlooks", {"act": "publish", "ring": "tiny"}, 400),
        ("fr/outlooks", {"act": "publish", "percent": "101"}, 400),
        ("fr/outlooks", {"act": "publish", "percent": "-1"}, 400),
        ("fr/outlooks", {"act": "rollback"}, 400),
        ("fr/outlooks", {"act": "rollback", "publication": "9" * 12}, 400),
        ("fr/outlooks", {"act": "rollback", "publication": "9"}, 404),
        ("fr/publications", {"ring": "tiny"}, 400),
        ("fr/publications", {"percent": "a"}, 400),
        ("fr/promotions", {"ring": "early"}, 404),
        ("fr/halts", {}, 404),
        ("fr/rollbacks", {"publication": "9"}, 404),
        ("fr/rollbacks", {}, 400),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(console: Hq, path: str, form: dict[str, str], status: int) -> None:
    console.import_world(l11={"price": "349.00"})
    assert console.client.post(f"/console/trials/{path}", data=form).status_code == status
    assert (numbers(console), on_trial(console)) == ([(1, "")], None)


@pytest.mark.parametrize("act", ["promote", "halt"])
def test_without_a_trial_there_is_nothing_to_promote_or_halt(console: Hq, act: str) -> None:
    page = look(console, act=act)
    assert "aucun essai n’est ouvert" in page
    assert 'class="btn"' not in page.split('class="card outlook"')[1].split("</section>")[0]


def test_a_roll_back_during_a_trial_says_what_to_do_first(console: Hq) -> None:
    console.change(l12={"price": "380.00"})
    publish_market(console.engine, console.directory, "fr", shares=whole_ring("canary"))
    try_out(console)
    answer = console.client.post("/console/trials/fr/rollbacks", data={"publication": "1"})
    assert (answer.status_code, "Un essai est ouvert" in answer.text) == (409, True)
