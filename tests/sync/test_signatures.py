"""A signature holds for exactly one method, host, path and body, under a known key, whatever the kiosk's clock says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pos.tokens import key_id
from sync.errors import Untrusted
from sync.signatures import signer, verify

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
URL = "http://hq.example:8000/sync/v1/up"
BODY = '{"é": 1}'.encode()


def signed(at: datetime = datetime(2026, 11, 22, tzinfo=UTC)) -> requests.PreparedRequest:
    request = requests.Request("POST", URL, data=BODY, headers={"Content-Type": "application/json"}, auth=signer(KEY, now=at))
    return request.prepare()


def check(request: requests.PreparedRequest, *, method: str = "POST", url: str = URL, body: bytes = BODY) -> str:
    return verify(method, url, request.headers, body, public_key={key_id(PUBLIC).hex(): PUBLIC}.get)


@pytest.mark.parametrize("year", [1970, 2016, 2026, 2036])
def test_it_names_the_key_whatever_the_clock(year: int) -> None:
    assert check(signed(datetime(year, 1, 2, tzinfo=UTC))) == key_id(PUBLIC).hex()


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("PUT", URL, BODY),
        ("POST", "http://hq.example:8001/sync/v1/up", BODY),
        ("POST", "http://elsewhere.example:8000/sync/v1/up", BODY),
        ("POST", "http://hq.example:8000/sync/v1/enrolments", BODY),
        ("POST", URL, BODY + b" "),
        ("POST", URL, b""),
    ],
)
def test_anything_else_breaks_it(method: str, url: str, body: bytes) -> None:
    with pytest.raises(Untrusted):
        check(signed(), method=method, url=url, body=body)


@pytest.mark.parametrize("name", ["Signature", "Signature-Input", "Content-Digest", "Content-Type"])
@pytest.mark.parametrize("value", [None, "", "kiosk=()", "kiosk=:AAAA:", "x" * 5_000])
def test_headers_missing_or_mangled_are_refused(name: str, value: str | None) -> None:
    request = signed()
    del request.headers[name]
    if value is not None:
        request.headers[name] = value
    with pytest.raises(Untrusted):
        check(request)


def test_a_key_not_admitted_is_refused() -> None:
    with pytest.raises(Untrusted):
        verify("POST", URL, signed().headers, BODY, public_key=lambda name: None)


def test_a_signature_that_covers_too_little_is_refused() -> None:
    request = signed()
    request.headers["Signature-Input"] = request.headers["Signature-Input"].replace('"@path" ', "")
    with pytest.raises(Untrusted):
        check(request)
