"""How both apps read what any request carries, whoever sends it: its address, the numbers in it, the host it names.

Invariant: bytes that are no text, and numbers no database holds, are settled here, so that no route meets them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import quote, urlsplit

import flask
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.routing import IntegerConverter, MapAdapter

PLAIN = "".join(map(chr, range(0x21, 0x7F)))


class PlainRequest(flask.Request):
    """A request whose query is ASCII and whose `host` is a name that can be, or "".

    Bytes sent as they are count as if they had been percent-encoded (RFC 3986 §2.1). A label over 63 letters (RFC 1035 §2.3.4)
    or of no alphabet would otherwise end in werkzeug, before any handler of ours or in its midst.
    """

    def __init__(self, environ: dict[str, Any], *arguments: Any, **options: Any) -> None:
        try:
            environ.get("HTTP_HOST", "").encode("idna").decode("idna")
        except UnicodeError:
            environ["HTTP_HOST"] = ""
        environ["QUERY_STRING"] = quote(environ.get("QUERY_STRING", ""), safe=PLAIN, encoding="latin-1")
        super().__init__(environ, *arguments, **options)


class Whole(IntegerConverter):
    """`<int:…>` in a route: at most fifteen digits, which any database holds; werkzeug's own takes as many as come."""

    regex = "[0-9]{1,15}"


def refuse_many_fields() -> None:
    """Refuse a query or a form of more fields than the app's `MAX_FORM_PARTS` before they are taken apart.

    werkzeug counts the parts of a multipart form alone. Raises: RequestEntityTooLarge.
    """
    request = flask.request
    most = request.max_form_parts or 0
    is_form = request.mimetype == "application/x-www-form-urlencoded"
    if request.query_string.count(b"&") >= most or (is_form and request.get_data().count(b"&") >= most):
        raise RequestEntityTooLarge


def is_among(header: str, hosts: Collection[str]) -> bool:
    """Tell whether `PlainRequest.host` is one of these hosts, whatever the port; `.example.org` stands for all below it.

    Done here because werkzeug cuts a trusted host at its first colon, so that no IPv6 address is ever one.
    """
    try:
        parts = urlsplit(f"//{header}")
        name, _ = parts.hostname or "", parts.port
    except ValueError:
        return False
    plain = {host.casefold().removeprefix("[").removesuffix("]") for host in hosts}
    return name in plain or any(host.startswith(".") and f".{name}".endswith(host) for host in plain)


def page_above(urls: MapAdapter, path: str) -> str | None:
    """Return the nearest address at or above `path` that can be read, quoted: where the address of a form leads to."""
    parts = path.rstrip("/").split("/")
    for end in range(len(parts), 1, -1):
        for address in ("/".join(parts[:end]), "/".join(parts[:end]) + "/"):
            if urls.test(address, "GET"):
                return quote(address)
    return None
