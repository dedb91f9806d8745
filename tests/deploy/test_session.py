"""The screen is never blank and never shows the browser's own words: the app, or a page that says it is coming."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, build_opener

import pytest

from tests.deploy.machines import REPOSITORY
from tests.processes import free_port

SESSION = REPOSITORY / "deploy/root/usr/lib/comptoir/session"
SOON_S = 60.0


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The session's program as a module, with an app that is not there yet."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # it lies among what is copied to a machine
    spec = spec_from_loader("session", SourceFileLoader("session", str(SESSION)))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "APP", f"http://127.0.0.1:{free_port()}/")
    monkeypatch.setattr(module, "LOOK_S", 0.2)
    monkeypatch.setattr(module, "GONE_S", 0.5)
    return module


@contextmanager
def listening(port: int, handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class App(BaseHTTPRequestHandler):
    """An app that answers, though it can serve nobody yet."""

    def do_GET(self) -> None:
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def app_of(session: ModuleType) -> int:
    return int(session.APP.rsplit(":", 1)[1].strip("/"))


def test_the_screen_says_that_the_counter_opens_and_leads_to_the_app_once_it_answers(session: ModuleType) -> None:
    opener = build_opener(Stay)
    with listening(0, session.StartingPage) as starting:
        waiting = opener.open(starting, timeout=SOON_S).read().decode()
        assert "Le comptoir ouvre dans un instant." in waiting
        assert '<meta http-equiv="refresh" content="2">' in waiting
        with listening(app_of(session), App), pytest.raises(HTTPError) as led:
            opener.open(f"{starting}anything", timeout=SOON_S)
        with led.value:
            assert (led.value.code, led.value.headers["Location"]) == (303, session.APP)


def test_a_browser_stays_while_the_app_starts_and_goes_when_the_app_is_gone(session: ModuleType) -> None:
    browser = subprocess.Popen(["sleep", "1000"])
    why: list[str] = []
    watching = threading.Thread(target=lambda: why.append(session.watch(browser)))
    try:
        watching.start()
        time.sleep(3 * session.GONE_S)
        assert watching.is_alive(), "an app that was not there yet is not gone"
        with listening(app_of(session), App):
            time.sleep(3 * session.GONE_S)
            assert watching.is_alive()
        watching.join(SOON_S)
        assert why == ["the app is gone"]
    finally:
        browser.kill()
        browser.wait()


def test_a_browser_that_ended_is_started_again_with_an_empty_profile(tmp_path: Path) -> None:
    browser, profile, calls = tmp_path / "browser", tmp_path / "profile", tmp_path / "calls"
    port = free_port()
    count, spend = f"ls {profile} 2>/dev/null | wc -l >> {calls}", f"mkdir -p {profile}\ntouch {profile}/history"
    browser.write_text(f'#!/bin/sh\n{count}\n{spend}\necho "$@" >> {calls}\n')
    browser.chmod(0o700)
    environment = {
        "COMPTOIR_APP": f"http://127.0.0.1:{free_port()}/",
        "COMPTOIR_BROWSER": str(browser),
        "COMPTOIR_FLAGS": str(REPOSITORY / "deploy/root/etc/comptoir/chromium.flags"),
        "COMPTOIR_PROFILE": str(profile),
        "COMPTOIR_STARTING_PORT": str(port),
    }
    running = subprocess.Popen(["/usr/bin/python3", "-I", SESSION], env=environment, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + SOON_S
        while not (calls.exists() and len(calls.read_text().splitlines()) >= 4):
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with build_opener().open(f"http://127.0.0.1:{port}/", timeout=SOON_S) as page:
            assert page.status == 200
    finally:
        running.kill()
        running.wait()

    lines = calls.read_text().splitlines()
    own = f" --user-data-dir={profile} http://127.0.0.1:{port}/"
    assert lines[0:4:2] == ["0", "0"]
    assert all(line.startswith("--kiosk ") and line.endswith(own) for line in lines[1:4:2])


def test_policies_session_and_unit_speak_of_the_same_two_addresses(session: ModuleType) -> None:
    root = REPOSITORY / "deploy/root/etc"
    policies = (root / "chromium/policies/managed/comptoir.json").read_text()
    unit = (root / "systemd/system/comptoir-kiosk.service").read_text()

    assert '"URLAllowlist": ["http://127.0.0.1:8001", "http://127.0.0.1:8009"]' in policies
    assert session.STARTING == ("127.0.0.1", 8009)
    assert "kiosk serve --dir /var/lib/comptoir/kiosk --port 8001\n" in unit
    assert '"http://127.0.0.1:8001/"' in SESSION.read_text()
