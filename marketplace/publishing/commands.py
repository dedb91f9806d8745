"""`comptoir marketplace publish · trial · promote · halt · rollback · ring · sweep`: what HQ gives to whom, and takes back."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

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
    outlook,
    outlook_of_halt,
    outlook_of_promotion,
    outlook_of_rollback,
    roll_back_all,
    shares_of,
    standing,
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
            seen = [outlook(engine, directory, each, shares=shares) for each in chosen]
            click.echo(json.dumps([_facts(each) for each in seen]) if as_json else "\n".join(map(_say_outlook, seen)))
            return
        done = {each: publish_market(engine, directory, each, shares=shares) for each in chosen}
    _say_published(done, as_json=as_json)


@click.command("trial")
@directory_option
@market_option
@json_option
def trial_command(directory: Path, market: str | None, *, as_json: bool) -> None:
    """Say which trials are open, how far they are, and how they do."""
    with opened(directory) as engine, reading(engine) as connection:
        found = [seen for each in ([market] if market else markets(engine)) if (seen := standing(connection, each))]
    if as_json:
        click.echo(json.dumps([{**asdict(seen), "reason_to_halt": seen.reason_to_halt} for seen in found]))
    else:
        click.echo("\n".join(map(_say_standing, found)) or "no trial is open")


@click.command("promote")
@directory_option
@click.option("--ring", type=click.Choice(RINGS), help="Where to; the next ring by default.")
@percent_option
@market_option
@preview_option
def promote_command(directory: Path, ring: str | None, percent: int, market: str | None, *, is_preview: bool) -> None:
    """Give the open trial to the next ring; all of the last ring ends it, and everybody has it."""
    with opened(directory) as engine:
        for each in _on_trial(engine, market):
            goal = ring or next_ring(each.trial)
            if is_preview:
                click.echo(_say_outlook(outlook_of_promotion(engine, directory, each.market, ring=goal, percent=percent)))
                continue
            done = advance(engine, directory, each.market, ring=goal, percent=percent)
            said = f"promoted, publication {done.publication}" if done else f"{percent} % of {goal}"
            click.echo(f"{each.market}: trial {each.trial.trial_id}: {said}")


@click.command("halt")
@directory_option
@click.option("--reason", default="by hand", show_default=True, help="Kept with the trial.")
@market_option
@preview_option
def halt_command(directory: Path, reason: str, market: str | None, *, is_preview: bool) -> None:
    """End the open trial and lead its corners back; its rows stay back until the feed says something else."""
    with opened(directory) as engine:
        for each in _on_trial(engine, market):
            if is_preview:
                click.echo(_say_outlook(outlook_of_halt(engine, directory, each.market)))
                continue
            done = halt_trial(engine, directory, each.market, reason=reason)
            click.echo(f"{each.market}: trial {each.trial.trial_id} halted, publication {done.publication}")


@click.command("rollback")
@click.argument("version", type=click.IntRange(1))
@directory_option
@market_option
@preview_option
def rollback_command(version: int, directory: Path, market: str | None, *, is_preview: bool) -> None:
    """Publish the rows of publication VERSION again; what replaced them stays back until the feed says something else."""
    with opened(directory) as engine:
        if is_preview:
            for each in [market] if market else markets(engine):
                click.echo(_say_outlook(outlook_of_rollback(engine, directory, each, version)))
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


def _on_trial(engine: Any, market: str | None) -> list[Standing]:
    with reading(engine) as connection:
        found = [seen for each in ([market] if market else markets(engine)) if (seen := standing(connection, each))]
    if not found:
        raise NoTrial("no trial is open")
    return found


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


def _facts(seen: Outlook) -> dict[str, Any]:
    return {"market": seen.market, "corners": seen.corners, "preview": asdict(seen.preview) if seen.preview else None}


def _say_outlook(seen: Outlook) -> str:
    if seen.preview is None:
        return f"{seen.market}: everything is new, for {seen.corners:,} corners"
    if not seen.preview.rows:
        return f"{seen.market}: nothing would change"
    lines = [f"{seen.market}: {seen.preview.rows:,} rows, {seen.preview.bytes:,} bytes each for {seen.corners:,} corners"]
    counts = (("added", seen.preview.added), ("changed", seen.preview.changed), ("removed", seen.preview.removed))
    for word, by_table in counts:
        lines += [f"  {table}: {number:,} {word}" for table, number in by_table.items()]
    moved = seen.preview.movement
    if moved.changed:
        lines.append(f"  prices: {moved.raised:,} up, {moved.changed - moved.raised:,} down, {moved.jumped:,} by more than half")
    lines += [
        f"  listing {move.listing_id}: {decimal(move.was_cents, seen.currency)} → {decimal(move.now_cents, seen.currency)}"
        for move in seen.preview.moves
    ]
    if seen.preview.held:
        lines.append(f"  {seen.preview.held:,} rows stay back")
    return "\n".join(lines)


def _say_standing(seen: Standing) -> str:
    share = seen.trial.shares.get(reached(seen.trial.shares), 0) // 100
    said = f"{seen.market}: trial {seen.trial.trial_id} since {seen.trial.opened_at}, {share} % of {reached(seen.trial.shares)}"
    said += f"; {seen.arrived} of {seen.corners} corners have it, {len(seen.failed)} failed"
    said += f", {seen.jumped} of {seen.changed} prices jumped" if seen.changed else ""
    return said + (f", {seen.vanished} of {seen.offered} offers vanish" if seen.vanished else "")
