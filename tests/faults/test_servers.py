"""A serving process is alone in its directory, and gone soon after it was told to stop, whatever its threads are at."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import pytest

from kiosk.printing.installed import FIRST_NAME, install
from pos.db import Store
from pos.ops import open_ops
from sync.locks import SERVER_FILE
from tests import world
from tests.processes import PATIENCE_S, comptoir, free_port, is_free, serving, wait_for

STOP_S = 5.0


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    world.make_kiosk(tmp_path).ops.close()
    return tmp_path


@contextmanager
def kiosk_process(directory: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    url = f"http://127.0.0.1:{free_port()}"
    arguments = ("kiosk", "serve", "--dir", str(directory), "--port", url.rpartition(":")[2])
    with serving(*arguments, url=f"{url}/healthz") as process:
        yield process, url


def seconds_to_stop(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> float:
    began = time.monotonic()
    process.send_signal(number)
    process.wait(60)
    return time.monotonic() - began


def make_slip(url: str) -> str:
    with urlopen(f"{url}/selections", data=urlencode({"listing": 101}).encode(), timeout=PATIENCE_S) as answer:
        selection = answer.url
    with urlopen(f"{selection}/slip", data=b"", timeout=PATIENCE_S) as answer:
        return str(answer.url)


def serve_second(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "comptoir", *arguments, "--port", str(free_port())]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_kiosk_is_gone_right_after_requests(directory: Path, number: int) -> None:
    with kiosk_process(directory) as (process, url):
        for _ in range(5):
            urlopen(f"{url}/home", timeout=PATIENCE_S).close()

        assert seconds_to_stop(process, number) < 2
        assert process.returncode == 0


def test_a_kiosk_is_gone_while_a_printer_says_nothing_and_guests_hold_on(directory: Path) -> None:
    """The print's job is left as it is on disk, for the next start to call by its true name."""
    with mute_printer() as port, open_records(directory) as ops:
        with ops.write() as database:
            install(database, FIRST_NAME, f"127.0.0.1:{port}")
        with kiosk_process(directory) as (process, url):
            held = [socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2]))) for _ in range(20)]
            held[0].sendall(b"GET /home HTTP/1.1\r\nHost: ")
            slip = make_slip(url)
            post(f"{slip}/print")
            wait_sent(ops)

            assert seconds_to_stop(process) < STOP_S
            for end in held:
                end.close()
        assert job_states(ops) == [("sent", "")]
        with kiosk_process(directory):
            assert job_states(ops) == [("uncertain", "interrupted")]


def test_a_kiosk_whose_server_fails_ends_with_the_reason_in_its_log(directory: Path) -> None:
    failing = "import sys, comptoir, kiosk.door; kiosk.door.FrontDoor._admit = lambda door: 1 / 0; comptoir.main()"
    port = free_port()
    command = [sys.executable, "-c", failing, "kiosk", "serve", "--dir", str(directory), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with socket.create_connection(("127.0.0.1", port)):
            try:
                _, said = process.communicate(timeout=STOP_S)
            finally:
                process.kill()
    assert (process.returncode, b"ZeroDivisionError" in said) == (1, True)


def test_a_second_kiosk_on_a_directory_is_told_who_serves_it_and_touches_no_print(directory: Path) -> None:
    with mute_printer() as port, open_records(directory) as ops:
        with ops.write() as database:
            install(database, FIRST_NAME, f"127.0.0.1:{port}")
        with kiosk_process(directory) as (process, url):
            post(f"{make_slip(url)}/print")
            wait_sent(ops)

            second = serve_second("kiosk", "serve", "--dir", str(directory))

            assert (second.returncode, second.stdout, len(second.stderr.splitlines())) == (1, "", 1)
            assert f"by process {process.pid} since 20" in second.stderr
            assert f"on {url}/" in second.stderr
            assert job_states(ops) == [("sent", "")]
            process.kill()
            process.wait()
        with kiosk_process(directory):
            pass  # the lock of one that was killed went with it


def test_a_kiosk_whose_directory_turned_read_only_starts_and_answers(directory: Path) -> None:
    with kiosk_process(directory) as (process, _):
        process.kill()
        process.wait()
    (directory / SERVER_FILE).unlink()
    directory.chmod(0o555)
    port = free_port()
    # Root without its privilege to write where it may not, since it starts from files nobody else may read.
    bound = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []
    command = [*bound, sys.executable, "-m", "comptoir", "kiosk", "serve", "--dir", str(directory), "--port", str(port)]
    process = subprocess.Popen(command)
    try:
        wait_for(f"http://127.0.0.1:{port}/browse", process)
        assert "is held already" in serve_second("kiosk", "serve", "--dir", str(directory)).stderr
    finally:
        process.kill()
        process.wait()
        directory.chmod(0o700)


def test_a_second_marketplace_on_a_directory_is_told_who_serves_it_and_resets_no_count(tmp_path: Path) -> None:
    directory, port = tmp_path / "hq", free_port()
    comptoir("marketplace", "init", "--dir", str(directory))
    url = f"http://127.0.0.1:{port}"
    with serving("marketplace", "serve", "--dir", str(directory), "--port", str(port), url=f"{url}/readyz") as process:
        counts = set((directory / "metrics").iterdir())

        second = serve_second("marketplace", "serve", "--dir", str(directory))

        assert (second.returncode, second.stdout, len(second.stderr.splitlines())) == (1, "", 1)
        assert f"by process {process.pid} since 20" in second.stderr
        assert counts <= set((directory / "metrics").iterdir()), "a worker may have begun to count meanwhile, none was forgotten"

        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(b"POST /console/login HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\na")
            assert seconds_to_stop(process) < STOP_S


def test_a_marketplace_that_was_killed_can_be_started_again(tmp_path: Path) -> None:
    directory, port = tmp_path / "hq", free_port()
    comptoir("marketplace", "init", "--dir", str(directory))
    arguments = ("marketplace", "serve", "--dir", str(directory), "--port", str(port))
    with serving(*arguments, url=f"http://127.0.0.1:{port}/readyz") as process:
        process.kill()
        process.wait()
        deadline = time.monotonic() + PATIENCE_S
        while not is_free(port):
            assert time.monotonic() < deadline, "its workers go with it"
            time.sleep(0.05)
    with serving(*arguments, url=f"http://127.0.0.1:{port}/readyz"):
        pass


@contextmanager
def open_records(directory: Path) -> Iterator[Store]:
    store = open_ops(directory / "ops.db")
    yield store
    store.close()


def job_states(ops: Store) -> list[tuple[str, str]]:
    return [tuple(row) for row in ops.read().execute("select state, reason from print_job")]


def wait_sent(ops: Store) -> None:
    """Wait until a paper has left for a printer that says nothing."""
    until = time.monotonic() + PATIENCE_S
    while job_states(ops) != [("sent", "")]:
        assert time.monotonic() < until, job_states(ops)
        time.sleep(0.05)


def post(url: str) -> None:
    with build_opener(HTTPCookieProcessor()).open(url, data=b"", timeout=PATIENCE_S):
        pass


@contextmanager
def mute_printer() -> Iterator[int]:
    """Accept every connection, and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield int(listener.getsockname()[1])
