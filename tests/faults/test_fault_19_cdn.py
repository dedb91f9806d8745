"""Fault 19: the cache in front serves an old head, remembers a 404, strips ETags, compresses. Correct, only later; no loop.

The configuration is the one of docs/operating.md, run by a real nginx on other ports and paths.
"""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from sync.corner import schedule
from sync.corner.client import Client
from tests.faults import corners
from tests.faults.conftest import Served, lacking
from tests.processes import PATIENCE_S, free_port, is_free

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
MOST_REQUESTS_A_MINUTE = 60
FRESH_S = 1.0


class Nginx:
    """A real nginx over the page's configuration: `cache` and `disk` are the addresses of its two servers."""

    def __init__(self, home: Path, served: Served, *, changes: dict[str, str] | None = None) -> None:
        if NGINX is None:
            lacking("no nginx: install the package `nginx-light`")
        self.home = home
        ports = free_port(), free_port()
        self.cache, self.disk = (f"http://127.0.0.1:{port}" for port in ports)
        home.mkdir()
        home.chmod(0o755)
        block = re.search(r"```nginx\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
        assert block is not None
        changes = {
            "listen 80;": f"listen 127.0.0.1:{ports[0]};",
            "listen 81;": f"listen 127.0.0.1:{ports[1]};",
            "127.0.0.1:8000": f"127.0.0.1:{served.port}",
            "/var/cache/nginx/comptoir": str(home / "cache"),
            "/srv/comptoir/sync/": f"{served.hq.directory}/sync/",
            "proxy_cache_valid 200 10s": "proxy_cache_valid 200 1s",
            "proxy_cache_valid 404 5s": "proxy_cache_valid 404 1s",
            **(changes or {}),
        }
        text = block.group(1)
        for ours, theirs in changes.items():
            assert ours in text, ours
            text = text.replace(ours, theirs)
        temporary = "".join(f"{kind}_temp_path {home}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (home / "nginx.conf").write_text(
            f"daemon off; worker_processes 1; pid {home}/pid; error_log {home}/error.log;"
            f"{'user root;' if home.owner() == 'root' else ''} events {{ worker_connections 512; }}"
            f"http {{ access_log off; {temporary}\n{text}\n}}\n"
        )
        self.command = [str(NGINX), "-p", str(home), "-c", str(home / "nginx.conf"), "-e", str(home / "error.log")]
        self.check = subprocess.run([*self.command, "-t"], capture_output=True, text=True, check=False)
        assert self.check.returncode == 0, self.check.stderr
        self._process = subprocess.Popen(self.command)
        deadline = time.monotonic() + 20
        while is_free(ports[0]) and time.monotonic() < deadline:
            time.sleep(0.02)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)


@pytest.fixture
def nginx(served: Served, tmp_path: Path) -> Iterator[Nginx]:
    made = Nginx(tmp_path / "nginx", served)
    yield made
    made.stop()


class Corner(corners.Corner):
    """A kiosk that reaches HQ at an address of nginx."""

    def publication(self) -> int:
        report = self.round()
        assert report.problems == ()
        assert report.moved is not None
        return report.moved.publication

    def requests_of_a_failed_round(self, served: Served) -> int:
        """Return how many requests a round made that met a fault; the cache shows the new head when it has fetched it."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            time.sleep(FRESH_S)
            asked = len(served.asked)
            if self.round().faults:
                return len(served.asked) - asked
        raise AssertionError("no round met a fault")

    def catches_up(self) -> bool:
        """Whether rounds a moment apart bring the catalogue to HQ's."""
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            self.round()
            if self.holds_hq_s_rows():
                return True
            time.sleep(0.3)
        return False


def a_blob(served: Served) -> str:
    return max((served.hq.directory / "sync" / "b").iterdir(), key=lambda path: path.stat().st_size).name


def test_fault_19_a_hundred_first_requests_are_one_at_hq(served: Served, nginx: Nginx) -> None:
    blob = a_blob(served)
    expected = (served.hq.directory / "sync" / "b" / blob).read_bytes()
    gate = threading.Barrier(100)

    def ask(_: int) -> bytes:
        gate.wait()
        with urlopen(f"{nginx.cache}/sync/v1/b/{blob}", timeout=30) as answer:
            return bytes(answer.read())

    with ThreadPoolExecutor(100) as pool:
        assert set(pool.map(ask, range(100))) == {expected}
    assert served.asked.count(f"/sync/v1/b/{blob}") == 1


@pytest.mark.parametrize("server", ["cache", "disk"])
def test_fault_19_blobs_keep_ranges_tags_and_their_bytes(served: Served, nginx: Nginx, server: str) -> None:
    blob = a_blob(served)
    body = (served.hq.directory / "sync" / "b" / blob).read_bytes()
    asked = Request(f"{getattr(nginx, server)}/sync/v1/b/{blob}", headers={"Range": "bytes=5-20", "Accept-Encoding": "gzip, br"})
    with urlopen(asked, timeout=PATIENCE_S) as answer:
        assert (answer.status, answer.read()) == (206, body[5:21])
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["ETag"].startswith('"')
        assert answer.headers["Content-Encoding"] is None
    with (
        pytest.raises(HTTPError) as unmodified,
        urlopen(Request(asked.full_url, headers={"If-None-Match": answer.headers["ETag"]})),
    ):
        pass
    with unmodified.value as refusal:
        assert refusal.code == 304


@pytest.mark.parametrize("server", ["cache", "disk"])
def test_fault_19_a_kiosk_syncs_through_it_both_ways(served: Served, nginx: Nginx, tmp_path: Path, server: str) -> None:
    corner = Corner(tmp_path / "kiosk", served, url=getattr(nginx, server))
    assert corner.publication() == 1
    served.hq.change(l11={"price": "349.00"})
    assert corner.catches_up()
    is_static = [path for path in served.asked if path.startswith("/sync/v1/") and not path.endswith(("/up", "/enrolments"))]
    assert bool(is_static) is (server == "cache")


def test_fault_19_while_hq_is_down_the_cache_serves_what_it_has_and_later_the_rest(
    served: Served, nginx: Nginx, tmp_path: Path
) -> None:
    corner = Corner(tmp_path / "kiosk", served, url=nginx.cache)
    assert corner.publication() == 1
    served.hq.change(l11={"price": "349.00"})
    served.before = lambda path: None if path.endswith("/up") else ("503 Service Unavailable", b"")
    time.sleep(FRESH_S)
    asked = len(served.asked)
    assert [corner.publication() for _ in range(5)] == [1] * 5
    assert len(served.asked) - asked <= 5 * 4
    served.before = lambda path: None
    assert corner.catches_up()


def test_fault_19_a_head_an_hour_old_is_merely_old(served: Served, tmp_path: Path) -> None:
    nginx = Nginx(tmp_path / "nginx", served, changes={"proxy_cache_valid 200 10s": "proxy_cache_valid 200 1h"})
    try:
        corner = Corner(tmp_path / "kiosk", served, url=nginx.cache)
        fresh = Corner(tmp_path / "fresh", served)
        assert corner.publication() == 1
        served.hq.change(l11={"price": "349.00"})
        assert fresh.publication() == 2
        assert [corner.publication() for _ in range(3)] == [1, 1, 1]
        # A kiosk that was ahead of this cache stays where it was.
        fresh.client = Client(nginx.cache)
        assert fresh.round().faults == ("stale",)
        assert fresh.holds_hq_s_rows()
        fresh.client = Client(served.url)
        assert fresh.round().faults == ()
    finally:
        nginx.stop()


def test_fault_19_a_remembered_404_makes_no_loop_and_passes(served: Served, nginx: Nginx, tmp_path: Path) -> None:
    corner = Corner(tmp_path / "kiosk", served, url=nginx.cache)
    assert corner.publication() == 1
    served.hq.change(l11={"price": "349.00"})
    served.before = lambda path: ("404 Not Found", b"{}") if "/b/" in path else None
    spent = corner.requests_of_a_failed_round(served)
    assert spent * rounds_a_minute() <= MOST_REQUESTS_A_MINUTE
    served.before = lambda path: None
    assert corner.catches_up()


def test_fault_19_without_tags_and_with_compression_the_bytes_are_the_same(served: Served, tmp_path: Path) -> None:
    for path in [path for path in (served.hq.directory / "sync").rglob("*") if path.is_file()]:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    spoilt = {"        etag on;": "        etag off; gzip_static always;"}
    nginx = Nginx(tmp_path / "nginx", served, changes=spoilt)
    try:
        with urlopen(f"{nginx.disk}/sync/v1/b/{a_blob(served).removesuffix('.gz')}", timeout=PATIENCE_S) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert answer.headers["ETag"] is None
        corner = Corner(tmp_path / "kiosk", served, url=nginx.disk)
        assert [corner.publication() for _ in range(3)] == [1, 1, 1]
        assert corner.holds_hq_s_rows()
    finally:
        nginx.stop()


def test_fault_19_a_storm_of_events_is_told_to_come_later(served: Served, nginx: Nginx) -> None:
    def post(_: int) -> tuple[int, str | None]:
        try:
            with urlopen(f"{nginx.cache}/sync/v1/up", data=b"{}", timeout=30) as answer:
                return answer.status, None
        except HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.headers["Retry-After"]

    with ThreadPoolExecutor(20) as pool:
        answers = set(pool.map(post, range(60)))
    assert (503, "30") in answers
    assert served.asked.count("/sync/v1/up") < 60


def rounds_a_minute() -> int:
    """Return how many rounds a kiosk begins in the worst of many minutes in which every round fails."""
    most = 0
    for seed in range(50):
        chance, at, rounds = Random(seed), 0.0, 0
        while at < 60:
            rounds += 1
            at += schedule.next_delay_s(rounds, random=chance)
        most = max(most, rounds)
    return most
