"""`comptoir marketplace serve`."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import click
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from marketplace import tallies
from marketplace.installation import DIRECTORY_VARIABLE, SERVER_VARIABLE, keys_path, opened, sync_path
from marketplace.keys import directory_option
from pos import clock
from pos.privacy import advice, open_to_others
from sync.addresses import Host, bracketed
from sync.hq.repository import renew
from sync.locks import hold_directory

WORKERS = 2
CONNECTIONS = 4096
"""Of each worker; a connection that says nothing costs little else than its file descriptor."""
HEAD_MS = 10_000
"""How long a head may take, and how long a connection may be idle."""
HEAD_BYTES = 2**14
STOP_S = 2


@click.command("serve")
@directory_option
@click.option("--host", default="127.0.0.1", show_default=True, type=Host())
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65535))
def serve_command(directory: Path, host: str, port: int) -> None:
    """Serve customers, the fleet and the console."""
    with hold_directory(directory, doing=f"serving on http://{bracketed(host)}:{port}/"):
        with opened(directory):
            renew(sync_path(directory), keys_path(directory), now=clock.now())
        if wide := open_to_others(directory, public={sync_path(directory).name}):
            click.echo(f"comptoir: {advice(wide)}", err=True)
        _refuse_taken_port(host, port)
        tallies.forget(directory)
        os.environ[DIRECTORY_VARIABLE], os.environ[SERVER_VARIABLE] = str(directory.resolve()), str(os.getpid())
        server = Granian(
            "marketplace.app:front_from_environment",
            factory=True,
            interface=Interfaces.RSGI,
            address=host,
            port=port,
            workers=WORKERS,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=HEAD_MS, max_buffer_size=HEAD_BYTES),
            websockets=False,
            backpressure=CONNECTIONS,
            log_access=False,
            workers_kill_timeout=STOP_S,
        )
        server.serve()


def _refuse_taken_port(host: str, port: int) -> None:
    """Raise OSError when somebody listens there: the server's workers share their port, and would share it with a stranger."""
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    socket.create_server((host, port), family=family).close()
