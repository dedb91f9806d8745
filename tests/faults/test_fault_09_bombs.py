"""Fault 9: a body that never ends, and a small blob that unpacks to gigabytes. Both are stopped by length, window and size."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from sync.blobs import MAX_BLOB_BYTES, BlobRef
from sync.corner.client import Client
from sync.errors import Malformed, SyncError, TooLarge
from sync.http import MAX_DOCUMENT_BYTES
from sync.segments import decode_part, decode_segment, zstd

MOST_MEMORY_KB = 200_000


class Endless(BaseHTTPRequestHandler):
    """Answers everything with zeros, for as long as somebody reads."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(65536))
        except OSError:
            return

    do_POST = do_GET  # noqa: N815 - the library looks for this name

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def endless_hq() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endless)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_fault_09_an_endless_body_is_left_at_the_announced_length(tmp_path: Path) -> None:
    with endless_hq() as url:
        client = Client(url)
        with pytest.raises(TooLarge):
            client.blob(BlobRef("0" * 64, 1_000), tmp_path / "blob")
        assert client.received < 200_000
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 0


def test_fault_09_an_endless_document_is_left_at_its_cap() -> None:
    with endless_hq() as url:
        client = Client(url)
        with pytest.raises(TooLarge):
            client.post("/sync/v1/up", {})
        assert client.received < MAX_DOCUMENT_BYTES + 200_000


@pytest.mark.parametrize("decode", [decode_segment, decode_part])
def test_fault_09_what_is_no_blob_of_ours_is_refused_by_its_frame(decode: type) -> None:
    wide = zstd.compress(bytes(2**25), options={zstd.CompressionParameter.window_log: 27})
    with pytest.raises(SyncError):
        decode(wide)
    with pytest.raises(TooLarge):
        decode(bytes(MAX_BLOB_BYTES + 1))
    with pytest.raises(Malformed):
        decode(zstd.compress(b'{"format":"comptoir-other/1"}'))


def test_fault_09_a_bomb_takes_no_more_memory_than_the_format_allows() -> None:
    """One gigabyte of zeros in some kilobytes, unpacked in a process of its own whose memory is looked at."""
    program = """
import resource, sys
from sync.errors import TooLarge
from sync.segments import decode_segment
bomb = sys.stdin.buffer.read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    decode_segment(bomb)
except TooLarge:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    compressor = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 20})
    bomb = b"".join(compressor.compress(bytes(2**20)) for _ in range(1_024)) + compressor.flush()
    assert len(bomb) < 200_000
    ended = subprocess.run([sys.executable, "-c", program], input=bomb, capture_output=True, timeout=60, check=True)
    assert 0 <= int(ended.stdout) < MOST_MEMORY_KB
