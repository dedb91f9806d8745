"""The parts of the demo that are processes of their own: each is started so that it ends with us, however we end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from pos.errors import Unavailable
from sync.processes import end_with_parent

START_S = 30
STOP_S = 5
STOPS = (signal.SIGTERM, signal.SIGINT)


class PartStopped(Unavailable):
    """A part of the demo ended by itself; `data` carries its `name` and the `log` that says why."""


@contextmanager
def signals_held() -> Iterator[frozenset[int]]:
    """Let a signal to stop wait during the block: what it starts is then known to whoever stops it. Lend the mask before.

    Threads started in the block never take a signal, so that it is ours to hold.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield frozenset(before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class DemoProcess:
    """One process of the demo, its log, and the address that answers once it is up. It ends with us, however we end."""

    def __init__(self, name: str, arguments: list[str], log: Path, running: ExitStack) -> None:
        self.name = name
        self.log = log
        with signals_held() as mask, log.open("ab") as output:
            # Its own session, so that Ctrl-C reaches us alone and every part is stopped in order.
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                [sys.executable, "-m", "comptoir", *arguments],
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=partial(_begin, mask),  # noqa: PLW1509 - our threads only wait for the printer's ports
            )
            running.callback(self.stop)

    def wait(self, ready_url: str) -> None:
        """Return once the part answers. Raises: PartStopped."""
        deadline = time.monotonic() + START_S
        while not _answers(ready_url):
            self.check()
            if time.monotonic() > deadline:
                raise PartStopped(f"{self.name} did not start in {START_S} s", log=str(self.log))
            time.sleep(0.1)

    def check(self) -> None:
        """Raise PartStopped when the process has ended."""
        if self._process.poll() is not None:
            raise PartStopped(f"{self.name} stopped", log=str(self.log))

    def stop(self) -> None:
        """End the process, first politely."""
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _begin(mask: frozenset[int]) -> None:
    """Run in a new process before its program: the signals we hold are its own again, and it ends with us."""
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    end_with_parent(signal.SIGTERM)


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as response:  # noqa: S310 - our own address
            return bool(response.status == 200)
    except (URLError, OSError):
        return False
