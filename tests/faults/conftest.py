"""A marketplace that listens on a real port, kiosks that are directories, and what this machine must allow for some faults."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from cheroot.wsgi import Server

from marketplace.fleet.enrolments import start_enrolment
from pos import clock
from pos.db import connect
from pos.ops import open_ops
from sync.channels import damaged_channels, sync_cursors
from sync.corner.client import Client
from sync.corner.enrolment import enrol
from tests.faults.deaths import CannotTrace, Workshop
from tests.marketplace.conftest import cluster, founded
from tests.marketplace.hq import CopiedHq, Hq
from tests.sync.conftest import hq, line
from tests.sync.conftest import kiosk as follower

__all__ = ["cluster", "follower", "founded", "hq", "line"]


def lacking(what: str) -> None:
    """Skip the test, or fail it where everything is required."""
    pytest.fail(what) if os.environ.get("COMPTOIR_REQUIRE_ALL") == "1" else pytest.skip(what)


class Served:
    """A marketplace on a port of this machine, and every request it was asked."""

    def __init__(self, hq: CopiedHq) -> None:
        self.hq, self.app = hq, hq.app
        self.asked: list[str] = []
        self.before: Callable[[str], tuple[str, bytes] | None] = lambda path: None
        self._server = Server(("127.0.0.1", 0), self._answer, numthreads=8)
        self._server.prepare()
        self._thread = threading.Thread(target=self._server.serve)
        self._thread.start()
        self.port = int(self._server.bind_addr[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def enrol(self, directory: Path, *, corner: str = "nantes-crebillon", url: str | None = None) -> Path:
        """Make `directory` a kiosk of a corner that reaches us at `url`."""
        directory.mkdir()
        store = open_ops(directory / "ops.db")
        code = start_enrolment(self.hq.engine, corner, now=clock.now())
        enrol(directory, store, Client(url or self.url), code, now=clock.now)
        store.close()
        return directory

    def renew(self) -> None:
        """Answer from what HQ's directory holds now, as a new process would."""
        self.app = self.hq.app

    def close(self) -> None:
        self._server.stop()
        self._thread.join()
        self.hq.close()

    def _answer(self, environment: WSGIEnvironment, start_response: StartResponse) -> Any:
        path = environment["PATH_INFO"]
        self.asked.append(path)
        instead = self.before(path)
        if instead is None:
            return self.app.wsgi_app(environment, start_response)
        start_response(instead[0], [("Content-Length", str(len(instead[1])))])
        return [instead[1]]


@pytest.fixture
def copied(founded: Hq, tmp_path: Path) -> Iterator[CopiedHq]:
    """A marketplace with the small world published."""
    made = CopiedHq(founded, tmp_path / "hq")
    yield made
    made.close()


@pytest.fixture
def served(founded: Hq, tmp_path: Path) -> Iterator[Served]:
    """A marketplace with the small world published, listening."""
    with serving_hq(CopiedHq(founded, tmp_path / "hq")) as made:
        yield made


@contextmanager
def serving_hq(hq: CopiedHq) -> Iterator[Served]:
    """Serve a marketplace until the block ends."""
    made = Served(hq)
    try:
        yield made
    finally:
        made.close()


@contextmanager
def serving_folder(static: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve a folder as a mirror does until the block ends; lend its address and the list of what it is asked."""
    asked: list[str] = []

    class Files(SimpleHTTPRequestHandler):
        def translate_path(self, path: str) -> str:
            asked.append(path)
            return str(static / path.removeprefix("/sync/v1/"))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def workshop() -> Iterator[Workshop]:
    """The process that runs kiosks and kills them."""
    try:
        made = Workshop()
    except CannotTrace as problem:
        lacking(str(problem))
    yield made
    made.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 24 MB (tmpfs); mounting one takes root or an unprivileged user namespace."""
    mounted = tmp_path / "disk"
    mounted.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=24m", "comptoir-test", str(mounted)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        lacking("mounting a small tmpfs is refused: run as root")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", "--lazy", str(mounted)], check=True)


def versions(catalog: Path) -> dict[str, int]:
    """Return the version of each channel of a catalogue that is sound in itself, after looking at all of it."""
    database = connect(catalog, durable=False, is_new=False)
    try:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        assert damaged_channels(database) == []
        return {name: cursor.version for name, cursor in sync_cursors(database).items()}
    finally:
        database.close()
