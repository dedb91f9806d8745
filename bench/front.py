"""Debian's nginx as a cache in front of HQ: what an edge does for the fleet, and a log of what crossed the wire."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.world import wait_for

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  log_format wire '$request_method $uri $status $bytes_sent';
  access_log {folder}/access.log wire;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  proxy_cache_path {folder}/cache levels=1:2 keys_zone=sync:4m max_size=2g inactive=1d;
  upstream hq {{ server 127.0.0.1:{origin_port}; keepalive 16; }}
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 2m;
    keepalive_timeout 120s;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    location / {{ proxy_pass http://hq; }}
    location /sync/v1/ {{
      proxy_pass http://hq;
      proxy_cache sync;
      proxy_cache_lock on;
      proxy_cache_revalidate on;
      proxy_cache_use_stale error timeout updating http_502 http_503 http_504;
      proxy_cache_background_update on;
    }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Front:
    """A running cache. `url` is where kiosks ask."""

    url: str
    log: Path

    def forget(self) -> None:
        """Empty the log."""
        self.log.write_text("")

    def crossed(self) -> tuple[int, int]:
        """Return how many answers left for kiosks since the log was emptied, uplinks apart, and their bytes with headers."""
        lines = [line.split() for line in self.log.read_text().splitlines()]
        sizes = [int(size) for method, _, _, size in lines if method == "GET"]
        return len(sizes), sum(sizes)


@contextmanager
def nginx(folder: Path, *, port: int, origin_port: int) -> Iterator[Front]:
    """Run nginx in front of a serving marketplace until the block ends."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if binary is None:
        raise SystemExit("this benchmark needs nginx: install the system's package")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder.resolve(), port=port, origin_port=origin_port))
    started = subprocess.Popen(
        [binary, "-c", str(configuration.resolve()), "-e", str(folder.resolve() / "error.log")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        yield Front(f"http://127.0.0.1:{port}", folder / "access.log")
    finally:
        started.terminate()
        started.wait(10)
