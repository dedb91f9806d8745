"""A whole world of real processes for each journey, and the system's Chromium."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from demo.printer import VirtualPrinter
from tests.processes import Cable, comptoir, free_port, serving

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start the system's Chromium quietly; a journey without one is a failure where everything is required."""
    if CHROMIUM is None:
        message = "no Chromium: install the package `chromium`"
        pytest.fail(message) if os.environ.get("COMPTOIR_REQUIRE_ALL") else pytest.skip(message)
    quiet = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    return {"executable_path": CHROMIUM, "args": [*quiet, *(["--no-sandbox"] if os.geteuid() == 0 else [])]}


@pytest.fixture
def browser_context_args() -> dict[str, Any]:
    """Look at pages as the kiosk's portrait screen does."""
    return {"viewport": {"width": 1080, "height": 1920}, "locale": "fr-FR", "has_touch": True}


@dataclass
class System:
    """Addresses and directories of a running system."""

    feed: Path
    marketplace: Path
    kiosk: Path
    marketplace_url: str
    kiosk_url: str
    cable: Cable
    printer: VirtualPrinter
    paper_url: str
    password: str


@pytest.fixture
def system(tmp_path: Path) -> Iterator[System]:
    """A marketplace with a published catalogue, an enrolled and synced kiosk, a printer; all listening."""
    with running_system(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def shared_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One system for all tests of a worker that ask for it, each of which must work whatever the others left in it."""
    with running_system(tmp_path_factory.mktemp("system")) as running:
        yield running


@contextmanager
def running_system(tmp_path: Path) -> Iterator[System]:
    """Set a whole system up in `tmp_path` and run it until the block ends."""
    market_port, kiosk_port, printer_port, paper_port = (free_port() for _ in range(4))
    marketplace, kiosk, feed = tmp_path / "marketplace", tmp_path / "kiosk", tmp_path / "feed"
    public_url = f"http://127.0.0.1:{market_port}"
    comptoir("sample", "--listings", "1200", "--seed", "3", "--out", str(feed))
    ready = comptoir("marketplace", "init", "--dir", str(marketplace), "--public-url", public_url)
    comptoir("marketplace", "import", str(feed), "--dir", str(marketplace))
    comptoir("marketplace", "publish", "--dir", str(marketplace))
    cable = Cable(market_port)
    printer = VirtualPrinter(port=printer_port, viewer_port=paper_port, host="127.0.0.1")
    printer.start()
    serve_market = ["marketplace", "serve", "--dir", str(marketplace), "--port", str(market_port)]
    serve_kiosk = ["kiosk", "serve", "--dir", str(kiosk), "--port", str(kiosk_port)]
    try:
        with serving(*serve_market, url=f"{public_url}/readyz"):
            code = comptoir("marketplace", "enrol", "nantes-crebillon", "--dir", str(marketplace)).split()[-1]
            cable_url = f"http://127.0.0.1:{cable.port}"
            comptoir("kiosk", "enrol", "--dir", str(kiosk), "--marketplace", cable_url, "--code", code)
            comptoir("kiosk", "set", "--dir", str(kiosk), "--printer", f"127.0.0.1:{printer_port}")
            comptoir("kiosk", "sync", "--dir", str(kiosk))
            with serving(*serve_kiosk, url=f"http://127.0.0.1:{kiosk_port}/healthz"):
                yield System(
                    feed=feed,
                    marketplace=marketplace,
                    kiosk=kiosk,
                    marketplace_url=public_url,
                    kiosk_url=f"http://127.0.0.1:{kiosk_port}",
                    cable=cable,
                    printer=printer,
                    paper_url=f"http://127.0.0.1:{paper_port}",
                    password=ready.split()[-1],
                )
    finally:
        printer.stop()
        cable.close()
