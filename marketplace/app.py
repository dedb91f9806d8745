"""The central app: customers' slips and orders, the protocol of the fleet, HQ's console."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask

import templates
from marketplace import at_home, console, home, partners, sitemaps, tallies, web
from marketplace.bulkhead import Bulkhead
from marketplace.db import reading
from marketplace.door import Markets
from marketplace.events import heartbeats, uplink
from marketplace.front import MOST_FORM_BYTES, Front
from marketplace.installation import DIRECTORY_VARIABLE, SERVER_VARIABLE, open_database, read_installation, sync_path
from marketplace.money import payment_pages
from marketplace.orders import (
    activation_pages,
    claim_pages,
    message_pages,
    order_pages,
    pages,
    return_pages,
    selection_pages,
    sign_in_pages,
    substitution_pages,
)
from marketplace.papers.pages import papers
from marketplace.publishing.price_past import published_past
from marketplace.running import status
from marketplace.running.judging import Backlog, Judging
from marketplace.running.working import Working
from marketplace.sellers import application_pages, desk, ranking
from marketplace.settings import setting
from marketplace.sources import proxies_of
from shop.web import refuse_strange_host
from sync.processes import end_with_parent
from sync.static_files import StaticFiles

UPLINKS, UPLINKS_WAITING = 3, 1
"""Of a worker's eight threads: the database takes one writer at a time anyway, and the shop keeps the rest."""
PARTS = (
    *(home.routes, at_home.routes, partners.routes, sitemaps.routes, pages.pages, selection_pages.pages),
    *(order_pages.orders, activation_pages.pages, claim_pages.claims, return_pages.returns, substitution_pages.substitutions),
    *(message_pages.messages, sign_in_pages.sign_ins),
    *(payment_pages.payments, application_pages.pages, desk.desk, ranking.routes),
    papers,
)
HOSTS_VARIABLE = "COMPTOIR_TRUSTED_HOSTS"
PROXIES_VARIABLE = "COMPTOIR_TRUSTED_PROXIES"
API = "/api/"
API_MODULE = "marketplace.sellers.api_app"
"""Loaded late: pydantic's model of OpenAPI costs a server's start half a second."""
REMEMBERED = timedelta(days=90)
"""How long a browser that was let in to the console is known again."""


def create_app(
    directory: Path,
    *,
    public_url: str | None = None,
    trusted_hosts: list[str] | None = None,
    trusted_proxies: Sequence[str] = (),
) -> Flask:
    """Return the app of the marketplace set up in `directory`; `public_url` overrides the one given at set-up.

    `trusted_hosts` narrows which Host headers are answered; by default any, as a proxy in front usually decides.
    `trusted_proxies` are the addresses or networks whose `X-Forwarded-For` is believed; by default nobody's is.
    Raises: NotFound before `marketplace init`, Conflict before `marketplace upgrade`.
    """
    installation = read_installation(directory)
    engine = open_database(directory)
    app = Flask("marketplace", static_folder=None, template_folder=templates.PATH)
    address = (public_url or installation.public_url).rstrip("/")
    with reading(engine) as connection:
        secret = setting(connection, "secret_key")
    app.config.update(
        SECRET_KEY=secret,
        MAX_CONTENT_LENGTH=MOST_FORM_BYTES,
        MAX_FORM_PARTS=100,
        SESSION_COOKIE_NAME="comptoir_console",
        PERMANENT_SESSION_LIFETIME=REMEMBERED,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SECURE=urlsplit(address).scheme == "https",
    )
    counts = tallies.Tallies(directory)
    app.extensions["marketplace"] = web.Marketplace(
        engine=engine,
        directory=directory,
        public_url=address,
        proxies=proxies_of(trusted_proxies),
        tallies=counts,
        news=threading.Event(),
        uplink_room=Bulkhead(inside=UPLINKS, waiting=UPLINKS_WAITING, is_shut=Backlog(engine).is_long),
        enrolment_room=Bulkhead(inside=1, waiting=1),
        payment_room=Bulkhead(inside=2, waiting=4),
    )
    app.extensions[heartbeats.EXTENSION] = heartbeats.QuietHeartbeats(engine)
    app.before_request(partial(refuse_strange_host, trusted_hosts or []))
    web.set_up(app, Markets(engine, directory), past=published_past)
    tallies.watch(app, counts)
    for part in (*PARTS, uplink.sync, console.console, status.status):
        app.register_blueprint(part)
    api = SellersApi(app.wsgi_app, web.marketplace_of(app))
    app.wsgi_app = StaticFiles(api, sync_path(directory))  # type: ignore[method-assign]  # Flask's documented way
    return app


def front_from_environment() -> Front:
    """Return what a server's worker process serves, judging and jobs beside it; hosts and proxies are comma-separated lists."""
    end_with_parent(signal.SIGKILL, parent=int(os.environ[SERVER_VARIABLE]))
    hosts, proxies = _listed(HOSTS_VARIABLE), _listed(PROXIES_VARIABLE)
    app = create_app(Path(os.environ[DIRECTORY_VARIABLE]), trusted_hosts=hosts, trusted_proxies=proxies)
    served = web.marketplace_of(app)
    Judging(served.engine, served.directory, served.news).start()
    Working(served.engine, served.directory, served.public_url).start()
    heartbeats.quiet_heartbeats_of(app).start()
    return Front(app)


class SellersApi:
    """Gives what is below `/api/` to the sellers' API, an app of its own that is made at its first request."""

    def __init__(self, app: Callable[..., Iterable[bytes]], here: web.Marketplace) -> None:
        self._app = app
        self._here = here
        self._api: Callable[..., Iterable[bytes]] | None = None
        self._making = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        if not environ["PATH_INFO"].startswith(API):
            return self._app(environ, start_response)
        with self._making:
            if self._api is None:
                self._api = importlib.import_module(API_MODULE).create_api(self._here)
        return self._api(environ, start_response)


def _listed(variable: str) -> list[str]:
    return [each.strip() for each in os.environ.get(variable, "").split(",") if each.strip()]
