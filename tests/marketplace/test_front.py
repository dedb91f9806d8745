"""The marketplace's front: a body is whole before a thread is used, within a deadline and a size; files leave without one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from granian.constants import Interfaces
from granian.server.embed import Server

from marketplace.front import MOST_FORM_BYTES, Front, Limits
from tests.processes import PATIENCE_S, free_port, is_free

T = TypeVar("T")
QUICK = Limits(body_s=0.1, body_bytes_a_s=2**30)


@dataclass
class Scope:
    method: str = "POST"
    path: str = "/console/login"
    headers: dict[str, str] = field(default_factory=dict)
    query_string: str = ""
    http_version: str = "1.1"
    scheme: str = "http"
    server: str = "127.0.0.1:8000"
    client: str = "192.0.2.7:50000"


class Protocol:
    """Granian's half of one request: pieces of a body, and what was answered. None among the pieces is silence without end."""

    def __init__(self, *pieces: bytes | None) -> None:
        self._pieces = pieces
        self.answer: tuple[Any, ...] = ()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if piece is None:
                await asyncio.Event().wait()
            else:
                yield piece

    def response_str(self, *answer: Any) -> None:
        self.answer = answer

    response_bytes = response_file_range = response_str


def echo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    content = environ["wsgi.input"].read()
    start_response("200 OK", [("Length", environ.get("CONTENT_LENGTH", "none"))])
    return [content]


async def ask(front: Front, protocol: Protocol, **scope: Any) -> tuple[Any, ...]:
    await front.__rsgi__(Scope(**scope), protocol)  # type: ignore[arg-type]
    return protocol.answer


def run(asked: Coroutine[Any, Any, T]) -> T:
    """Run in a thread of its own: the browser of another test leaves its loop running in this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, asked).result()


def length(count: int) -> dict[str, str]:
    return {"content-length": str(count)}


CHUNKED = {"transfer-encoding": "chunked"}


def test_a_body_arrives_whole_whatever_its_pieces() -> None:
    for headers in (length(6), CHUNKED):
        answer = run(ask(Front(echo), Protocol(b"abc", b"", b"def"), headers=headers))

        assert answer == (200, [("Length", "6")], b"abcdef")


@pytest.mark.parametrize("headers", [length(6), CHUNKED])
def test_a_body_that_does_not_end_is_over_at_its_deadline(headers: dict[str, str]) -> None:
    assert run(ask(Front(echo, limits=QUICK), Protocol(b"abc", None), headers=headers))[0] == 408


def test_a_body_cut_short_never_reaches_the_app() -> None:
    assert run(ask(Front(echo), Protocol(b"abc"), headers=length(6)))[0] == 408


def test_bodies_that_stall_use_no_thread() -> None:
    async def beside_many() -> tuple[Any, ...]:
        front = Front(echo)
        stalled = [asyncio.create_task(ask(front, Protocol(b"abc", None), headers=length(6))) for _ in range(500)]
        await asyncio.sleep(0)
        answer = await asyncio.wait_for(ask(front, Protocol(), method="GET", headers={}), timeout=10)
        for task in stalled:
            task.cancel()
        await asyncio.gather(*stalled)
        return answer

    assert run(beside_many())[0] == 200


def test_a_body_too_long_is_not_taken_in_and_the_app_refuses_it_by_its_length() -> None:
    most = MOST_FORM_BYTES
    announced = run(ask(Front(echo), Protocol(b"a" * most, None), headers=length(most + 1)))
    chunked = run(ask(Front(echo), Protocol(b"a" * most, b"aa", None), headers=CHUNKED))

    assert announced == (200, [("Length", str(most + 1))], b"")
    assert chunked[1] == [("Length", str(most + 2))]


def test_the_fleet_may_send_more_than_a_form() -> None:
    body = b"a" * (MOST_FORM_BYTES + 1)

    assert run(ask(Front(echo), Protocol(body), path="/sync/v1/up", headers=length(len(body))))[2] == body


def test_the_oldest_body_makes_room_where_all_hold_too_much() -> None:
    async def one_after_another() -> list[tuple[Any, ...]]:
        front = Front(echo, limits=Limits(held_bytes=2500))
        stalled = [asyncio.create_task(ask(front, Protocol(b"a" * 1000, None), headers=length(1001))) for _ in range(3)]
        while not stalled[0].done():
            await asyncio.sleep(0)
        newest = await ask(front, Protocol(b"abc"), headers=length(3))
        assert not stalled[1].done()
        for task in stalled[1:]:
            task.cancel()
        return [await stalled[0], newest]

    oldest, newest = run(one_after_another())
    assert (oldest[0], newest[0]) == (408, 200)


def test_no_more_requests_wait_for_threads_than_there_is_room_for() -> None:
    held = threading.Event()

    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        held.wait(PATIENCE_S)
        return echo(environ, start_response)

    async def crowd() -> list[tuple[Any, ...]]:
        front = Front(slow, limits=Limits(inside=3))
        inside = [asyncio.create_task(ask(front, Protocol(), method="GET")) for _ in range(3)]
        await asyncio.sleep(0)
        refused = await ask(front, Protocol(), method="GET")
        held.set()
        return [refused, *await asyncio.gather(*inside)]

    answers = run(crowd())
    assert [answer[0] for answer in answers] == [503, 200, 200, 200]
    assert answers[0][1][0][0] == "Retry-After"


def test_bodies_count_until_they_are_answered() -> None:
    held = threading.Event()

    def slow(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        held.wait(PATIENCE_S)
        return echo(environ, start_response)

    async def crowd() -> list[tuple[Any, ...]]:
        front = Front(slow, limits=Limits(held_bytes=2500))
        inside = [asyncio.create_task(ask(front, Protocol(b"a" * 1000), headers=length(1000))) for _ in range(2)]
        await asyncio.sleep(0)
        refused = await ask(front, Protocol(b"a" * 1000), headers=length(1000))
        held.set()
        answered = await asyncio.gather(*inside)
        return [refused, *answered, await ask(front, Protocol(b"a" * 2500), headers=length(2500))]

    assert [answer[0] for answer in run(crowd())] == [408, 200, 200, 200]


@pytest.mark.parametrize("headers", [b"Content-Length: 9000", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("is_reset", [False, True])
def test_whoever_leaves_in_the_middle_of_a_body_leaves_nothing_behind(
    headers: bytes, is_reset: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    head = b"POST /console/login HTTP/1.1\r\nHost: x\r\n"
    port = free_port()

    async def leave() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        chunk = b"7d0\r\n" if b"chunked" in headers else b""
        writer.write(head + headers + b"\r\n\r\n" + chunk + b"a" * 2000)
        await writer.drain()
        await asyncio.sleep(0.05)
        if is_reset:
            writer.transport.abort()
        writer.close()

    async def visit() -> bytes:
        server = Server(Front(echo, limits=Limits(held_bytes=2500)), port=port, interface=Interfaces.RSGI, log_enabled=False)
        serving = asyncio.create_task(server.serve())
        while is_free(port):
            await asyncio.sleep(0.01)
        for _ in range(3):
            await leave()
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head + b"Connection: close\r\nContent-Length: 2400\r\n\r\n" + b"a" * 2400)
        answer = await reader.read()
        writer.close()
        server.stop()
        await serving
        return answer

    assert run(visit()).startswith(b"HTTP/1.1 200 ")
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_file_is_named_and_not_read(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"0123456789")

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        file = (tmp_path / "blob").open("rb")
        file.seek(4)
        headers = [("Content-Length", "5")]
        start_response("206 Partial Content", headers)
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file, 100)
        return wrapped

    answer = run(ask(Front(app), Protocol(), method="GET"))
    assert answer == (206, [("Content-Length", "5")], str(tmp_path / "blob"), 4, 9)


def test_the_app_is_told_the_request_as_it_came() -> None:
    seen: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        seen.update(environ)
        return echo(environ, start_response)

    headers = {"host": "marche.test", "content-type": "text/plain", "x-forwarded-for": "a", "x_forwarded_for": "forged"}
    run(ask(Front(app), Protocol(), method="GET", path="/é", query_string="a=%20&b=İ", headers=headers))

    told = {name: seen[name] for name in ("PATH_INFO", "QUERY_STRING", "HTTP_HOST", "CONTENT_TYPE", "HTTP_X_FORWARDED_FOR")}
    assert list(told.values()) == ["/é".encode().decode("latin-1"), "a=%20&b=Ä°", "marche.test", "text/plain", "a"]
    assert seen["REMOTE_ADDR"] == "192.0.2.7"
