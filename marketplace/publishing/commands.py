"""`comptoir marketplace publish · trial · promote · halt · rollback · ring · sweep`: what HQ gives to whom, and takes back."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Connection, Engine

from marketplace.db import reading
from marketplace.fleet.corners import corner_called, set_ring
from marketplace.installation import opened
from marketplace.keys import directory_option
from marketplace.publishing.publications import markets, publish_market, sweep_files
from marketplace.publishing.trials import (
    Outlook,
    Standing,
    advance,
    halt_trial,
    next_ring,
    outlook_of_halt,
    outlook_of_promotion,
    outlook_of_publication,
    outlook_of_rollback,
    roll_back_all,
    shares_of,
    trial_standing,
)
from pos.currencies import decimal
from sync.heads import RINGS
from sync.hq.publisher import Published
from sync.hq.trials import NoTrial, reached

market_option = click.option("--market", metavar="M", help="One market only; all by default.")
preview_option = click.option("--preview", "is_preview", is_flag=True, help="Only say what it would change.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
percent_option = click.option(
    "--percent", default=100, show_default=True, type=click.IntRange(0, 100), help="How many of that ring's corners."
)


@click.command("publish")
@directory_option
@click.option("--ring", default=RINGS[-1], show_default=True, type=click.Choice(RINGS), help="How far it goes at first.")
@percent_option
@market_option
@preview_option
@json_option
def publish_command(directory: Path, ring: str, percent: int, market: str | None, *, is_preview: bool, as_json: bool) -> None:
    """Publish what changed to the fleet, or to a ring of it as a trial."""
    shares = shares_of(ring, percent)
    with opened(directory) as engine:
        chosen = [market] if market else markets(engine)
        if not chosen:
            click.echo("nothing to publish: import a feed first")
        if is_preview:
            outlooks = [outlook_of_publication(engine, directory, name, shares=shares) for name in chosen]
            click.echo(json.dumps(list(map(_facts, outlooks))) if as_json else "\n".join(map(_say_outlook, outlooks)))
            return
        done = {name: publish_market(engine, directory, name, shares=shares) for name in chosen}
    _say_published(done, as_json=as_json)


@click.command("trial")
@directory_option
@market_option
@json_option
def trial_command(directory: Path, market: str | None, *, as_json: bool) -> None:
    """Say which trials are open, how far they are, and how they do."""
    with opened(directory) as engine, reading(engine) as connection:
        standings = _standings(engine, connection, market)
    if as_json:
        click.echo(json.dumps([{**asdict(trial), "reason_to_halt": trial.reason_to_halt} for trial in standings]))
    else:
        click.echo("\n".join(map(_say_standing, standings)) or "no trial is open")


@click.command("promote")
@directory_option
@click.option("--ring", type=click.Choice(RINGS), help="Where to; the next ring by default.")
@percent_option
@market_option
@preview_option
def promote_command(directory: Path, ring: str | None, percent: int, market: str | None, *, is_preview: bool) -> None:
    """Give the open trial to the next ring; all of the last ring ends it, and everybody has it."""
    with opened(directory) as engine:
        for standing in _on_trial(engine, market):
            goal = ring or next_ring(standing.trial)
            if is_preview:
                click.echo(_say_outlook(outlook_of_promotion(engine, directory, standing.market, ring=goal, percent=percent)))
                continue
            done = advance(engine, directory, standing.market, ring=goal, percent=percent)
            said = f"promoted, publication {done.publication}" if done else f"{percent} % of {goal}"
            click.echo(f"{standing.market}: trial {standing.trial.trial_id}: {said}")


@click.command("halt")
@directory_option
@click.option("--reason", default="by hand", show_default=True, help="Kept with the trial.")
@market_option
@preview_option
def halt_command(directory: Path, reason: str, market: str | None, *, is_preview: bool) -> None:
    """End the open trial and lead its corners back; its rows stay back until the feed says something else."""
    with opened(directory) as engine:
        for standing in _on_trial(engine, market):
            if is_preview:
                click.echo(_say_outlook(outlook_of_halt(engine, directory, standing.market)))
                continue
            done = halt_trial(engine, directory, standing.market, reason=reason)
            click.echo(f"{standing.market}: trial {standing.trial.trial_id} halted, publication {done.publication}")


@click.command("rollback")
@click.argument("version", type=click.IntRange(1))
@directory_option
@market_option
@preview_option
def rollback_command(version: int, directory: Path, market: str | None, *, is_preview: bool) -> None:
    """Publish the rows of publication VERSION again; what replaced them stays back until the feed says something else."""
    with opened(directory) as engine:
        if is_preview:
            for name in [market] if market else markets(engine):
                click.echo(_say_outlook(outlook_of_rollback(engine, directory, name, version)))
            return
        done = roll_back_all(engine, directory, version, chosen=[market] if market else None)
    _say_published(done, as_json=False)


@click.command("ring")
@click.argument("corner")
@click.argument("ring", type=click.Choice(RINGS))
@directory_option
def ring_command(corner: str, ring: str, directory: Path) -> None:
    """Say when a corner gets what is on trial."""
    with opened(directory) as engine:
        with reading(engine) as connection:
            corner_id = corner_called(connection, corner)
        set_ring(engine, corner_id, ring)
    click.echo(f"{corner_id}: {ring}")


@click.command("sweep")
@directory_option
def sweep_command(directory: Path) -> None:
    """Delete files of the protocol that nobody can ask for any more; `serve` does this once a day."""
    with opened(directory) as engine:
        files, size = sweep_files(engine, directory)
    click.echo(f"{files:,} files, {size:,} bytes deleted")


def _standings(engine: Engine, connection: Connection, market: str | None) -> list[Standing]:
    """Return how the open trials of all markets do, or of one."""
    names = [market] if market else markets(engine)
    return [standing for name in names if (standing := trial_standing(connection, name)) is not None]


def _on_trial(engine: Engine, market: str | None) -> list[Standing]:
    """Return the same where there is one at least. Raises: NoTrial."""
    with reading(engine) as connection:
        standings = _standings(engine, connection, market)
    if not standings:
        raise NoTrial("no trial is open")
    return standings


def _say_published(done: dict[str, Published | None], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({market: published.publication if published else None for market, published in done.items()}))
        return
    for market, published in done.items():
        click.echo(f"{market}: {_said(published)}")


def _said(published: Published | None) -> str:
    if published is None:
        return "nothing changed"
    trial = f", trial {published.trial.name} at {published.trial.publication}" if published.trial else ""
    return f"publication {published.publication}{trial}"


def _facts(outlook: Outlook) -> dict[str, Any]:
    return {"market": outlook.market, "corners": outlook.corners, "preview": asdict(outlook.preview) if outlook.preview else None}


def _say_outlook(outlook: Outlook) -> str:
    preview = outlook.preview
    if preview is None:
        return f"{outlook.market}: everything is new, for {outlook.corners:,} corners"
    if not preview.rows:
        return f"{outlook.market}: nothing would change"
    lines = [f"{outlook.market}: {preview.rows:,} rows, {preview.bytes:,} bytes each for {outlook.corners:,} corners"]
    counts = (("added", preview.added), ("changed", preview.changed), ("removed", preview.removed))
    for word, by_table in counts:
        lines += [f"  {table}: {number:,} {word}" for table, number in by_table.items()]
    moved = preview.movement
    if moved.changed:
        lines.append(f"  prices: {moved.raised:,} up, {moved.changed - moved.raised:,} down, {moved.jumped:,} by more than half")
    lines += [
        f"  listing {move.listing_id}: {decimal(move.was_cents, outlook.currency)} → {decimal(move.now_cents, outlook.currency)}"
        for move in preview.moves
    ]
    if preview.held:
        lines.append(f"  {preview.held:,} rows stay back")
    return "\n".join(lines)


def _say_standing(standing: Standing) -> str:
    trial, ring = standing.trial, reached(standing.trial.shares)
    said = f"{standing.market}: trial {trial.trial_id} since {trial.opened_at}, {trial.shares.get(ring, 0) // 100} % of {ring}"
    said += f"; {standing.arrived} of {standing.corners} corners have it, {len(standing.failed)} failed"
    said += f", {standing.jumped} of {standing.changed} prices jumped" if standing.changed else ""
    return said + (f", {standing.vanished} of {standing.offered} offers vanish" if standing.vanished else "")
