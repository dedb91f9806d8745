"""A bare Flask page behind the kiosk's own server: the floor under every page."""

from __future__ import annotations

import sys

from cheroot.wsgi import Server
from flask import Flask


def make_app() -> Flask:
    """Make an app with one page that does nothing."""
    app = Flask("floor")

    @app.get("/")
    def page() -> str:
        return "<!doctype html><title>Floor</title><p>Nothing."

    return app


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(sys.argv[1])), make_app(), numthreads=8)
    server.start()
