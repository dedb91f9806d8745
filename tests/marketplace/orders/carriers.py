"""The demo's carrier beside a marketplace of a test: it judges when the test says so, and its events reach nobody."""

from __future__ import annotations

from marketplace.db import run_tx
from marketplace.orders.carriers import CarrierSettings, store_carrier
from tests.marketplace.hq import Hq
from tests.marketplace.money.banks import Bank

PARTNER = "loire-mobile"


def connect_carrier(hq: Hq, bank: Bank) -> str:
    """Give the marketplace the key of the carrier beside the bank, and return it."""
    key = bank.carrier.key_file.read_text(encoding="utf-8").strip()
    settings = CarrierSettings(api=f"{bank.address}/carrier", key=key)
    run_tx(hq.engine, lambda connection: store_carrier(connection, PARTNER, settings))
    return key


def acknowledge_plans(hq: Hq) -> None:
    """Let every carrier have acknowledged, for tests of what comes after."""
    hq.write("update activation set state = 'acknowledged', rio = null")
