"""`comptoir kiosk …`: enrol a kiosk, sync it, serve its screens, look at its state."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import time
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any

import click
from sqlite_utils import Database

from kiosk.app import create_app
from kiosk.background import Rounds
from kiosk.directories import directory_option, open_records
from kiosk.doctor import doctor_command
from kiosk.door import KioskServer
from kiosk.printing import print_jobs
from kiosk.status import describe
from pos import clock
from pos.db import Store
from pos.errors import NotFound, PosError
from pos.ops import open_ops, setting, store_setting
from pos.privacy import take_over
from sync.addresses import Host, HostAndPort, WebAddress, bracketed
from sync.corner.client import Client
from sync.corner.enrolment import enrol
from sync.corner.media import BUDGET_BYTES, Fetched, MediaStore
from sync.corner.mirrors import MIRRORS, SHARED
from sync.corner.rounds import RoundReport
from sync.locks import serve_alone

LAST_S = 3.0
"""How long requests and prints under way may take to end once the process is told to stop."""
STOP_S = 4
PROGRESS_FROM_S = 1.0


@click.group("kiosk")
def kiosk() -> None:
    """The in-store app of one corner."""


kiosk.add_command(doctor_command)


@kiosk.command("enrol")
@directory_option
@click.option("--marketplace", required=True, type=WebAddress(), help="The marketplace's URL.")
@click.option("--code", required=True, help="The one-time code HQ gave for this corner.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until HQ confirms the device, where it wants to.")
def enrol_command(directory: Path, marketplace: str, code: str, *, wait: bool) -> None:
    """Make this device the kiosk of a corner; the fingerprint shown must be the one HQ shows."""
    take_over(directory)
    store = open_ops(directory / "ops.db")
    document = enrol(directory, store, Client(marketplace), code, now=clock.now, show=_show_fingerprint, wait=wait)
    click.echo(f"enrolled as {document['corner_id']}, key {setting(store.read(), 'key_id')}")


@kiosk.command("set")
@directory_option
@click.option("--marketplace", type=WebAddress(), help="The marketplace's URL, when it moved.")
@click.option("--printer", type=HostAndPort(), help="The corner's network printer.")
@click.option(
    "--mirror",
    "mirrors",
    type=WebAddress(or_none=True),
    multiple=True,
    help="A neighbour asked before HQ; may be repeated; '' for none.",
)
@click.option("--share", type=click.Choice(["on", "off"]), help="Whether neighbours may fetch the catalogue here.")
@click.option("--media-budget", metavar="MB", type=click.IntRange(0, 100_000), help="Most megabytes of drawings and pictures.")
def set_command(
    directory: Path,
    marketplace: str | None,
    printer: tuple[str, int] | None,
    mirrors: tuple[str, ...],
    share: str | None,
    media_budget: int | None,
) -> None:
    """Set what only this device knows: its printer, its marketplace, its neighbours, and what room media may take."""
    store = open_records(directory)
    wishes: dict[str, Any] = {}
    if marketplace:
        wishes["marketplace_url"] = marketplace
    if printer:
        wishes["printer"] = dict(zip(("host", "port"), printer, strict=True))
    if mirrors:
        wishes[MIRRORS] = [url for url in mirrors if url]
    if share:
        wishes[SHARED] = share == "on"
    if media_budget is not None:
        wishes["media_budget_bytes"] = media_budget * 2**20
    with store.write() as ops:
        for name, value in wishes.items():
            store_setting(ops, name, value)
    for name, said in _own_settings(store.read()).items():
        click.echo(f"{name:<12} {said}")


@kiosk.command("sync")
@directory_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def sync_command(directory: Path, *, as_json: bool) -> None:
    """Do one round, up and down, and print what moved."""
    catalog, media = Store(directory / "catalog.db", durable=False), MediaStore(directory / "media")
    rounds = Rounds(directory, catalog, open_records(directory), media, version("comptoir"))
    url = setting(rounds.ops.read(), "marketplace_url")
    if url is None:
        raise NotFound("this kiosk is not enrolled")
    client = Client(url)
    report = rounds.run(client, progress=_Progress())
    fetched = _fetch_media(rounds, client) if not report.problems else Fetched()
    click.echo(json.dumps(_report(report, fetched)) if as_json else _sentence(report, fetched))
    if report.problems:
        for problem in report.problems:
            click.echo(f"comptoir: {problem.code}: {problem.detail}", err=True)
        sys.exit(1)


@kiosk.command("serve")
@directory_option
@click.option("--port", default=8001, show_default=True, type=click.IntRange(1, 65535))
@click.option(
    "--host", default="127.0.0.1", show_default=True, type=Host(), help="Another address opens the kiosk to the network."
)
def serve_command(directory: Path, port: int, host: str) -> None:
    """Serve the corner's screens, and keep in step with HQ."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - refused, not listened on
        raise click.BadParameter("one of this machine's own addresses: pages answer only to names they know", param_hint="--host")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    # Until it serves, a signal ends it where it is: what is on disk then is what any start finds.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    address = f"http://{bracketed(host)}:{port}/"
    with serve_alone(directory, address=address):
        server = KioskServer((host, port))
        # The port first: a browser that asks meanwhile waits, rather than being sent away.
        server.prepare()
        try:
            server.wsgi_app = create_app(directory, sync=True, hosts=[] if host == "127.0.0.1" else [host])
        except BaseException:
            server.requests.stop()
            raise

        def stop(_number: int, _frame: FrameType | None) -> None:
            for each in (signal.SIGTERM, signal.SIGINT):
                signal.signal(each, signal.SIG_IGN)
            # Whatever a thread is at, in Python or not, the kernel ends the process then.
            signal.alarm(STOP_S)
            server.end()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        click.echo(f"kiosk on {address}")
        try:
            server.serve()
        except Exception:
            logging.exception("the server cannot go on")
            # Its threads would keep the process, serving nobody, from being started again.
            os._exit(1)
        deadline = time.monotonic() + LAST_S
        server.wait_idle(until=deadline)
        print_jobs.wait_for_prints(until=deadline)
        sys.stdout.flush()
        # Threads that sync, print or wait are left where they are: whatever they hold on disk survives a sudden end.
        os._exit(0)


@kiosk.command("status")
@directory_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def status_command(directory: Path, *, as_json: bool) -> None:
    """Describe the kiosk: corner, catalogue, outbox, printers, faults."""
    state = _describe(directory)
    if as_json:
        click.echo(json.dumps(state, ensure_ascii=False, indent=2))
        return
    click.echo(f"corner    {state['corner'] or 'not enrolled'}")
    if state.get("publication"):
        click.echo(f"catalogue publication {state['publication']}, ring {state['ring']}")
    for name, channel in state["catalog"].items():
        click.echo(f"{name:<9} version {channel['version']}, {channel['age_s']} s old")
    aside = f", {state['outbox']['set_aside']} of them by their hash alone" if "set_aside" in state["outbox"] else ""
    click.echo(f"outbox    {state['outbox']['pending']} waiting, {state['outbox']['acked']} at HQ{aside}")
    for printer in state["printers"]:
        click.echo(f"printer   {printer['name']}: {printer['state']}, {printer['queue']} in hand")
    click.echo("faults    " + (", ".join(fault["code"] for fault in state["faults"]) or "none"))


def _show_fingerprint(fingerprint: str) -> None:
    click.echo(f"fingerprint {fingerprint}")


class _Progress:
    """Shows a round that takes longer than a second, on a terminal only."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._is_shown = sys.stderr.isatty()

    def __call__(self, step: str, done: int, total: int) -> None:
        if self._is_shown and time.monotonic() - self._started > PROGRESS_FROM_S:
            click.echo(f"\r{step} {done:,} of {total:,}", nl=done == total, err=True)


def _describe(directory: Path) -> dict[str, Any]:
    open_records(directory)
    with create_app(directory, sync=False).app_context():
        return describe()


def _own_settings(ops: Database) -> dict[str, str]:
    """Return what only this device knows, in the words that set it."""
    printer, budget_bytes = setting(ops, "printer"), setting(ops, "media_budget_bytes")
    return {
        "marketplace": setting(ops, "marketplace_url") or "none",
        "printer": f"{bracketed(printer['host'])}:{printer['port']}" if printer else "none",
        "mirrors": ", ".join(setting(ops, MIRRORS) or []) or "none",
        "share": "on" if setting(ops, SHARED) else "off",
        "media budget": f"{(BUDGET_BYTES if budget_bytes is None else budget_bytes) // 2**20} MB",
    }


def _fetch_media(rounds: Rounds, client: Client) -> Fetched:
    """Fetch media after a round that went well; that they fail is said, and is no failure of the round."""
    try:
        return rounds.fetch_media(client)
    except (PosError, OSError) as problem:
        click.echo(f"comptoir: media wait: {problem}", err=True)
        return Fetched()


def _report(report: RoundReport, fetched: Fetched) -> dict[str, Any]:
    moved, pushed = report.moved, report.pushed
    down = None
    if moved is not None:
        names = ("before", "publication", "segments", "parts", "rows", "bytes", "apply_ms")
        down = {name: getattr(moved, name) for name in names}
    up = None
    if pushed is not None:
        up = {"sent": pushed.sent, "acked": pushed.acked, "pending": pushed.pending, "new_corner": pushed.is_new_corner}
    problems = [{"code": each.code, "detail": each.detail} for each in report.problems]
    media = {"files": fetched.files, "bytes": fetched.bytes, "refused": fetched.refused, "paused": fetched.is_paused}
    return {"down": down, "up": up, "media": media, "problems": problems}


def _sentence(report: RoundReport, fetched: Fetched) -> str:
    moved, pushed = report.moved, report.pushed
    down = "catalogue not reached"
    if moved is not None:
        down = f"publication {moved.publication}"
        down += f", {moved.rows:,} rows in {moved.bytes:,} bytes" if moved.publication > moved.before else ", nothing new"
    up = f"{pushed.sent} events sent, {pushed.pending} waiting" if pushed is not None else "no event sent"
    media = f"; media: {fetched.files} in {fetched.bytes:,} bytes" if fetched.files else ""
    return f"down: {down}; up: {up}{media}"
