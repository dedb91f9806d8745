"""The window on the virtual printer: a page that shows each paper as it comes out, and the papers as pictures."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs

import templates
from demo.mailbox import MAIL_POLICY, Mailbox

_PAGES = Path(__file__).parent / "pages"
_FONTS = ("bricolage-grotesque-latin-720-normal.woff2", "figtree-latin-wght-normal.woff2")
_TROUBLES = ("paper_out", "cover_open")
_KINDS = ("script-src", "style-src", "font-src", "connect-src", "form-action", "img-src")
_POLICY = "default-src 'none'; " + "; ".join(f"{kind} 'self'" for kind in _KINDS) + " data:"


class _Paper(Protocol):
    @property
    def png(self) -> bytes: ...
    @property
    def text(self) -> str: ...
    @property
    def errors(self) -> tuple[str, ...]: ...


class _Printer(Protocol):
    host: str
    port: int
    faults: Any
    mailbox: Mailbox | None

    def papers(self) -> Mapping[int, _Paper]: ...
    def uncut(self) -> bytes | None: ...
    def has_uncut(self) -> bool: ...


class Viewer(ThreadingHTTPServer):
    """`GET /` the page · `/latest.png` · `/papers/<n>.png` from 1 · `/uncut.png` · `/state.json` · `/mail`.

    `POST /troubles` with `paper_out` or `cover_open` = 1 or 0 takes the paper away or opens the cover.
    """

    daemon_threads = True

    def __init__(self, printer: _Printer, port: int) -> None:
        super().__init__((printer.host, port), _Request)
        self.printer = printer


class _Request(BaseHTTPRequestHandler):
    server: Viewer
    server_version = "virtual-printer"

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        routes: dict[str, Callable[[], None]] = {
            "/": self._page,
            "/state.json": lambda: self._send(json.dumps(self._state()).encode(), "application/json"),
            "/latest.png": lambda: self._paper(None),
            "/uncut.png": lambda: self._picture(self.server.printer.uncut()),
            "/viewer.css": lambda: self._file(_PAGES / "viewer.css", "text/css"),
            "/viewer.js": lambda: self._file(_PAGES / "viewer.js", "text/javascript"),
        }
        if path in routes:
            routes[path]()
        elif path.startswith("/papers/") and path.endswith(".png"):
            number = path.removeprefix("/papers/").removesuffix(".png")
            self._paper(int(number) if number.isascii() and number.isdigit() and len(number) < 9 else 0)
        elif path.removeprefix("/fonts/") in _FONTS:
            self._file(templates.PATH / "static" / path.removeprefix("/"), "font/woff2")
        elif path == "/mail" or path.startswith("/mail/"):
            self._mail(path)
        else:
            self._absent()

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        form = parse_qs(self.rfile.read(min(length, 1000)).decode("ascii", errors="replace"))
        own = f"http://{self.headers.get('Host')}"
        if self.headers.get("Origin", own) != own:
            self._send(b"", "text/plain", status=HTTPStatus.FORBIDDEN)
            return
        if self.path != "/troubles":
            self._absent()
            return
        for trouble in _TROUBLES:
            if trouble in form:
                setattr(self.server.printer.faults, trouble, form[trouble] == ["1"])
        self.send_response(HTTPStatus.SEE_OTHER)
        self.send_header("Location", "/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the demo's terminal belongs to its own lines."""

    def _page(self) -> None:
        state = self._state()
        papers = self.server.printer.papers()
        items = "".join(_figure(number, paper) for number, paper in sorted(papers.items(), reverse=True))
        page = (_PAGES / "viewer.html").read_text(encoding="utf-8")
        for name, text in {
            "{address}": f"{self.server.printer.host}:{self.server.printer.port}",
            "{state}": json.dumps(state),
            "{lamp}": "fault" if any(state[trouble] for trouble in _TROUBLES) else "ok",
            "{words}": _in_words(state),
            "{paper_out_next}": "0" if state["paper_out"] else "1",
            "{paper_out_label}": "Remettre du papier" if state["paper_out"] else "Retirer le papier",
            "{cover_open_next}": "0" if state["cover_open"] else "1",
            "{cover_open_label}": "Fermer le capot" if state["cover_open"] else "Ouvrir le capot",
            "{uncut}": '<img src="/uncut.png" alt="Papier pas encore coupé">' if state["uncut"] else "",
            "{papers}": items or '<p class="nothing">Aucun papier pour le moment. Imprimez un bon depuis la borne.</p>',
        }.items():
            page = page.replace(name, html.escape(text) if name in {"{state}", "{address}", "{words}"} else text)
        self._send(page.encode(), "text/html; charset=utf-8")

    def _state(self) -> dict[str, Any]:
        printer = self.server.printer
        return {
            "latest": max(printer.papers(), default=0),
            "uncut": printer.has_uncut(),
            **{trouble: getattr(printer.faults, trouble) for trouble in _TROUBLES},
        }

    def _paper(self, number: int | None) -> None:
        papers = self.server.printer.papers()
        wanted = max(papers, default=0) if number is None else number
        self._picture(papers[wanted].png if wanted in papers else None)

    def _mail(self, path: str) -> None:
        mailbox = self.server.printer.mailbox
        page = mailbox.page(path) if mailbox is not None else None
        if page is None:
            self._absent()
        else:
            self._send(page.encode(), "text/html; charset=utf-8", policy=MAIL_POLICY)

    def _picture(self, png: bytes | None) -> None:
        if png is None:
            self._absent()
        else:
            self._send(png, "image/png")

    def _file(self, path: Path, kind: str) -> None:
        self._send(path.read_bytes(), kind)

    def _absent(self) -> None:
        self._send(b"Rien ici.", "text/plain; charset=utf-8", status=HTTPStatus.NOT_FOUND)

    def _send(self, body: bytes, kind: str, *, status: HTTPStatus = HTTPStatus.OK, policy: str = _POLICY) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Content-Security-Policy", policy)
        self.end_headers()
        self.wfile.write(body)


def _figure(number: int, paper: _Paper) -> str:
    note = f"{len(paper.errors)} commande(s) inconnue(s)" if paper.errors else "imprimé"
    return (
        f'<figure><a href="/papers/{number}.png"><img src="/papers/{number}.png" alt="{html.escape(paper.text)}"></a>'
        f"<figcaption>Papier {number} · {note}</figcaption></figure>"
    )


def _in_words(state: Mapping[str, Any]) -> str:
    if state["cover_open"]:
        return "Capot ouvert : rien ne s’imprime."
    if state["paper_out"]:
        return "Plus de papier : rien ne s’imprime."
    return "Prête."
