"""The demo's mailbox takes what `smtplib` sends, keeps it over a restart and shows it without running anything in it."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from urllib.request import urlopen

import pytest

from demo.mailbox import Mailbox
from demo.printer import VirtualPrinter
from tests.processes import PATIENCE_S


@pytest.fixture
def mailbox(tmp_path: Path) -> Iterator[Mailbox]:
    made = Mailbox(tmp_path / "mailbox")
    made.start()
    yield made
    made.stop()


def send(mailbox: Mailbox, subject: str) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "comptoir@demo.localhost", "camille@example.org", subject
    message.set_content(f"Réservé : {subject}\n.\n..fin\n")
    message.add_alternative(f"<p>Réservé : {subject}<script>alert(1)</script></p>", subtype="html")
    with smtplib.SMTP("127.0.0.1", mailbox.port, timeout=PATIENCE_S) as smtp:
        smtp.send_message(message)


def test_mails_are_kept_listed_and_shown(mailbox: Mailbox, tmp_path: Path) -> None:
    send(mailbox, "première <b>")
    send(mailbox, "seconde")
    listing = mailbox.page("/mail") or ""
    assert listing.index("seconde") < listing.index("première &lt;b&gt;")
    assert "Réservé : seconde" in (mailbox.page("/mail/2") or "")
    assert [mailbox.page(path) for path in ("/mail/3", "/mail/x", "/mail/../1")] == [None] * 3
    again = Mailbox(tmp_path / "mailbox")
    assert "première" in (again.page("/mail/1") or "")
    again.server_close()


def test_the_paper_viewer_shows_them_under_a_policy_that_runs_nothing(mailbox: Mailbox) -> None:
    send(mailbox, "bonjour")
    printer = VirtualPrinter(0, 0, mailbox=mailbox)
    printer.start()
    try:
        with urlopen(f"http://127.0.0.1:{printer.viewer_port}/mail/1", timeout=PATIENCE_S) as answer:
            assert "bonjour" in answer.read().decode()
            policy = answer.headers["Content-Security-Policy"]
    finally:
        printer.stop()
    assert policy.startswith("default-src 'none'")
    assert "script-src" not in policy
