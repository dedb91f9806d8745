"""A whole world of real processes for each journey, and the system's Chromium."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

import pytest

from demo.printer import VirtualPrinter
from marketplace.db import database_url
from marketplace.installation import FILE, read_installation
from tests.processes import Cable, comptoir, free_port, serving

PASSWORD = "password"
"""The file of a founded system with the console's password."""
WHOLE = "whole"
"""The file of a system that is founded to the end."""
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start the system's Chromium quietly; a journey without one is a failure where everything is required."""
    if CHROMIUM is None:
        message = "no Chromium: install the package `chromium`"
        pytest.fail(message) if os.environ.get("COMPTOIR_REQUIRE_ALL") else pytest.skip(message)
    quiet = ["--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    as_the_box_s = "--autoplay-policy=no-user-gesture-required"
    return {"executable_path": CHROMIUM, "args": [*quiet, as_the_box_s, *(["--no-sandbox"] if os.geteuid() == 0 else [])]}


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
def system(founded_system: Path, tmp_path: Path) -> Iterator[System]:
    """A marketplace with a published catalogue, an enrolled and synced kiosk, a printer; all listening."""
    with running_system(founded_system, tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def shared_system(founded_system: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One system for all tests of a worker that leave its catalogue as it is: they only add selections, slips and orders."""
    with running_system(founded_system, tmp_path_factory.mktemp("system")) as running:
        yield running


@pytest.fixture(scope="session")
def founded_system(run_folder: Path) -> Path:
    """A feed, a marketplace that published it and a kiosk that took it, made once a run for its systems to copy."""
    directory = run_folder / "founded"
    with (run_folder / "founding").open("w") as turn:
        flock(turn, LOCK_EX)
        if not (directory / WHOLE).exists():
            shutil.rmtree(directory, ignore_errors=True)
            found_system(directory)
            (directory / WHOLE).touch()
    return directory


def found_system(directory: Path) -> None:
    """Found a system in a new directory."""
    directory.mkdir()
    address = f"http://127.0.0.1:{free_port()}"
    marketplace, kiosk, feed = directory / "marketplace", directory / "kiosk", directory / "feed"
    comptoir("sample", "--listings", "1200", "--seed", "3", "--out", str(feed))
    ready = comptoir("marketplace", "init", "--dir", str(marketplace), "--public-url", address)
    (directory / PASSWORD).write_text(ready.split()[-1])
    comptoir("marketplace", "import", str(feed), "--dir", str(marketplace))
    comptoir("marketplace", "publish", "--dir", str(marketplace))
    code = comptoir("marketplace", "enrol", "nantes-crebillon", "--dir", str(marketplace)).split()[-1]
    with serving_marketplace(marketplace, address):
        comptoir("kiosk", "enrol", "--dir", str(kiosk), "--marketplace", address, "--code", code)
        comptoir("kiosk", "sync", "--dir", str(kiosk))


@contextmanager
def running_system(founded: Path, directory: Path) -> Iterator[System]:
    """Copy the founded system to `directory`, give it addresses of its own, and run it until the block ends."""
    shutil.copytree(founded, directory, dirs_exist_ok=True)
    marketplace, kiosk = directory / "marketplace", directory / "kiosk"
    marketplace_url, kiosk_url, paper_port = *(f"http://127.0.0.1:{free_port()}" for _ in range(2)), free_port()
    place = replace(read_installation(marketplace), database=database_url(marketplace), public_url=marketplace_url)
    (marketplace / FILE).write_text(json.dumps(asdict(place)))
    cable = Cable(int(marketplace_url.rsplit(":", 1)[1]))
    printer = VirtualPrinter(port=free_port(), viewer_port=paper_port, host="127.0.0.1")
    printer.start()
    try:
        with serving_marketplace(marketplace, marketplace_url):
            own = ("--marketplace", f"http://127.0.0.1:{cable.port}", "--printer", f"127.0.0.1:{printer.port}")
            comptoir("kiosk", "set", "--dir", str(kiosk), *own)
            comptoir("kiosk", "sync", "--dir", str(kiosk))
            serve = ("kiosk", "serve", "--dir", str(kiosk), "--port", kiosk_url.rsplit(":", 1)[1])
            with serving(*serve, url=f"{kiosk_url}/healthz"):
                yield System(
                    feed=directory / "feed",
                    marketplace=marketplace,
                    kiosk=kiosk,
                    marketplace_url=marketplace_url,
                    kiosk_url=kiosk_url,
                    cable=cable,
                    printer=printer,
                    paper_url=f"http://127.0.0.1:{paper_port}",
                    password=(directory / PASSWORD).read_text(),
                )
    finally:
        printer.stop()
        cable.close()


def serving_marketplace(directory: Path, address: str) -> AbstractContextManager[object]:
    """Serve a marketplace at the address customers reach it by."""
    return serving("marketplace", "serve", "--dir", str(directory), "--port", address.rsplit(":", 1)[1], url=f"{address}/readyz")
