from __future__ import annotations

from marketplace.app import create_app
from tests.marketplace.hq import Hq


def test_health_readiness_and_counts(hq: Hq) -> None:
    assert hq.client.get("/healthz").json == {"status": "ok"}
    assert hq.client.get("/readyz").status_code == 200
    hq.claim(hq.digits())
    text = hq.client.get("/metrics").text
    assert 'comptoir_orders{state="to_confirm"} 1' in text
    assert 'comptoir_publication{state="fr"} 1' in text
    assert "nantes" not in text, "no label per corner"


def test_errors_are_json_for_machines_and_pages_for_people(hq: Hq) -> None:
    assert set(hq.client.get("/sync/v1/nothing").json) == {"code", "detail", "status"}
    assert hq.client.post("/sync/v1/up", data=b"x" * (3 * 2**20)).status_code in (401, 413)
    page = hq.client.get("/nothing")
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert hq.client.put(f"/k/{hq.digits()}").status_code == 405


def test_only_trusted_hosts_are_answered_when_named(hq: Hq) -> None:
    app = create_app(hq.directory, trusted_hosts=["marche.test"])
    assert app.test_client().get("/healthz", base_url="http://marche.test").status_code == 200
    assert app.test_client().get("/healthz", base_url="http://evil.test").status_code == 400
    app.extensions["marketplace"].engine.dispose()
