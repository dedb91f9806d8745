"""`comptoir marketplace import`: a feed becomes the catalogue HQ works from, or is refused with every reason."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from marketplace.feeds.imports import Imported, import_feed
from marketplace.feeds.problems import FeedRefused
from marketplace.installation import opened, sync_path
from marketplace.keys import directory_option

SHOWN_EVERY_S = 0.2


@click.command("import")
@click.argument("feed", type=click.Path(path_type=Path, exists=True, file_okay=False))
@directory_option
@click.option("--confirm-withdrawals", is_flag=True, help="Take off sale what left the feed, however much it is.")
def import_command(feed: Path, directory: Path, *, confirm_withdrawals: bool) -> None:
    """Import a feed: all of it, or nothing and the reasons."""
    try:
        with opened(directory) as engine:
            static = sync_path(directory)
            imported = import_feed(engine, feed, static=static, progress=Ticker(), is_withdrawal_meant=confirm_withdrawals)
    except FeedRefused as refusal:
        for problem in refusal.data["problems"]:
            click.echo("{file}:{line}: {field}: {reason}".format(**problem), err=True)
        raise click.ClickException(f"{len(refusal.data['problems'])} problem(s): nothing was imported") from None
    for note in imported.notes:
        click.echo(note, err=True)
    click.echo(_summary(imported))


class Ticker:
    """Shows how far a long import is, on a terminal only."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._last = 0.0

    def __call__(self, stage: str, count: int) -> None:
        """Show a stage and its count of rows, at most five times a second."""
        if self._is_shown and time.monotonic() - self._last > SHOWN_EVERY_S:
            self._last = time.monotonic()
            click.echo(f"\r{stage} {count:,} listings", nl=False, err=True)


def _summary(imported: Imported) -> str:
    totals = [sum(counts.values()) for counts in (imported.added, imported.changed, imported.removed)]
    added, changed, removed = totals
    return f"{imported.feed}: {imported.listings:,} listings; {added:,} rows added, {changed:,} changed, {removed:,} removed"
