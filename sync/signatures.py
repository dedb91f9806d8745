"""Who sent a request, and who answered it: RFC 9421 signatures with Ed25519 keys.

A kiosk signs method, host, path and body; HQ signs status and body together with the request's own signature, so that an answer
fits one request only. A kiosk's clock may be wrong by years, so the time of signing is carried but never judged; a replayed
request adds no event because events are stored once by (key, stream, seq), though it can bring back an old heartbeat.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    PreparedSignature,
)
from http_message_signatures.algorithms import ED25519

from pos.tokens import key_id
from sync.errors import SyncError, Untrusted

TAG = "comptoir-sync"
LABEL = "kiosk"
COVERED = ("@method", "@authority", "@path", "content-type", "content-digest")
READ = frozenset({"content-type", "content-digest", "signature", "signature-input"})
"""The fields of a request that a signature may say something about, by lower-case name."""

REPLY_TAG = "comptoir-reply"
REPLY_LABEL = "hq"
REPLY_COVERED = ('"@status"', '"content-type"', f'"signature";key="{LABEL}";req', '"content-digest"')
HQ_TARGET = "hq.json"
HQ_FORMAT = "comptoir-hq/1"
"""The target, and its format, that names the keys HQ signs its replies with."""


class Request(Protocol):
    """What is signed: requests' PreparedRequest has this shape."""

    method: str | None
    url: str | None
    body: Any

    @property
    def headers(self) -> MutableMapping[str, str]:
        """The header fields, to which the signature is added."""


R = TypeVar("R", bound=Request)


class Reply(Protocol):
    """What is verified: requests' Response has this shape."""

    status_code: int

    @property
    def request(self) -> Any:
        """The request it answers, with `method`, `url` and `headers` as they were sent."""

    @property
    def headers(self) -> MutableMapping[str, str]:
        """The header fields."""


def signer(private_key: Ed25519PrivateKey, *, now: datetime, nonce: str | None = None) -> Callable[[R], R]:
    """Return what signs a prepared request in place, under the key's own id.

    A `nonce` makes two requests of one second and content differ, and so the answers that fit them.
    """
    name = key_id(private_key.public_key().public_bytes_raw()).hex()
    machine = HTTPMessageSigner(signature_algorithm=ED25519)

    def sign(request: R) -> R:
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        prepared = machine.prepare(
            request,
            key_id=name,
            created=now,
            nonce=nonce,
            label=LABEL,
            tag=TAG,
            covered_component_ids=COVERED[:-1],
            body=body,
        )
        request.headers.update(_signature(private_key, prepared))
        return request

    return sign


def verify(method: str, url: str, headers: Mapping[str, str], body: bytes, *, public_key: Callable[[str], bytes | None]) -> str:
    """Return the id (8 hexadecimal digits) of the key that signed this request.

    `url` is the full address the kiosk called; `public_key` returns a key's 32 bytes, or None for a key not admitted.
    Raises: Untrusted.
    """
    machine = _Verifier(signature_algorithm=ED25519, key_resolver=_KnownKeys(public_key))
    message = _Message(method.upper(), url, {name: value for name, value in headers.items() if name.lower() in READ})
    try:
        (result,) = machine.verify(message, max_age=None, expect_tag=TAG, require_components=COVERED, body=body)
    except (HTTPMessageSignaturesException, ValueError) as problem:
        raise Untrusted(f"the request's signature does not hold: {problem}") from problem
    return str(result.parameters["keyid"])


def sign_reply(
    private_key: Ed25519PrivateKey,
    *,
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    request_headers: Mapping[str, str],
    now: datetime,
) -> dict[str, str]:
    """Return the header fields to add to an answer so that it holds for this signed request alone."""
    name = key_id(private_key.public_key().public_bytes_raw()).hex()
    machine = HTTPMessageSigner(signature_algorithm=ED25519)
    # Of the request only its signature is covered, which covers the rest; the address stands for any.
    signed = {name: value for name, value in request_headers.items() if name.lower() == "signature"}
    reply = _Reply(status, {"content-type": headers["Content-Type"]}, _Message("POST", "http://hq.invalid/", signed))
    prepared = machine.prepare(
        reply,
        key_id=name,
        created=now,
        label=REPLY_LABEL,
        tag=REPLY_TAG,
        covered_component_ids=REPLY_COVERED[:-1],
        body=body,
    )
    digest = {field: value for field, value in reply.headers.items() if field != "content-type"}
    return digest | _signature(private_key, prepared)


def verify_reply(reply: Reply, body: bytes, *, public_key: Callable[[str], bytes | None]) -> None:
    """Find that HQ signed this answer for the very request it came to; `public_key` as in `verify`.

    Raises: Untrusted, and what `public_key` raises of `sync.errors`.
    """
    machine = _Verifier(signature_algorithm=ED25519, key_resolver=_KnownKeys(public_key))
    try:
        machine.verify(reply, max_age=None, expect_tag=REPLY_TAG, require_components=REPLY_COVERED, body=body)
    except (HTTPMessageSignaturesException, ValueError) as problem:
        if problem.args and isinstance(problem.args[0], SyncError):
            raise problem.args[0] from None
        raise Untrusted(f"the reply's signature does not hold: {problem}") from problem


def _signature(private_key: Ed25519PrivateKey, prepared: PreparedSignature) -> dict[str, str]:
    """Return the two fields of a signature over what was prepared just now, in place of any that were there.

    The library's own last step resolves everything a second time, in case the message changed meanwhile: as much work again.
    """
    value = b64encode(private_key.sign(prepared.signature_base)).decode()
    return {"Signature-Input": f"{prepared.label}={prepared.signature_params}", "Signature": f"{prepared.label}=:{value}:"}


class _Verifier(HTTPMessageVerifier):
    max_clock_skew = timedelta(days=36_500)
    require_created = False


@dataclass(frozen=True, slots=True)
class _Message:
    method: str
    url: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Reply:
    status_code: int
    headers: dict[str, str]
    request: _Message


class _KnownKeys(HTTPSignatureKeyResolver):
    def __init__(self, public_key: Callable[[str], bytes | None]) -> None:
        self._public_key = public_key

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey | None:
        raw = self._public_key(key_id)
        return Ed25519PublicKey.from_public_bytes(raw) if raw is not None else None
