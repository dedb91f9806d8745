"""`comptoir demo` and `comptoir sample`."""

from __future__ import annotations

from pathlib import Path

import click

from demo.sample import write_feed
from demo.system import Demo, run_demo

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@click.command()
@click.option("--dir", "directory", default="comptoir-demo", type=click.Path(path_type=Path, file_okay=False), show_default=True)
@click.option("--listings", type=click.IntRange(1, 2_000_000), help="Size of a new catalogue; 2,000 unless said.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65532), help="First of four ports.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the marketplace listens.")
@click.option("--public-url", help="The marketplace's address as a phone on the same network opens it.")
@click.option("--fresh", is_flag=True, help="Begin again in the directory.")
def demo(directory: Path, listings: int | None, port: int, host: str, public_url: str | None, *, fresh: bool) -> None:
    """Run marketplace, kiosk and a virtual printer on this machine, until Ctrl-C."""
    address = public_url or f"http://{'127.0.0.1' if host in (*LOOPBACK, '0.0.0.0') else host}:{port}"  # noqa: S104 - compared only
    made = Demo(directory=directory.resolve(), listings=listings, host=host, port=port, public_url=address.rstrip("/"))
    run_demo(made, fresh=fresh, say=click.echo)


@click.command()
@click.option("--listings", required=True, type=click.IntRange(1, 5_000_000))
@click.option("--seed", default=1, show_default=True, type=int)
@click.option("--out", required=True, type=click.Path(path_type=Path, file_okay=False))
def sample(listings: int, seed: int, out: Path) -> None:
    """Write a catalogue feed: the same bytes for the same number and seed."""
    write_feed(out, listings=listings, seed=seed)
    click.echo(f"{listings:,} listings in {out}")
