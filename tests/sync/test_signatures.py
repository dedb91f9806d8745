"""A signature holds for exactly one method, host, path and body, under a known key, whatever the kiosk's clock says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from pos.tokens import key_id
from sync.errors import Offline, Untrusted
from sync.signatures import sign_reply, signer, verify, verify_reply

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


HQ = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
HQ_PUBLIC = HQ.public_key().public_bytes_raw()
ANSWER = b'{"ack":41,"time":"2026-11-22T00:00:01Z","corner":null}'


def answered(request: requests.PreparedRequest, body: bytes = ANSWER, *, status: int = 200) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response.headers["Content-Type"] = "application/json"
    response.headers.update(
        sign_reply(
            HQ,
            status=status,
            headers=response.headers,
            body=body,
            request_headers=request.headers,
            now=datetime(2026, 11, 22, 0, 0, 1, tzinfo=UTC),
        )
    )
    response.request = request
    return response


def believe(response: requests.Response, body: bytes = ANSWER) -> None:
    verify_reply(response, body, public_key={key_id(HQ_PUBLIC).hex(): HQ_PUBLIC}.get)


def test_an_answer_holds_for_its_request() -> None:
    believe(answered(signed()))


def test_an_answer_to_another_request_is_refused() -> None:
    response = answered(signed())
    response.request = signed(datetime(2026, 11, 22, 0, 1, tzinfo=UTC))
    with pytest.raises(Untrusted):
        believe(response)


def test_a_nonce_makes_two_requests_of_one_moment_differ() -> None:
    def request(nonce: str) -> requests.PreparedRequest:
        sign = signer(KEY, now=datetime(1970, 1, 1, tzinfo=UTC), nonce=nonce)
        return requests.Request("POST", URL, data=BODY, headers={"Content-Type": "application/json"}, auth=sign).prepare()

    assert check(request("a")) == check(request("b"))
    response = answered(request("a"))
    response.request = request("b")
    with pytest.raises(Untrusted):
        believe(response)


def test_another_status_or_body_is_refused() -> None:
    response = answered(signed(), status=201)
    response.status_code = 200
    with pytest.raises(Untrusted):
        believe(response)
    with pytest.raises(Untrusted):
        believe(answered(signed()), ANSWER.replace(b"41", b"42"))


@pytest.mark.parametrize("name", ["Signature", "Signature-Input", "Content-Digest", "Content-Type"])
@pytest.mark.parametrize("value", [None, "", "hq=()", "hq=:AAAA:"])
def test_answers_unsigned_or_mangled_are_refused(name: str, value: str | None) -> None:
    response = answered(signed())
    del response.headers[name]
    if value is not None:
        response.headers[name] = value
    with pytest.raises(Untrusted):
        believe(response)


@pytest.mark.parametrize("left_out", ['"@status" ', '"signature";key="kiosk";req '])
def test_an_answer_that_covers_too_little_is_refused(left_out: str) -> None:
    response = answered(signed())
    assert left_out in response.headers["Signature-Input"]
    response.headers["Signature-Input"] = response.headers["Signature-Input"].replace(left_out, "")
    with pytest.raises(Untrusted):
        believe(response)


def test_an_answer_by_a_key_not_known_is_refused_and_a_look_up_that_fails_is_said() -> None:
    with pytest.raises(Untrusted):
        verify_reply(answered(signed()), ANSWER, public_key=lambda name: None)

    def away(name: str) -> bytes | None:
        raise Offline("no way to look it up")

    with pytest.raises(Offline):
        verify_reply(answered(signed()), ANSWER, public_key=away)


def test_a_kiosk_cannot_answer_itself() -> None:
    """Its own signature, sent back, has another tag."""
    response = answered(signed())
    response.headers["Signature-Input"] = response.request.headers["Signature-Input"]
    response.headers["Signature"] = response.request.headers["Signature"]
    with pytest.raises(Untrusted):
        verify_reply(response, ANSWER, public_key=lambda name: PUBLIC)
