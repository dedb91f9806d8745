"""`comptoir kiosk serve · status`: what starts the app, to serve its screens or to ask it how it is."""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

import click

from kiosk.app import create_app
from kiosk.directories import directory_option, open_records
from kiosk.door import KioskServer
from kiosk.status import describe
from kiosk.watchdog import start_watchdog
from sync.addresses import Host, bracketed
from sync.locks import hold_directory

LAST_S = 3.0
"""How long requests and prints under way may take to end once the process is told to stop."""
STOP_S = 4
ARENA_MAX = -8
"""What glibc calls the number of its heaps (mallopt(3), M_ARENA_MAX)."""


@click.command("serve")
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
    _use_one_heap()
    address = f"http://{bracketed(host)}:{port}/"
    with hold_directory(directory, doing=f"serving on {address}"):
        server = KioskServer((host, port))
        # The port first: a browser that asks meanwhile waits, rather than being sent away.
        server.prepare()
        try:
            app = server.wsgi_app = create_app(directory, sync=True, hosts=[] if host == "127.0.0.1" else [host])
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
        start_watchdog(host, port)
        try:
            server.serve()
        except Exception:
            logging.exception("the server cannot go on")
            # Its threads would keep the process, serving nobody, from being started again.
            os._exit(1)
        deadline = time.monotonic() + LAST_S
        server.wait_idle(until=deadline)
        app.extensions["comptoir"].workers.stop(until=deadline)
        sys.stdout.flush()
        # Threads that sync, print or wait are left where they are: whatever they hold on disk survives a sudden end.
        os._exit(0)


@click.command("status")
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
    click.echo("faults    " + (", ".join(f"{fault['short']} {fault['code']}" for fault in state["faults"]) or "none"))


def _describe(directory: Path) -> dict[str, Any]:
    open_records(directory)
    with create_app(directory, sync=False).app_context():
        return describe()


def _use_one_heap() -> None:
    """Give all threads one heap: they compute in turns anyway, and a heap each cost 9 MB of 147 at 500,000 listings."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)
