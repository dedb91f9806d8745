"""What every page of both apps shares: language and view of this visitor, fragments, headers, refusals.

Invariants: a page never depends on a session (the selection travels in the URL, `?s=`); an unsafe request from another
site is refused before any route runs; no inline script or style is ever allowed.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Response, current_app, g, request
from jinja2 import Environment, Template
from werkzeug.exceptions import HTTPException, SecurityError

from pos import languages
from pos.origins import Cause, ForeignOrigin, cause_of
from shop.door import visitor
from shop.forms import local_path
from sync.incoming import is_among, page_above

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
VIEWS = ("reach", "contrast", "text", "strikes", "speech")
VIEW_COOKIE = "view"
LANGUAGE_COOKIE = "language"
PROTOCOL = "/sync/"
"""Where programs speak to each other: problems are JSON, and bodies stay as they were signed."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    # The address of a selection or an order is its access and reaches no other site; `no-referrer` would take the Origin from
    # our own forms.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
    "Vary": "HX-Request, Cookie, Accept-Language, Accept-Encoding",
}
COMPRESS_FROM_BYTES = 1400
ARRIVED = "comptoir.arrived"
"""Where the environment of a request says since when it is here, by `time.perf_counter`."""
COMPRESSED = frozenset({"text/html", "application/json", "image/svg+xml"})


def see_other(location: str) -> Response:
    """Answer a write: look at `location` next."""
    return Response(status=303, headers={"Location": location})


def page(name: str, *, status: int = 200, **context: Any) -> Response:
    """Return a whole page."""
    return Response(render_template(name, **context), status=status, content_type="text/html; charset=utf-8")


def render_template(name: str, **context: Any) -> str:
    """Return the text of a whole page in the visitor's language."""
    current_app.update_template_context(context)
    return template(name).render(context)


def fragment(name: str, block: str, **context: Any) -> Response:
    """Return one block of a page, rendered alone: its own `set` and the filters are all it sees."""
    current_app.update_template_context(context)
    found = template(name)
    text = "".join(found.blocks[block](found.new_context(context)))
    return Response(text, content_type="text/html; charset=utf-8")


def as_json(body: Mapping[str, Any], status: int = 200) -> Response:
    """Return one JSON document."""
    return Response(json.dumps(body, ensure_ascii=False), status=status, content_type="application/json")


def refuse_strange_host(hosts: Collection[str]) -> None:
    """Answer to a Host header that is a name, and only to ours where some are given: no page of the internet then reaches us
    under a name of its own. Raises: SecurityError.
    """
    if not request.host or (hosts and not is_among(request.host, hosts)):
        raise SecurityError("the Host header is not one of ours")


def cause() -> Cause:
    """Tell whose page caused this request."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    return cause_of(site=site, origin=origin, host=request.host)


def wants_json() -> bool:
    """Tell whether a problem of this request is said as JSON: to a program, which asks for nothing else."""
    if request.path.startswith(PROTOCOL) or request.path.endswith(".json"):
        return True
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json" and request.accept_mimetypes["text/html"] == 0


def problem_answer(code: str, status: int, detail: str, *, template: str, **context: Any) -> Response:
    """Say a problem once: as JSON to programs, as a page to people; a fragment's problem takes the whole page's place."""
    if wants_json():
        return as_json({"code": code, "detail": detail or code, "status": status}, status)
    response = page(template, status=status, code=code, status_code=status, **context)
    if "HX-Request" in request.headers:
        response.headers.update({"HX-Retarget": "body", "HX-Reswap": "innerHTML", "HX-Push-Url": "false"})
    return response


def http_problem(problem: HTTPException, *, home: str, answer: Callable[[str, int, str], Response]) -> Response:
    """Answer a problem that Flask found: by `answer(code, status, detail)`, or by the page above a form's own address.

    A Host header that is not ours gets no page, since its links would be made from it.
    """
    status = problem.code or 500
    if status < 400:
        return Response(status=status, headers=dict(problem.get_headers()))
    if status == 405 and request.method in SAFE_METHODS and not request.path.startswith(PROTOCOL):
        above = page_above(current_app.create_url_adapter(request), request.path) or home  # type: ignore[arg-type]  # a request has one
        query = urlencode(request.args.to_dict(flat=False), doseq=True)
        return see_other(f"{above}?{query}" if query else above)
    code, detail = problem.name.lower().replace(" ", "_"), problem.description or ""
    if isinstance(problem, SecurityError):
        return as_json({"code": code, "detail": detail, "status": status}, status)
    response = answer(code, status, detail)
    if allowed := problem.get_response().headers.get("Allow"):
        response.headers["Allow"] = allowed
    return response


def start_clock() -> None:
    """Note when this request began, or arrived where an app lets it wait its turn, for `Server-Timing`."""
    g.began = request.environ.get(ARRIVED, time.perf_counter())


def refuse_foreign(refused: Collection[Cause]) -> None:
    """Refuse an unsafe request that another site caused, or may have. Raises: ForeignOrigin."""
    if request.method not in SAFE_METHODS and cause() in refused:
        raise ForeignOrigin("sent by another site")


def add_headers(headers: Mapping[str, str], response: Response) -> Response:
    """Add the headers of every answer that its route did not set, and compress pages; pages are never stored.

    A form sent by our script hears where to look next instead of being taken there, since only a page can follow by itself.
    """
    if response.status_code == 303 and request.headers.get("X-Requested-With") == "fetch":
        response.status_code = 204
    present = set(response.headers.keys())
    response.headers.extend([(name, value) for name, value in headers.items() if name not in present])
    if response.mimetype in COMPRESSED and not response.is_streamed and not request.path.startswith(PROTOCOL):
        _compress(response)
    if "began" in g:
        response.headers["Server-Timing"] = f"app;dur={(time.perf_counter() - g.began) * 1000:.1f}"
    return response


def _compress(response: Response) -> None:
    is_taken = "gzip" in request.headers.get("Accept-Encoding", "")
    if is_taken and "Content-Encoding" not in response.headers and len(response.data) > COMPRESS_FROM_BYTES:
        response.data = gzip.compress(response.data, compresslevel=1, mtime=0)
        response.headers["Content-Encoding"] = "gzip"


def template(name: str) -> Template:
    """Return a template as it is compiled for the visitor's language."""
    environment: Environment = current_app.extensions["comptoir-languages"](visitor().language)
    return environment.get_template(name)


def shared_context() -> dict[str, Any]:
    """Return what every template sees."""
    view = request.cookies.get(VIEW_COOKIE, "").split(".")
    selection_id = (request.view_args or {}).get("selection_id") or g.get("selection_id") or request.args.get("s", "")[:32]
    asking = visitor()
    return {
        "lang": asking.language,
        "spoken": {code: languages.LANGUAGES[code] for code in asking.spoken},
        "tax_included": asking.tax_included,
        "is_narrowed": bool(asking.categories),
        "view": {name: name in view for name in VIEWS},
        "s": selection_id,
        "and_s": f"&s={selection_id}" if selection_id else "",
        "only_s": f"?s={selection_id}" if selection_id else "",
        "here": _here(),
    }


def _here() -> str:
    """Return the address of the page somebody looks at: that of a form's answer cannot be read, the form's own can."""
    if request.method == "GET":
        return request.full_path.rstrip("?")
    return local_path("/" + (request.referrer or "").removeprefix(request.host_url))
