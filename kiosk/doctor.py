"""`comptoir kiosk doctor`: what a technician has to know of a kiosk, one line a part; it changes nothing of the records."""

from __future__ import annotations

import os
import shutil
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from kiosk.directories import directory_option, open_records
from kiosk.printing import printers
from kiosk.printing.installed import installed_printers
from pos import clock, outbox
from pos.catalog import upgrade_catalog
from pos.corners import corner
from pos.db import DatabaseError, Store
from pos.errors import PosError
from pos.file_states import records_problem
from pos.left_out import left_out
from pos.ops import setting
from pos.privacy import advice, open_to_others
from pos.slip_proofs import SlipAltered, altered
from pos.slips import load_device
from sync.channels import damaged_channels
from sync.corner.client import Client
from sync.corner.mirrors import open_trust
from sync.faults import REPLACED, REVOKED
from sync.follower import Subscription
from sync.heads import decode_head
from sync.locks import LOCK_FILE, hold

LEAST_FREE_BYTES = 200 * 2**20
CLOCK_TOLERANCE = timedelta(minutes=5)

HQ_SAID = {
    REVOKED: "HQ withdrew this device, it makes no more slips; enrol it again",
    "stream_forked": "HQ holds other events under our numbers, the records were copied or restored; enrol it again",
    REPLACED: "another device was enrolled in its place; enrol this one again, or take it away",
    "rejected": "HQ refuses its rounds; see `comptoir kiosk sync`",
}
"""What HQ said of this device that a person has to know, in the order of weight."""


@click.command("doctor")
@directory_option
def doctor_command(directory: Path) -> None:
    """Check files, who may read them, key, disk, clock, printer, network: a line each; status 1 when something needs a person."""
    checks = [
        _check("records", lambda: _check_records(directory)),
        _check("catalogue", lambda: _check_catalog(directory / "catalog.db")),
        _check("rows", lambda: _rows(directory / "catalog.db")),
        _check("privacy", lambda: _privacy(directory)),
        _check("enrolment", lambda: _enrolment(directory)),
        _check("outbox", lambda: _outbox(directory)),
        _check("disk", lambda: _disk(directory)),
        _check("clock", lambda: _clock(directory)),
        _check("printer", lambda: _printer(directory)),
        _check("marketplace", lambda: _reach(directory)),
    ]
    if not all(checks):
        sys.exit(1)


def _check(name: str, work: Any) -> bool:
    try:
        answer = work()
    except PosError as problem:
        click.echo(f"{name:<12} FAULT  {problem.code}: {problem}")
        return False
    except (DatabaseError, OSError, ValueError) as problem:
        click.echo(f"{name:<12} FAULT  {problem}")
        return False
    click.echo(f"{name:<12} ok     {answer}")
    return True


def _quick_check(path: Path) -> str:
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is missing")
    answer = Store(path, durable=False).read().execute("pragma quick_check(1)").fetchone()[0]
    if answer != "ok":
        raise DatabaseError(" ".join(answer.split()))
    return f"{path.name}, {os.stat(path).st_size:,} bytes"


def _check_records(directory: Path) -> str:
    """Read the records through, and compare every slip with what the outbox's chain says of it."""
    ops = open_records(directory)
    try:
        said, wrong = _quick_check(ops.path), altered(ops.read())
    except (DatabaseError, OSError) as problem:
        raise records_problem(ops.path, problem) from problem
    if wrong:
        raise SlipAltered(f"{', '.join(wrong)}: not recorded as made, the file was changed by hand or by its disk")
    return f"{said}, every slip as it was issued"


def _check_catalog(path: Path) -> str:
    said = _quick_check(path)
    damaged = damaged_channels(Store(path, durable=False).read())
    if damaged:
        raise DatabaseError(f"rows differ from HQ's in {', '.join(damaged)}: the file was changed by hand or by its disk")
    return f"{said}, every row as HQ published it"


def _rows(path: Path) -> str:
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is missing")
    upgrade_catalog(path, now=clock.now())
    found = left_out(Store(path, durable=False).read())
    if found.rows:
        raise ValueError(f"{found.rows:,} that no page could show are left out since {found.since}: {'; '.join(found.examples)}")
    return "every published row can be shown"


def _privacy(directory: Path) -> str:
    if wide := open_to_others(directory):
        raise OSError(advice(wide))
    return "the files are their owner's alone"


def _enrolment(directory: Path) -> str:
    """Name the corner and the key, unless HQ had another word for this device in the last rounds."""
    ops = open_records(directory).read()
    said = f"{corner(ops).corner_id}, key {load_device(directory).key_id}"
    faults = setting(ops, "sync_faults") or {}
    for code, meaning in HQ_SAID.items():
        if code in faults:
            raise OSError(f"{said}: {meaning}, since {faults[code]}")
    return said


def _outbox(directory: Path) -> str:
    """Say how far HQ has the events, and which of them stay here since they could not go up."""
    ops = open_records(directory).read()
    acked = setting(ops, "acked") or 0
    pending, _ = outbox.depth(ops, acked=acked)
    aside = [f"event {seq}: {said['reason']} since {said['at']}" for seq, said in sorted(outbox.set_aside(ops).items())]
    return "; ".join((f"{pending} waiting, {acked} at HQ", *aside))


def _disk(directory: Path) -> str:
    free = shutil.disk_usage(directory).free
    if free < LEAST_FREE_BYTES:
        raise OSError(f"{free:,} bytes free, {LEAST_FREE_BYTES:,} needed")
    return f"{free:,} bytes free"


def _clock(directory: Path) -> str:
    """Compare with the last time HQ told: a clock may be ahead of it by the hours since then, and never behind."""
    told = setting(open_records(directory).read(), "hq_time")
    now = clock.now()
    if told is None:
        return f"{clock.to_text(now)}, never compared with HQ's"
    if now < clock.from_text(told) - CLOCK_TOLERANCE:
        raise OSError(f"{clock.to_text(now)} is before {told}, which HQ told: set the clock")
    return f"{clock.to_text(now)}, HQ last told {told}"


def _printer(directory: Path) -> str:
    """Ask every printer how it is."""
    said, is_fault = [], False
    for each in installed_printers(open_records(directory).read()):
        state = printers.status(each.address)
        said.append(f"{each.name} {', '.join((state.state, *state.reasons))}")
        is_fault = is_fault or state.must_wait()
    if is_fault:
        raise OSError("; ".join(said))
    return "; ".join(said) or "none set"


def _reach(directory: Path) -> str:
    store = open_records(directory)
    client = Client(setting(store.read(), "marketplace_url") or "")
    subscription = Subscription.of(corner(store.read()))
    with hold(directory / LOCK_FILE):
        trust = open_trust(directory, store, client, now=clock.now)
        head = decode_head(trust.head(subscription.market, subscription.ring))
    track = head.track_for(subscription.corner_id)
    return f"publication {track.publication} of {track.published_at}, ring {subscription.ring}"
