from __future__ import annotations

from tests.marketplace.hq import Hq

NANTES = "nantes-crebillon"
TEAM = f"/console/corners/{NANTES}/team"


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
