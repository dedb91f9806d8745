"""`comptoir kiosk sync`: one round, up and down, and what it moved."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click

from kiosk import files
from kiosk.background import Rounds
from kiosk.directories import directory_option, open_records
from kiosk.faults import own_faults
from pos import clock
from pos.db import Store
from pos.errors import NotFound, PosError
from pos.ops import setting
from sync.corner.client import Client
from sync.corner.media import Fetched, MediaStore
from sync.corner.rounds import RoundReport
from sync.releases import MOST_BYTES

PROGRESS_FROM_S = 1.0


@click.command("sync")
@directory_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def sync_command(directory: Path, *, as_json: bool) -> None:
    """Do one round, up and down, and print what moved."""
    catalog, media = Store(directory / "catalog.db", durable=False), MediaStore(directory / "media")
    rounds = Rounds(directory, catalog, open_records(directory), media, version("comptoir"))
    url = setting(rounds.ops.read(), "marketplace_url")
    if url is None:
        raise NotFound("this kiosk is not enrolled")
    client = Client(url)
    kiosk = files.Kiosk(directory=directory, catalog=catalog, ops=rounds.ops, version=rounds.version, media=media)
    report = rounds.run(client, own_faults=lambda: own_faults(kiosk, now=clock.now()), progress=_Progress())
    fetched = Fetched()
    if not report.problems:
        fetched = _fetch_media(rounds, client)
    if not report.problems and report.release is not None:
        _follow_release(rounds, client, report.release)
    click.echo(json.dumps(_report(report, fetched)) if as_json else _sentence(report, fetched))
    if report.problems:
        for problem in report.problems:
            click.echo(f"comptoir: {problem.code}: {problem.detail}", err=True)
        sys.exit(1)


class _Progress:
    """Shows a round that takes longer than a second, on a terminal only."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._is_shown = sys.stderr.isatty()

    def __call__(self, step: str, done: int, total: int) -> None:
        if self._is_shown and time.monotonic() - self._started > PROGRESS_FROM_S:
            click.echo(f"\r{step} {done:,} of {total:,}", nl=done == total, err=True)


def _fetch_media(rounds: Rounds, client: Client) -> Fetched:
    """Fetch media after a round that went well; that they fail is said, and is no failure of the round."""
    try:
        return rounds.fetch_media(client)
    except (PosError, OSError) as problem:
        click.echo(f"comptoir: media wait: {problem}", err=True)
        return Fetched()


def _follow_release(rounds: Rounds, client: Client, document: bytes) -> None:
    """Fetch all of the program's next version, since a person waits for it; likewise."""
    try:
        rounds.follow_release(client, document, most_bytes=MOST_BYTES)
    except (PosError, OSError) as problem:
        click.echo(f"comptoir: the next version waits: {problem}", err=True)


def _report(report: RoundReport, fetched: Fetched) -> dict[str, Any]:
    moved, pushed = report.moved, report.pushed
    down = None
    if moved is not None:
        names = ("before", "publication", "segments", "parts", "rows", "bytes", "apply_ms")
        down = {name: getattr(moved, name) for name in names}
    up = None
    if pushed is not None:
        up = {"sent": pushed.sent, "acked": pushed.acked, "pending": pushed.pending, "new_corner": pushed.is_new_corner}
    problems = [{"code": each.code, "detail": each.detail} for each in report.problems]
    media = {"files": fetched.files, "bytes": fetched.bytes, "refused": fetched.refused, "paused": fetched.is_paused}
    return {"down": down, "up": up, "media": media, "problems": problems}


def _sentence(report: RoundReport, fetched: Fetched) -> str:
    moved, pushed = report.moved, report.pushed
    down = "catalogue not reached"
    if moved is not None:
        down = f"publication {moved.publication}"
        down += f", {moved.rows:,} rows in {moved.bytes:,} bytes" if moved.publication > moved.before else ", nothing new"
    up = f"{pushed.sent} events sent, {pushed.pending} waiting" if pushed is not None else "no event sent"
    media = f"; media: {fetched.files} in {fetched.bytes:,} bytes" if fetched.files else ""
    return f"down: {down}; up: {up}{media}"
