"""What a kiosk asks HQ and its neighbours for, over `sync.http`.

What arrives is bytes with an announced hash, or a small JSON document; nothing is trusted for having come by this way.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from sync.blobs import BlobRef, sync_directory
from sync.documents import read_object
from sync.errors import TooLarge, Untrusted
from sync.http import MAX_DOCUMENT_BYTES, Judge, Response, Session, Signer, Site
from sync.static_files import PREFIX, TIMESTAMP

READ_S = 20
NEIGHBOUR_S = 5
MAX_TIMESTAMP_BYTES = 2**14
TRICKLE_BYTES = 2**10
"""What a line that goes silent can take along of a blob: whatever a read was still waiting to fill."""


class Client:
    """One marketplace, as seen from a kiosk. Not for several threads at once."""

    def __init__(self, base_url: str, *, session: Session | None = None, is_near: bool = False) -> None:
        self._site = Site(base_url, patience_s=NEIGHBOUR_S if is_near else READ_S, session=session)
        self._timestamp: tuple[str, bytes] = ("", b"")
        self._neighbours: dict[str, Client] = {}

    @property
    def base_url(self) -> str:
        """The marketplace's address, without a slash at its end."""
        return self._site.base_url

    @property
    def received(self) -> int:
        """Bytes of bodies that came in so far."""
        return self._site.received

    def neighbour(self, base_url: str) -> Client:
        """Return the client of another place that may serve the same files, always the same one."""
        if base_url not in self._neighbours:
            self._neighbours[base_url] = Client(base_url, session=self._site.session, is_near=True)
        return self._neighbours[base_url]

    def timestamp(self) -> bytes:
        """Return the repository's timestamp, unverified; an unchanged one costs a 304. Raises: Offline, Rejected, TooLarge."""
        tag, held = self._timestamp
        headers = {"If-None-Match": tag} if tag else {}
        with self._site.ask("GET", PREFIX + TIMESTAMP, headers=headers) as response:
            if response.status_code == 304:
                return held
            content = self._site.read(response, most_bytes=MAX_TIMESTAMP_BYTES)
            self._timestamp = (response.headers.get("ETag", ""), content)
            return content

    def fetch(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of a small file below `/sync/v1/` as they come; the caller stops when there are too many.

        Raises: Offline, Rejected.
        """
        with self._site.ask("GET", PREFIX + path) as response:
            yield from self._site.chunks(response, most_bytes=MAX_DOCUMENT_BYTES)

    def blob(self, ref: BlobRef, into: Path) -> None:
        """Fetch a blob to `into`, going on where an earlier attempt stopped (RFC 9110 §14.2).

        Raises: Untrusted when the bytes are not what `ref` announces (they are thrown away), TooLarge, Offline, Rejected.
        """
        into.parent.mkdir(parents=True, exist_ok=True)
        part = into.with_name(f"{into.name}.part")
        have = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={have}-"} if 0 < have < ref.length else {}
        with self._site.ask("GET", f"{PREFIX}b/{ref.sha256}", headers=headers) as response:
            with part.open("ab" if response.status_code == 206 and headers else "wb") as file:
                self._read_into(response, file, ref.length)
                os.fsync(file.fileno())
        if hashlib.sha256(part.read_bytes()).hexdigest() != ref.sha256:
            part.unlink()
            raise Untrusted(f"blob {ref.sha256} is not what was announced")
        part.replace(into)
        sync_directory(into.parent)

    def post(
        self, path: str, document: Mapping[str, object], *, signer: Signer | None = None, judge: Judge | None = None
    ) -> dict[str, Any]:
        """Send a JSON document and return the answer's, once `judge` has found nothing wrong with it.

        Raises: Offline, Rejected (`data["is_signed"]` tells whether `judge` found nothing wrong with that), Malformed, TooLarge,
        and what `judge` raises.
        """
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        with self._site.ask("POST", path, headers=headers, body=body, signer=signer, judge=judge) as response:
            content = self._site.read(response, most_bytes=MAX_DOCUMENT_BYTES)
            answer = read_object(content)
            if judge is not None:
                judge(response, content)
            return answer

    def _read_into(self, response: Response, file: IO[bytes], length: int) -> None:
        """Append a body; what came before the line broke stays in the file, what is too long is thrown away."""
        try:
            for chunk in self._site.chunks(response, most_bytes=length, chunk_bytes=TRICKLE_BYTES):
                file.write(chunk)
                if file.tell() > length:
                    file.truncate(0)
                    raise TooLarge(f"more than the announced {length} bytes")
        finally:
            file.flush()
