"""How this kiosk is, for people's scripts and the fleet: alive, ready, and the whole state as one JSON document."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, g

from kiosk import files
from kiosk.faults import Faults, current_faults
from kiosk.printing import print_jobs
from kiosk.releases import is_quiet
from pos import clock, outbox
from pos.catalog import publication
from pos.db import DatabaseError
from pos.errors import PosError
from pos.left_out import left_out
from pos.ops import setting
from shop import web
from sync.faults import fault

routes = Blueprint("status", __name__)

BLOCKING = frozenset({"catalog_missing", "catalog_unreadable", "not_enrolled"})
"""Faults under which no customer can be served; so are all that begin with `records_`."""


@routes.get("/healthz")
def healthz() -> Response:
    """Say that the process answers."""
    return web.as_json({"status": "ok"})


@routes.get("/readyz")
def readyz() -> Response:
    """Say whether a customer can be served: a catalogue to read and records to write."""
    faults = [str(fault["code"]) for fault in _faults()]
    blocking = [code for code in faults if code in BLOCKING or code.startswith("records_")]
    if blocking:
        return web.as_json({"code": blocking[0], "detail": ", ".join(blocking), "status": 503}, 503)
    return web.as_json({"status": "ready"})


@routes.get("/status.json")
def status() -> Response:
    """Describe the kiosk."""
    return web.as_json(describe())


def describe() -> dict[str, Any]:
    """Return the state of the kiosk: corner, version, catalog by channel, outbox, printers, media, faults, ring, publication.

    `left_out` counts the published rows that no page could show; `quiet` tells whether a new start would disturb nobody.
    """
    here = files.corner_or_none()
    return {
        "corner": here.corner_id if here else None,
        "version": files.kiosk().version,
        "catalog": _channels(),
        "outbox": _outbox(),
        "printers": _printers(),
        "media": dict(zip(("files", "bytes"), files.kiosk().media.totals(), strict=True)),
        "faults": _faults(),
        "left_out": _left_out(),
        "ring": _ring(),
        "publication": _publication(),
        "quiet": _is_quiet(),
    }


def _is_quiet() -> bool:
    kiosk = files.kiosk()
    try:
        return is_quiet(kiosk.ops, idle_s=time.monotonic() - kiosk.touched_s, now=clock.now())
    except (PosError, DatabaseError):
        return True


def _channels() -> dict[str, dict[str, Any]]:
    """Each channel and how old it is: since it was last known to be HQ's newest, not since it last changed."""
    now = clock.now()
    try:
        checked_at = setting(files.ops(), "checked_at") or ""
        rows = files.catalog().execute("select channel, epoch, version, root, applied_at from sync_cursor").fetchall()
    except (PosError, DatabaseError):
        return {}
    return {
        channel: {
            "epoch": epoch,
            "version": number,
            "root": root,
            "age_s": max(0, int((now - clock.from_text(max(applied_at, checked_at))).total_seconds())),
        }
        for channel, epoch, number, root, applied_at in rows
    }


def _ring() -> str | None:
    """Return which ring this corner follows; None before enrolment."""
    document = setting(files.ops(), "corner") if files.kiosk().ops is not None else None
    return str(document.get("ring", "stable")) if isinstance(document, dict) else None


def _publication() -> int | None:
    try:
        return publication(files.catalog()) or None
    except (PosError, DatabaseError):
        return None


def _left_out() -> dict[str, Any]:
    """Return how many published rows no page could show, and some of them."""
    try:
        unshown = left_out(files.catalog())
    except (PosError, DatabaseError):
        return {"rows": None, "examples": []}
    return {"rows": unshown.rows, "examples": list(unshown.examples)}


def _outbox() -> dict[str, Any]:
    """How far HQ has the events; `set_aside`, where there are any, is how many it has by their place in the chain alone."""
    try:
        ops = files.ops()
        acked = setting(ops, "acked") or 0
        pending, oldest_at = outbox.depth(ops, acked=acked)
        aside = len(outbox.set_aside(ops))
    except (PosError, DatabaseError):
        return {"pending": None, "oldest_at": None, "acked": None}
    state = {"pending": pending, "oldest_at": oldest_at, "acked": acked}
    return {**state, "set_aside": aside} if aside else state


def _printers() -> list[print_jobs.KnownPrinter]:
    try:
        return print_jobs.known_printers(files.ops())
    except (PosError, DatabaseError):
        return []


def faults_now() -> Faults:
    """Return everything that is wrong, looked at once a request."""
    if "faults" not in g:
        g.faults = current_faults(files.kiosk(), now=clock.now())
    seen: Faults = g.faults
    return seen


def _faults() -> list[dict[str, str | None]]:
    return [{"code": code, "short": fault(code).short, "since": since} for code, since in faults_now().items()]
