"""Somebody slow, silent or endless before the kiosk's server costs nobody else anything."""

from __future__ import annotations

import http.client
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest

from kiosk.door import DoorLimits, KioskServer
from tests.processes import PATIENCE_S

LIMITS = DoorLimits(request_s=60.0, answer_s=60.0, answer_bytes_a_s=2**30, connections=100)
HASTY = replace(LIMITS, request_s=0.4, answer_s=0.4)
"""For whom a deadline ends; beside those it does not end, whoever waits for them waits for much longer than `SOON_S`."""
SOON_S = 15.0
LARGE = b"x" * 2**22


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer a path of letters with itself, `/large` with more than a kernel buffers, and a post with what it held."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    is_long = int(environ.get("CONTENT_LENGTH") or 0) > LIMITS.body_bytes
    content = LARGE if environ["PATH_INFO"] == "/large" else body or environ["PATH_INFO"].encode()
    status = "413 Content Too Large" if is_long else "200 OK"
    start_response(status, [("Content-Length", str(len(content))), ("Content-Type", "text/plain")])
    return [content]


@contextmanager
def opened(limits: DoorLimits, *, first: Callable[[int], object] = lambda port: None) -> Iterator[int]:
    """Serve with short deadlines; what `first` does with the port has happened before anybody is let in."""
    server = KioskServer(("127.0.0.1", 0), limits=limits)
    server.prepare()
    server.wsgi_app = app
    first(int(server.bind_addr[1]))
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield int(server.bind_addr[1])
    finally:
        server.end()
        thread.join()
        server.wait_idle(until=time.monotonic() + 5)
        server.requests.stop()
        server.socket.close()


@pytest.fixture
def port() -> Iterator[int]:
    with opened(LIMITS) as opened_port:
        yield opened_port


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)


def ask(port: int, path: str = "/page") -> float:
    """Ask for a page on a connection of its own and return how long it took."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request("GET", path)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, path.encode())
    connection.close()
    return time.monotonic() - began


def heard(end: socket.socket) -> bytes:
    """Return everything that still comes, until the other side ends the connection."""
    content = b""
    try:
        while piece := end.recv(2**16):
            content += piece
    except ConnectionResetError:
        content += b" (reset)"
    return content


BEGINNINGS = {
    "silence": b"",
    "half a request line": b"GET /pa",
    "half the headers": b"GET /page HTTP/1.1\r\nHost: x\r\nX-A: ",
    "half a body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\nab",
    "no body": b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n",
}


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=list(BEGINNINGS))
def test_pages_come_at_once_beside_many_who_stop_in_the_middle(port: int, beginning: bytes) -> None:
    with ExitStack() as held:
        for _ in range(200):
            held.enter_context(connect(port)).sendall(beginning)

        assert max(ask(port) for _ in range(10)) < SOON_S


@pytest.mark.parametrize("beginning", BEGINNINGS.values(), ids=list(BEGINNINGS))
def test_a_request_that_trickles_is_ended_by_one_deadline_for_all_of_it(beginning: bytes) -> None:
    with opened(HASTY) as port, connect(port) as slow:
        began = time.monotonic()
        slow.sendall(beginning)
        slow.settimeout(0.05)
        answer = None
        while answer is None and time.monotonic() - began < SOON_S:
            try:
                answer = slow.recv(2**16)
            except TimeoutError:
                if beginning and not beginning.endswith(b"\n"):
                    slow.sendall(b"a")

        assert answer is not None
        assert answer == b"" or answer.startswith(b"HTTP/1.1 408 ")


def test_a_request_line_without_end_is_refused_before_it_is_held(port: int) -> None:
    with connect(port) as endless:
        endless.sendall(b"GET /" + b"a" * (LIMITS.head_bytes + 1))

        assert heard(endless).startswith(b"HTTP/1.1 414 ")


def test_headers_without_end_are_refused_before_they_are_held(port: int) -> None:
    with connect(port) as endless:
        endless.sendall(b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * (LIMITS.head_bytes // 8))

        assert heard(endless).startswith(b"HTTP/1.1 431 ")


def test_a_hundred_megabytes_of_one_line_are_never_held(port: int) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with connect(port) as endless:
        for _ in range(100):
            endless.sendall(b"a" * 2**20)

        assert heard(endless).startswith(b"HTTP/1.1 414 ")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20 * 2**10
    assert ask(port) < SOON_S


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Transfer-Encoding: chunked", b"411"),
        (b"Content-Length: -1", b"400"),
        (b"Content-Length: 1_0", b"400"),
        (b"Content-Length: 5\r\nContent-Length: 6", b"400"),
        (b"Content-Length: " + b"9" * 5000, b"400"),
    ],
)
def test_a_body_of_no_stated_length_is_refused(port: int, head: bytes, status: bytes) -> None:
    with connect(port) as end:
        end.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n5\r\nabcde\r\n")

        assert heard(end).startswith(b"HTTP/1.1 " + status)


def test_a_body_too_long_is_the_app_s_to_refuse_and_its_answer_arrives(port: int) -> None:
    with connect(port) as end:
        body = b"a" * (LIMITS.body_bytes * 20)
        end.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

        assert heard(end).startswith(b"HTTP/1.1 413 ")


def test_a_body_in_pieces_arrives_whole(port: int) -> None:
    with connect(port) as end:
        for piece in (b"POST / HTTP/1.1\r\nHost: x\r", b"\nConnection: close\r\nContent-Length: 6\r\n\r", b"\nabc", b"def"):
            end.sendall(piece)
            time.sleep(0.02)

        assert heard(end).endswith(b"\r\n\r\nabcdef")


def test_requests_sent_ahead_are_answered_in_order(port: int) -> None:
    with connect(port) as eager:
        paths = [b"/%d" % number for number in range(50)]
        asked = [b"GET %s HTTP/1.1\r\nHost: x\r\n" % path for path in paths]
        eager.sendall(b"\r\n".join(asked) + b"Connection: close\r\n\r\n")

        answers = heard(eager)
    assert [part.split(b"HTTP/1.1")[0] for part in answers.split(b"\r\n\r\n")[1:]] == paths


@pytest.mark.parametrize(
    "first_part",
    [
        b"GET /b HTTP/1.1\r\nConnection: close\r\nHo",
        b"POST /b HTTP/1.1\r\nConnection: close\r\nHost: x\r\nContent-Length: 3\r\n\r\na",
    ],
)
def test_a_request_that_began_behind_another_is_read_to_its_end(port: int, first_part: bytes) -> None:
    rest = b"bc" if first_part.startswith(b"POST") else b"st: x\r\n\r\n"
    with connect(port) as end:
        end.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" + first_part)
        answer = end.recv(2**16)
        end.sendall(rest)
        answers = answer + heard(end)

    assert (answers.count(b"200 OK"), answers.count(b" 408 ")) == (2, 0)


def test_whoever_is_refused_late_still_has_time_to_hear_it() -> None:
    with opened(LIMITS) as port, connect(port) as end, pytest.MonkeyPatch.context() as patch:
        patch.setattr("kiosk.door.LINGER_S", 1.0)
        end.sendall(b"GET /")
        time.sleep(1.1)
        end.sendall(b"a" * (LIMITS.head_bytes + 1))

        assert heard(end).startswith(b"HTTP/1.1 414 ")
        for _ in range(2):
            end.sendall(b"a")  # closed by the other side, the first would be answered with a reset, the second raise
            time.sleep(0.1)


@pytest.mark.parametrize("ahead", [1, 40])
def test_nobody_waits_for_those_who_do_not_read_their_answers(port: int, ahead: int) -> None:
    with ExitStack() as held:
        for _ in range(40):
            end = held.enter_context(connect(port))
            end.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * ahead)

        assert max(ask(port) for _ in range(10)) < SOON_S


def test_many_pages_asked_for_and_never_read_hold_no_thread(port: int) -> None:
    with ExitStack() as held:
        for _ in range(40):
            held.enter_context(connect(port)).sendall(b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n" * 500)

        assert max(ask(port) for _ in range(10)) < SOON_S


def test_an_answer_larger_than_any_buffer_arrives_whole(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request("GET", "/large")
    assert connection.getresponse().read() == LARGE
    connection.close()


def test_connections_that_are_reset_leave_nothing_behind(port: int) -> None:
    for _ in range(50):
        end = connect(port)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        end.close()
    assert ask(port) < SOON_S


def test_whoever_was_waited_for_longest_makes_room_for_the_next() -> None:
    with opened(replace(LIMITS, connections=3)) as port, ExitStack() as held:
        silent = [held.enter_context(connect(port)) for _ in range(5)]

        assert ask(port) < SOON_S
        assert [heard(end) for end in silent[:3]] == [b""] * 3


def test_a_connection_serves_one_request_after_another(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    for path in ("/a", "/b", "/c"):
        connection.request("GET", path)
        assert connection.getresponse().read() == path.encode()
    connection.close()


def test_whoever_makes_room_while_its_request_arrives_takes_nobody_along() -> None:
    with ExitStack() as held:
        ends: list[socket.socket] = []

        def crowd(port: int) -> None:
            for _ in range(5):
                ends.append(held.enter_context(connect(port)))
                ends[-1].sendall(b"GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        with opened(replace(LIMITS, connections=1), first=crowd) as port:
            assert heard(ends[-1]).endswith(b"/page")
            assert ask(port) < SOON_S
