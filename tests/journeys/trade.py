"""A marketplace whose clock a journey moves: pages on a port, jobs done when told; a bank, a mailbox and a kiosk beside it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import requests
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect
from werkzeug.serving import WSGIRequestHandler, make_server

from demo.bank import Bank
from demo.bank_fees import BankFees
from demo.mailbox import Mailbox
from kiosk.app import create_app as kiosk_app_of
from marketplace.db import reading, run_tx
from marketplace.installation import FILE
from marketplace.money.identity import store_identity
from marketplace.running.mail import SmtpServer, store_smtp_server
from marketplace.running.working import Working
from pos import tokens
from pos.db import connect
from tests.marketplace.hq import Hq
from tests.marketplace.money.books import assert_adds_up, balances
from tests.marketplace.money.paying import bank_of
from tests.marketplace.papers.issuing import US
from tests.processes import comptoir, free_port

API_S = 30


class Quiet(WSGIRequestHandler):
    """Says nothing of each request."""

    def log(self, *_: Any, **__: Any) -> None:
        pass


class Trade:
    """Everybody's way to one marketplace: browsers, a seller's program, a corner's kiosk, and what the books say."""

    def __init__(self, hq: Hq, url: str, bank: Bank, mailbox: Mailbox, page: Page, kiosk: Path) -> None:
        self.hq, self.url, self.bank, self.mailbox, self.page, self.kiosk = hq, url, bank, mailbox, page, kiosk
        self.key = ""

    def work(self) -> None:
        """Do the jobs that are due, as the thread beside the requests does."""
        Working(self.hq.engine, self.hq.directory, self.url).do_due()

    def ask_bank(self) -> None:
        """Hear what the bank has to tell."""
        for (event_id,) in self.bank.books.run("select distinct event_id from delivery"):
            self.bank.webhooks.tell_again(self.bank.books, str(event_id))
        self.bank.webhooks.tell_due(self.bank.books)
        self.work()

    def mails(self, to: str) -> list[tuple[str, str]]:
        """Return subject and plain text of the mails to somebody, the oldest first."""
        self.work()
        files = sorted(self.mailbox.directory.glob("*.eml"), key=lambda file: int(file.stem))
        read = [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]
        return [(str(mail["Subject"]), mail.get_body(("plain",)).get_content()) for mail in read if to in str(mail["To"])]  # type: ignore[union-attr]

    def enter_console(self) -> None:
        self.page.goto(f"{self.url}/console/login")
        self.page.locator("[name=password]").fill(self.hq.password)
        self.page.locator("form button").last.click()
        expect(self.page).not_to_have_url(re.compile("/login"))

    def api(self, method: str, path: str, **asked: Any) -> Any:
        """Ask the sellers' API and return what it answers. Raises: AssertionError when it refuses."""
        headers = {"Authorization": f"Bearer {self.key}", **asked.pop("headers", {})}
        answer = requests.request(method, f"{self.url}/api/v1{path}", headers=headers, timeout=API_S, **asked)
        assert answer.ok, (path, answer.status_code, answer.text[:500])
        return answer.json()

    def get_pdf(self, path: str | None) -> bytes:
        """Fetch what a page links to."""
        answer = requests.get(f"{self.url}{path}", timeout=API_S)
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/pdf")
        return answer.content

    def enrol_kiosk(self) -> None:
        code = comptoir("marketplace", "enrol", "nantes-crebillon", "--dir", str(self.hq.directory)).split()[-1]
        comptoir("kiosk", "enrol", "--dir", str(self.kiosk), "--marketplace", self.url, "--code", code)
        self.sync()

    def sync(self) -> None:
        comptoir("kiosk", "sync", "--dir", str(self.kiosk))

    @contextmanager
    def screen(self) -> Iterator[FlaskClient]:
        """Lend the kiosk's screen."""
        app = kiosk_app_of(self.kiosk, sync=False)
        yield app.test_client()

    def issue(self, screen: FlaskClient, listing: str, units: int) -> str:
        """Take so many units of a listing to a slip, and return the address its QR opens."""
        selection = screen.post("/selections", data={"listing": listing, "qty": str(units)}).location
        number = screen.post(f"{selection}/slip").location.rpartition("/")[2]
        ops = connect(self.kiosk / "ops.db", durable=True)
        [token] = ops.execute("select token from slip where number = ?", [number]).fetchone()
        ops.close()
        return f"{self.url}/k/{tokens.to_digits(token)}"

    def books(self) -> dict[str, int]:
        """Return what each account holds, after a look that all of it adds up."""
        with reading(self.hq.engine) as connection:
            assert_adds_up(connection)
            return balances(connection)


@contextmanager
def trading(hq: Hq, directory: Path, page: Page) -> Iterator[Trade]:
    """Run a marketplace of a test at an address of its own until the block ends."""
    with ExitStack() as stack:
        bank = stack.enter_context(bank_of(hq, directory / "bank", fees=BankFees()))
        url = stack.enter_context(serving_app(hq))
        run_tx(hq.engine, lambda connection: store_identity(connection, US))
        bank.webhooks.address = f"{url}/payments/events"
        mailbox = Mailbox(directory / "mailbox")
        mailbox.start()
        stack.callback(mailbox.stop)
        store_smtp_server(hq.engine, SmtpServer(host="127.0.0.1", port=mailbox.port, sender="shop@comptoir.example", tls="none"))
        yield Trade(hq, url, bank, mailbox, page, directory / "kiosk")


@contextmanager
def serving_app(hq: Hq) -> Iterator[str]:
    """Serve the pages of a marketplace of a test, and lend their address until the block ends."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    settings = hq.directory / FILE
    settings.write_text(json.dumps({**json.loads(settings.read_text("utf-8")), "public_url": url}), encoding="utf-8")
    server = make_server("127.0.0.1", port, hq.app, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield url
    finally:
        server.shutdown()
        thread.join()


def link_in(text: str, part: str) -> str:
    """Return the address in a mail's text that has `part` in it."""
    found = re.search(rf"https?://\S*{re.escape(part)}\S*", text)
    assert found, (part, text)
    return found[0]
