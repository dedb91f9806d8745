"""`comptoir fleet`: simulated corners against a marketplace, and histories of faults."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from demo.corners import remove_corners
from demo.fleet import Load, run_fleet
from demo.fleet_table import fleet_table
from demo.simulator.run import STEPS, run_seeds
from sync.addresses import WebAddress


@click.group("fleet", invoke_without_command=True)
@click.option("--kiosks", type=click.IntRange(1, 99_999), help="How many corners.")
@click.option("--against", "url", type=WebAddress(), help="The running marketplace.")
@click.option("--origin", type=WebAddress(), help="HQ's own address, when --against is a cache in front of it.")
@click.option("--minutes", default=5.0, show_default=True, type=click.FloatRange(min=0, min_open=True))
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The marketplace's directory: corners load-00001, … are enrolled in it and send slips. Without it they only follow.",
)
@click.option("--market", default="fr", show_default=True)
@click.option("--slips", default=25.0, show_default=True, type=click.FloatRange(min=0), help="Per corner and hour.")
@click.option("--outage", default=0.0, type=click.FloatRange(min=0), help="Seconds of silence after a quarter of the time.")
@click.option("--speed", default=1.0, show_default=True, type=click.FloatRange(min=0.01), help="How much faster everything goes.")
@click.option("--cold", is_flag=True, help="Corners begin without a catalogue and fetch all of it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--remove", is_flag=True, help="Take the simulated corners out of --dir, with all they sent.")
@click.pass_context
def fleet_command(ctx: click.Context, /, *, kiosks: int | None, url: str | None, directory: Path | None, **chosen: Any) -> None:
    """Run simulated corners against a marketplace and print what it answered."""
    if ctx.invoked_subcommand is not None:
        return
    if chosen.pop("remove"):
        if directory is None:
            raise click.UsageError("--remove needs --dir")
        click.echo(f"{remove_corners(directory):,} simulated corners removed")
        return
    if kiosks is None or url is None:
        raise click.UsageError("--kiosks and --against are needed")
    as_json = chosen.pop("as_json")
    load = Load(
        kiosks=kiosks,
        url=url,
        minutes=chosen["minutes"],
        directory=directory,
        market=chosen["market"],
        slips_per_hour=chosen["slips"],
        outage_s=chosen["outage"],
        speed=chosen["speed"],
        is_cold=chosen["cold"],
        origin=chosen["origin"],
    )
    report = run_fleet(load, progress=_FleetProgress())
    click.echo(json.dumps(report, indent=2) if as_json else fleet_table(report))


class _FleetProgress:
    """Shows how far the fleet is, on a terminal only."""

    def __init__(self) -> None:
        self._is_shown = sys.stderr.isatty()
        self._last = ("", -1)

    def __call__(self, stage: str, done: int, of: int) -> None:
        if self._is_shown and (stage, done) != self._last:
            self._last = (stage, done)
            click.echo(f"\r{stage} {done:,} of {of:,}   ", nl=False, err=True)


@fleet_command.command("simulate")
@click.option("--seeds", default=100, show_default=True, type=click.IntRange(1), help="How many histories to run.")
@click.option("--from", "first", default=0, show_default=True, type=click.IntRange(0), help="The first seed.")
@click.option("--steps", default=STEPS, show_default=True, type=click.IntRange(1), help="How long faults go on in each.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes side by side.")
def simulate(seeds: int, first: int, steps: int, jobs: int) -> None:
    """Run kiosks and HQ through faults, one seed a history; a seed that breaks a promise is printed and replays exactly."""
    failed = 0
    with click.progressbar(length=seeds, label="seeds", file=sys.stderr, hidden=not sys.stderr.isatty()) as bar:
        for outcome in run_seeds(range(first, first + seeds), steps=steps, jobs=jobs):
            bar.update(1)
            if outcome.violation is None:
                continue
            failed += 1
            if failed == 1:
                click.echo("\n".join(outcome.trace))
            again = f"comptoir fleet simulate --from {outcome.seed} --seeds 1 --steps {steps}"
            click.echo(f"seed {outcome.seed}: {outcome.violation}\n  again: {again}")
    click.echo(f"{seeds:,} seeds from {first:,}: {failed or 'none'} failed")
    if failed:
        sys.exit(1)
