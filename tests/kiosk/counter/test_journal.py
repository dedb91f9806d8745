from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests import world


@pytest.fixture
def idriss(app: Flask) -> FlaskClient:
    """Idriss, a clerk who manages nothing, logged in at the counter."""
    client = app.test_client()
    assert client.post("/counter/session", data={"clerk": "idriss", "pin": world.PIN}).status_code == 303
    return client


def test_the_manager_reads_who_did_what(clerk: FlaskClient, idriss: FlaskClient) -> None:
    idriss.post("/counter/session/end")
    page = clerk.get("/counter/journal").text

    assert "Chaîne entière" in page
    assert [page.index(words) for words in ("a quitté le comptoir", "est entré au comptoir")] == sorted(
        page.index(words) for words in ("a quitté le comptoir", "est entré au comptoir")
    )
    assert "Idriss" in page
    assert "est entré au comptoir" not in clerk.get("/counter/journal?before=1").text
    assert "/counter/journal" in clerk.get("/counter/me").text


def test_a_clerk_does_not_and_is_told_who_does(idriss: FlaskClient) -> None:
    answer = idriss.get("/counter/journal")

    assert answer.status_code == 403
    assert "Le responsable du corner fait cela." in answer.text
    assert "/counter/journal" not in idriss.get("/counter/me").text


def test_a_journal_altered_by_hand_says_where(clerk: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("update outbox set body = replace(body, 'camille', 'idriss') where seq = 1")

    assert "La chaîne est rompue au n° 1" in clerk.get("/counter/journal").text


def test_a_clerk_whom_hq_suspends_is_out_at_once(idriss: FlaskClient, kiosk: world.Kiosk) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("update setting set value = json_set(value, '$.clerks[1].state', 'suspended') where name = 'corner'")

    assert idriss.get("/counter/").status_code == 303
    assert "Idriss" not in idriss.get("/counter/session").text
    assert idriss.post("/counter/session", data={"clerk": "idriss", "pin": world.PIN}).status_code == 422


def test_what_is_voided_or_settled_by_hand_is_told(clerk: FlaskClient, kiosk: world.Kiosk, slip: str) -> None:
    with kiosk.ops_write() as ops:
        row = "(job_id, kind, subject, copy_no, printer, state, requested_by, requested_at)"
        for job_id, name, state in ((1, "a", "uncertain"), (2, "b", "uncertain"), (3, "c", "queued")):
            values = [job_id, f"ruler:{name}", state]
            ops.execute(
                f"insert into print_job {row} values (?, 'test', ?, 1, 'p', ?, 'camille', '2026-11-22T14:31:00Z')", values
            )
    clerk.post("/counter/paper/1/outcome", data={"came_out": "yes"})
    clerk.post("/counter/paper/2/outcome", data={"came_out": "no"})
    clerk.post("/counter/paper/3/drop")
    clerk.post(f"/counter/slips/{slip}/void", data={"reason": "mistake"})
    page = clerk.get("/counter/journal").text

    for words in (
        "dit sorti le papier de ruler:a",
        "dit que le papier de ruler:b n’est pas sorti",
        "a renoncé au papier de ruler:c",
        f"a annulé le bon {slip}",
    ):
        assert words in page
