"""The demo's bank beside a marketplace of a test: it answers by itself, and tells its news when the test says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.bank import Bank
from demo.bank_fees import NO_FEES, BankFees


@contextmanager
def running_bank(
    directory: Path, *, webhook_url: str = "http://127.0.0.1:9/payments/events", fees: BankFees = NO_FEES
) -> Iterator[Bank]:
    """Lend a bank that answers until the block ends; it keeps nothing for itself unless a test is about that."""
    bank = Bank(directory, host="127.0.0.1", port=0, address="", webhook_url=webhook_url, fees=fees)
    bank.address = f"http://127.0.0.1:{bank.server_port}"
    thread = threading.Thread(target=bank.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield bank
    finally:
        bank.shutdown()
        thread.join()
        bank.stop()
