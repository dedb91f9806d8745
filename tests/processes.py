"""Real processes for journeys: the product's own commands on free ports of this machine, and a cable that can be cut."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.error import URLError
from urllib.request import urlopen

from comptoir import main
from pos.privacy import UMASK

START_S = 120
"""Of a machine that does much else, too; one that starts at all starts sooner."""
PATIENCE_S = 60
"""For what comes in a moment, and on a busy machine some time after it."""
FIRST_PORT, MANY_PORTS = 20_000, 12_000
PORTS = (FIRST_PORT + number % MANY_PORTS for number in count(os.getpid() * 997))


def free_port() -> int:
    """Return a port nobody listens on now, below those that the system gives to outgoing connections.

    Each process of the tests goes through ports of its own, so that none is lost to another test before it is listened on.
    """
    return next(port for port in PORTS if is_free(port))


def five_ports() -> int:
    """Return the first of five ports in a row that nobody listens on now."""
    return next(port for port in PORTS if all(is_free(next(PORTS) if more else port) for more in range(5)))


def is_free(port: int) -> bool:
    """Tell whether a port can be listened on now."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in this process, where it costs no start of its own."""
    output, errors, status = io.StringIO(), io.StringIO(), 0
    umask = os.umask(UMASK)
    argv, columns = patch.object(sys, "argv", ["comptoir", *arguments]), patch.dict(os.environ, COLUMNS="80")
    with argv, columns, redirect_stdout(output), redirect_stderr(errors):
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
        finally:
            os.umask(umask)
    return subprocess.CompletedProcess(arguments, status, output.getvalue(), errors.getvalue())


def run_apart(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process of its own."""
    command = [sys.executable, "-m", "comptoir", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env={**os.environ, "COLUMNS": "80"})
    assert "Traceback" not in ended.stderr + ended.stdout
    return ended


def comptoir(*arguments: str, expect: int = 0) -> str:
    """Run a command and return what it printed. Raises: AssertionError when its status is another than expected."""
    ended = run(*arguments)
    assert ended.returncode == expect, ended
    return ended.stdout if expect == 0 else ended.stderr


def get_json(url: str) -> Any:
    """Return the JSON document at `url`."""
    with urlopen(url, timeout=PATIENCE_S) as response:
        return json.loads(response.read())


@contextmanager
def serving(*arguments: str, url: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a serving command until the block ends, from when `url` answers."""
    log = Path(os.environ.get("TMPDIR", "/tmp")) / f"comptoir-{os.getpid()}-{arguments[0]}.log"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "comptoir", *arguments], stdout=output, stderr=output)
    try:
        wait_for(url, process)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.unlink(missing_ok=True)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Return once `url` answers 200."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "the process ended"
        with suppress(URLError, OSError), urlopen(url, timeout=2) as response:
            if response.status == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"{url} did not answer")


class Cable:
    """The network between a kiosk and the marketplace: a TCP relay that can be cut and mended."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._is_cut = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._live: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """Drop every connection, and each new one at once."""
        self._is_cut = True
        for end in list(self._live):
            _shut(end)

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    def close(self) -> None:
        """Stop listening; every socket and thread is gone afterwards."""
        self.cut()
        _shut(self._listener)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._is_cut:
                near.close()
                continue
            thread = threading.Thread(target=self._connect, args=(near,))
            self._threads.append(thread)
            thread.start()

    def _connect(self, near: socket.socket) -> None:
        with near, socket.create_connection(("127.0.0.1", self._to_port)) as far:
            self._live |= {near, far}
            back = threading.Thread(target=_relay, args=(far, near))
            back.start()
            _relay(near, far)
            back.join()
            self._live -= {near, far}


def _relay(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    _shut(source)
    _shut(target)


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
