"""The service manager hears "ready" and "alive" from a kiosk that answers, and from no other."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kiosk.watchdog import notify, start_watchdog
from tests.processes import free_port, serving

SOON_S = 60.0


@contextmanager
def manager(address: str) -> Iterator[socket.socket]:
    """What systemd is to a service: a datagram socket with a name."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(address.replace("@", "\0", 1))
        listening.settimeout(SOON_S)
        yield listening


def said(listening: socket.socket) -> dict[str, str]:
    return dict(line.split("=", 1) for line in listening.recv(4096).decode().splitlines())


def test_a_kiosk_that_serves_says_ready_once_and_then_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    with manager(str(tmp_path / "notify")) as listening:
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "300000")
        with serving(
            "kiosk", "serve", "--dir", str(tmp_path / "kiosk"), "--port", str(port), url=f"http://127.0.0.1:{port}/healthz"
        ):
            first, second = said(listening), said(listening)

    assert first == {"READY": "1", "WATCHDOG": "1", "STATUS": "not_enrolled, catalog_missing"}
    assert second == {"WATCHDOG": "1", "STATUS": "not_enrolled, catalog_missing"}


def test_a_kiosk_whose_pages_do_not_come_back_is_not_said_to_live(tmp_path: Path) -> None:
    with manager(str(tmp_path / "notify")) as listening, socket.create_server(("127.0.0.1", 0)) as hung:
        port = hung.getsockname()[1]
        end = start_watchdog(
            "127.0.0.1", port, environment={"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
        )
        guest, _ = hung.accept()
        guest.recv(4096)
        listening.settimeout(0.5)
        with pytest.raises(TimeoutError):
            listening.recv(4096)
        # Once it answers, it is ready: what it answers matters to its pages alone.
        listening.settimeout(SOON_S)
        body = b'{"code": "catalog_missing", "detail": "catalog_missing", "status": 503}'
        guest.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        guest.close()
        assert said(listening)["READY"] == "1"
        end.set()


def test_without_a_service_manager_nothing_is_asked_and_nothing_said(tmp_path: Path) -> None:
    begun = threading.active_count()
    start_watchdog("127.0.0.1", 9, environment={})
    notify(str(tmp_path / "nobody"), "READY=1")

    assert threading.active_count() == begun


def test_an_abstract_socket_is_spoken_to_as_one() -> None:
    address = f"@comptoir-test-{free_port()}"
    with manager(address) as listening:
        notify(address, "READY=1")
        assert said(listening) == {"READY": "1"}
