"""`comptoir sample`: apart from the other commands of the demo, since it needs none of the system they run."""

from __future__ import annotations

from pathlib import Path

import click

from demo.sample import write_feed


@click.command("sample")
@click.option("--listings", required=True, type=click.IntRange(1, 5_000_000))
@click.option("--seed", default=1, show_default=True, type=int)
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--country",
    "countries",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False, resolve_path=True),
    help="A folder of one more country, as in demo/sample/markets.",
)
def sample_command(listings: int, seed: int, out: Path, countries: tuple[Path, ...]) -> None:
    """Write a catalogue feed: the same bytes for the same number and seed."""
    write_feed(out, listings=listings, seed=seed, added=countries)
    click.echo(f"{listings:,} listings in {out}")
