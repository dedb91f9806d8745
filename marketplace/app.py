"""The central app: customers' slips and orders, the protocol of the fleet, HQ's console."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask

from marketplace import console, slip_pages, status, tallies, uplink, web
from marketplace.bulkhead import Bulkhead
from marketplace.db import open_engine, reading
from marketplace.front import MOST_FORM_BYTES, Front
from marketplace.judging import Backlog, Judging
from marketplace.places import DIRECTORY_VARIABLE, read_place
from marketplace.publishing import sync_path
from marketplace.settings import setting
from sync.incoming import Request, Whole
from sync.processes import end_with_parent
from sync.static_files import StaticFiles

UPLINKS, UPLINKS_WAITING = 3, 1
"""Of a worker's eight threads: the database takes one writer at a time anyway, and the shop keeps the rest."""
HOSTS_VARIABLE = "COMPTOIR_TRUSTED_HOSTS"


def create_app(directory: Path, *, public_url: str | None = None, trusted_hosts: list[str] | None = None) -> Flask:
    """Return the app of the marketplace set up in `directory`; `public_url` overrides the one given at set-up.

    `trusted_hosts` narrows which Host headers are answered; by default any, as a proxy in front usually decides.
    Raises: NotFound before `marketplace init`.
    """
    place = read_place(directory)
    engine = open_engine(place.database)
    app = Flask("marketplace", static_folder=web.PAGES / "static", template_folder=web.PAGES)
    address = (public_url or place.public_url).rstrip("/")
    app.request_class = Request
    app.url_map.converters["int"] = Whole
    with reading(engine) as connection:
        secret = setting(connection, "secret_key")
    app.config.update(
        SECRET_KEY=secret,
        MAX_CONTENT_LENGTH=MOST_FORM_BYTES,
        MAX_FORM_PARTS=100,
        SESSION_COOKIE_NAME="comptoir_console",
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=urlsplit(address).scheme == "https",
        SEND_FILE_MAX_AGE_DEFAULT=3600,
    )
    counts = tallies.Tallies(directory)
    app.extensions["marketplace"] = web.Marketplace(
        engine=engine,
        directory=directory,
        public_url=address,
        tallies=counts,
        judging=Judging(engine, directory),
        uplink_room=Bulkhead(inside=UPLINKS, waiting=UPLINKS_WAITING, is_shut=Backlog(engine).is_long),
        enrolment_room=Bulkhead(inside=1, waiting=1),
    )
    app.before_request(partial(web.refuse_strange_host, trusted_hosts or []))
    web.set_up(app)
    tallies.watch(app, counts)
    for part in (slip_pages.pages, uplink.sync, console.console, status.status):
        app.register_blueprint(part)
    app.wsgi_app = StaticFiles(app.wsgi_app, sync_path(directory))  # type: ignore[method-assign]  # Flask's documented way
    return app


def front_from_environment() -> Front:
    """Return what a server's worker process serves, judging beside it; `COMPTOIR_TRUSTED_HOSTS` is a comma-separated list."""
    end_with_parent(signal.SIGKILL)
    hosts = [host.strip() for host in os.environ.get(HOSTS_VARIABLE, "").split(",") if host.strip()]
    app = create_app(Path(os.environ[DIRECTORY_VARIABLE]), trusted_hosts=hosts)
    web.marketplace_of(app).judging.start()
    return Front(app)
