"""The shop's door in a store keeps selections in the corner's own records."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from shop.door import Door
from tests.selections_contract import Kept, SelectionsContract
from tests.world import Kiosk


class TestSelectionsInTheRecords(SelectionsContract):
    @pytest.fixture
    def kept(self, app: Flask, kiosk: Kiosk) -> Iterator[Kept]:
        door: Door = app.extensions["shop"]
        with app.app_context():
            yield Kept(read=door.read, write=door.write, kiosk=kiosk, market="")
