"""The whole system on one machine: marketplace, kiosk, virtual printer and its paper, bank; resumed where the last run left them.

Marketplace and kiosk run as their own processes, started by the same commands as anywhere else; nothing here replaces a part.
"""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from urllib.parse import urlsplit

from sqlalchemy import Connection

from demo.bank import Bank
from demo.carrier import PATH as CARRIER
from demo.made import BEGUN, MADE_PAST, Access, Made, is_demo, read_made, write_access, write_made
from demo.mailbox import Mailbox
from demo.past.corners import OWN_CORNER, add_corners
from demo.past.living import LivingCorners
from demo.past.making import DAYS, SLIPS, Past, make_past, opened_at
from demo.past.prices import as_opened
from demo.printer import VirtualPrinter
from demo.processes import DemoProcess, PartStopped, signals_held
from demo.sample import write_feed
from marketplace.db import run_tx
from marketplace.feeds.imports import import_feed
from marketplace.fleet.enrolments import start_enrolment
from marketplace.installation import opened, sync_path
from marketplace.money.identity import read_identity, store_identity
from marketplace.money.provider import ProviderSettings, store_settings
from marketplace.orders.carriers import CarrierSettings, plan_partners, store_carrier
from marketplace.publishing.publications import publish_all
from marketplace.running.mail import SmtpServer, store_smtp_server
from marketplace.setup import create_installation, upgrade_installation
from pos import clock
from pos.errors import PosError, Unavailable
from pos.privacy import take_over
from sync.addresses import bracketed
from sync.processes import end_with_parent

SEED = 1
LISTINGS = 2000
CLERK_PIN = "246810"
"""Of every clerk of the sample."""
IDENTITY = read_identity(
    name="Comptoir SAS",
    address="1 rue Kervégan\n44000 Nantes",
    siret="100 000 009 00009",
    vat_number="FR 88 100000009",
    register="SAS au capital de 10 000 € · RCS Nantes 100 000 009",
)
"""A company that does not exist, under numbers whose check figures fit."""
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared only
"""Hosts that listen everywhere, and where this machine reaches them."""

Say = Callable[[str], None]


class NotADemo(PosError):
    """The directory holds something else than the demo asked for: it is left alone."""

    status = 409


class PortTaken(Unavailable):
    """Another program listens on one of the five ports; nothing was started. `data` carries the `port`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """Where the demo lives and listens. Ports count up from `port`: marketplace, kiosk, printer, paper, bank.

    `is_empty`: begun without a past.
    """

    directory: Path
    listings: int | None
    host: str
    port: int
    public_url: str | None
    is_empty: bool

    @property
    def url(self) -> str:
        """The marketplace's address from this machine."""
        return f"http://{bracketed(EVERYWHERE.get(self.host, self.host))}:{self.port}"

    @property
    def bank_url(self) -> str:
        """The bank's address, for customers as for us: where the marketplace is open to others, by the name it is open under."""
        is_open = self.host in EVERYWHERE and self.public_url
        name = urlsplit(self.public_url or "").hostname if is_open else EVERYWHERE.get(self.host, self.host)
        return f"http://{bracketed(name or '127.0.0.1')}:{self.port + 4}"

    @property
    def marketplace(self) -> Path:
        """The central app's directory."""
        return self.directory / "marketplace"

    @property
    def kiosk(self) -> Path:
        """The kiosk's directory."""
        return self.directory / "kiosk"


def run_demo(demo: Demo, *, fresh: bool, say: Say) -> None:
    """Set up what is missing, start everything, and return once told to stop (SIGINT or SIGTERM).

    Raises: NotADemo, PortTaken, PartStopped.
    """
    signal.signal(signal.SIGTERM, _stop_once)
    signal.signal(signal.SIGINT, _stop_once)
    _refuse_taken_ports(demo)
    made = prepare(demo, fresh=fresh, say=say)
    mailbox = Mailbox(demo.directory / "mailbox")
    printer = VirtualPrinter(port=demo.port + 2, viewer_port=demo.port + 3, host="127.0.0.1", mailbox=mailbox)
    with ExitStack() as running:
        with signals_held():
            printer.start()
            running.callback(printer.stop)
            mailbox.start()
            running.callback(mailbox.stop)
            bank = _start_bank(demo, running)
        _name_mailbox(demo, mailbox)
        made = _give_past(demo, made, bank, say=say)
        parts = [_start_marketplace(demo, running)]
        _enrol(demo, say)
        parts.append(_start_kiosk(demo, running))
        if made.get("past") == MADE_PAST:
            living = LivingCorners(demo.marketplace)
            with signals_held():
                living.start()
            running.callback(living.stop)
        write_access(demo.directory, _access(demo, made))
        for line in _addresses(demo, made):
            say(line)
        say("comptoir demo ready")
        with suppress(KeyboardInterrupt):
            while True:
                for part in parts:
                    part.check()
                time.sleep(0.5)


def _stop_once(_number: int, _frame: FrameType | None) -> None:
    """Begin to stop; whatever signal comes while everything is being stopped changes nothing any more."""
    signal.signal(signal.SIGTERM, _ignore)
    signal.signal(signal.SIGINT, _ignore)
    raise KeyboardInterrupt


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: unlike SIG_IGN, Python does not complain when a signal is already on its way."""


def _refuse_taken_ports(demo: Demo) -> None:
    hosts = (demo.host, "127.0.0.1", "127.0.0.1", "127.0.0.1", demo.host)
    for port, host in enumerate(hosts, start=demo.port):
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        try:
            socket.create_server((host, port), family=family).close()
        except OSError as problem:
            raise PortTaken(f"{host}:{port} cannot be listened on ({problem.strerror}): choose another --port") from None


def prepare(demo: Demo, *, fresh: bool, say: Say) -> Made:
    """Make the directory, the marketplace and its catalogue where missing; return what the directory remembers.

    A past that was cut short is begun again, with everything it stood on.
    """
    if demo.directory.exists() and any(demo.directory.iterdir()) and not is_demo(demo.directory):
        raise NotADemo(f"{demo.directory} is not empty and holds no demo")
    made = read_made(demo.directory)
    if (fresh or made.get("past") == BEGUN) and is_demo(demo.directory):
        shutil.rmtree(demo.directory)
        made = {}
    take_over(demo.directory)
    if not made:
        made = {"past": "none" if demo.is_empty else BEGUN}
    write_made(demo.directory, made)
    with clock.held_at(opened_at(clock.now())) if made.get("past") == BEGUN else nullcontext():
        return _set_up(demo, made, say=say)


def _set_up(demo: Demo, made: Made, *, say: Say) -> Made:
    if "password" not in made:
        say("setting the marketplace up")
        shutil.rmtree(demo.marketplace, ignore_errors=True)
        password = create_installation(demo.marketplace, database=None, public_url=demo.public_url or demo.url)
        made = {**made, "password": password}
        write_made(demo.directory, made)
    upgrade_installation(demo.marketplace, say=say)
    with opened(demo.marketplace) as engine:
        run_tx(engine, lambda connection: store_identity(connection, IDENTITY))
        if "listings" not in made:
            listings = demo.listings or LISTINGS
            say(f"writing and publishing a catalogue of {listings:,} listings")
            feed, static = demo.directory / "feed", sync_path(demo.marketplace)
            write_feed(feed, listings=listings, seed=SEED)
            is_past = made.get("past") == BEGUN
            if is_past:
                add_corners(feed)
            with as_opened(feed, opened=clock.now(), seed=SEED) if is_past else nullcontext():
                import_feed(engine, feed, static=static, progress=lambda _stage, _count: None)
            made = {**made, "listings": listings}
        elif demo.listings not in (None, made["listings"]):
            raise NotADemo(f"this demo holds {made['listings']:,} listings: --fresh begins again with another number")
        publish_all(engine, demo.marketplace)
    write_made(demo.directory, made)
    return made


def _give_past(demo: Demo, made: Made, bank: Bank, *, say: Say) -> Made:
    """Let a demo that is new, and not to be empty, have been at work for weeks; its bank and its mailbox are running."""
    if made.get("past") != BEGUN:
        return made
    say(f"telling the last {DAYS} days: sellers, slips, orders, payouts")
    with opened(demo.marketplace) as engine:
        past = Past(
            engine=engine, directory=demo.marketplace, kiosk=demo.kiosk, bank=bank, now=clock.now(), seed=SEED, slips=SLIPS
        )
        made = {**made, "past": MADE_PAST, "sellers": make_past(past)}
    write_made(demo.directory, made)
    return made


def _name_mailbox(demo: Demo, mailbox: Mailbox) -> None:
    """Have the marketplace send its mail to the demo's mailbox, wherever that listens this time."""
    server = SmtpServer(host="127.0.0.1", port=mailbox.port, sender="Comptoir <comptoir@demo.localhost>", tls="none")
    with opened(demo.marketplace) as engine:
        store_smtp_server(engine, server)


def _start_bank(demo: Demo, running: ExitStack) -> Bank:
    """Run the bank in this process, and give the marketplace its keys, and the carrier's for each partner with plans."""
    events = f"{demo.url}/payments/events"
    bank = Bank(demo.directory / "bank", host=demo.host, port=demo.port + 4, address=demo.bank_url, webhook_url=events)
    bank.start()
    running.callback(bank.stop)
    secret, webhook_secret, key = (
        path.read_text(encoding="utf-8").strip() for path in (bank.secret_key, bank.webhook_secret, bank.carrier.key_file)
    )
    api = f"http://{bracketed(EVERYWHERE.get(demo.host, demo.host))}:{demo.port + 4}{CARRIER}"
    with opened(demo.marketplace) as engine:
        partners = plan_partners(engine)

        def give_keys(connection: Connection) -> None:
            store_settings(connection, stored=ProviderSettings(key=secret, webhook_secret=webhook_secret, api=demo.bank_url))
            for partner in partners:
                store_carrier(connection, partner, CarrierSettings(api=api, key=key))

        run_tx(engine, give_keys)
    return bank


def _start_marketplace(demo: Demo, running: ExitStack) -> DemoProcess:
    arguments = ["marketplace", "serve", "--dir", str(demo.marketplace), "--host", demo.host, "--port", str(demo.port)]
    part = DemoProcess("marketplace", arguments, demo.directory / "marketplace.log", running)
    part.wait(f"{demo.url}/readyz")
    return part


def _start_kiosk(demo: Demo, running: ExitStack) -> DemoProcess:
    arguments = ["kiosk", "serve", "--dir", str(demo.kiosk), "--port", str(demo.port + 1)]
    part = DemoProcess("kiosk", arguments, demo.directory / "kiosk.log", running)
    part.wait(f"http://127.0.0.1:{demo.port + 1}/healthz")
    return part


def _enrol(demo: Demo, say: Say) -> None:
    """Enrol the kiosk once; every start tells it where marketplace and printer listen today, and syncs once."""
    if not (demo.kiosk / "device.key").exists():
        say(f"enrolling the kiosk of {OWN_CORNER}")
        with opened(demo.marketplace) as engine:
            code = start_enrolment(engine, OWN_CORNER, now=clock.now())
        _command("kiosk", "enrol", "--dir", str(demo.kiosk), "--marketplace", demo.url, "--code", code)
    _command("kiosk", "set", "--dir", str(demo.kiosk), "--marketplace", demo.url, "--printer", f"127.0.0.1:{demo.port + 2}")
    _command("kiosk", "sync", "--dir", str(demo.kiosk))


def _command(*arguments: str) -> None:
    ended = subprocess.run(  # noqa: S603 - our own command line
        [sys.executable, "-m", "comptoir", *arguments],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=partial(end_with_parent, signal.SIGTERM),
    )
    if ended.returncode:
        raise PartStopped(f"comptoir {' '.join(arguments[:2])} failed: {ended.stderr.strip()}")


def _access(demo: Demo, made: Made) -> Access:
    return {
        "marketplace": demo.public_url or demo.url,
        "kiosk": f"http://127.0.0.1:{demo.port + 1}",
        "paper": f"http://127.0.0.1:{demo.port + 3}",
        "printer": f"127.0.0.1:{demo.port + 2}",
        "console_password": made["password"],
        "clerk_pin": CLERK_PIN,
        "sellers": made.get("sellers", ()),
    }


def _addresses(demo: Demo, made: Made) -> list[str]:
    own = demo.public_url or demo.url
    return [
        f"kiosk          http://127.0.0.1:{demo.port + 1}/",
        f"clerk counter  http://127.0.0.1:{demo.port + 1}/counter    PIN {CLERK_PIN}",
        f"marketplace    {own}/",
        f"HQ console     {own}/console    password {made['password']}",
        *(
            f"seller's desk  {own}/seller    {each['email']}    password {each['password']}"
            for each in made.get("sellers", ())[:1]
        ),
        f"paper          http://127.0.0.1:{demo.port + 3}/",
        f"mail           http://127.0.0.1:{demo.port + 3}/mail",
        f"bank           {demo.bank_url}/",
        f"carrier        {demo.bank_url}{CARRIER}/",
        f"printer        raw TCP 127.0.0.1:{demo.port + 2}",
    ]
