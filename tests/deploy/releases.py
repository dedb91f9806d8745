"""Releases to try the updater with: an app that answers as it is told to, and the product itself for every other command."""

from __future__ import annotations

from tests.deploy.machines import STAND_IN

APP = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
VERSION, HOW = {version!r}, {how!r}
class App(BaseHTTPRequestHandler):
    def do_GET(self):
        quiet = not os.path.exists("/tmp/busy")
        said = {{"status": "ready", "version": VERSION, "quiet": quiet, "catalog": {{"price": {{"age_s": 0}}}}}}
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
{stand_in}
go_on = main
def main():
    if sys.argv[1:3] != ["kiosk", "serve"]:
        go_on()
    if HOW == "crashes":
        sys.exit("not today")
    ThreadingHTTPServer(("127.0.0.1", 8001), App).serve_forever()
"""
HOWS = ("well", "crashes")


def app(version: str, how: str = "well") -> str:
    """Return the program of a release whose app is as `how` says."""
    assert how in HOWS
    return APP.format(version=version, how=how, stand_in=STAND_IN)
