"""The kiosk's only door to the network: HTTP with deadlines and caps, every failure as one of `sync.errors`.

What arrives is bytes with an announced hash, or a small JSON document; nothing is trusted for having come by this way.
Invariant: the head of an answer has one deadline for all of it, and so has its body, by its length: whoever trickles is cut off.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from sync.blobs import BlobRef, sync_directory
from sync.corner.wires import Wires, cut_after, wire_of
from sync.documents import read_json
from sync.errors import Malformed, Offline, Rejected, SyncError, Throttled, TooLarge, Untrusted

CONNECT_S = 5
READ_S = 20
NEIGHBOUR_S = 5
BYTES_A_S = 2**14
"""A body may take `READ_S`, a neighbour's `NEIGHBOUR_S`, and as long again as its bytes take at this rate."""
MAX_DOCUMENT_BYTES = 2**20
MAX_TIMESTAMP_BYTES = 2**14
CHUNK_BYTES = 2**16
TRICKLE_BYTES = 2**10
"""What a line that goes silent can take along of a blob: whatever a read was still waiting to fill."""
STATIC = "/sync/v1/"
TIMESTAMP = "metadata/timestamp.json"

Signer = Callable[[requests.PreparedRequest], requests.PreparedRequest]
Judge = Callable[[requests.Response, bytes], None]


class Client:
    """One marketplace, as seen from a kiosk. `received` counts the body bytes that came in; not for several threads at once."""

    def __init__(self, base_url: str, *, session: requests.Session | None = None, is_near: bool = False) -> None:
        self.base_url = base_url.rstrip("/")
        self.received = 0
        self._session = session or _session()
        self._is_near = is_near
        self._timestamp: tuple[str, bytes] = ("", b"")
        self._neighbours: dict[str, Client] = {}

    def neighbour(self, base_url: str) -> Client:
        """Return the client of another place that may serve the same files, always the same one."""
        return self._neighbours.setdefault(base_url, Client(base_url, session=self._session, is_near=True))

    def timestamp(self) -> bytes:
        """Return the repository's timestamp, unverified; an unchanged one costs a 304. Raises: Offline, Rejected, TooLarge."""
        tag, held = self._timestamp
        with self._send("GET", STATIC + TIMESTAMP, headers={"If-None-Match": tag} if tag else {}) as response:
            if response.status_code == 304:
                return held
            content = self._read(response, MAX_TIMESTAMP_BYTES)
            self._timestamp = (response.headers.get("ETag", ""), content)
            return content

    def fetch(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a small file below `/sync/v1/` as they come; the caller stops when there are too many.

        Raises: Offline, Rejected.
        """
        with self._send("GET", STATIC + path) as response, self._in_time(response, MAX_DOCUMENT_BYTES):
            for chunk in response.iter_content(CHUNK_BYTES):
                self.received += len(chunk)
                yield chunk

    def blob(self, ref: BlobRef, into: Path) -> None:
        """Fetch a blob to `into`, going on where an earlier attempt stopped.

        Raises: Untrusted when the bytes are not what `ref` announces (they are thrown away), TooLarge, Offline, Rejected.
        """
        into.parent.mkdir(parents=True, exist_ok=True)
        part = into.with_name(f"{into.name}.part")
        have = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={have}-"} if 0 < have < ref.length else {}
        with self._send("GET", f"/sync/v1/b/{ref.sha256}", headers=headers) as response:
            with part.open("ab" if response.status_code == 206 and headers else "wb") as file:
                self._read_into(response, file, ref.length)
                os.fsync(file.fileno())
        if hashlib.sha256(part.read_bytes()).hexdigest() != ref.sha256:
            part.unlink()
            raise Untrusted(f"blob {ref.sha256} is not what was announced")
        part.replace(into)
        sync_directory(into.parent)

    def post(
        self, path: str, document: dict[str, Any], *, signer: Signer | None = None, judge: Judge | None = None
    ) -> dict[str, Any]:
        """Send a JSON document and return the answer's, once `judge` has found nothing wrong with it.

        Raises: Offline, Rejected (`data["is_signed"]` tells whether `judge` found nothing wrong with that), Malformed, TooLarge,
        and what `judge` raises.
        """
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        with self._send("POST", path, judge=judge, headers=headers, data=body, auth=signer) as response:
            content = self._read(response, MAX_DOCUMENT_BYTES)
            answer = _parse(content)
            if judge is not None:
                judge(response, content)
            return answer

    def _send(self, method: str, path: str, *, judge: Judge | None = None, **options: Any) -> requests.Response:
        options["headers"] = {"Accept-Encoding": "identity", **options.get("headers", {})}
        try:
            response = self._session.request(
                method,
                self.base_url + path,
                timeout=(CONNECT_S, self._patience_s),
                allow_redirects=False,
                stream=True,
                **options,
            )
        except (requests.RequestException, TimeoutError) as problem:
            raise Offline(f"{self.base_url} does not answer: {type(problem).__name__}") from problem
        if response.status_code in (429, 503) or response.status_code >= 500:
            response.close()
            later = Throttled if response.status_code == 429 else Offline
            raise later(f"{self.base_url} answers {response.status_code}", retry_after_s=_retry_after_s(response))
        if response.status_code >= 300 and response.status_code != 304:
            with response:
                raise self._rejection(path, response, judge)
        return response

    def _read(self, response: requests.Response, limit: int) -> bytes:
        content = bytearray()
        with self._in_time(response, limit):
            for chunk in response.iter_content(CHUNK_BYTES):
                content += chunk
                self.received += len(chunk)
                if len(content) > limit:
                    raise TooLarge(f"more than {limit} bytes")
        return bytes(content)

    def _read_into(self, response: requests.Response, file: Any, length: int) -> None:
        try:
            with self._in_time(response, length):
                for chunk in response.iter_content(TRICKLE_BYTES):
                    self.received += len(chunk)
                    file.write(chunk)
                    if file.tell() > length:
                        file.truncate(0)
                        raise TooLarge(f"more than the announced {length} bytes")
        finally:
            file.flush()

    @contextmanager
    def _in_time(self, response: requests.Response, most: int) -> Iterator[None]:
        """Read a body of at most so many bytes in the block, within one deadline. Raises: Offline."""
        announced = response.headers.get("Content-Length", "")
        expected = min(int(announced), most) if announced.isascii() and announced.isdigit() and len(announced) < 16 else most
        try:
            with cut_after(wire_of(response), seconds=self._patience_s + expected / BYTES_A_S):
                yield
        except (requests.RequestException, TimeoutError) as problem:
            raise Offline(f"the answer of {self.base_url} broke off: {type(problem).__name__}") from problem

    @property
    def _patience_s(self) -> float:
        return NEIGHBOUR_S if self._is_near else READ_S

    def _rejection(self, path: str, response: requests.Response, judge: Judge | None) -> Rejected:
        code, is_signed = "", False
        try:
            content = self._read(response, MAX_DOCUMENT_BYTES)
            code = str(_parse(content).get("code", ""))
            if judge is not None:
                judge(response, content)
                is_signed = True
        except SyncError:
            # An answer from who knows whom: it is a refusal all the same, but nobody's word.
            is_signed = False
        return Rejected(
            f"{path}: {response.status_code} {code}".rstrip(), status=response.status_code, code=code, is_signed=is_signed
        )


def _session() -> requests.Session:
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, Wires())
    return session


def _parse(content: bytes) -> dict[str, Any]:
    try:
        document = read_json(content)
    except Malformed as problem:
        # Typically the sign-in page of a shop's guest network, sent in the marketplace's place.
        raise Malformed("the answer is no JSON document") from problem
    if not isinstance(document, dict):
        raise Malformed("the answer is no JSON object")
    return document


def _retry_after_s(response: requests.Response) -> int | None:
    text = response.headers.get("Retry-After", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None
