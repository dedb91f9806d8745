"""What the service manager is told of the app: that it is ready, and that it lives, while a page of its own comes back to it.

Source of the words: sd_notify(3), systemd.service(5) "WatchdogSec". Without a manager that listens nothing happens.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import socket
import threading
from collections.abc import Mapping

LOG = logging.getLogger("kiosk.watchdog")
ANSWER_S = 10.0
FIRST_LOOK_S, LOOK_S = 0.1, 20.0


def start_watchdog(host: str, port: int, *, environment: Mapping[str, str] = os.environ) -> threading.Event:
    """Ask the app at `host` and `port` how it is, through its own port, and pass that on to whoever `environment` says listens.

    It is ready once it answers at all, and lives as long as it does: what a page says is missing (a catalogue, an enrolment)
    comes with the network or a person, and no start brings it any sooner. Returns what ends the asking when it is set.
    """
    end, address = threading.Event(), environment.get("NOTIFY_SOCKET", "")
    if not address:
        return end
    usec = environment.get("WATCHDOG_USEC", "")
    # A third of the time allowed: one look that is late costs no restart.
    pause_s = min(LOOK_S, int(usec) / 3_000_000) if usec.isdigit() else LOOK_S
    threading.Thread(target=_look, args=(address, host, port, pause_s, end), name="watchdog", daemon=True).start()
    return end


def notify(address: str, words: str) -> None:
    """Send `words` to a service manager's socket, of the file system or abstract (`@…`); nobody there is no failure of ours."""
    place = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as manager:
            manager.sendto(words.encode(), place)
    except OSError as problem:
        LOG.warning("the service manager was not told: %s", problem)


def _look(address: str, host: str, port: int, pause_s: float, end: threading.Event) -> None:
    is_ready = False
    while not end.is_set():
        said = _ask(host, port)
        if said is not None:
            words = [*([] if is_ready else ["READY=1"]), "WATCHDOG=1", f"STATUS={said}"]
            notify(address, "\n".join(words))
            is_ready = True
        end.wait(pause_s if is_ready else FIRST_LOOK_S)


def _ask(host: str, port: int) -> str | None:
    """Return in a few words how the app says it is, or None where no page of its came back."""
    connection = http.client.HTTPConnection(host, port, timeout=ANSWER_S)
    try:
        connection.request("GET", "/readyz")
        document = json.loads(connection.getresponse().read())
        return str(document.get("detail", document["status"])).replace("\n", " ")
    except (OSError, http.client.HTTPException, ValueError, KeyError, AttributeError) as problem:
        LOG.warning("the app did not answer itself: %s", problem)
        return None
    finally:
        connection.close()
