from __future__ import annotations

import time

import pytest
from flask.testing import FlaskClient

from tests import world

NUMBER = "35-0001-H"
"""The number of the slip below, the first of its kiosk."""


@pytest.fixture
def slip(client: FlaskClient) -> str:
    where = client.post("/selections", data={"listing": "101", "plan": world.SERIE_100}).headers["Location"]
    client.post(f"{where}/slip")
    return NUMBER


def wait_confirmed(kiosk: world.Kiosk, papers: int) -> None:
    """Wait until so many papers were confirmed: a busy machine needs longer than a page waits."""
    until = time.monotonic() + 30
    confirmed = "select count(*) from print_job where state = 'confirmed'"
    while kiosk.ops.read().execute(confirmed).fetchone()[0] < papers and time.monotonic() < until:
        time.sleep(0.02)
