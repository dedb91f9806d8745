"""`comptoir demo`: a whole small world on one machine."""

from __future__ import annotations

from pathlib import Path

import click

from demo.system import Demo, run_demo
from sync.addresses import Host, WebAddress


@click.command("demo")
@click.option("--dir", "directory", default="comptoir-demo", type=click.Path(path_type=Path, file_okay=False), show_default=True)
@click.option("--listings", type=click.IntRange(1, 2_000_000), help="Size of a new catalogue; 2,000 unless said.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(1, 65531), help="First of five ports.")
@click.option("--host", default="127.0.0.1", show_default=True, type=Host(), help="Where the marketplace listens.")
@click.option("--public-url", type=WebAddress(), help="The marketplace's address as a phone on the same network opens it.")
@click.option("--empty", "is_empty", is_flag=True, help="Begin without a past: no sellers' desks, no orders.")
@click.option("--fresh", is_flag=True, help="Begin again in the directory.")
def demo_command(
    directory: Path, listings: int | None, port: int, host: str, public_url: str | None, *, is_empty: bool, fresh: bool
) -> None:
    """Run marketplace, kiosk, a virtual printer and a demo bank on this machine, until Ctrl-C."""
    directory = directory.resolve()
    demo = Demo(directory=directory, listings=listings, host=host, port=port, public_url=public_url, is_empty=is_empty)
    run_demo(demo, fresh=fresh, say=click.echo)
