"""`comptoir marketplace enrol · devices · confirm · refuse · revoke · gaps`: which devices are corners', what they owe."""

from __future__ import annotations

import json
from pathlib import Path

import click

from marketplace.db import reading
from marketplace.fleet.corners import corner_called
from marketplace.fleet.enrolments import confirm_device, refuse_device, requests, start_enrolment
from marketplace.fleet.gaps import all_gaps, sentences
from marketplace.fleet.revocations import devices, revoke_device
from marketplace.installation import opened
from marketplace.keys import directory_option
from pos import clock

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.command("enrol")
@click.argument("corner")
@directory_option
@click.option("--confirm", "must_confirm", is_flag=True, help="Let the device wait until its fingerprint was compared.")
def enrol_command(corner: str, directory: Path, *, must_confirm: bool) -> None:
    """Print a one-time code for a corner, good for ten minutes."""
    with opened(directory) as engine:
        with reading(engine) as connection:
            corner_id = corner_called(connection, corner)
        click.echo(start_enrolment(engine, corner_id, must_confirm=must_confirm, now=clock.now()))


@click.command("devices")
@directory_option
@json_option
def devices_command(directory: Path, *, as_json: bool) -> None:
    """List the devices that wait and those enrolled, with the fingerprints to compare."""
    now = clock.now()
    with opened(directory) as engine, reading(engine) as connection:
        waiting = [{**each, "state": "waiting"} for each in requests(connection, now=now)]
        every = waiting + devices(connection, now=now)
    names = ("corner_id", "key_id", "state", "fingerprint")
    shown = [{name: each[name] for name in names} for each in every]
    if as_json:
        click.echo(json.dumps(shown, ensure_ascii=False))
        return
    for each in shown:
        click.echo(
            f"{each['corner_id']:<24} {each['key_id']}  {each['state']:<11} {each['fingerprint'] or 'no fingerprint kept'}"
        )


@click.command("confirm")
@click.argument("key_id")
@directory_option
def confirm_command(key_id: str, directory: Path) -> None:
    """Confirm a waiting device whose fingerprint is the one its screen shows."""
    with opened(directory) as engine:
        request = confirm_device(engine, key_id, now=clock.now())
    click.echo(f"confirmed {key_id} at {request['corner_id']}, fingerprint {request['fingerprint']}")


@click.command("refuse")
@click.argument("key_id")
@directory_option
def refuse_command(key_id: str, directory: Path) -> None:
    """Refuse a waiting device whose fingerprint is another than its screen shows."""
    with opened(directory) as engine:
        request = refuse_device(engine, key_id, now=clock.now())
    click.echo(f"refused {key_id} at {request['corner_id']}")


@click.command("revoke")
@click.argument("key_id")
@directory_option
@click.option(
    "--from-counter", type=int, metavar="N", help="The first slip that is refused; by default the first not yet heard of."
)
def revoke_command(key_id: str, directory: Path, from_counter: int | None) -> None:
    """Withdraw a device: its slips below a counter stay good, nothing more is taken from it."""
    with opened(directory) as engine:
        revoked = revoke_device(engine, key_id, from_counter=from_counter, now=clock.now())
    click.echo(f"revoked {key_id} at {revoked['corner_id']} from slip {revoked['from_counter']} on")


@click.command("gaps")
@directory_option
@json_option
def gaps_command(directory: Path, *, as_json: bool) -> None:
    """List the slips and events that exist in a corner and never arrived here."""
    with opened(directory) as engine, reading(engine) as connection:
        corners = all_gaps(connection)
    if as_json:
        click.echo(json.dumps(corners, ensure_ascii=False))
        return
    for corner in corners:
        for gap in corner["gaps"]:
            for sentence in sentences(gap):
                click.echo(f"corner {corner['corner_no']} ({corner['corner_id']}), key {gap['key_id']}: {sentence}")
    if not corners:
        click.echo("no gap: everything known of has arrived")
