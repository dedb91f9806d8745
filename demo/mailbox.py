"""The demo's mailbox: takes every mail the marketplace sends, on a port of its own, and shows it on the paper viewer's `/mail`.

It speaks the SMTP that `smtplib` needs and no more (RFC 5321), without TLS, and delivers to nobody.
"""

from __future__ import annotations

import html
import socketserver
import threading
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from pos.privacy import take_over

MOST_BYTES = 2**20
SHOWN = 50
IDLE_S = 30
MAIL_POLICY = "default-src 'none'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src data:; frame-ancestors 'none'"
"""Mails carry their styles in each element; nothing in them may run or load."""


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server on any free port of this machine; each mail is a file of `directory`, numbered from 1."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        take_over(directory)
        self.directory = directory
        self._lock = threading.Lock()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def start(self) -> None:
        """Listen in the background."""
        threading.Thread(target=self.serve_forever, name="mailbox", daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self.shutdown()
        self.server_close()

    def keep(self, content: bytes) -> None:
        """Put a mail into the box."""
        with self._lock:
            number = max((int(path.stem) for path in self.directory.glob("*.eml")), default=0) + 1
            part = self.directory / f"{number}.part"
            part.write_bytes(content)
            part.rename(self.directory / f"{number}.eml")

    def page(self, path: str) -> str | None:
        """Return the page at `/mail` or `/mail/<number>`, or None where nothing is."""
        if path == "/mail":
            return self._listing()
        number = path.removeprefix("/mail/")
        file = self.directory / f"{number}.eml"
        if not (number.isascii() and number.isdigit() and file.exists()):
            return None
        body = _read(file).get_body(("html", "plain"))
        return str(body.get_content()) if body is not None else ""

    def _listing(self) -> str:
        files = sorted(self.directory.glob("*.eml"), key=lambda path: -int(path.stem))[:SHOWN]
        rows = "".join(_row(path.stem, _read(path)) for path in files)
        nothing = '<p class="nothing">Aucun courriel pour le moment. Commandez avec un bon.</p>'
        return (
            '<!doctype html><html lang="fr"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Courriels · Comptoir</title>'
            '<link rel="stylesheet" href="/viewer.css"></head><body><header><div><h1>Courriels</h1>'
            '<p>Ce que la place de marché enverrait. <span lang="en">What the marketplace would send.</span></p></div></header>'
            f'<main class="mails">{rows or nothing}</main></body></html>'
        )


class _Session(socketserver.StreamRequestHandler):
    server: Mailbox
    timeout = IDLE_S

    def handle(self) -> None:
        self._say("220 comptoir demo")
        while line := self.rfile.readline(1000):
            verb = line.split()[0].upper() if line.split() else b""
            if verb == b"DATA":
                self._say("354 end with a dot")
                if not self._take():
                    return
                self._say("250 kept")
            elif verb == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok" if verb in (b"EHLO", b"HELO", b"MAIL", b"RCPT", b"RSET", b"NOOP") else "502 not spoken here")

    def _take(self) -> bool:
        content = bytearray()
        while (line := self.rfile.readline(2**16)) not in (b".\r\n", b".\n"):
            content += line.removeprefix(b".")
            if not line or len(content) > MOST_BYTES:
                return False
        self.server.keep(bytes(content))
        return True

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode("ascii"))


def _read(path: Path) -> EmailMessage:
    return message_from_bytes(path.read_bytes(), policy=policy.default)


def _row(number: str, mail: EmailMessage) -> str:
    to, subject = (html.escape(str(mail[name])) for name in ("To", "Subject"))
    return f'<p class="mail"><a href="/mail/{number}"><b>{subject}</b></a><br>{to} · {html.escape(str(mail["Date"]))}</p>'
