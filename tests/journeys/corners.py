"""Another corner of a running system, served from this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from werkzeug.serving import make_server

from kiosk.app import create_app
from tests.corners import found_corner
from tests.journeys.conftest import System


@contextmanager
def corner_of(system: System, directory: Path, corner_id: str) -> Iterator[str]:
    """Make a kiosk of another corner and serve it until the block ends; yields its address."""
    found_corner(system.marketplace, directory, corner_id, url=system.marketplace_url)
    app = create_app(directory, sync=False)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
        for store in (app.extensions["comptoir"].catalog, app.extensions["comptoir"].ops):
            store.close()
