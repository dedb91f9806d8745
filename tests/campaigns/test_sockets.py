"""Odd requests on the wire: both servers answer what they can, close on what they cannot, and serve the next visitor."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from random import Random

import pytest

from tests import world
from tests.amounts import amount
from tests.campaigns.requests import HEADERS, ODD_BYTES, ODD_TEXTS
from tests.processes import comptoir, free_port, serving

REQUESTS = amount("odd requests to each server's socket")
PATHS = (b"/", b"/home", b"/browse?q=", b"/sku/", b"/slips/", b"/k/", b"/orders/", b"/console/login", b"/sync/v1/up", b"/static/")
LINES = (
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n",
    b"GET http://[::1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: abc\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nContent-Length: 1\r\n\r\nx",
    b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nA b: c\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\n folded\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x00" * 64 + b"\r\n\r\n",
)


def requests(random: Random) -> list[bytes]:
    """Return raw requests, each to be sent on a connection of its own."""
    drawn = list(LINES)
    while len(drawn) < REQUESTS:
        odd = random.choice(ODD_BYTES) if random.random() < 0.5 else random.choice(ODD_TEXTS).encode()[:4000]
        target = random.choice(PATHS) + re.sub(rb"[\r\n ]", b"", odd)
        name = random.choice(sorted(HEADERS))
        value = random.choice(HEADERS[name]).encode("latin-1", "replace")[:3000]
        host = b"" if name == "Host" else b"Host: localhost\r\n"
        drawn.append(b"GET %s HTTP/1.1\r\n%s%s: %s\r\nConnection: close\r\n\r\n" % (target, host, name.encode(), value))
    return drawn


def status_of(port: int, request: bytes) -> int:
    """Return the status a server answers with; 0 where it closes without a word."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as line:
        try:
            line.sendall(request)
            if not request.endswith(b"\r\n\r\n"):
                line.shutdown(socket.SHUT_WR)
            answer = b""
            while len(answer) < 12 and (more := line.recv(64)):
                answer += more
        except ConnectionError:
            return 0
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.") else 0


@pytest.mark.parametrize("part", ["kiosk", "marketplace"])
def test_nothing_on_the_wire_is_our_fault(part: str, tmp_path: Path) -> None:
    port = free_port()
    if part == "kiosk":
        world.make_kiosk(tmp_path).ops.close()
    else:
        comptoir("marketplace", "init", "--dir", str(tmp_path / "hq"))
    directory = str(tmp_path if part == "kiosk" else tmp_path / "hq")
    here = f"http://127.0.0.1:{port}"
    with serving(part, "serve", "--dir", directory, "--port", str(port), url=f"{here}/healthz"):
        answers = [(status_of(port, request), request[:200]) for request in requests(Random(part))]

        assert [each for each in answers if each[0] >= 500 and each[0] not in (501, 503, 505)] == []
        assert status_of(port, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n") == 200
        assert sum(status > 0 for status, _ in answers) > REQUESTS // 2
