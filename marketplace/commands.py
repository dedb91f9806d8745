"""`comptoir marketplace …`: set the central app up, fill it, publish, enrol, serve."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from granian import Granian
from granian.constants import Interfaces
from sqlalchemy import Engine

from marketplace.db import create_tables, open_engine, reading
from marketplace.enrolments import confirm_device, refuse_device, requests, start_enrolment
from marketplace.feeds import Imported, import_feed
from marketplace.gaps import all_gaps, sentences
from marketplace.places import DIRECTORY_VARIABLE, read_place, start_place
from marketplace.problems import FeedRefused
from marketplace.publishing import publish_all
from marketplace.revocations import devices, revoke_device
from pos import clock

WORKERS = 2
THREADS = 8
STOP_S = 5
SHOWN_EVERY_S = 0.2

directory_option = click.option(
    "--dir", "directory", type=click.Path(path_type=Path, file_okay=False), required=True, help="The marketplace's directory."
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group("marketplace")
def marketplace() -> None:
    """The central app: feeds, publishing, slips, orders, fleet."""


@marketplace.command("init")
@directory_option
@click.option("--database", metavar="URL", help="A PostgreSQL URL; by default a SQLite file in the directory.")
@click.option("--public-url", default="http://127.0.0.1:8000", show_default=True, help="The address customers' phones open.")
def init_command(directory: Path, database: str | None, public_url: str) -> None:
    """Set a marketplace up; prints the console's password, once."""
    password = start_place(directory, database=database, public_url=public_url)
    click.echo(f"marketplace ready in {directory}")
    click.echo(f"console password (shown once): {password}")


@marketplace.command("import")
@click.argument("feed", type=click.Path(path_type=Path, exists=True, file_okay=False))
@directory_option
def import_command(feed: Path, directory: Path) -> None:
    """Import a feed: all of it, or nothing and the reasons."""
    try:
        with _database(directory) as engine:
            create_tables(engine)
            imported = import_feed(engine, feed, progress=Ticker())
    except FeedRefused as refusal:
        for problem in refusal.data["problems"]:
            click.echo("{file}:{line}: {field}: {reason}".format(**problem), err=True)
        raise click.ClickException(f"{len(refusal.data['problems'])} problem(s): nothing was imported") from None
    click.echo(_summary(imported))


@marketplace.command("publish")
@directory_option
def publish_command(directory: Path) -> None:
    """Publish what changed to the fleet."""
    with _database(directory) as engine:
        markets = publish_all(engine, directory)
    if not markets:
        click.echo("nothing to publish: import a feed first")
    for market, published in markets.items():
        click.echo(f"{market}: publication {published.publication}" if published else f"{market}: nothing changed")


@marketplace.command("enrol")
@click.argument("corner")
@directory_option
@click.option("--confirm", "must_confirm", is_flag=True, help="Let the device wait until its fingerprint was compared.")
def enrol_command(corner: str, directory: Path, *, must_confirm: bool) -> None:
    """Print a one-time code for a corner, good for ten minutes."""
    with _database(directory) as engine:
        click.echo(start_enrolment(engine, corner, must_confirm=must_confirm, now=clock.now()))


@marketplace.command("devices")
@directory_option
@json_option
def devices_command(directory: Path, *, as_json: bool) -> None:
    """List the devices that wait and those enrolled, with the fingerprints to compare."""
    now = clock.now()
    with _database(directory) as engine, reading(engine) as connection:
        waiting = [{**each, "state": "waiting"} for each in requests(connection, now=now)]
        every = waiting + devices(connection, now=now)
    names = ("corner_id", "key_id", "state", "fingerprint")
    shown = [{name: each[name] for name in names} for each in every]
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False))
        return
    for each in shown:
        click.echo(
            f"{each['corner_id']:<24} {each['key_id']}  {each['state']:<11} {each['fingerprint'] or 'no fingerprint kept'}"
        )


@marketplace.command("confirm")
@click.argument("key_id")
@directory_option
def confirm_command(key_id: str, directory: Path) -> None:
    """Confirm a waiting device whose fingerprint is the one its screen shows."""
    with _database(directory) as engine:
        request = confirm_device(engine, key_id, now=clock.now())
    click.echo(f"confirmed {key_id} at {request['corner_id']}, fingerprint {request['fingerprint']}")


@marketplace.command("refuse")
@click.argument("key_id")
@directory_option
def refuse_command(key_id: str, directory: Path) -> None:
    """Refuse a waiting device whose fingerprint is another than its screen shows."""
    with _database(directory) as engine:
        request = refuse_device(engine, key_id, now=clock.now())
    click.echo(f"refused {key_id} at {request['corner_id']}")


@marketplace.command("revoke")
@click.argument("key_id")
@directory_option
@click.option(
    "--from-counter", type=int, metavar="N", help="The first slip that is refused; by default the first not yet heard of."
)
def revoke_command(key_id: str, directory: Path, from_counter: int | None) -> None:
    """Withdraw a device: its slips below a counter stay good, nothing more is taken from it."""
    with _database(directory) as engine:
        revoked = revoke_device(engine, key_id, from_counter=from_counter, now=clock.now())
    click.echo(f"revoked {key_id} at {revoked['corner_id']} from slip {revoked['from_counter']} on")


@marketplace.command("gaps")
@directory_option
@json_option
def gaps_command(directory: Path, *, as_json: bool) -> None:
    """List the slips and events that exist in a corner and never arrived here."""
    with _database(directory) as engine, reading(engine) as connection:
        corners = all_gaps(connection)
    if as_json:
        click.echo(json.dumps(corners, ensure_ascii=False))
        return
    for corner in corners:
        for gap in corner["gaps"]:
            for sentence in sentences(gap):
                click.echo(f"corner {corner['corner_no']} ({corner['corner_id']}), key {gap['key_id']}: {sentence}")
    if not corners:
        click.echo("no gap: everything known of has arrived")


@marketplace.command("serve")
@directory_option
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
def serve_command(directory: Path, host: str, port: int) -> None:
    """Serve customers, the fleet and the console."""
    with _database(directory) as engine:
        create_tables(engine)
    _refuse_taken_port(host, port)
    os.environ[DIRECTORY_VARIABLE] = str(directory.resolve())
    server = Granian(
        "marketplace.app:app_from_environment",
        factory=True,
        interface=Interfaces.WSGI,
        address=host,
        port=port,
        workers=WORKERS,
        blocking_threads=THREADS,
        log_access=False,
        workers_kill_timeout=STOP_S,
    )
    server.serve()


@contextmanager
def _database(directory: Path) -> Iterator[Engine]:
    """Lend the marketplace's database for one command."""
    engine = open_engine(read_place(directory).database)
    try:
        yield engine
    finally:
        engine.dispose()


def _refuse_taken_port(host: str, port: int) -> None:
    """Raise OSError when somebody listens there: the server's workers share their port, and would share it with a stranger."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    socket.create_server((host, port), family=family).close()


class Ticker:
    """Shows how far a long import is, on a terminal only."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._last = 0.0

    def __call__(self, stage: str, count: int) -> None:
        """Show a stage and its count of rows, at most five times a second."""
        if self._is_shown and time.monotonic() - self._last > SHOWN_EVERY_S:
            self._last = time.monotonic()
            click.echo(f"\r{stage} {count:,} listings", nl=False, err=True)


def _summary(imported: Imported) -> str:
    totals = [sum(counts.values()) for counts in (imported.added, imported.changed, imported.removed)]
    added, changed, removed = totals
    return f"{imported.feed}: {imported.listings:,} listings; {added:,} rows added, {changed:,} changed, {removed:,} removed"
