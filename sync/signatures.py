"""Who sent a request: RFC 9421 signatures with a kiosk's Ed25519 key over method, host, path and body.

A kiosk's clock may be wrong by years, so the time of signing is carried but never judged; a replayed request adds no event
because events are stored once by (key, stream, seq), though it can bring back an old heartbeat.
"""

from __future__ import annotations

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
)
from http_message_signatures.algorithms import ED25519

from pos.tokens import key_id
from sync.errors import Untrusted

TAG = "comptoir-sync"
LABEL = "kiosk"
COVERED = ("@method", "@authority", "@path", "content-type", "content-digest")


class Request(Protocol):
    """What is signed: requests' PreparedRequest has this shape."""

    method: str | None
    url: str | None
    body: Any

    @property
    def headers(self) -> MutableMapping[str, str]:
        """The header fields, to which the signature is added."""


R = TypeVar("R", bound=Request)


def signer(private_key: Ed25519PrivateKey, *, now: datetime) -> Callable[[R], R]:
    """Return what signs a prepared request in place, under the key's own id."""
    name = key_id(private_key.public_key().public_bytes_raw()).hex()
    machine = HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=_OwnKey(private_key))

    def sign(request: R) -> R:
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        machine.sign(request, key_id=name, created=now, label=LABEL, tag=TAG, covered_component_ids=COVERED[:-1], body=body)
        return request

    return sign


def verify(method: str, url: str, headers: Mapping[str, str], body: bytes, *, public_key: Callable[[str], bytes | None]) -> str:
    """Return the id (8 hexadecimal digits) of the key that signed this request.

    `url` is the full address the kiosk called; `public_key` returns a key's 32 bytes, or None for a key not admitted.
    Raises: Untrusted.
    """
    machine = _Verifier(signature_algorithm=ED25519, key_resolver=_KnownKeys(public_key))
    message = _Message(method.upper(), url, dict(headers.items()))
    try:
        (result,) = machine.verify(message, max_age=None, expect_tag=TAG, require_components=COVERED, body=body)
    except (HTTPMessageSignaturesException, ValueError) as problem:
        raise Untrusted(f"the request's signature does not hold: {problem}") from problem
    return str(result.parameters["keyid"])


class _Verifier(HTTPMessageVerifier):
    max_clock_skew = timedelta(days=36_500)
    require_created = False


@dataclass(frozen=True, slots=True)
class _Message:
    method: str
    url: str
    headers: dict[str, str]


class _OwnKey(HTTPSignatureKeyResolver):
    def __init__(self, private_key: Ed25519PrivateKey) -> None:
        self._private_key = private_key

    def resolve_private_key(self, key_id: str) -> Ed25519PrivateKey:  # noqa: ARG002 - the only key there is
        return self._private_key


class _KnownKeys(HTTPSignatureKeyResolver):
    def __init__(self, public_key: Callable[[str], bytes | None]) -> None:
        self._public_key = public_key

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey | None:
        raw = self._public_key(key_id)
        return Ed25519PublicKey.from_public_bytes(raw) if raw is not None else None
