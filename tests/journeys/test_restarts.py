"""The kiosk's process is away for a moment: whatever was tapped, the screen stays, says so, and comes back by itself."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from pos.ops import store_setting
from tests import world
from tests.processes import free_port, wait_for

AWAY = "La borne redémarre."


class Desk:
    """A kiosk whose process can be stopped and started again at one address; nobody answers at HQ."""

    def __init__(self, kiosk: world.Kiosk) -> None:
        self.kiosk = kiosk
        with kiosk.ops_write() as ops:
            store_setting(ops, "marketplace_url", "http://127.0.0.1:9")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "comptoir",
            "kiosk",
            "serve",
            "--dir",
            str(self.kiosk.directory),
            "--port",
            str(self.port),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(f"{self.url}/healthz", self.process)

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def desk(kiosk: world.Kiosk) -> Iterator[Desk]:
    made = Desk(kiosk)
    made.start()
    yield made
    made.stop()


def choose(page: Page, desk: Desk) -> str:
    page.goto(f"{desk.url}/sku/IPHONE-13-128-BLUE")
    page.locator("#choose").click()
    page.wait_for_url("**/selections/*")
    return page.url


def test_a_choice_tapped_while_the_process_is_away_keeps_its_page_which_works_again(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/sku/IPHONE-13-128-BLUE")
    desk.stop()
    page.locator("#choose").click()

    expect(page.locator("#trouble")).to_contain_text(AWAY)
    expect(page.locator("#choose")).to_be_visible()
    with page.expect_navigation():
        desk.start()
    page.locator("#choose").click()
    expect(page.locator("li.line")).to_have_count(1)


def test_a_slip_asked_for_while_the_process_is_away_is_one_slip(page: Page, desk: Desk) -> None:
    address = choose(page, desk)
    desk.stop()
    page.locator("#issue").click()
    expect(page.locator("#trouble")).to_contain_text(AWAY)
    with page.expect_navigation():
        desk.start()

    assert page.url == address
    page.locator("#issue").click()
    expect(page.locator("#slip-number")).to_be_visible()
    assert desk.kiosk.ops.read().execute("select count(*) from slip").fetchone() == (1,)


@pytest.mark.parametrize(
    ("kind", "body"), [("text/plain", "503 Service Unavailable"), ("text/html", "")], ids=["words", "nothing"]
)
def test_an_answer_that_is_no_page_keeps_the_page_which_comes_back_by_itself(
    page: Page, desk: Desk, kind: str, body: str
) -> None:
    page.goto(f"{desk.url}/sku/IPHONE-13-128-BLUE")
    page.route("**/selections", lambda route: route.fulfill(status=503, content_type=kind, body=body), times=1)
    with page.expect_navigation():
        page.locator("#choose").click()
        expect(page.locator("#trouble")).to_contain_text(AWAY)
        expect(page.locator("#choose")).to_be_visible()

    page.locator("#choose").click()
    expect(page.locator("li.line")).to_have_count(1)


def test_who_leaves_is_wiped_though_a_busy_server_refuses_it_first(page: Page, desk: Desk) -> None:
    address = choose(page, desk)
    page.route("**/leave", lambda route: route.fulfill(status=503, content_type="text/plain", body="503"), times=1)
    page.evaluate("document.getElementById('leave').requestSubmit()")

    expect(page.get_by_text("Touchez pour commencer")).to_be_visible()
    assert page.request.get(address).status == 404


def test_who_leaves_while_the_process_is_away_is_out_of_sight_at_once_and_wiped_when_it_is_back(page: Page, desk: Desk) -> None:
    page.clock.install()
    address = choose(page, desk)
    desk.stop()
    page.clock.run_for(115_000)

    expect(page.locator("main")).to_contain_text(AWAY)
    expect(page.locator("li.line")).to_have_count(0)
    desk.start()
    page.clock.run_for(5_000)
    expect(page.get_by_text("Touchez pour commencer")).to_be_visible()
    assert page.request.get(address).status == 404


def test_a_refusal_takes_the_pages_place_and_can_be_read_again(page: Page, desk: Desk) -> None:
    page.goto(f"{desk.url}/counter/session")
    page.locator("[name=clerk]").first.check()
    page.locator("#pin").fill("000000")
    page.locator("#log-in").click()
    expect(page.get_by_role("alert")).to_be_visible()

    page.reload()
    expect(page.locator("#pin")).to_have_value("")
    page.locator("[name=clerk]").first.check()
    page.locator("#pin").fill(world.PIN)
    page.locator("#log-in").click()
    page.wait_for_url("**/counter/")
