"""`comptoir marketplace keys …`: HQ's keys, made, replaced and described."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from marketplace.installation import keys_path, read_installation, sync_path
from pos import clock
from sync.hq.keys import ROOT
from sync.hq.repository import ROOT_KEYS, THRESHOLD, create, rotate, status

directory_option = click.option(
    "--dir", "directory", type=click.Path(path_type=Path, file_okay=False), required=True, help="The marketplace's directory."
)
root_keys_option = click.option(
    "--root-keys", default=ROOT_KEYS, show_default=True, type=click.IntRange(1, 15), help="How many root keys are made."
)
threshold_option = click.option(
    "--threshold", default=THRESHOLD, show_default=True, type=click.IntRange(1, 15), help="How many of them must sign."
)


@click.group("keys")
def keys_command() -> None:
    """The keys by which kiosks know HQ."""


@keys_command.command("init")
@directory_option
@root_keys_option
@threshold_option
def init_command(directory: Path, root_keys: int, threshold: int) -> None:
    """Make the keys of a marketplace that has none."""
    read_installation(directory)
    create(sync_path(directory), keys_path(directory), threshold=threshold, root_keys=root_keys, now=clock.now())
    click.echo(f"root keys in {keys_path(directory) / ROOT}: move them to a safe place")


@keys_command.command("rotate")
@directory_option
@click.option(
    "--root-keys",
    "root_keys",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The folder that holds the root keys, when it is not the marketplace's own.",
)
@click.option("--root", "new_root_keys", is_flag=True, help="Make new root keys, too.")
@click.option("--threshold", type=click.IntRange(1, 15), help="How many root keys must sign from now on.")
def rotate_command(directory: Path, root_keys: Path | None, threshold: int | None, *, new_root_keys: bool) -> None:
    """Replace the online key and the reply key: what the old ones sign counts for nothing any more."""
    read_installation(directory)
    static, own = sync_path(directory), keys_path(directory)
    rotate(static, own, root_keys=root_keys, new_root_keys=new_root_keys, threshold=threshold, now=clock.now())
    for name, role in _roles(directory).items():
        click.echo(f"{name}: version {role['version']}, until {role['expires']}")


@keys_command.command("status")
@directory_option
def status_command(directory: Path) -> None:
    """Print who may sign what, and until when what is signed holds."""
    read_installation(directory)
    described = status(sync_path(directory), keys_path(directory), now=clock.now())
    for name, role in described["roles"].items():
        click.echo(
            f"{name:<10} version {role['version']}, {role['threshold']} of {len(role['keys'])} keys, "
            f"until {role['expires']}, {role['days_left']} days left"
        )
        for key in role["keys"]:
            here = "  (its private half is here)" if key in described["root_keys_here"] else ""
            click.echo(f"           {key}{here}")
    click.echo(f"replies    {', '.join(described['reply_keys'])}")


def _roles(directory: Path) -> dict[str, dict[str, Any]]:
    roles: dict[str, dict[str, Any]] = status(sync_path(directory), keys_path(directory), now=clock.now())["roles"]
    return roles
