"""`comptoir demo` as a stranger runs it: an empty directory, a slip, its paper, Ctrl-C, and the same slip again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin
from urllib.request import HTTPRedirectHandler, build_opener, urlopen

import pytest

from pos.privacy import open_to_others
from tests.processes import PATIENCE_S, START_S, five_ports, is_free


class Stay(HTTPRedirectHandler):
    """Leaves a 303 to whoever posted."""

    def redirect_request(self, *_: Any) -> None:
        return None


@pytest.mark.long
def test_the_demo_runs_stops_and_resumes(tmp_path: Path) -> None:
    port = five_ports()
    directory = tmp_path / "demo"

    with demo(directory, port, "--listings", "60") as addresses:
        assert len(addresses) == 5
        for address in addresses:
            read(address)
        slip = make_slip(f"http://127.0.0.1:{port + 1}")
        post(f"{slip}/print")
        wait_for_paper(f"http://127.0.0.1:{port + 3}/latest.png")
    assert all(is_free(port + more) for more in range(5))
    assert open_to_others(directory) == []

    with demo(directory, port):
        assert slip.rsplit("/", 1)[1] in read(slip)
        assert make_slip(f"http://127.0.0.1:{port + 1}") != slip
    assert all(is_free(port + more) for more in range(5))


@pytest.mark.long
def test_a_demo_told_to_stop_or_killed_at_any_moment_leaves_nothing_running(tmp_path: Path) -> None:
    port, directory = five_ports(), tmp_path / "demo"
    with demo(directory, port, "--listings", "20"):
        pass
    for log, number in (("marketplace.log", signal.SIGINT), ("kiosk.log", signal.SIGTERM), ("kiosk.log", signal.SIGKILL)):
        (directory / log).unlink()
        command = [sys.executable, "-m", "comptoir", "demo", "--dir", str(directory), "--port", str(port), "--empty"]
        with (tmp_path / "said.txt").open("w") as said:
            process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + START_S
        while not (directory / log).exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.send_signal(number)

        assert process.wait(PATIENCE_S) in (0, 130, -number)
        ends = time.monotonic() + PATIENCE_S
        while not all(is_free(port + more) for more in range(5)) and time.monotonic() < ends:
            time.sleep(0.05)
        assert [more for more in range(5) if not is_free(port + more)] == [], (log, number)


@contextmanager
def demo(directory: Path, port: int, *more: str) -> Iterator[list[str]]:
    """Run the demo until the block ends, then press Ctrl-C more than once; lend the addresses it printed for people."""
    command = [sys.executable, "-m", "comptoir", "demo", "--dir", str(directory), "--port", str(port), "--empty", *more]
    output = directory.with_name(f"demo-{time.monotonic_ns()}.txt")
    with output.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        deadline = time.monotonic() + START_S
        while "comptoir demo ready\n" not in output.read_text():
            assert process.poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.1)
        text = output.read_text()
        assert text.endswith("comptoir demo ready\n")
        yield re.findall(r"^(?:kiosk|marketplace|HQ console|paper|bank) +(http://\S+)", text, re.MULTILINE)
        # Impatience, or a shell and a supervisor both at it, must not get in the way of stopping.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            process.send_signal(number)
        assert process.wait(PATIENCE_S) in (0, 130)
        assert output.read_text() == text
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(PATIENCE_S)


def make_slip(kiosk: str) -> str:
    """Take the first device on the table, at its best offer, to a slip; return the slip's address."""
    device = re.search(r'href="(/sku/[^"?]+)', read(f"{kiosk}/home"))
    assert device
    listing = re.search(r'name="listing" value="(\d+)"', read(kiosk + device[1]))
    assert listing
    selection = post(f"{kiosk}/selections", listing=listing[1])
    return post(f"{selection}/slip")


def post(url: str, **form: str) -> str:
    """Post a plain form and return where the 303 leads."""
    try:
        build_opener(Stay).open(url, data=urlencode(form).encode(), timeout=PATIENCE_S)
    except HTTPError as answer:
        with answer:
            if answer.code == 303:
                return urljoin(url, answer.headers["Location"])
    raise AssertionError(f"{url} did not redirect")


def read(url: str) -> str:
    with urlopen(url, timeout=PATIENCE_S) as answer:
        return str(answer.read().decode())


def wait_for_paper(url: str) -> None:
    """Return once the paper viewer shows the picture of a paper."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            with urlopen(url, timeout=PATIENCE_S) as answer:
                assert answer.read(8) == b"\x89PNG\r\n\x1a\n"
                return
        except HTTPError:
            time.sleep(0.2)
    raise AssertionError("no paper came out")
