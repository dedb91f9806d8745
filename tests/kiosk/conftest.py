"""The kiosk's app over the small world, at its own moment, and a visitor in front of it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient

from demo.printer import VirtualPrinter
from kiosk.app import create_app
from tests import world


@pytest.fixture
def app(kiosk: world.Kiosk) -> Iterator[Flask]:
    with time_machine.travel(world.NOW, tick=False):
        made = create_app(kiosk.directory, sync=False)
        yield made
        made.extensions["comptoir"].workers.stop(until=time.monotonic() + 5)
        for store in (made.extensions["comptoir"].catalog, made.extensions["comptoir"].ops):
            if store is not None:
                store.close()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def clerk(app: Flask) -> FlaskClient:
    """Camille, logged in at the counter."""
    camille = app.test_client()
    assert camille.post("/counter/session", data={"clerk": "camille", "pin": world.PIN}).status_code == 303
    return camille


@pytest.fixture
def printer(kiosk: world.Kiosk) -> Iterator[VirtualPrinter]:
    """The corner's printer."""
    made = VirtualPrinter(0, None)
    made.start()
    kiosk.set_printer(made.port)
    yield made
    made.stop()
