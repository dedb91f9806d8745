from __future__ import annotations

from flask.testing import FlaskClient

from tests import world


def test_demo_devices_are_checked_one_by_one(clerk: FlaskClient, kiosk: world.Kiosk) -> None:
    assert clerk.get("/counter/table").text.count("pas encore vu") == 3

    answer = clerk.post("/counter/table/A2", data={"state": "missing"})
    clerk.post("/counter/table/A1", data={"state": "present"})

    assert answer.headers["Location"] == "/counter/table#place-A2"
    page = clerk.get("/counter/table").text
    assert [page.count("pas encore vu"), page.count(">manquant<"), page.count(">présent<")] == [1, 1, 1]
    assert clerk.post("/counter/table/Z9", data={"state": "present"}).status_code == 404
