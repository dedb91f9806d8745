from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import TypeAdapter

from marketplace.db import reading
from marketplace.fleet.corners import corner_document
from pos.corner_document import Clerks
from pos.pins import CODE_HASHER
from tests.marketplace.hq import Hq

HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaA"
NANTES = "nantes-crebillon"
TEAM = "/console/corners/nantes-crebillon/team"


def log_in(hq: Hq) -> None:
    assert hq.client.post("/console/login", data={"password": hq.password}).status_code == 303


def act(hq: Hq, name: str, **said: str) -> dict[str, object]:
    return hq.event("counter_act", {"act": name, "clerk_id": "camille", "subject": "", "at": "2026-11-22T12:00:00Z", **said})


def test_hq_reads_the_journal_of_a_corner(hq: Hq) -> None:
    hq.up(act(hq, "logged_in"), act(hq, "polished", subject="A1"), act(hq, "logged_out", clerk_id="gone"))
    log_in(hq)
    page = hq.client.get(TEAM).text

    assert {each["state"] for each in hq.rows("select state from inbox")} == {"judged"}
    for words in ("Camille", "est entré au comptoir", "a quitté le comptoir", "polished · A1", "gone"):
        assert words in page
    assert TEAM in hq.client.get(f"/console/corners/{NANTES}").text
    assert hq.client.get("/console/corners/nowhere/team").status_code == 404


def test_an_act_that_is_not_what_its_hash_says_is_shown_as_such(hq: Hq) -> None:
    altered = act(hq, "logged_in")
    hq.up({**altered, "body": str(altered["body"]).replace("camille", "idriss")})
    log_in(hq)

    assert "écarté" in hq.client.get(TEAM).text


def changed(hq: Hq, **said: Any) -> dict[str, object]:
    entry = {"clerk_id": "zoe-0000", "name": "Zoé", "role": "clerk", "state": "active", "change_no": 1, "reset_no": 1}
    by = {"code_hash": HASH, "changed_by": "camille", "changed_at": "2026-11-22T12:00:00Z"}
    return hq.event("clerk_changed", {**entry, **by, **said})


def document(hq: Hq) -> dict[str, Any]:
    """The corner's people by id, as its kiosk is told."""
    with reading(hq.engine) as connection:
        corner = corner_document(connection, NANTES, slip_prefix="")
    TypeAdapter(Clerks).validate_python(corner["clerks"])
    return {each["clerk_id"]: each for each in corner["clerks"]}


def card(page: str) -> str:
    found = re.search(r"<p class=\"code\">([0-9 ]{14})</p>", page)
    assert found, "the code is shown"
    return found[1].replace(" ", "")


def test_hq_adds_somebody_whose_kiosk_hears_of_them_with_a_hash(hq: Hq) -> None:
    log_in(hq)
    page = hq.client.post(TEAM, data={"name": "Inès", "role": "manager"}).text
    code, [ines] = card(page), re.findall(r"team/(ines-[0-9a-z]{4})/badge\.svg", page)

    told = document(hq)[ines]
    assert (told["name"], told["role"], told["state"], told["reset_no"]) == ("Inès", "manager", "active", 1)
    assert CODE_HASHER.verify(told["code_hash"], code)
    assert code not in str(hq.rows("select * from corner_clerk"))
    assert hq.client.get(f"/console/corners/nantes-crebillon/team/{ines}/badge.svg").text.startswith("<svg")
    for name, role in (("", "clerk"), ("Inès", "chief"), ("\u2028", "clerk")):
        assert hq.client.post(TEAM, data={"name": name, "role": role}).status_code == 400


def test_hq_suspends_resets_and_gives_roles(hq: Hq) -> None:
    log_in(hq)
    assert "pin_hash" in document(hq)["camille"]
    hq.client.post("/console/corners/nantes-crebillon/team/camille/state", data={"state": "suspended"})
    told = document(hq)["camille"]
    assert (told["state"], told["change_no"], "pin_hash" in told) == ("suspended", 1, True)
    hq.client.post("/console/corners/nantes-crebillon/team/camille/state", data={"state": "active"})
    hq.client.post("/console/corners/nantes-crebillon/team/camille/role", data={"role": "manager"})
    code = card(hq.client.post("/console/corners/nantes-crebillon/team/camille/reset").text)

    told = document(hq)["camille"]
    assert (told["role"], told["state"], told["change_no"], told["reset_no"]) == ("manager", "active", 4, 1)
    assert CODE_HASHER.verify(told["code_hash"], code)
    assert "pin_hash" not in told, "the old PIN stops"
    assert hq.client.post(f"{TEAM}/nobody/reset").status_code == 404


def test_what_a_corner_s_manager_changed_stands_in_the_next_document(hq: Hq) -> None:
    hq.up(changed(hq), changed(hq, state="suspended", change_no=2))

    assert {each["state"] for each in hq.rows("select state from inbox")} == {"judged"}
    told = document(hq)["zoe-0000"]
    assert (told["name"], told["state"], told["change_no"], told["code_hash"]) == ("Zoé", "suspended", 2, HASH)
    log_in(hq)
    assert "Zoé" in hq.client.get(TEAM).text


def test_hq_s_own_change_wins_over_one_made_without_knowing_it(hq: Hq) -> None:
    hq.up(changed(hq))
    log_in(hq)
    hq.client.post(f"{TEAM}/zoe-0000/state", data={"state": "suspended"})
    hq.up(changed(hq, name="Zoé L.", change_no=2))
    assert (document(hq)["zoe-0000"]["name"], document(hq)["zoe-0000"]["state"]) == ("Zoé", "suspended")
    hq.up(changed(hq, name="Zoé L.", change_no=3))

    assert document(hq)["zoe-0000"]["name"] == "Zoé L."


@pytest.mark.parametrize(
    "wrong", [{"role": "manager"}, {"role": "support"}, {"name": ""}, {"code_hash": "x"}, {"change_no": 0}, {"state": "away"}]
)
def test_a_corner_makes_no_manager_and_nobody_a_kiosk_could_not_read(hq: Hq, wrong: dict[str, Any]) -> None:
    hq.up(changed(hq, **wrong))

    assert [each["state"] for each in hq.rows("select state from inbox")] == ["dead"]
    assert "zoe-0000" not in document(hq)


def test_a_corner_changes_no_manager(hq: Hq) -> None:
    log_in(hq)
    hq.client.post("/console/corners/nantes-crebillon/team/camille/role", data={"role": "manager"})
    hq.up(changed(hq, clerk_id="camille", state="suspended", change_no=9))

    assert document(hq)["camille"]["state"] == "active"
    assert hq.rows("select reason from inbox")[0]["reason"].startswith("Invalid: only HQ")


def test_whom_the_feed_names_no_more_goes_and_whom_hq_or_the_corner_added_stays(hq: Hq) -> None:
    log_in(hq)
    hq.up(changed(hq), changed(hq, clerk_id="camille", name="Camille"))
    hq.client.post(f"{TEAM}/camille/reset")
    assert set(document(hq)) == {"camille", "zoe-0000"}
    [stored] = hq.rows("select body from corner where corner_id = :corner_id", corner_id=NANTES)

    body = json.dumps(json.loads(stored["body"]) | {"clerks": []})
    hq.write("update corner set body = :body where corner_id = :corner_id", body=body, corner_id=NANTES)

    assert set(document(hq)) == {"zoe-0000"}
    assert hq.client.post(f"{TEAM}/camille/reset").status_code == 404
