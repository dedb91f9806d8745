from __future__ import annotations

from datetime import UTC, datetime

import time_machine
from flask.testing import FlaskClient

from kiosk.app import create_app
from pos.ops import store_setting
from tests import world


def test_a_ready_kiosk_says_so(client: FlaskClient) -> None:
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {"status": "ready"}


def test_the_whole_state_is_one_document(client: FlaskClient, kiosk: world.Kiosk) -> None:
    client.post("/selections", data={"listing": "101"})
    kiosk.set_printer(9100)
    with kiosk.catalog.write() as catalog:
        row = ["price", "e1", 7, "00", b"", 10, "2026-11-22T14:30:00Z"]
        catalog.execute("insert into sync_cursor values (?, ?, ?, ?, ?, ?, ?)", row)

    state = client.get("/status.json").json

    assert state == {
        "corner": "nantes-crebillon",
        "version": state["version"],
        "catalog": {"price": {"epoch": "e1", "version": 7, "root": "00", "age_s": 120}},
        "outbox": {"pending": 0, "oldest_at": None, "acked": 0},
        "printers": [{"name": "printer", "state": "unknown", "queue": 0}],
        "media": {"files": 0, "bytes": 0},
        "faults": [],
        "left_out": {"rows": 0, "examples": []},
        "ring": "stable",
        "publication": state["publication"],
        "quiet": False,
    }


def test_a_missing_catalogue_is_said_and_the_page_comes_back_by_itself(kiosk: world.Kiosk) -> None:
    kiosk.catalog.close()
    for path in kiosk.directory.glob("catalog.db*"):
        path.unlink()
    client = create_app(kiosk.directory, sync=False).test_client()

    answer = client.get("/home")

    assert answer.status_code == 503
    assert "Le catalogue est en cours de réception." in answer.text
    assert '<meta http-equiv="refresh"' in answer.text
    assert client.get("/readyz").json == {"code": "catalog_missing", "detail": "catalog_missing", "status": 503}
    assert client.get("/healthz").status_code == 200
    assert not (kiosk.directory / "catalog.db").exists()


def test_a_damaged_catalogue_is_said_too(kiosk: world.Kiosk) -> None:
    kiosk.catalog.close()
    for path in kiosk.directory.glob("catalog.db*"):
        path.unlink()
    (kiosk.directory / "catalog.db").write_bytes(b"not a database" * 500)
    client = create_app(kiosk.directory, sync=False).test_client()

    assert client.get("/browse").status_code == 503
    assert client.get("/status.json").json["faults"] == [{"code": "catalog_missing", "short": "C-71", "since": None}]


def test_damaged_records_make_no_slip_keep_the_file_and_let_people_look(kiosk: world.Kiosk) -> None:
    kiosk.ops.close()
    for path in kiosk.directory.glob("ops.db-*"):
        path.unlink()
    damage = b"not a database" * 500
    (kiosk.directory / "ops.db").write_bytes(damage)
    client = create_app(kiosk.directory, sync=False).test_client()

    answer = client.post("/selections", data={"listing": "101"})

    assert answer.status_code == 503
    assert "Ce comptoir ne peut pas faire de bon pour l’instant." in answer.text
    assert (kiosk.directory / "ops.db").read_bytes() == damage
    assert client.get("/browse").status_code == 200
    assert client.get("/sku/IPHONE-13-128-BLUE").status_code == 200
    assert client.get("/home").status_code == 200
    assert client.get("/status.json").json["faults"] == [{"code": "records_damaged", "short": "R-51", "since": None}]
    assert client.get("/readyz").status_code == 503


def test_a_kiosk_before_enrolment_can_be_looked_at(kiosk: world.Kiosk) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("delete from setting")
    client = create_app(kiosk.directory, sync=False).test_client()

    assert client.get("/home").status_code == 200
    assert client.get("/readyz").json["code"] == "not_enrolled"


def test_the_first_page_before_enrolment_shows_the_fingerprint_to_compare(kiosk: world.Kiosk) -> None:
    with kiosk.ops_write() as ops:
        ops.execute("delete from setting")
    client = create_app(kiosk.directory, sync=False).test_client()
    assert "Cette borne n’est pas encore en service." in client.get("/").text
    with kiosk.ops_write() as ops:
        store_setting(ops, "enrolment", {"fingerprint": "1111 2222 3333 4444 5555 6666", "key_id": "56475aa7"})
    assert "1111 2222 3333 4444 5555 6666" in client.get("/").text


def test_a_code_that_ran_out_is_said_where_the_fingerprint_stood(kiosk: world.Kiosk) -> None:
    shown = {"fingerprint": "1111 2222 3333 4444 5555 6666", "key_id": "56475aa7", "ends_at": "2026-11-22T09:10:00Z"}
    with kiosk.ops_write() as ops:
        ops.execute("delete from setting")
        store_setting(ops, "enrolment", shown)
    client = create_app(kiosk.directory, sync=False).test_client()
    with time_machine.travel(datetime(2026, 11, 22, 9, 9, 59, tzinfo=UTC), tick=False):
        assert shown["fingerprint"] in client.get("/").text
    with time_machine.travel(datetime(2026, 11, 22, 9, 10, 0, tzinfo=UTC), tick=False):
        page = client.get("/").text
        assert shown["fingerprint"] not in page
        assert "Le code a expiré" in page
        assert "Demandez un nouveau code au siège" in page
        client.post("/language", data={"language": "en"})
        assert "The code ran out before the confirmation." in client.get("/").text


def test_a_withdrawn_kiosk_shows_its_pages_and_makes_no_slip(kiosk: world.Kiosk) -> None:
    client = create_app(kiosk.directory, sync=False).test_client()
    selection = client.post("/selections", data={"listing": "101"}).location
    with kiosk.ops_write() as ops:
        store_setting(ops, "sync_faults", {"revoked": "2026-11-22T09:00:00Z"})

    answer = client.post(f"{selection}/slip")

    assert answer.status_code == 503
    assert "Cette borne a été retirée par le siège." in answer.text
    assert kiosk.ops.read().execute("select count(*) from slip").fetchone() == (0,)
    assert client.get("/browse").status_code == 200
    assert {"code": "revoked", "short": "K-65", "since": "2026-11-22T09:00:00Z"} in client.get("/status.json").json["faults"]


def test_a_corner_document_of_another_version_is_a_fault_and_the_screens_go_on(kiosk: world.Kiosk) -> None:
    document = world.corner_document()
    del document["time_zone"]
    with kiosk.ops_write() as ops:
        store_setting(ops, "corner", document)
    client = create_app(kiosk.directory, sync=False).test_client()

    assert client.get("/home").status_code == 200
    assert "corner_unreadable" in [fault["code"] for fault in client.get("/status.json").json["faults"]]
