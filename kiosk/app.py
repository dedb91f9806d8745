"""The kiosk's web app: one process beside the screen, reading local files only; the network only makes them fresher.

Invariants: every refusal leaves through one handler as one page (or one JSON shape); a missing catalogue or damaged records
never stop the app, they are said.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

import templates
from kiosk import calls, comparisons, files, home, prices, selections, slips, speech, status, visits
from kiosk.background import start_rounds
from kiosk.counter import calls as counter_calls
from kiosk.counter import day, sessions, table, today
from kiosk.counter import journal as counter_journal
from kiosk.counter import labels as counter_labels
from kiosk.counter import me as counter_me
from kiosk.counter import paper as counter_paper
from kiosk.counter import pins as counter_pins
from kiosk.counter import printers as counter_printers
from kiosk.counter import selections as counter_selections
from kiosk.counter import slips as counter_slips
from kiosk.counter import state as counter_state
from kiosk.counter import team as counter_team
from kiosk.printing import paper, print_jobs
from kiosk.rescan import start_rescans
from pos import clock
from pos.catalog import upgrade_catalog
from pos.corners import judge_stored
from pos.db import DatabaseError, OperationalError, Store
from pos.errors import CatalogMissing, DiskFull, Invalid, PosError, RecordsBusy, RecordsDamaged, Unavailable
from pos.file_states import catalog_problem, records_problem, state_of
from pos.ops import keep_reserve, open_kept_ops, release_reserve
from pos.slip_proofs import SlipAltered
from shop import problems, web
from shop.app import set_up
from shop.problems import WayOn
from sync.corner.media import MediaStore
from sync.corner.mirrors import MIRROR, is_shared
from sync.static_files import StaticFiles

LOG = logging.getLogger("kiosk")
LARGEST_FORM_BYTES = 16 * 1024
REFRESH_S = 4
LEAST_FREE_BYTES = 256 * 1024
PASSING = (RecordsBusy, DiskFull)
"""What keeps records closed and may end without anybody's hand on them: they are opened again."""
OPENED_AGAIN_S = 5.0
LOOPBACK = ("127.0.0.1", "::1")


def create_app(directory: Path, *, sync: bool, hosts: Sequence[str] = ()) -> Flask:
    """Make the app over a kiosk directory; with `sync`, a thread keeps it in step with HQ.

    `hosts` are answered besides this machine's own names.
    """
    kiosk = _open_kiosk(directory)
    app = Flask("kiosk", template_folder=str(templates.PATH), static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_FORM_BYTES,
        MAX_FORM_PARTS=60,
        SESSION_COOKIE_NAME="none",
    )
    app.extensions["comptoir"] = kiosk
    set_up(app, visits.door_of(kiosk), refused=("foreign", "untold"))
    app.before_request(_hear_screen)
    app.before_request(_watch_records)
    app.before_request(partial(web.refuse_strange_host, {"127.0.0.1", "localhost", "::1", *hosts}))
    app.context_processor(visits.frame_context)
    for part in (
        home,
        selections,
        slips,
        calls,
        comparisons,
        speech,
        status,
        sessions,
        today,
        counter_slips,
        counter_selections,
        counter_calls,
        table,
        counter_labels,
        counter_paper,
        counter_printers,
        counter_journal,
        counter_me,
        counter_pins,
        day,
        counter_state,
        counter_team,
    ):
        app.register_blueprint(part.routes)
    app.register_error_handler(PosError, _refusal)
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(DatabaseError, _file_problem)
    app.register_error_handler(Exception, _unexpected)
    app.extensions["comptoir-rounds"] = threading.Event()
    app.wsgi_app = kiosk.turns.before(app.wsgi_app)  # type: ignore[method-assign, assignment]  # Flask's documented way
    _share(app)
    if sync:
        _start(app, kiosk)
    return app


def _start(app: Flask, kiosk: files.Kiosk) -> None:
    """Start what works in the background."""
    for name in ("kiosk", "sync"):
        logging.getLogger(name).addHandler(kiosk.log)
    prices.start_watch(kiosk, call=kiosk.price_news)
    _start_on_records(app)
    if isinstance(kiosk.trouble, PASSING):
        threading.Thread(target=_await_records, args=(app,), name="records", daemon=True).start()
    threading.Thread(target=paper.warm_up, name="warm-up", daemon=True).start()


def _open_kiosk(directory: Path) -> files.Kiosk:
    try:
        software = version("comptoir")
    except PackageNotFoundError:
        software = "0"
    catalog, pictures = Store(directory / "catalog.db", durable=False), MediaStore(directory / "media")
    kiosk = files.Kiosk(directory=directory, catalog=catalog, ops=None, version=software, media=pictures)
    try:
        upgrade_catalog(catalog.path, now=clock.now())
    except (DatabaseError, DiskFull, OSError):
        LOG.exception("the catalogue could not be brought to this version; the next round fetches another")
    _open_records(kiosk)
    return kiosk


def _open_records(kiosk: files.Kiosk) -> None:
    try:
        records = open_kept_ops(kiosk.directory)
        if (answer := records.read().execute("pragma quick_check(1)").fetchone()[0]) != "ok":
            raise DatabaseError(answer)
    except (DatabaseError, Unavailable, OSError) as problem:
        _close_records(kiosk, problem)
        return
    kiosk.ops = records
    kiosk.trouble = None
    try:
        judge_stored(records)
    except (Invalid, DatabaseError, DiskFull, OSError):
        LOG.exception("the corner document could not be judged anew; each page does until it is")


def _await_records(app: Flask) -> None:
    """Open the records once what keeps them closed has passed, and start what works on them."""
    kiosk: files.Kiosk = app.extensions["comptoir"]
    pause = threading.Event()
    while isinstance(kiosk.trouble, PASSING):
        _makes_room(kiosk, kiosk.trouble)
        pause.wait(OPENED_AGAIN_S)
        _open_records(kiosk)
        _start_on_records(app)
    _share(app)


def _share(app: Flask) -> None:
    if is_shared(app.extensions["comptoir"].ops):
        mirror = app.extensions["comptoir"].directory / MIRROR
        app.wsgi_app = StaticFiles(app.wsgi_app, mirror)  # type: ignore[method-assign]  # Flask's documented way


def _start_on_records(app: Flask) -> None:
    """Start what works on the records in the background, unless they are closed."""
    kiosk: files.Kiosk = app.extensions["comptoir"]
    _settle_prints(kiosk)
    start_rounds(kiosk, call=app.extensions["comptoir-rounds"])
    start_rescans(kiosk, call=app.extensions["comptoir-rounds"])


def _settle_prints(kiosk: files.Kiosk) -> None:
    """End what the last process left printing; only the process that serves may, since others look at a live kiosk."""
    if kiosk.ops is None:
        return
    keep_reserve(kiosk.directory)
    try:
        with kiosk.ops.write() as ops:
            print_jobs.settle_interrupted(ops, now=clock.now())
        kiosk.workers.start()
    except (DatabaseError, DiskFull, OSError) as problem:
        _close_records(kiosk, problem)


def _close_records(kiosk: files.Kiosk, problem: Exception) -> None:
    """Issue no more slips until a person has looked: what is written over damage may be lost. The file stays as it is."""
    kiosk.trouble = records_problem(kiosk.directory / "ops.db", problem)
    LOG.error("%s: %s", kiosk.trouble.code, kiosk.trouble)
    kiosk.ops = None


def _hear_screen() -> None:
    """Notice that this machine's own browser is alive, and that somebody uses the kiosk.

    Only browsers say what they fetch for (Fetch Metadata, Sec-Fetch-Dest), and that a person asked for it (Sec-Fetch-User).
    """
    if "Sec-Fetch-Dest" in request.headers and request.remote_addr in LOOPBACK:
        files.kiosk().screen_seen_s = time.monotonic()
    if request.method not in ("GET", "HEAD") or "Sec-Fetch-User" in request.headers:
        files.kiosk().touched_s = time.monotonic()


def _watch_records() -> None:
    """Notice records that went missing or bad while we run, before anything is written to them."""
    kiosk = files.kiosk()
    if kiosk.ops is None:
        return
    g.began_with_records = True
    try:
        kiosk.ops.read().execute("select 1 from setting limit 1").fetchone()
    except (DatabaseError, OSError) as problem:
        if isinstance(problem, OSError) or _is_damage(problem):
            _close_records(kiosk, problem)


def _is_damage(problem: Exception) -> bool:
    return any(sign in str(problem) for sign in ("malformed", "not a database", "no such table"))


def _refusal(problem: PosError) -> Response:
    if files.kiosk().ops is None and g.pop("began_with_records", False) and request.method in ("GET", "HEAD"):
        return _answer_without_records()
    if isinstance(problem, (DiskFull, CatalogMissing)) and _makes_room(files.kiosk(), problem):
        try:
            return current_app.make_response(current_app.dispatch_request())
        except PosError as again:
            problem = again
    if isinstance(problem, SlipAltered):
        files.kiosk().faults.setdefault(problem.code, clock.to_text(clock.now()))
    return _answer(problem.code, problem.status, problem.detail, problem.data)


def _answer_without_records() -> Response:
    """Answer a page that was being read when its records went bad as the next will be: browsing goes on without them."""
    g.pop("corner", None)
    try:
        return current_app.make_response(current_app.dispatch_request())
    except (PosError, HTTPException, DatabaseError) as problem:
        return current_app.make_response(current_app.handle_user_exception(problem))


def _makes_room(kiosk: files.Kiosk, problem: Exception) -> bool:
    """Give the reserved space to what a full disk refused: it was undone whole, so the same tap can be carried out again.

    Opening the catalogue to read takes a few pages of space as well, and says it less clearly than a write.
    """
    is_full = isinstance(problem, DiskFull) or shutil.disk_usage(kiosk.directory).free < LEAST_FREE_BYTES
    if not is_full or not release_reserve(kiosk.directory):
        return False
    LOG.error("the disk is full: the reserved space is given to slips")
    kiosk.faults.setdefault("disk_full", clock.to_text(clock.now()))
    return True


def _http_problem(problem: HTTPException) -> Response:
    return web.http_problem(problem, home="/home", answer=partial(_answer, data={}))


def _file_problem(problem: DatabaseError) -> Response:
    """Tell which of the two files cannot be read; anything else is ours to answer for."""
    kiosk = files.kiosk()
    if kiosk.ops is None:
        return _refusal(kiosk.trouble or RecordsDamaged(str(problem)))
    if shutil.disk_usage(kiosk.directory).free < LEAST_FREE_BYTES:
        return _refusal(DiskFull(str(problem)))
    state = state_of(kiosk.ops.path, problem)
    if state == "busy":
        return _refusal(RecordsBusy(str(problem)))
    try:
        if state in ("missing", "unreadable", "read_only"):
            raise problem
        if _is_damage(problem) and (answer := kiosk.ops.read().execute("pragma quick_check(1)").fetchone()[0]) != "ok":
            raise DatabaseError(answer)
        kiosk.ops.read().execute("select count(*) from setting").fetchone()
    except (DatabaseError, OSError) as damage:
        _close_records(kiosk, damage)
        return _refusal(kiosk.trouble or RecordsDamaged(str(damage)))
    try:
        kiosk.catalog.read().execute("select 1 from shelf join shown_sku using (sku_id) limit 1").fetchone()
    except (DatabaseError, OSError) as damage:
        return _refusal(catalog_problem(kiosk.catalog.path, damage))
    if not isinstance(problem, OperationalError) and "malformed" in str(problem):
        return _refusal(CatalogMissing(str(problem)))
    return _unexpected(problem)


def _unexpected(problem: Exception) -> Response:
    LOG.exception("unexpected", exc_info=problem)
    return _answer("unexpected", 500, "", {})


def _answer(code: str, status: int, detail: str, data: dict[str, Any]) -> Response:
    """Say a problem, and what lets the person go on."""
    way_on = WayOn() if web.wants_json() else problems.way_on(code, data)
    response = web.problem_answer(code, status, detail, template="kiosk/errors.html", data=data, way_on=way_on)
    if code == "catalog_missing":
        response.headers["Retry-After"] = str(REFRESH_S)
        current_app.extensions["comptoir-rounds"].set()
    return response
