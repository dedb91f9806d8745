"""The shop as an app of the customer's own device: it can be installed, and their last slip and orders open without a network.

Invariant: what is kept lies on that device alone, in the browser's own store; a page is kept where its template says so, and
signing out empties the store. Source: W3C Web Application Manifest, Service Workers.
"""

from __future__ import annotations

import json

from flask import Blueprint, Response, current_app

from shop import web
from shop.assets import Asset

routes = Blueprint("at_home", __name__)

SHELL = (
    "tokens.css",
    "marketplace.css",
    "marketplace.svg",
    "pages.js",
    "away.js",
    "fonts/figtree-latin-wght-normal.woff2",
    "fonts/bricolage-grotesque-latin-720-normal.woff2",
)
"""What the kept pages need beside themselves."""


@routes.get("/app.webmanifest")
def manifest() -> Response:
    """Say what the shop is called and looks like where it is installed, in the visitor's language."""
    return Response(web.render_template("marketplace/manifest.html"), content_type="application/manifest+json")


@routes.get("/worker.js")
def worker() -> Response:
    """Send the script that keeps pages; it changes with any file it keeps, and is asked for again each time."""
    version: str = current_app.extensions["comptoir-assets-version"]
    script: Asset = current_app.extensions["comptoir-assets"]["worker.js"]
    assets = current_app.jinja_env.globals["assets"]
    shell = ["/away", *(f"{assets}/{name}" for name in SHELL)]
    head = f"const VERSION = {json.dumps(version)}, SHELL = {json.dumps(shell)};\n"
    return Response(head.encode() + script.body, content_type="text/javascript", headers={"Cache-Control": "no-cache"})


@routes.get("/away")
def away() -> Response:
    """List what is kept on this device; shown in place of a page that cannot be reached."""
    return web.page("marketplace/away.html")
