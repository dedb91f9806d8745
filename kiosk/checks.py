"""What `kiosk doctor` looks at, one check a part: each says how the part is, or which fault of the register it has.

The records are read and never written. A printer takes one connection: while the app serves, the app is asked in its place.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess  # the browser's version is had from the browser alone
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kiosk.directories import open_records
from kiosk.faults import PRINTERS, backup_fault, printer_faults
from kiosk.machine import SCREEN, SYSTEM, available_memory, hottest_millidegrees, machine_faults
from kiosk.printing import printers
from kiosk.printing.installed import installed_printers
from pos import clock, outbox
from pos.catalog import upgrade_catalog
from pos.corners import corner
from pos.db import DatabaseError, Store
from pos.errors import NotFound, PosError
from pos.file_states import catalog_problem, records_problem
from pos.left_out import FAULT as ROWS_LEFT_OUT
from pos.left_out import left_out
from pos.ops import setting
from pos.privacy import advice, open_to_others
from pos.slip_proofs import SlipAltered, altered
from pos.slips import load_device
from pos.trusted_time import is_clock_wrong
from sync.channels import damaged_channels
from sync.corner.client import Client
from sync.corner.mirrors import open_trust
from sync.errors import Busy
from sync.faults import EVENT_SET_ASIDE, REPLACED, REVOKED, Severity, fault, faults
from sync.follower import Subscription
from sync.heads import decode_head
from sync.locks import LOCK_FILE, held_by, hold

CLOCK_TOLERANCE = timedelta(minutes=5)
ANSWER_S = 5.0
HQ_SAID = {
    REVOKED: "HQ withdrew this device, it makes no more slips; enrol it again",
    "stream_forked": "HQ holds other events under our numbers, the records were copied or restored; enrol it again",
    REPLACED: "another device was enrolled in its place; enrol this one again, or take it away",
    "rejected": "HQ refuses its rounds; see `comptoir kiosk sync`",
}
"""What HQ said of this device that a person has to know, in the order of weight."""
BROWSERS = ("chromium", "chromium-browser")
POLICIES = Path("etc/chromium/policies/managed/comptoir.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one part is: well without a `code`, else with the fault's, or not known where nobody could be asked."""

    part: str
    said: str
    code: str | None = None
    is_unknown: bool = False

    @property
    def state(self) -> str:
        """`ok`, `warning` where it mends itself as a rule, `FAULT` where a person must act, `unknown`."""
        if self.code is None:
            return "unknown" if self.is_unknown else "ok"
        return "FAULT" if fault(self.code).severity >= Severity.ACT else "warning"


class Found(Exception):
    """A fault met by a check, with what was seen of it."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code


class Unasked(Exception):
    """Nobody could be asked: nothing is known, which is neither well nor a fault."""


def examine(directory: Path, *, system: Path = SYSTEM) -> list[Finding]:
    """Return how every part of the kiosk is, whatever state its files are in and whether or not its app runs."""
    status = _status_of_app(directory)
    parts: dict[str, Callable[[], str]] = {
        "records": lambda: _records(directory),
        "catalogue": lambda: _catalogue(directory / "catalog.db"),
        "rows": lambda: _rows(directory / "catalog.db"),
        "privacy": lambda: _privacy(directory),
        "enrolment": lambda: _enrolment(directory),
        "outbox": lambda: _outbox(directory),
        "backup": lambda: _backup(directory),
        "machine": lambda: _machine(directory, system),
        "clock": lambda: _clock(directory),
        "browser": lambda: _browser(system),
        "marketplace": lambda: _marketplace(directory),
    }
    findings = [_finding(part, check) for part, check in parts.items()]
    findings += _printers_by_app(status) if status else _printers(directory)
    return [*findings, *_reported(directory, status, {each.code for each in findings})]


def _finding(part: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(part=part, said=check())
    except Unasked as problem:
        return Finding(part=part, said=str(problem), is_unknown=True)
    except Found as problem:
        return Finding(part=part, said=str(problem), code=problem.code)
    except NotFound as problem:
        return Finding(part=part, said=str(problem), code="not_enrolled")
    except PosError as problem:
        return Finding(part=part, said=str(problem), code=problem.code)
    except (DatabaseError, OSError, ValueError) as problem:
        return Finding(part=part, said=f"could not be looked at: {problem}", is_unknown=True)


def _quick_check(path: Path) -> str:
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is missing")
    answer = Store(path, durable=False).read().execute("pragma quick_check(1)").fetchone()[0]
    if answer != "ok":
        raise DatabaseError(" ".join(answer.split()))
    return f"{path.name}, {os.stat(path).st_size:,} bytes"


def _records(directory: Path) -> str:
    """Read the records through, and compare every slip with what the outbox's chain says of it."""
    ops = open_records(directory)
    try:
        said, wrong = _quick_check(ops.path), altered(ops.read())
    except (DatabaseError, OSError) as problem:
        raise records_problem(ops.path, problem) from problem
    if wrong:
        raise SlipAltered(f"{', '.join(wrong)}: not recorded as made, the file was changed by hand or by its disk")
    return f"{said}, every slip as it was issued"


def _catalogue(path: Path) -> str:
    try:
        said = _quick_check(path)
        damaged = damaged_channels(Store(path, durable=False).read())
    except (DatabaseError, OSError) as problem:
        raise catalog_problem(path, problem) from problem
    if damaged:
        raise Found("catalog_damaged", f"rows differ from HQ's in {', '.join(damaged)}: the file was changed by hand or its disk")
    return f"{said}, every row as HQ published it"


def _rows(path: Path) -> str:
    try:
        if not path.exists():
            raise FileNotFoundError(f"{path.name} is missing")
        upgrade_catalog(path, now=clock.now())
        unshown = left_out(Store(path, durable=False).read())
    except (DatabaseError, OSError) as problem:
        raise catalog_problem(path, problem) from problem
    if unshown.rows:
        said = f"{unshown.rows:,} that no page could show are left out since {unshown.since}: {'; '.join(unshown.examples)}"
        raise Found(ROWS_LEFT_OUT, said)
    return "every published row can be shown"


def _privacy(directory: Path) -> str:
    if wide := open_to_others(directory):
        raise Found("files_exposed", advice(wide))
    return "the files are their owner's alone"


def _enrolment(directory: Path) -> str:
    """Name the corner and the key, unless HQ had another word for this device in the last rounds."""
    ops = open_records(directory).read()
    if setting(ops, "corner") is not None and not (directory / "device.key").exists():
        raise Found("key_missing", "device.key is gone: no slip can be signed")
    try:
        said = f"{corner(ops).corner_id}, key {load_device(directory).key_id}"
    except NotFound as problem:
        if setting(ops, "corner") is None:
            raise
        raise Found("corner_unreadable", str(problem)) from problem
    met = setting(ops, "sync_faults") or {}
    for code, meaning in HQ_SAID.items():
        if code in met:
            raise Found(code, f"{said}: {meaning}, since {met[code]}")
    return said


def _outbox(directory: Path) -> str:
    """Say how far HQ has the events, and which of them stay here since they could not go up."""
    ops = open_records(directory).read()
    acked = setting(ops, "acked") or 0
    pending, _ = outbox.depth(ops, acked=acked)
    aside = [f"event {seq}: {said['reason']} since {said['at']}" for seq, said in sorted(outbox.set_aside(ops).items())]
    said = "; ".join((f"{pending} waiting, {acked} at HQ", *aside))
    if aside:
        raise Found(EVENT_SET_ASIDE, said)
    return said


def _backup(directory: Path) -> str:
    ops = open_records(directory).read()
    for code, newest in backup_fault(ops, directory, clock.now()).items():
        raise Found(code, f"the newest copy is of {newest}")
    return "the records were copied within two days, or hold nothing yet"


def _machine(directory: Path, system: Path) -> str:
    memory, heat = available_memory(system), hottest_millidegrees(system)
    said = f"{shutil.disk_usage(directory).free:,} bytes of disk free"
    said += f", {memory:,} of memory" if memory is not None else ""
    said += f", {heat // 1000} °C" if heat is not None else ""
    for code in machine_faults(directory, system=system):
        raise Found(code, said)
    return said


def _clock(directory: Path) -> str:
    """Compare with the last time HQ told: a clock may be ahead of it by the hours since then, and never behind."""
    ops, now = open_records(directory).read(), clock.now()
    told = setting(ops, "hq_time")
    if told is None:
        raise Found("clock_unconfirmed", f"{clock.to_text(now)}, never compared with HQ's")
    if now < clock.from_text(told) - CLOCK_TOLERANCE:
        raise Found("clock_wrong", f"{clock.to_text(now)} is before {told}, which HQ told: set the clock")
    if is_clock_wrong(ops):
        raise Found("clock_wrong", f"{clock.to_text(now)} was more than five minutes off when HQ told {told}: set the clock")
    return f"{clock.to_text(now)}, HQ last told {told}"


def _browser(system: Path) -> str:
    """Say which browser shows the pages and whether its rules are in place, on a machine that has the screen of `deploy/`."""
    path = next((found for name in BROWSERS if (found := shutil.which(name, path=_paths(system)))), None)
    if not (system / SCREEN).exists():
        raise Unasked(f"no screen is set up on this machine by deploy/install{f'; {path} is there' if path else ''}")
    if path is None:
        raise Found("browser_missing", f"neither {' nor '.join(BROWSERS)} is installed")
    try:
        rules = json.loads((system / POLICIES).read_text(encoding="utf-8"))
        is_locked = "*" in rules["URLBlocklist"]
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise Found("browser_unlocked", f"/{POLICIES} cannot be used: {problem}") from problem
    if not is_locked:
        raise Found("browser_unlocked", f"/{POLICIES} lets every address in")
    return f"{_version(path)}, with its rules"


def _paths(system: Path) -> str | None:
    return None if system == SYSTEM else str(system / "usr/bin")


def _version(path: str) -> str:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=ANSWER_S, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"{path} does not say its version ({type(problem).__name__})"
    return " ".join(said.stdout.split()) or path


def _marketplace(directory: Path) -> str:
    store = open_records(directory)
    client = Client(setting(store.read(), "marketplace_url") or "")
    subscription = Subscription.of(corner(store.read()))
    try:
        with hold(directory / LOCK_FILE):
            trust = open_trust(directory, store, client, now=clock.now)
            head = decode_head(trust.head(subscription.market, subscription.ring))
    except Busy as problem:
        raise Unasked("a round is under way: ask again in a moment") from problem
    track = head.track_for(subscription.corner_id)
    return f"publication {track.publication} of {track.published_at}, ring {subscription.ring}"


def _printers(directory: Path) -> Iterator[Finding]:
    """Ask every printer how it is, each within its deadline."""
    try:
        known = installed_printers(open_records(directory).read())
    except (PosError, DatabaseError, OSError):
        return
    if not known:
        yield Finding(part="printer", said="none set")
    for each in known:
        state = printers.status(each.address)
        said = ", ".join((f"{each.name} {state.state}", *state.reasons))
        codes = printer_faults(state)
        yield from [Finding(part="printer", said=said, code=code) for code in codes] or [Finding(part="printer", said=said)]


def _status_of_app(directory: Path) -> dict[str, Any] | None:
    """Return the app's own `status.json` where it serves this directory, else None."""
    told = re.search(r"serving on (http://\S+)", held_by(directory))
    if told is None:
        return None
    address = urlsplit(told[1])
    connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=ANSWER_S)
    try:
        connection.request("GET", "/status.json")
        status = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return status if isinstance(status, dict) else None


def _printers_by_app(status: dict[str, Any]) -> Iterator[Finding]:
    """Say what the app knows of its printers: it holds the only connection each of them takes."""
    known = status.get("printers", [])
    said = "; ".join(f"{each['name']} {each['state']}, {each['queue']} in hand" for each in known) or "none set"
    codes = [str(each["code"]) for each in status["faults"] if fault(str(each["code"])).short.startswith(PRINTERS)]
    said = f"{said} (as the app knows them)"
    yield from [Finding(part="printer", said=said, code=code) for code in codes] or [Finding(part="printer", said=said)]


def _reported(directory: Path, status: dict[str, Any] | None, told: set[str | None]) -> Iterator[Finding]:
    """Say what the app, or the last rounds, met and no check found: a round's own troubles, media, a full disk."""
    if status is not None:
        met = {str(each["code"]): each["since"] for each in status["faults"]}
    else:
        try:
            met = setting(open_records(directory).read(), "sync_faults") or {}
        except (PosError, DatabaseError, OSError):
            met = {}
    for code, since in met.items():
        if code not in told and code in faults():
            yield Finding(part="app" if status else "rounds", said=f"{code} since {since or 'an unknown time'}", code=code)
