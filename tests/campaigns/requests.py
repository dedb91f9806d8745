"""Odd requests, drawn from a seed: every route of an app with odd paths, queries, forms, headers and cookies.

They are WSGI calls as our servers make them, so that bytes reach the app which no client library would send.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from urllib.parse import quote_from_bytes, unquote_to_bytes

from flask import Flask
from werkzeug.routing import Rule

ODD_TEXTS = (
    "",
    " ",
    "0",
    "-1",
    "-0",
    "1.5",
    "1e9",
    "0x10",
    "1_0",
    "٣",
    "１",
    "9" * 19,
    "9" * 40,
    "9" * 5000,
    "NaN",
    "null",
    "true",
    "[]",
    "{}",
    "a\0b",
    "\0",
    "a\r\nSet-Cookie: a=b",
    "a\nb",
    "\t",
    "\x1b[2J",
    "\x7f",
    "..",
    ".",
    "../../etc/passwd",
    "//evil.test/",
    "\\\\evil.test\\",
    "http://[::1",
    "javascript:alert(1)",
    "'",
    "' or 1=1 --",
    '"',
    '"><script>alert(1)</script>',
    "`",
    "{{7*7}}",
    "${7*7}",
    "%s%n",
    "%",
    "%zz",
    "%00",
    "%2e%2e%2f",
    "*",
    "%25",
    "\\",
    ";",
    "&",
    "=",
    "#",
    "?",
    "+",
    "a" * 12_000,
    "-" * 3_000,
    "é" * 900,
    "e\u0301" * 900,
    "\u202e",
    "\u2028",
    "\ufeff",
    "\ufffe",
    "𝟗𝟗",
    "İ" * 200,
    "ß" * 200,
    "ﷺ" * 200,
    "🦊",
    "日本語",
    "2026-11-31",
    "2026-11-28T25:61:00Z",
    "0001-01-01",
    "99999-01-01",
    "fr",
    "en",
    "FR",
    "A1",
    "camille",
    "35-0001-H",
    "IPHONE-13-128-BLUE",
    "phones",
    "NEAR(a b)",
    '"a" OR b*',
    "a AND NOT b",
    "(((((((((",
    "^",
    "1.1",
    "1.",
    "9" * 16 + ".1",
)
ODD_BYTES = (
    b"\xff",
    b"\xff\xfe",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\xc3",
    b"caf\xe9",
    b"\x00",
    b"a\x00b",
    b"\x80" * 400,
)
METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "get", "PROPFIND", "A" * 60)
NAMES = (
    *"""
    q s sku option plan grade acquisition plans sort after min max storage category brand number next clerk pin seen listing
    qty reason state again lang language view back here market ring fault printer software words silent behind first last
    way act percent publication from_counter note password name email address replace seen_cents month
    """.split(),
    "",
    "[]",
    "a[b]",
)
HEADERS = {
    "Accept": ("*/*", "application/json", "text/html;q=abc", ",,,", "a/b" * 900, "text/html;q=1e999", "*", "\xff", "image/*;q=0"),
    "Accept-Language": ("fr", "en;q=0.1", "x" * 5000, "*", ";q=", "fr;q=nan", "\xe9", "fr-" * 999, "en,fr;q=2"),
    "Accept-Encoding": ("gzip", "identity;q=0", "*;q=0", "br", "gzip;q=abc", "", "\xff"),
    "Authorization": ("Basic", "Basic !!!", "Basic /////w==", "Bearer \xff", "Digest a=b", "Digest " + "a=" * 900, "é", ""),
    "Content-Digest": ("sha-256=:AAAA:", "sha-256=", "md5=:é:", "x" * 4000, "sha-256=:////:, sha-512=::"),
    "Date": ("", "now", "Sun, 99 Nov 2026 99:99:99 GMT"),
    "Forwarded": ("for=1.2.3.4;host=evil.test", "x"),
    "Host": (
        "localhost",
        "localhost:80",
        "127.0.0.1:8001",
        "[::1]:8001",
        "[::1",
        "::1",
        "",
        "é",
        "a b",
        "localhost:99999",
        "localhost:x",
        "evil.test",
        "localhost@evil.test",
        "localhost/evil",
        "localhost, localhost",
        "\xff",
        "a" * 3000,
        "x--a.xn--a",
        "[v1.a]",
        "[]",
        "a..b",
        ".",
        f"{chr(97) * 64}.test",
    ),
    "HX-Request": ("true", "", "\xff"),
    "HX-Target": ("bundle", "results", "../..", "\xff", "x" * 3000),
    "HX-Trigger": ("", "é", "{"),
    "HX-Current-URL": ("http://[::1", "javascript:alert(1)", "\xff", "/" * 3000),
    "HX-Prompt": ("\xff", "%"),
    "HX-Trigger-Name-URI-AutoEncoded": ("true",),
    "HX-Target-URI-AutoEncoded": ("true",),
    "HX-Current-URL-URI-AutoEncoded": ("true", "false"),
    "If-Match": ("*", '"', "W/"),
    "If-Modified-Since": (
        "",
        "now",
        "Sun, 99 Nov 2026 99:99:99 GMT",
        "Mon, 01 Jan 0001 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:60 -9999",
    ),
    "If-None-Match": ("*", '"', 'W/"a", "b', "\xff", "x" * 5000),
    "If-Range": ("", '"a"', "now"),
    "If-Unmodified-Since": ("x", "Thu, 01 Jan 1970 00:00:00 GMT"),
    "Max-Forwards": ("0",),
    "Origin": (
        "null",
        "http://localhost",
        "http://[::1",
        "http://evil.test",
        "",
        "é",
        "//",
        "http://localhost:99999",
        "http://localhost, x",
    ),
    "Range": ("bytes=0-", "bytes=9-1", "bytes=-", "bytes=" + "9" * 5000 + "-", "lines=1-2", "bytes=0-0,1-1", "bytes=-0"),
    "Referer": ("http://[::1", "\xff", "javascript:alert(1)", "x" * 5000),
    "Sec-Fetch-Site": ("same-origin", "none", "cross-site", "same-site", "", "é"),
    "Sec-Fetch-Mode": ("navigate", "cors", "x"),
    "Sec-Fetch-Dest": ("document", "\xff"),
    "Signature": ("sig=:AAAA:", "sig=::", "", "é", "x" * 4000, "sig=:" + "A" * 86 + "==:"),
    "Signature-Input": (
        'sig=("@method");keyid="00000000"',
        "sig=()",
        "sig",
        'sig=("@method" "@target-uri" "content-digest");created=1;keyid="a";alg="ed25519"',
        'sig=("é")',
        "x" * 4000,
        "sig=(" * 500,
        f'sig=("@method");created={"9" * 30};keyid="a"',
        'sig=("@method");created=nan;keyid="56475aa7"',
    ),
    "Upgrade": ("h2c", "websocket"),
    "User-Agent": ("\xff", "", "x" * 5000),
    "X-Forwarded-For": ("1.2.3.4", "é", "," * 900, "127.0.0.1"),
    "X-Forwarded-Host": ("evil.test",),
    "X-Forwarded-Proto": ("https", "javascript"),
    "X-HTTP-Method-Override": ("DELETE",),
}
COOKIES = ("language", "view", "clerk", "comptoir_console", "session", "none", "", "__Host-a")
CONTENT_TYPES = (
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=utf-16",
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=b",
    "multipart/form-data; boundary=" + "b" * 300,
    "application/json",
    "application/json; charset=nonsense",
    "text/plain",
    "",
    "é/é",
    "a" * 2000,
    "multipart/mixed; boundary=b",
)
BODIES = (
    b"",
    b"{}",
    b"[]",
    b"null",
    b"1",
    b'{"format": "comptoir-uplink/1"}',
    b'{"a": NaN}',
    b'{"a": 1e999}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b"[" * 2000,
    b'"\\ud800"',
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"--b\r\n",
    b"--b--",
    b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
    b'--b\r\nContent-Disposition: form-data; name="pin"\r\n\r\n' + b"\xff\x00" * 50 + b"\r\n--b--\r\n",
    b'--b\r\nContent-Disposition: form-data; name="option"; filename="../a\x00"\r\nContent-Type: a\r\n\r\n1\r\n--b--\r\n',
    b"&" * 3000,
    b"=" * 200,
    b"a=1&" * 3000,
    b"%",
    b"%zz=%zz",
    b"\x00=\x00",
    b"qty=1;qty=2",
    b"x" * 40_000,
    b'{"code": 1, "public_key": []}',
    b'{"format": "comptoir-enrolment/1", "code": "\\ud800", "public_key": "\\u0000"}',
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as it stands on the wire."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back, whole."""

    status: int
    headers: dict[str, str]
    body: bytes


def draw(random: Random, rule: Rule, known: Mapping[str, str]) -> Request:
    """Return an odd request to a route; `known` holds a good value for each part of an address and some cookies.

    About half of what is drawn is good, so that what is odd is reached behind what is checked first.
    """
    own = sorted(rule.methods or {"GET"})
    method = random.choice(own) if random.random() < 0.9 else random.choice(METHODS)
    path = re.sub(r"<(?:\w+(?:\([^)]*\))?:)?(\w+)>", lambda match: _part(random, known[match[1]]), rule.rule)
    if random.random() < 0.05:
        path += random.choice(("/", "//", "/.", "/..", "?", ";a=b", "%00", "%ff", "/" + "a" * 12_000))
    query = "&".join(f"{_name(random)}={_value(random, known)}" for _ in range(random.choice((0, 0, 1, 2, 5, 40))))
    if random.random() < 0.03:
        query = random.choice(
            ("&&&&", "=", "%", "a" * 12_000, "q=" + "a" * 10_000, "sku=" + "&sku=".join("A" * 1000), "q\xff=\xff")
        )
    headers = {name: random.choice(HEADERS[name]) for name in random.sample(sorted(HEADERS), random.choice((0, 0, 1, 2, 6)))}
    headers = {"Host": "localhost", **headers}
    if cookies := _cookies(random, known):
        headers["Cookie"] = cookies
    if method not in ("GET", "HEAD", "get"):
        headers["Content-Type"], body = _form(random, known)
    else:
        body = b""
    return Request(method=method, target=f"{path}?{query}" if query else path, headers=headers, body=body)


def ask(app: Flask, request: Request) -> Answer:
    """Call the app as a server does, and read its answer to the end."""
    path, _, query = request.target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(request.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(request.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    begun: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _problem: object = None) -> None:
        begun.append((status, headers))

    chunks = app.wsgi_app(environ, start_response)
    body = b"".join(chunks)
    if hasattr(chunks, "close"):
        chunks.close()
    status, headers = begun[-1]
    for name, value in headers:
        assert not {"\r", "\n", "\0"} & set(name + value), f"a header is split: {name}: {value!r}"
        value.encode("latin-1")
    return Answer(status=int(status[:3]), headers={name.lower(): value for name, value in headers}, body=body)


def fault_of(request: Request, answer: Answer) -> str:
    """Return what is wrong with an answer, or nothing."""
    if answer.status >= 500 and answer.status != 503:
        return f"answers {answer.status}"
    if answer.status == 412:
        return ""  # A condition the request itself made of a file.
    if answer.status < 400 or request.method in ("HEAD", "head") or not answer.body:
        return "" if answer.status < 400 or request.method == "HEAD" else f"{answer.status} without a word"
    kind = answer.headers.get("content-type", "").partition(";")[0]
    if kind == "application/json":
        said = json.loads(answer.body)
        is_ours = {"code", "detail", "status"} <= set(said) <= {"code", "detail", "status", "fields"} and said[
            "status"
        ] == answer.status
        return "" if is_ours else f"an error of another shape: {said}"
    is_gzip = answer.headers.get("content-encoding") == "gzip"
    return "" if kind == "text/html" and (is_gzip or b"</html>" in answer.body) else f"{answer.status} is neither page nor JSON"


def _part(random: Random, good: str) -> str:
    if random.random() < 0.5:
        return quote_from_bytes(good.encode(), safe="/")
    return quote_from_bytes(_odd(random), safe="/" if random.random() < 0.5 else "")


def _odd(random: Random) -> bytes:
    return random.choice(ODD_BYTES) if random.random() < 0.2 else random.choice(ODD_TEXTS).encode()


def _name(random: Random) -> str:
    return quote_from_bytes(random.choice(NAMES).encode() if random.random() < 0.95 else _odd(random))


def _value(random: Random, known: Mapping[str, str]) -> str:
    if random.random() < 0.3:
        return quote_from_bytes(random.choice(sorted(known.values())).encode())
    odd = _odd(random)
    return odd.decode("latin-1").replace("&", "").replace("#", "") if random.random() < 0.1 else quote_from_bytes(odd)


def _cookies(random: Random, known: Mapping[str, str]) -> str:
    if random.random() < 0.4:
        return known.get("cookie", "")
    pairs = [f"{random.choice(COOKIES)}={_odd(random).decode('latin-1')}" for _ in range(random.choice((0, 0, 1, 3, 60)))]
    own = [known["cookie"]] if "cookie" in known and random.random() < 0.7 else []
    return "; ".join([*own, *pairs]).replace("\r", "").replace("\n", "").replace("\0", "")


def _form(random: Random, known: Mapping[str, str]) -> tuple[str, bytes]:
    if random.random() < 0.3:
        return random.choice(CONTENT_TYPES), random.choice(BODIES)
    pairs = [f"{_name(random)}={_value(random, known)}" for _ in range(random.choice((0, 1, 3, 6, 20)))]
    return CONTENT_TYPES[0], "&".join(pairs).encode("latin-1")
