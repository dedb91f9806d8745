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
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.error import URLError
from urllib.request import urlopen

from comptoir import main

START_S = 40


def free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def four_ports() -> int:
    """Return the first of four ports in a row that nobody listens on now."""
    while True:
        first = free_port()
        if first <= 65532 and all(is_free(first + more) for more in range(4)):
            return first


def is_free(port: int) -> bool:
    """Tell whether a port can be listened on now."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


def comptoir(*arguments: str, expect: int = 0) -> str:
    """Run a command in this process, where it costs no start of its own, and return what it printed.

    Raises: AssertionError when its status is another than expected.
    """
    output, errors, status = io.StringIO(), io.StringIO(), 0
    with patch.object(sys, "argv", ["comptoir", *arguments]), redirect_stdout(output), redirect_stderr(errors):
        try:
            main()
        except SystemExit as ended:
            status = int(ended.code or 0)
    assert status == expect, (arguments, output.getvalue(), errors.getvalue())
    return output.getvalue() if expect == 0 else errors.getvalue()


def get_json(url: str) -> Any:
    """Return the JSON document at `url`."""
    with urlopen(url, timeout=10) as response:
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
