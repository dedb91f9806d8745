"""`comptoir marketplace release add · list · ring · withdraw`: the kiosks' program, and which ring gets which version of it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from marketplace.db import reading
from marketplace.installation import opened
from marketplace.keys import directory_option
from marketplace.publishing.releases import (
    KnownRelease,
    add_release,
    give_release,
    given,
    known_releases,
    release_corners,
    withdraw_release,
)
from pos import clock
from sync.heads import RINGS


@click.group("release")
def release_command() -> None:
    """The kiosks' program: versions, and which ring gets which."""


@release_command.command("add")
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@directory_option
def add_command(source: Path, directory: Path) -> None:
    """Take in what `make release` wrote, its file or the unpacked folder; no corner gets it yet."""
    with opened(directory) as engine:
        release = add_release(engine, directory, source, now=clock.now())
    click.echo(f"release {release.version}, {release.bytes:,} bytes: give it to a ring with `comptoir marketplace release ring`")


@release_command.command("list")
@directory_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_command(directory: Path, *, as_json: bool) -> None:
    """List the releases, which rings get them, and how many corners run them."""
    with opened(directory) as engine, reading(engine) as connection:
        releases, corners = known_releases(connection), release_corners(connection)
    running = {
        each.version: sum(n for (_, version), n in corners.running.items() if version == each.version) for each in releases
    }
    if as_json:
        facts = [{**asdict(each), "rings": _rings(releases, each), "corners": running[each.version]} for each in releases]
        click.echo(json.dumps({"releases": facts, "faults": dict(corners.faults)}))
        return
    for each in releases:
        state = f"withdrawn {each.withdrawn_at}" if each.withdrawn_at else ", ".join(_rings(releases, each)) or "no ring"
        click.echo(f"{each.version:<16} {state:<24} {running[each.version]:>6,} corners, added {each.added_at}")
    for code, count in sorted(corners.faults.items()):
        click.echo(f"{code}: {count:,} corners")
    if not releases:
        click.echo("no release was added")


@release_command.command("ring")
@click.argument("version")
@click.argument("ring", type=click.Choice(RINGS))
@directory_option
def ring_command(version: str, ring: str, directory: Path) -> None:
    """Give a release to the corners of a ring and of those before it; said again, corners that gave up on it try again."""
    with opened(directory) as engine:
        give_release(engine, directory, version, ring, now=clock.now())
    click.echo(f"release {version} reaches {', '.join(RINGS[: RINGS.index(ring) + 1])}")


@release_command.command("withdraw")
@click.argument("version")
@directory_option
def withdraw_command(version: str, directory: Path) -> None:
    """Take a release back for good: corners that have it go to the one before."""
    with opened(directory) as engine:
        withdraw_release(engine, directory, version, now=clock.now())
        with reading(engine) as connection:
            releases = known_releases(connection)
    now = {ring: release.version if (release := given(releases, ring)) else "none" for ring in RINGS}
    click.echo(f"release {version} is withdrawn; now {', '.join(f'{ring}: {name}' for ring, name in now.items())}")


def _rings(releases: list[KnownRelease], release: KnownRelease) -> list[str]:
    return [ring for ring in RINGS if given(releases, ring) == release]
