"""A kiosk's app as its worst enemy would have it: every way out of a page that a page can offer. Run by itself: `hostile.py LOG`.

Ten times a second the page tells where it is and whether it is seen; LOG has a line for each request, after the time.
"""

from __future__ import annotations

import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PLACES = {
    "link": (20, 20),
    "file": (20, 220),
    "print": (20, 320),
    "download": (20, 420),
    "schemes": (20, 520),
    "local": (320, 20),
    "text": (320, 120),
}
"""Where what can be touched begins; each is 200 by 60."""
SCHEMES = ("file:///etc/passwd", "chrome://settings", "view-source:http://127.0.0.1:8001/", "data:text/html,x")
PAGE = f"""<!doctype html><meta charset="utf-8"><title>KIOSK</title>
<style>body {{ margin: 0; height: 3000px }} .way {{ position: absolute; width: 200px; height: 60px; background: #fc0 }}
{"".join(f"#{name} {{ left: {x}px; top: {y}px }}" for name, (x, y) in PLACES.items())}</style>
<a class="way" id="link" href="/left">link</a>
<input class="way" id="file" type="file">
<button class="way" id="print" onclick="print()">print</button>
<a class="way" id="download" download href="/file">download</a>
<button class="way" id="schemes">schemes</button>
<a class="way" id="local" href="file:///etc/passwd">local</a>
<textarea class="way" id="text">text</textarea>
<script>
document.getElementById("schemes").addEventListener("click", () => {{
  for (const url of {list(SCHEMES)!r}) {{ try {{ location.assign(url); }} catch {{}} }}
}});
setInterval(() => fetch("/alive?" + encodeURIComponent(JSON.stringify({{
  url: location.href, seen: document.visibilityState, focus: document.hasFocus(),
  size: [innerWidth, innerHeight, devicePixelRatio, visualViewport.scale],
}}))), 100);
</script>""".encode()


class Hostile(BaseHTTPRequestHandler):
    """Answers every address with the page, but for the page's own word and the file."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        with Path(sys.argv[1]).open("a", encoding="utf-8") as log:
            log.write(f"{time.monotonic()} {self.path}\n")
        body = b"" if self.path.startswith(("/alive", "/healthz")) else PAGE
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/file":
            self.send_header("Content-Disposition", "attachment")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", 8001), Hostile).serve_forever()
