"""Mail to customers and sellers: enqueued with what it follows, written in the reader's language when it is sent, by SMTP.

Invariant: a mail is sent at least once, under one Message-ID however often it is tried, and no address stands in a log
or an error.
"""

from __future__ import annotations

import hashlib
import html
import re
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, TypedDict

import css_inline
from jinja2 import Environment, FileSystemLoader, Template
from sqlalchemy import Connection, Engine

import templates
from marketplace.db import reading, rows, run_tx
from marketplace.running import jobs
from marketplace.running.jobs import Hopeless, Postponed, Work, enqueue
from marketplace.running.plain_text import plain_text
from marketplace.settings import setting, store_setting
from pos import clock
from pos.errors import Invalid
from pos.languages import offered
from shop.filters import filters_of
from shop.languages import page_environment

MAIL = "mail"
EMAIL = re.compile(r"[!-?A-~]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+")
"""Not every mail server takes letters beyond ASCII before the @ (SMTPUTF8, RFC 6531)."""
SETTING = "smtp"
FOLDER = "marketplace/mail"
TLS = ("starttls", "implicit", "none")
STEP_S, WHOLE_S = 15, 60
"""How long a mail server may take for one answer, and for a whole mail: well within the lease of a job."""
ASKED_AGAIN = timedelta(minutes=10)
PERMANENT = 500
MOST_LOG_ROWS = 200


class Undelivered(Exception):
    """The mail server did not take the mail this time; says why without naming anybody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpServer:
    """By which server mail leaves, and from whom; `tls` is one of `TLS`."""

    host: str
    port: int
    sender: str
    tls: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenMail:
    """A mail in one language, in both forms."""

    subject: str
    text: str
    html: str


class PaperName(TypedDict):
    """A document that goes with a mail, written when it is sent: its kind, whose it is and what it is called there."""

    kind: str
    owner: str
    name: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A PDF under its file's name."""

    file: str
    content: bytes


Attach = Callable[[Connection, Sequence[PaperName]], list[Attachment]]
MakeLink = Callable[[Connection, str, str, datetime], str]
"""Makes a link that works once, in a transaction, for an owner and the address it is mailed to; returns its path."""


def send_mail(
    connection: Connection,
    template: str,
    *,
    to: str,
    language: str,
    facts: Mapping[str, Any],
    owner_id: str,
    unique: str,
    papers: Sequence[PaperName] = (),
) -> bool:
    """Enqueue a mail in the caller's transaction; tell whether it is new: of one template an owner gets one of a name.

    `template` is a page of templates/marketplace/mail, which sees `facts` (plain JSON) and `public_url`.
    """
    body = {"template": template, "to": to, "language": language, "facts": facts, "papers": papers}
    return enqueue(connection, MAIL, body, owner_id=owner_id, unique=f"{template}:{unique}")


def deliver(work: Work, body: dict[str, Any], *, attach: Attach, links: Mapping[str, MakeLink]) -> None:
    """Write a mail with its documents and hand it to the mail server. The handler of its job.

    A template of `links` without a `path` gets one made now: what opens something once never lies in a job. A try that fails
    leaves a link that nobody knows.
    Raises: Postponed while no server is named, Hopeless where it refuses this mail for good, Undelivered.
    """
    with reading(work.engine) as connection:
        server = smtp_server(connection)
        attached = attach(connection, body.get("papers", ())) if server else []
    if server is None:
        raise Postponed("no mail server is named: comptoir marketplace mail", until=work.now + ASKED_AGAIN, all_alike=True)
    facts = {**body["facts"], "public_url": work.public_url}
    make_link = links.get(body["template"])
    if make_link and "path" not in facts:
        facts["path"] = run_tx(work.engine, lambda connection: make_link(connection, work.owner_id, body["to"], work.now))
    written = write_mail(body["template"], body["language"], facts)
    message = _message(written, work, sender=server.sender, to=body["to"])
    for paper in attached:
        message.add_attachment(paper.content, maintype="application", subtype="pdf", filename=paper.file)
    try:
        with _connected(server) as smtp:
            smtp.send_message(message)
    except (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError) as problem:
        code, said = _answer(problem)
        kind = Hopeless if code >= PERMANENT else Undelivered
        raise kind(f"{code} {said}".replace(body["to"], masked_email(body["to"]))) from None
    except (OSError, smtplib.SMTPException) as problem:
        raise Undelivered(f"{type(problem).__name__}: {problem}".replace(body["to"], masked_email(body["to"]))) from None


def write_mail(template: str, language: str, facts: Mapping[str, Any]) -> WrittenMail:
    """Return a mail from its template: its block `subject` in one line, the whole as HTML with its styles, and as plain text."""
    page = page_without_request(f"{FOLDER}/{template}.html", language)
    values = {**facts, "language": language}
    subject = html.unescape("".join(page.blocks["subject"](page.new_context(values))))
    markup = page.render(values)
    return WrittenMail(subject=" ".join(subject.split()), text=plain_text(markup), html=_inliner().inline(markup))


def page_without_request(path: str, language: str) -> Template:
    """Return a template in a language, English where we do not speak it, for what is written outside any request."""
    spoken = offered("marketplace", templates.PATH)
    return _pages(language if language in spoken else "en").get_template(path)


def smtp_server(connection: Connection) -> SmtpServer | None:
    """Return the server that mail leaves by, or None while none is named."""
    found = setting(connection, SETTING)
    return SmtpServer(**found) if found else None


def store_smtp_server(engine: Engine, server: SmtpServer) -> int:
    """Name the server that mail leaves by; what waits is tried at once. Return how many mails that are."""
    run_tx(engine, lambda connection: store_setting(connection, SETTING, asdict(server)))
    return jobs.retry_all(engine, state="waiting", kind=MAIL, now=clock.now())


def read_sender(text: str | None, public_url: str) -> str:
    """Return who mail is from, `Name <address>` or an address; by default `comptoir@` the host of our public address.

    Raises: Invalid.
    """
    host = public_url.partition("://")[2].partition("/")[0].rpartition("@")[2]
    host = host.rpartition(":")[0] or host
    with suppress(ValueError):
        ip_address(host.strip("[]"))
        if text is None:
            raise Invalid(f"{host} is no domain that mail can come from: give one with --from")
    name, address = parseaddr(text or f"Comptoir <comptoir@{host}>")
    if not (text or "x").isprintable():
        raise Invalid("who mail is from is written in one line", field="from")
    return str(_address(address, name=name))


def is_mailable(address: str) -> bool:
    """Tell whether mail can be sent to what somebody typed: plain letters before the @, a domain in any alphabet after it."""
    if not EMAIL.fullmatch(address):
        return False
    try:
        _address(address)
    except Invalid:
        return False
    return True


def masked_email(address: str) -> str:
    """Return an address its owner recognises and nobody else can use."""
    local, _, domain = address.partition("@")
    return f"{local[:1]}{'•' * max(3, len(local) - 1)}@{domain}"


def mail_log(connection: Connection, owner_id: str | None = None) -> list[dict[str, Any]]:
    """Return the newest mails, all or an owner's, with what became of them: the address masked; never what they say."""
    owner = "and owner_id = :owner_id" if owner_id is not None else ""
    query = f"""
        select body, state, enqueued_at, finished_at, tries, error from job
        where kind = :kind {owner} order by enqueued_at desc, job_id limit :most
    """
    values = {"kind": MAIL, "most": MOST_LOG_ROWS} | ({"owner_id": owner_id} if owner_id is not None else {})
    log = []
    for mail in rows(connection, query, **values):
        body = jobs.body_of(mail.pop("body"))
        log.append({**mail, "template": body["template"], "language": body["language"], "to": masked_email(body["to"])})
    return log


def _message(written: WrittenMail, work: Work, *, sender: str, to: str) -> EmailMessage:
    """Raises: Hopeless for an address or a subject that cannot stand in a header."""
    message = EmailMessage()
    domain = parseaddr(sender)[1].rpartition("@")[2]
    name = hashlib.sha256(f"{work.owner_id}\n{work.job_id}".encode()).hexdigest()[:32]
    try:
        message["From"] = sender
        message["To"] = _address(to)
        message["Subject"] = written.subject
        message["Date"] = format_datetime(work.now)
        message["Message-ID"] = f"<{name}@{domain}>"
        # No absence notice answers it: RFC 3834.
        message["Auto-Submitted"] = "auto-generated"
    except (Invalid, ValueError, MessageError):
        raise Hopeless("an address or a subject that no mail can carry") from None
    message.set_content(written.text)
    message.add_alternative(written.html, subtype="html")
    return message


def _address(text: str, *, name: str = "") -> Address:
    """Return a checked address; a domain of another alphabet as mail servers know it. Raises: Invalid."""
    local, _, domain = text.rpartition("@")
    try:
        if not local or ("." not in domain and domain != "localhost"):
            raise ValueError(text)
        return Address(name, addr_spec=f"{local}@{domain.encode('idna').decode()}")
    except (ValueError, MessageError):
        raise Invalid("not an address that mail can be sent to or from", field="address") from None


@contextmanager
def _connected(server: SmtpServer) -> Iterator[smtplib.SMTP]:
    """Lend a connection that lets us send. Raises: OSError, SMTPException."""
    context = ssl.create_default_context()
    if server.tls == "implicit":
        smtp: smtplib.SMTP = _TimedSslSmtp(server.host, server.port, timeout=STEP_S, context=context)
    else:
        smtp = _TimedSmtp(server.host, server.port, timeout=STEP_S)
    try:
        if server.tls == "starttls":
            smtp.starttls(context=context)
        if server.user is not None:
            smtp.login(server.user, server.password or "")
        yield smtp
        # The mail was taken: what the server says to our leaving changes nothing.
        with suppress(OSError, smtplib.SMTPException):
            smtp.quit()
    finally:
        smtp.close()


class _TimedSmtp(smtplib.SMTP):
    """A connection that is cut where the whole takes too long: a server that trickles meets every time-out of its answers."""

    _watch: threading.Timer | None = None

    def connect(
        self,
        host: str = "localhost",
        port: int = 0,
        source_address: object = None,  # noqa: ARG002 - smtplib's signature; we name none
    ) -> tuple[int, bytes]:
        """Connect, and begin to count."""
        self._watch = threading.Timer(WHOLE_S, self._cut)
        self._watch.daemon = True
        self._watch.start()
        return super().connect(host, port)

    def close(self) -> None:
        """Close, and stop counting."""
        if self._watch is not None:
            self._watch.cancel()
        super().close()

    def _cut(self) -> None:
        if self.sock is not None:
            with suppress(OSError):
                self.sock.shutdown(socket.SHUT_RDWR)


class _TimedSslSmtp(_TimedSmtp, smtplib.SMTP_SSL):
    """The same, encrypted from the first byte."""


def _answer(problem: smtplib.SMTPRecipientsRefused | smtplib.SMTPDataError) -> tuple[int, str]:
    if isinstance(problem, smtplib.SMTPDataError):
        code, said = problem.smtp_code, problem.smtp_error
    else:
        code, said = next(iter(problem.recipients.values()))
    return code, said.decode(errors="replace") if isinstance(said, bytes) else said


@lru_cache
def _pages(language: str) -> Environment:
    """Return the templates of mails, compiled for a language like pages; no request stands behind them."""
    base = Environment(loader=FileSystemLoader(templates.PATH), autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return page_environment(base, "marketplace", language, filters_of)


@lru_cache(maxsize=1)
def _inliner() -> css_inline.CSSInliner:
    """Return what writes our styles into each element: mail programs drop style sheets."""
    styles = (templates.PATH / FOLDER / "mail.css").read_text(encoding="utf-8")
    return css_inline.CSSInliner(extra_css=styles, keep_at_rules=True, load_remote_stylesheets=False)
