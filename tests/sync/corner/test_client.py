"""An exchange has one deadline for the whole of it, however its bytes are spread over time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path

import pytest

import sync.corner.client
import sync.http
from sync.blobs import BlobRef
from sync.corner.client import Client
from sync.errors import Offline

DEADLINE_S = 0.4
LONGEST_S = 3.0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CONTENT = b'{"a": "' + b"x" * 200 + b'"}'
TRICKLES = {
    "the status line": (b"", b"HTTP/1.1 200 OK" + b" " * 500),
    "a header": (HEAD, b"X-A: " + b"x" * 500),
    "a body of known length": (HEAD + b"Content-Length: %d\r\n\r\n" % len(CONTENT), CONTENT),
    "a body that ends with its connection": (HEAD + b"Connection: close\r\n\r\n", CONTENT),
    "the length of a chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"f" * 500),
    "chunks": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 100),
}


@contextmanager
def answering(at_once: bytes, slowly: bytes = b"") -> Iterator[str]:
    """Answer every request so: the first part at once, the second a byte each twentieth of a second."""
    is_over = threading.Event()

    def answer(end: socket.socket) -> None:
        with end, suppress(OSError):
            while end.recv(2**16):
                end.sendall(at_once)
                for byte in slowly:
                    if is_over.wait(0.05):
                        return
                    end.sendall(bytes([byte]))

    def accept() -> None:
        while not is_over.is_set():
            with suppress(OSError):
                end, _ = listener.accept()
                ends.append(end)
                threads.append(threading.Thread(target=answer, args=(end,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        ends: list[socket.socket] = []
        threads = [threading.Thread(target=accept)]
        threads[0].start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        is_over.set()
        for end in (listener, *ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in list(threads):
            thread.join()


ASKED: dict[str, Callable[[Client, Path], object]] = {
    "timestamp": lambda client, _: client.timestamp(),
    "small file": lambda client, _: list(client.fetch("targets/a")),
    "blob": lambda client, folder: client.blob(BlobRef.read({"sha256": "0" * 64, "length": 2**20}), folder / "blob"),
    "post": lambda client, _: client.post("/sync/v1/enrolments", {}),
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync.corner.client, "READ_S", DEADLINE_S)
    monkeypatch.setattr(sync.http, "BYTES_A_S", 2**30)


@pytest.mark.parametrize("trickle", TRICKLES.values(), ids=list(TRICKLES))
@pytest.mark.parametrize("ask", ASKED.values(), ids=list(ASKED))
def test_an_answer_that_trickles_is_cut_off(
    ask: Callable[[Client, Path], object], trickle: tuple[bytes, bytes], tmp_path: Path
) -> None:
    with answering(*trickle) as url:
        began = time.monotonic()
        with pytest.raises(Offline):
            ask(Client(url), tmp_path)
        assert time.monotonic() - began < LONGEST_S


def test_what_came_of_a_blob_is_kept_when_it_is_cut_off(tmp_path: Path) -> None:
    content = bytes(3000)
    with answering(HEAD + b"Content-Length: 3000\r\n\r\n" + content[:2900], content[2900:]) as url, pytest.raises(Offline):
        Client(url).blob(BlobRef.read({"sha256": sha256(content).hexdigest(), "length": 3000}), tmp_path / "blob")

    assert (tmp_path / "blob.part").stat().st_size >= 2048


def test_a_neighbour_is_given_less_time_than_hq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync.corner.client, "READ_S", 60)
    monkeypatch.setattr(sync.corner.client, "NEIGHBOUR_S", DEADLINE_S)
    with answering(*TRICKLES["a body of known length"]) as url:
        began = time.monotonic()
        with pytest.raises(Offline):
            Client("http://hq.test").neighbour(url).timestamp()
        assert time.monotonic() - began < LONGEST_S


def test_a_connection_goes_on_after_the_deadline_of_an_answer_that_came_in_time() -> None:
    with answering(HEAD + b"Content-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT) as url:
        client = Client(url)
        for _ in range(3):
            assert client.timestamp() == CONTENT
            time.sleep(DEADLINE_S / 2)
