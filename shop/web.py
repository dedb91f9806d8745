"""What every page shares, in a store and at home: language and view of this visitor, fragments, forms, headers, filters.

Invariants: a page never depends on a session (the selection travels in the URL, `?s=`); an unsafe request from another
site is refused before any route runs; no inline script or style is ever allowed.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import mimetypes
import re
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from flask import Response, current_app, g, request
from jinja2 import Environment, Template

import templates
from pos import languages, skus
from pos.errors import Invalid, NotFound
from pos.months import plan_spans, spans
from pos.origins import ForeignOrigin, cause_of
from pos.totals import Line
from pos.words import words
from sync.incoming import is_among

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
VIEWS = ("reach", "contrast", "text")
VIEW_COOKIE = "view"
LANGUAGE_COOKIE = "language"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
    "Vary": "HX-Request, Cookie, Accept-Encoding",
}
COMPRESS_FROM_BYTES = 1400
ARRIVED = "comptoir.arrived"
"""Where the environment of a request says since when it is here, by `time.perf_counter`."""
WHOLE = re.compile(r"[0-9]{1,15}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file as it is sent: plain, and compressed where it is text."""

    body: bytes
    compressed: bytes | None
    kind: str


def see_other(location: str) -> Response:
    """Answer a write: look at `location` next."""
    return Response(status=303, headers={"Location": location})


def page(template: str, *, status: int = 200, **context: Any) -> Response:
    """Return a whole page."""
    current_app.update_template_context(context)
    return Response(_template(template).render(context), status=status, content_type="text/html; charset=utf-8")


def fragment(template: str, block: str, **context: Any) -> Response:
    """Return one block of a page, rendered alone: its own `set` and the filters are all it sees."""
    current_app.update_template_context(context)
    found = _template(template)
    text = "".join(found.blocks[block](found.new_context(context)))
    return Response(text, content_type="text/html; charset=utf-8")


def local_path(text: str | None) -> str:
    """Return `text` if it is a path on this site, else the home page: nobody is sent elsewhere."""
    if text and text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable():
        return text
    return "/home"


def number_in(values: Mapping[str, str], name: str) -> int | None:
    """Return the whole number called `name`, or None when it is absent or empty. Raises: Invalid."""
    text = values.get(name, "").strip()
    return whole(text, name) if text else None


def whole(text: str, name: str) -> int:
    """Return the whole number that `text`, given as `name`, stands for; SQLite holds fifteen digits. Raises: Invalid."""
    if not WHOLE.fullmatch(text):
        raise Invalid(f"{name} is not a whole number", field=name)
    return int(text)


def with_query(path: str, **parameters: Any) -> str:
    """Return `path` with the parameters that have a value; lists are repeated."""
    wanted = [(name, value) for name, value in parameters.items() if value not in (None, "", [], ())]
    return f"{path}?{urlencode(wanted, doseq=True)}" if wanted else path


def start_clock() -> None:
    """Note when this request began, or arrived where an app lets it wait its turn, for `Server-Timing`."""
    g.began = request.environ.get(ARRIVED, time.perf_counter())


def refuse_strange_host(hosts: Collection[str]) -> None:
    """Answer only to our own names, so that no page of the internet reaches us under a name of its own. Raises: Invalid."""
    if not is_among(request.host, hosts):
        raise Invalid("the Host header names another machine", field="Host")


def refuse_foreign() -> None:
    """Refuse an unsafe request that no page of ours is known to have caused. Raises: ForeignOrigin."""
    if request.method in SAFE_METHODS:
        return
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if cause_of(site=site, origin=origin, host=request.host) != "own":
        raise ForeignOrigin("sent by another site", site=site, origin=origin)


def add_headers(response: Response) -> Response:
    """Add the headers of every answer that its route did not set, and compress pages; pages are never stored.

    A form sent by our script hears where to look next instead of being taken there, since only a page can follow by itself.
    """
    if response.status_code == 303 and request.headers.get("X-Requested-With") == "fetch":
        response.status_code = 204
    present = set(response.headers.keys())
    response.headers.extend([(name, value) for name, value in HEADERS.items() if name not in present])
    if (
        response.mimetype in ("text/html", "application/json", "image/svg+xml")
        and not response.is_streamed
        and "Content-Encoding" not in response.headers
        and "gzip" in request.headers.get("Accept-Encoding", "")
        and len(response.data) > COMPRESS_FROM_BYTES
    ):
        response.data = gzip.compress(response.data, compresslevel=1, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
    if "began" in g:
        response.headers["Server-Timing"] = f"app;dur={(time.perf_counter() - g.began) * 1000:.1f}"
    return response


def load_assets(folder: Path) -> tuple[str, dict[str, Asset]]:
    """Read the static files once: a version that changes with any byte of them, and each file by its path."""
    digest = hashlib.sha256()
    assets = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file() and each.suffix != ".py"):
        body = path.read_bytes()
        name = path.relative_to(folder).as_posix()
        digest.update(name.encode() + b"\0" + body)
        short = compressed(body) if path.suffix in (".css", ".js", ".svg") else None
        assets[name] = Asset(body, short, mimetypes.guess_type(name)[0] or "application/octet-stream")
    return digest.hexdigest()[:10], assets


def send_asset(version: str, name: str) -> Response:
    """Send a static file under its versioned address, to be kept for good. Raises: NotFound."""
    asset: Asset | None = current_app.extensions["comptoir-assets"].get(name)
    if asset is None or version != current_app.extensions["comptoir-assets-version"]:
        raise NotFound(path=name)
    return keep(asset.body, asset.compressed, asset.kind)


def keep(body: bytes, short: bytes | None, kind: str) -> Response:
    """Return bytes that never change under their address, compressed where the browser takes it."""
    use_gzip = short is not None and "gzip" in request.headers.get("Accept-Encoding", "")
    response = Response(short if use_gzip else body, content_type=kind)
    if use_gzip:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


@lru_cache(maxsize=1024)
def compressed(body: bytes) -> bytes:
    """Return bytes compressed as tightly as gzip can, once."""
    return gzip.compress(body, compresslevel=9, mtime=0)


def filters_of(language: str) -> dict[str, Callable[..., Any]]:
    """Return what templates of one language say money, days and names with; blocks rendered alone see filters too."""
    said = words(language, templates.PATH)
    return {
        "money": lambda cents, currency=None: languages.money(cents, currency or g.visitor.currency, language),
        "short": lambda cents: languages.short_money(cents, g.visitor.currency, language),
        "number": lambda value: languages.number(value, language),
        "date": lambda text: languages.date(text, language),
        "day": lambda text: languages.day(text, language, g.visitor.time_zone),
        "moment": lambda text: languages.moment(text, language, g.visitor.time_zone),
        "hour": lambda text: _hour(text, language, g.visitor.time_zone),
        "text": lambda texts: languages.text_of(texts, language),
        "storage": lambda gigabytes: languages.storage(gigabytes, language),
        "months": lambda lines: spans(tuple(Line.from_slip(line) for line in lines)),
        "battery": said.battery,
        "option": lambda terms, quantity: said.option(terms, quantity, g.visitor.currency),
        "line_names": said.names,
        "acquisition": said.acquisition,
        "reason": lambda reason: said.reason(reason, g.visitor.currency),
        "nearest": said.nearest,
        "credit": lambda credit: said.credit(credit, g.visitor.currency),
        "levy": lambda cents: said.levy(cents, g.visitor.currency),
        "leaving": lambda cents: said.leaving(cents, g.visitor.currency),
        "refunded": lambda cents: said.refunded(cents, g.visitor.currency),
        "tariff": plan_spans,
        "each_month": lambda each: said.each_month(each, g.visitor.currency),
        "for_how_long": lambda each, currency=None: said.for_how_long(each, currency or g.visitor.currency),
        "name": skus.title,
        "plus": with_query,
    }


def _template(name: str) -> Template:
    environment: Environment = current_app.extensions["comptoir-languages"][g.visitor.language]
    return environment.get_template(name)


def shared_context() -> dict[str, Any]:
    """Return what every template sees."""
    view = request.cookies.get(VIEW_COOKIE, "").split(".")
    selection_id = (request.view_args or {}).get("selection_id") or g.get("selection_id") or request.args.get("s", "")[:32]
    return {
        "lang": g.visitor.language,
        "spoken": {code: languages.LANGUAGES[code] for code in g.visitor.spoken},
        "tax_included": g.visitor.tax_included,
        "view": {name: name in view for name in VIEWS},
        "s": selection_id,
        "and_s": f"&s={selection_id}" if selection_id else "",
        "only_s": f"?s={selection_id}" if selection_id else "",
        "here": _here(),
        "assets": f"/static/{current_app.extensions['comptoir-assets-version']}",
    }


@lru_cache(maxsize=4096)
def _hour(text: str, language: str, time_zone: str) -> str:
    """Return the local minute of a UTC text: `14:32`."""
    return languages.moment(text, language, time_zone).rpartition(", ")[2]


def _here() -> str:
    """Return the address of the page somebody looks at: that of a form's answer cannot be read, the form's own can."""
    if request.method == "GET":
        return request.full_path.rstrip("?")
    return local_path("/" + (request.referrer or "").removeprefix(request.host_url))


def as_json(body: Mapping[str, Any], status: int = 200) -> Response:
    """Return one JSON document."""
    return Response(json.dumps(body, ensure_ascii=False), status=status, content_type="application/json")
