"""The world benchmarks run in: a marketplace with a published catalogue, made and started by the product's own commands."""

from __future__ import annotations

import csv
import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

MARKETPLACE_PORT, KIOSK_PORT, FLOOR_PORT, PRINTER_PORT = 18400, 18401, 18402, 18403
NGINX_PORT, PEER_PORT, POUCH_PORT = 18404, 18405, 18406


def command(*arguments: str) -> str:
    """Run a `comptoir` command and return what it printed. Raises: CalledProcessError."""
    ended = subprocess.run([sys.executable, "-m", "comptoir", *arguments], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(f"comptoir {' '.join(arguments)} failed:\n{ended.stderr}")
    return ended.stdout


@contextmanager
def process(*arguments: str, url: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in the background until the block ends; wait for `url` to answer first."""
    started = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if url is not None:
            wait_for(url)
        yield started
    finally:
        started.terminate()
        started.wait(10)


def wait_for(url: str, *, most_s: float = 60) -> None:
    """Return once `url` answers 200."""
    deadline = time.monotonic() + most_s
    while time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=2) as response:
                if response.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.005)
    raise SystemExit(f"{url} did not answer in {most_s} s")


def make_marketplace(scratch: Path, listings: int) -> dict[str, float]:
    """Make, fill and publish a marketplace in `scratch`; return the seconds each step took."""
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    marketplace, feed = str(scratch / "marketplace"), str(scratch / "feed")
    url = f"http://127.0.0.1:{MARKETPLACE_PORT}"
    steps = {
        "sample": ["sample", "--listings", str(listings), "--seed", "1", "--out", feed],
        "init": ["marketplace", "init", "--dir", marketplace, "--public-url", url],
        "import": ["marketplace", "import", feed, "--dir", marketplace],
        "publish": ["marketplace", "publish", "--dir", marketplace],
    }
    seconds = {}
    for name, arguments in steps.items():
        start = time.perf_counter()
        command(*arguments)
        seconds[name] = time.perf_counter() - start
    return seconds


def enrol(scratch: Path, name: str, *, url: str = f"http://127.0.0.1:{MARKETPLACE_PORT}") -> Path:
    """Enrol a kiosk in the Nantes corner, by way of `url`, and return its directory; the marketplace must be serving."""
    code = command("marketplace", "enrol", "nantes-crebillon", "--dir", str(scratch / "marketplace")).split()[-1]
    directory = scratch / name
    command("kiosk", "enrol", "--dir", str(directory), "--marketplace", url, "--code", code)
    return directory


def change_feed(feed: Path, count: int, seed: int) -> None:
    """Change the price of half of `count` random French listings and the stock of the other half."""
    path = feed / "listings.csv"
    with path.open(encoding="utf-8", newline="") as source:
        reader = csv.reader(source, delimiter=";")
        header = next(reader)
        rows = list(reader)
    market, state = header.index("market"), header.index("state")
    price, quantity, prior = header.index("price"), header.index("quantity"), header.index("prior_price")
    french = [row for row in rows if row[market] == "fr" and row[state] == "online" and not row[prior]]
    for place, row in enumerate(random.Random(seed).sample(french, count)):
        if place % 2:
            row[quantity] = str(int(row[quantity]) + 1)
        else:
            row[price] = f"{int(row[price].split('.')[0]) + 1}.00"
    with path.open("w", encoding="utf-8", newline="") as target:
        writer = csv.writer(target, delimiter=";", lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def sync(directory: Path) -> dict[str, Any]:
    """Run one round and return what it reports."""
    report: dict[str, Any] = json.loads(command("kiosk", "sync", "--dir", str(directory), "--json"))
    return report
