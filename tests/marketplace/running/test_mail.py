"""Mail leaves by SMTP once for each thing a person waits for, whatever the mail server does meanwhile."""

from __future__ import annotations

import html
import re
import smtplib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import time_machine
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from marketplace.db import run_tx
from marketplace.running import mail
from marketplace.running.mail import SmtpServer, send_mail, store_smtp_server, write_mail
from marketplace.running.plain_text import plain_text
from pos import clock
from tests.marketplace.hq import IPHONE_13, URL, Hq
from tests.marketplace.sellers.desks import paid_part
from tests.processes import comptoir

TO = "camille@example.org"
FACTS = {
    "number": "35-1-X",
    "path": "/orders/secret",
    "placed_at": "2026-11-29T03:00:00Z",
    "zone": "Europe/Paris",
    "currency": "EUR",
    "totals": {"due_today_cents": 17000, "monthly_now_cents": 2198},
    "lines": [
        {
            "title": "Apple iPhone 13 <b>&",
            "storage_gb": 128,
            "color": {"fr": "bleu", "en": "blue"},
            "grade": {"fr": "Parfait état", "en": "Excellent"},
            "plan": {"fr": "Série 100 Go", "en": "Series 100 GB"},
            "options": [],
            "quantity": 2,
        }
    ],
}


ODD_ADDRESSES = ("a@b.test\r\nBcc: x@y.test", "a@b.test\nx", "nobody", "a@", "@b.test", "a b@c.test", "a@b.test, c@d.test")


class Postbox:
    """What a mail server got, and what it answers: to a recipient, and to the mail itself."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.to_recipient = self.to_data = "250 OK"
        self.wait_s = 0.0

    async def handle_RCPT(self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _: list[str]) -> str:  # noqa: N802
        if self.to_recipient.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.to_recipient.replace("ADDRESS", address)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        time.sleep(self.wait_s)
        if self.to_data.startswith("250"):
            message = message_from_bytes(envelope.content or b"", policy=policy.default)  # type: ignore[arg-type]
            self.mails.append(message)
        return self.to_data


@contextmanager
def mail_server(postbox: Postbox, **options: Any) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    controller = Controller(postbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


@pytest.fixture
def postbox() -> Postbox:
    return Postbox()


@pytest.fixture
def port(postbox: Postbox) -> Iterator[int]:
    with mail_server(postbox) as port:
        yield port


def name_server(hq: Hq, port: int, **more: Any) -> None:
    server = SmtpServer(host="127.0.0.1", port=port, sender="Comptoir <comptoir@marche.test>", **{"tls": "none", **more})
    store_smtp_server(hq.engine, server)


def enqueue(hq: Hq, *, unique: str = "1", **changes: Any) -> bool:
    values: dict[str, Any] = {"to": TO, "language": "fr", "facts": FACTS, "owner_id": "c1", **changes}
    return run_tx(hq.engine, lambda connection: send_mail(connection, "order_placed", unique=unique, **values))


def states(hq: Hq) -> list[tuple[str, int, str]]:
    found = hq.rows("select state, tries, error from job where kind = 'mail' order by job_id")
    return [(job["state"], job["tries"], job["error"]) for job in found]


def test_a_mail_says_the_same_as_text_and_as_html_in_the_reader_s_language(hq: Hq, postbox: Postbox, port: int) -> None:
    name_server(hq, port)
    enqueue(hq)
    enqueue(hq, unique="2", language="en")
    hq.work()
    french, english = sorted(postbox.mails, key=lambda message: "placed" in message["Subject"])
    assert (french["Subject"], english["Subject"]) == (
        "Votre commande 35-1-X est enregistrée",
        "Your order 35-1-X is placed",
    )
    assert french["To"] == TO
    assert french["From"] == "Comptoir <comptoir@marche.test>"
    assert french["Auto-Submitted"] == "auto-generated"
    assert french["Date"].datetime.tzinfo is not None
    text, page = (french.get_body((kind,)).get_content() for kind in ("plain", "html"))
    for said in (text, html.unescape(page)):
        for fact in ("Apple iPhone 13 <b>&", "128\xa0Go", "Parfait état", "170,00\xa0€", "21,98\xa0€", f"{URL}/orders/secret"):
            assert fact in said
    assert "<link" not in page
    assert 'style="' in page
    assert "Excellent" in english.get_body(("plain",)).get_content()


def test_a_mail_keeps_its_message_id_however_often_it_is_tried_and_no_two_mails_share_one(
    hq: Hq, postbox: Postbox, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    name_server(hq, port)
    enqueue(hq)
    enqueue(hq, unique="2")
    monkeypatch.setattr(mail.jobs, "MOST_TRIES", 9)
    start = clock.now()
    with time_machine.travel(start, tick=False) as travel:
        hq.work()
        hq.write("update job set state = 'waiting' where kind = 'mail'")
        travel.move_to(start + timedelta(minutes=10))
        hq.work()
    ids = [message["Message-ID"] for message in postbox.mails]
    assert (len(ids), len(set(ids))) == (4, 2)
    assert all(name.endswith("@marche.test>") for name in ids)


def test_no_mail_is_sent_twice_for_one_fact(hq: Hq, postbox: Postbox, port: int) -> None:
    name_server(hq, port)
    assert enqueue(hq)
    hq.work()
    assert not enqueue(hq)
    assert hq.work() == 0
    assert len(postbox.mails) == 1


def test_without_a_server_mails_wait_and_leave_once_one_is_named(hq: Hq, postbox: Postbox, port: int) -> None:
    enqueue(hq)
    hq.work()
    assert states(hq) == [("waiting", 0, "no mail server is named: comptoir marketplace mail")]
    log_in(hq)
    assert "Aucun serveur de courriel n’est nommé" in hq.client.get("/console/jobs").text
    name_server(hq, port)
    hq.work()
    assert states(hq) == [("done", 1, "")]
    assert "Aucun serveur de courriel n’est nommé" not in hq.client.get("/console/jobs").text


def test_a_mail_server_that_is_down_for_a_day_loses_nothing(hq: Hq, postbox: Postbox) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        closed = probe.getsockname()[1]
    name_server(hq, closed)
    enqueue(hq)
    start = at = clock.now()
    with time_machine.travel(start, tick=False) as travel:
        while at < start + timedelta(days=1):
            travel.move_to(at)
            assert hq.work() >= 1
            [job] = hq.rows("select state, due_at from job where kind = 'mail'")
            at = clock.from_text(job["due_at"])
        assert job["state"] == "waiting"
        with mail_server(postbox) as port:
            name_server(hq, port)
            hq.work()
    assert len(postbox.mails) == 1
    assert states(hq)[0][0] == "done"


@pytest.mark.parametrize(
    ("answers", "is_dead"),
    [
        ({"to_recipient": "550 no ADDRESS here"}, True),
        ({"to_recipient": "451 ADDRESS later"}, False),
        ({"to_data": "554 not such a mail"}, True),
        ({"to_data": "452 no room"}, False),
    ],
    ids=lambda value: next(iter(value.values()))[:3] if isinstance(value, dict) else "",
)
def test_what_is_refused_for_good_is_dead_and_what_is_refused_for_now_waits(
    hq: Hq, postbox: Postbox, port: int, answers: dict[str, str], is_dead: bool, caplog: pytest.LogCaptureFixture
) -> None:
    for name, answer in answers.items():
        setattr(postbox, name, answer)
    name_server(hq, port)
    enqueue(hq)
    hq.work()
    [(state, tries, error)] = states(hq)
    assert (state, tries) == ("dead" if is_dead else "waiting", 1)
    assert next(iter(answers.values()))[:3] in error
    assert TO not in error + caplog.text, "an address stands in no log"


def test_documents_are_printed_when_the_mail_is_sent_and_go_with_it(hq: Hq, postbox: Postbox, port: int) -> None:
    part = paid_part(hq, IPHONE_13)
    name_server(hq, port)
    hq.work()
    [sent] = [message for message in postbox.mails if "paiement reçu" in message["Subject"]]
    assert "Nous avons bien reçu votre paiement." in sent.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    [paper] = sent.iter_attachments()
    assert (paper.get_content_type(), paper.get_filename()) == (
        "application/pdf",
        f"comptoir-{part['number'].rpartition('-')[0]}.pdf",
    )
    assert paper.get_content().startswith(b"%PDF-")  # type: ignore[attr-defined]


def serve(talk: Callable[[socket.socket], None]) -> tuple[socket.socket, int]:
    """Listen and leave each caller to `talk`."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            with caller:
                talk(caller)

    threading.Thread(target=accept, daemon=True).start()
    return listener, listener.getsockname()[1]


def hangs_up(caller: socket.socket) -> None:
    caller.sendall(b"220 here\r\n")


def says_nothing(caller: socket.socket) -> None:
    caller.settimeout(5)
    caller.recv(1)


def trickles(caller: socket.socket) -> None:
    for _ in range(50):
        try:
            caller.sendall(b"2")
        except OSError:
            return
        time.sleep(0.1)


@pytest.mark.parametrize("talk", [hangs_up, says_nothing, trickles], ids=lambda talk: talk.__name__)
def test_a_server_that_drops_or_never_ends_costs_a_try(
    hq: Hq, talk: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "STEP_S", 0.5)
    monkeypatch.setattr(mail, "WHOLE_S", 1.0)
    listener, port = serve(talk)
    name_server(hq, port)
    enqueue(hq)
    began = time.monotonic()
    with listener:
        hq.work()
    assert time.monotonic() - began < 4
    [(state, tries, error)] = states(hq)
    assert (state, tries, error.partition(":")[0]) == ("waiting", 1, "Undelivered")


def test_a_mail_taken_before_the_server_broke_off_is_sent(
    hq: Hq, postbox: Postbox, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(_smtp: smtplib.SMTP) -> None:
        raise smtplib.SMTPServerDisconnected("gone")

    monkeypatch.setattr(smtplib.SMTP, "quit", break_off)
    name_server(hq, port)
    enqueue(hq)
    hq.work()
    assert states(hq)[0][0] == "done"


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_server_that_asks_for_a_password_gets_it(hq: Hq, postbox: Postbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=(data.login, data.password) == (b"hq", b"secret"))

    with mail_server(postbox, authenticator=check, auth_required=True, auth_require_tls=False) as port:
        name_server(hq, port, user="hq", password="wrong")
        enqueue(hq)
        with monkeypatch.context() as impatient:
            # smtplib tries every way to log in, and aiosmtpd leaves it without an answer after the last.
            impatient.setattr(mail, "STEP_S", 2)
            hq.work()
        assert states(hq)[0][0] == "waiting", "a wrong password is not the mail's fault"
        name_server(hq, port, user="hq", password="secret")
        hq.work()
    assert len(postbox.mails) == 1


def test_a_server_without_tls_is_given_nothing_where_tls_is_asked_for(hq: Hq, postbox: Postbox, port: int) -> None:
    name_server(hq, port, tls="starttls")
    enqueue(hq)
    hq.work()
    assert (postbox.mails, states(hq)[0][0]) == ([], "waiting")


@pytest.mark.parametrize(
    "to", ["a@b.test\r\nBcc: x@y.test", "a@b.test\nx", "nobody", "a@", "@b.test", "a b@c.test", "a@b.test, c@d.test"]
)
def test_nothing_slips_into_a_header(hq: Hq, postbox: Postbox, port: int, to: str) -> None:
    name_server(hq, port)
    enqueue(hq, to=to, facts={**FACTS, "number": "1\r\nBcc: x@y.test"})
    hq.work()
    assert postbox.mails == []
    assert states(hq)[0][0] == "dead"


def test_what_a_person_typed_stays_text(hq: Hq, postbox: Postbox, port: int) -> None:
    name_server(hq, port)
    enqueue(hq, facts={**FACTS, "number": "1\r\nBcc: <x@y.test> & O'Neil"})
    hq.work()
    [message] = postbox.mails
    assert message["Bcc"] is None
    assert message["Subject"] == "Votre commande 1 Bcc: <x@y.test> & O'Neil est enregistrée"


def test_a_domain_of_another_alphabet_is_written_as_mail_servers_know_it(hq: Hq, postbox: Postbox, port: int) -> None:
    name_server(hq, port)
    enqueue(hq, to="camille@société.example")
    hq.work()
    assert postbox.mails[0]["To"] == "camille@xn--socit-esab.example"


def test_the_console_s_log_tells_no_address(hq: Hq) -> None:
    enqueue(hq)
    log_in(hq)
    page = hq.client.get("/console/jobs").text
    assert "c••••••@example.org" in page
    assert TO not in page
    assert "secret" not in page, "an order's address gives access to it"


def test_a_link_that_signs_in_stands_in_its_mail_and_nowhere_here(hq: Hq, postbox: Postbox, port: int) -> None:
    hq.claim(hq.digits(IPHONE_13))
    hq.client.post("/sign-in", data={"email": TO})
    name_server(hq, port)
    hq.work()
    [text] = [body for mail in postbox.mails if "/sign-in/" in (body := plain(mail))]
    path = re.search(f"{URL}(/sign-in/[^\\s>]+)", text)
    assert path is not None
    secret = path[1].rpartition("/")[2]
    for table in ("job", "customer_link", "timer"):
        assert secret not in str(hq.rows(f"select * from {table}"))
    assert hq.client.post(path[1]).location == "/my-orders"


def plain(mail: EmailMessage) -> str:
    body = mail.get_body(("plain",))
    return str(body.get_content()) if body else ""


def test_plain_text_reads_like_a_letter() -> None:
    markup = "<html><head><title>x</title><style>p{}</style></head><body><h1>A  b</h1><p>c<br>d &amp; e</p>"
    markup += "<ul><li>f</li><li>g</li></ul>"
    assert plain_text(markup + "<p>h <a href='http://x.test/?a=1&amp;b=2'>i</a></p>") == (
        "A b\n\nc\nd & e\n\n- f\n- g\n\nh i\nhttp://x.test/?a=1&b=2\n"
    )


def test_a_language_without_its_own_words_is_written_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail, "offered", lambda *_: ("fr", "en"))
    assert "Your order" in write_mail("order_placed", "de", {**FACTS, "public_url": URL}).subject


def test_the_command_names_the_server(hq: Hq, tmp_path: Path) -> None:
    place = str(hq.directory)
    enqueue(hq)
    assert comptoir("marketplace", "mail", "--dir", place) == "mail: no server is named, so none is sent; 1 wait\n"
    secret = tmp_path / "password"
    secret.write_text("secret\n")
    login = ("--user", "hq", "--password-file", str(secret))
    said = comptoir("marketplace", "mail", "--dir", place, "--smtp", "smtp.example.org:587", *login)
    assert said == "mail: by smtp.example.org:587 (starttls), from Comptoir <comptoir@marche.test>; 1 wait\n"
    refused = comptoir("marketplace", "mail", "--dir", place, "--smtp", "smtp.example.org:25", "--tls", "none", *login, expect=1)
    assert "encrypted" in refused
    comptoir("marketplace", "mail", "--dir", place, "--smtp", "smtp.example.org:25", "--from", "a\nb@c.test", expect=1)
    comptoir("marketplace", "mail", "--dir", place, "--from", "x@y.test", expect=2)
    assert "secret" not in repr(SmtpServer(host="h", port=1, sender="x@y.test", tls="none", user="u", password="secret"))


def log_in(hq: Hq) -> None:
    assert hq.client.post("/console/login", data={"password": hq.password}).status_code == 303
