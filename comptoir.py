"""The command line: every command's name, its one line of help, and where it is loaded from when it is called.

The help of a group loads none of its commands, and a command loads what it needs itself.
Exit status: 0 done, 1 the work failed (one line on stderr), 2 wrong usage.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping, Sequence

import click

from pos.errors import PosError
from pos.privacy import UMASK

EXTRAS = ("marketplace", "demo")
"""The parts whose libraries `pip install comptoir` leaves out; each has an extra of its name."""


class Gathering(click.Group):
    """A group that knows its commands by one line each, and loads the one that is called."""

    def __init__(
        self, name: str, modules: Mapping[str, Mapping[str, str]], *, line: str, groups: Sequence[click.Group] = ()
    ) -> None:
        """Gather each module's commands by name and the first paragraph of their help; `x-y` is called `x_y_command` there."""
        super().__init__(name, help=line, commands=groups)
        self._modules = {command: module for module, commands in modules.items() for command in commands}
        self._lines = {command: line for commands in modules.values() for command, line in commands.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, loading none."""
        return sorted([*self._modules, *super().list_commands(ctx)])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command from its part. Raises: ClickException when the part is not installed."""
        if cmd_name not in self._modules:
            return super().get_command(ctx, cmd_name)
        extra = self._modules[cmd_name].partition(".")[0]
        try:
            command: click.Command = getattr(
                importlib.import_module(self._modules[cmd_name]), f"{cmd_name.replace('-', '_')}_command"
            )
        except ModuleNotFoundError as missing:
            if extra not in EXTRAS:
                raise
            said = f"not installed here ({missing.name} is missing): pip install 'comptoir[{extra}]'"
            raise click.ClickException(f"`{ctx.command_path} {cmd_name}` is {said}") from missing
        return command

    def line_of(self, name: str) -> str:
        """Return a command's one line of help."""
        return self._lines.get(name) or self.commands[name].help or ""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each command and its line, which click shortens to the room there is."""
        names = self.list_commands(ctx)
        room = formatter.width - 6 - max(len(name) for name in names)
        lines = [click.Command(name, help=self.line_of(name)).get_short_help_str(room) for name in names]
        with formatter.section("Commands"):
            formatter.write_dl(list(zip(names, lines, strict=True)))


kiosk = Gathering(
    "kiosk",
    {
        "kiosk.backups": {
            "backup": "Copy the records as of this hour and this day, each copy read through; the last 24 and seven stay.",
            "restore": "Put a copy of the records in their place, or list the copies; what stood there is kept.",
        },
        "kiosk.doctor": {
            "doctor": (
                "Check files, key, copies, machine, clock, browser, network and printers: a table with remedies; status 1 for a "
                "FAULT."
            ),
        },
        "kiosk.enrolment": {
            "enrol": "Make this device the kiosk of a corner; the fingerprint shown must be the one HQ shows.",
            "set": "Set what only this device knows: its printer, its marketplace, its neighbours, and what room media may take.",
        },
        "kiosk.factory_reset": {
            "factory-reset": "Wipe records, key and catalogue; what HQ has not heard is sent, or saved with --save, before.",
        },
        "kiosk.releases": {
            "pin-releases": "Let root take releases from the HQ this kiosk is enrolled at: `update trust` calls it.",
            "take-release": "Verify the release the app fetched by what root trusts, and copy it: `update` calls it.",
        },
        "kiosk.rounds": {
            "sync": "Do one round, up and down, and print what moved.",
        },
        "kiosk.serving": {
            "serve": "Serve the corner's screens, and keep in step with HQ.",
            "status": "Describe the kiosk: corner, catalogue, outbox, printers, faults.",
        },
    },
    line="The in-store app of one corner.",
)

marketplace = Gathering(
    "marketplace",
    {
        "marketplace.commands": {
            "serve": "Serve customers, the fleet and the console.",
        },
        "marketplace.feeds.commands": {
            "import": "Import a feed: all of it, or nothing and the reasons.",
        },
        "marketplace.fleet.commands": {
            "confirm": "Confirm a waiting device whose fingerprint is the one its screen shows.",
            "devices": "List the devices that wait and those enrolled, with the fingerprints to compare.",
            "enrol": "Print a one-time code for a corner, good for ten minutes.",
            "gaps": "List the slips and events that exist in a corner and never arrived here.",
            "refuse": "Refuse a waiting device whose fingerprint is another than its screen shows.",
            "revoke": "Withdraw a device: its slips below a counter stay good, nothing more is taken from it.",
        },
        "marketplace.keys": {
            "keys": "The keys by which kiosks know HQ.",
        },
        "marketplace.money.identity_commands": {
            "identity": "Say who invoices sellers for our fees, or show who does; what waits for it is invoiced within the hour.",
        },
        "marketplace.money.provider_commands": {
            "payments": "Set the payment provider up from two files with its secrets, or say how it is set up.",
        },
        "marketplace.orders.carrier_commands": {
            "carriers": "Set a carrier up to order its plans, or say which are.",
        },
        "marketplace.publishing.commands": {
            "halt": "End the open trial and lead its corners back; its rows stay back until the feed says something else.",
            "promote": "Give the open trial to the next ring; all of the last ring ends it, and everybody has it.",
            "publish": "Publish what changed to the fleet, or to a ring of it as a trial.",
            "ring": "Say when a corner gets what is on trial.",
            "rollback": (
                "Publish the rows of publication VERSION again; what replaced them stays back until the feed says something else."
            ),
            "sweep": "Delete files of the protocol that nobody can ask for any more; `serve` does this once a day.",
            "trial": "Say which trials are open, how far they are, and how they do.",
        },
        "marketplace.publishing.release_commands": {
            "release": "The kiosks' program: versions, and which ring gets which.",
        },
        "marketplace.running.commands": {
            "mail": "Name the server that mail leaves by, or say which is named and how many mails wait.",
        },
        "marketplace.sellers.commands": {
            "apikey": "Make an API key for a seller; prints it, once.",
        },
        "marketplace.setup_commands": {
            "init": "Set a marketplace up; prints the console's password, once.",
            "upgrade": "Bring the database to this program's version; nobody may serve meanwhile.",
        },
    },
    line="The central app: feeds, publishing, slips, orders, fleet.",
)

slip = Gathering(
    "slip",
    {
        "kiosk.slip_token": {
            "read": "Print a slip token's fields as JSON, and whether its signature holds.",
        },
    },
    line="Look at slips.",
)

sync = Gathering(
    "sync",
    {
        "kiosk.bundles": {
            "import": "Bring a kiosk to what a folder holds, when HQ signed it and it is newer.",
        },
        "marketplace.publishing.bundles": {
            "export": "Write what a kiosk needs to a folder, signatures included.",
        },
    },
    line="Carry the catalogue to corners that no network reaches.",
)

comptoir = Gathering(
    "comptoir",
    {
        "demo.commands": {
            "demo": "Run marketplace, kiosk, a virtual printer and a demo bank on this machine, until Ctrl-C.",
        },
        "demo.fleet_commands": {
            "fleet": "Run simulated corners against a marketplace and print what it answered.",
        },
        "demo.sample_commands": {
            "sample": "Write a catalogue feed: the same bytes for the same number and seed.",
        },
    },
    line="Point of sale for refurbished electronics: kiosk, slip, marketplace.",
    groups=(kiosk, marketplace, slip, sync),
)
comptoir = click.version_option(package_name="comptoir")(comptoir)


def main() -> None:
    """Run the command line and turn every failure into one line and a status; what it creates is its owner's alone."""
    os.umask(UMASK)
    try:
        comptoir.main(prog_name="comptoir", standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.ClickException as problem:
        problem.show()
        sys.exit(problem.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
    except PosError as problem:
        facts = ", ".join(f"{name} {value}" for name, value in problem.data.items())
        _fail(": ".join(part for part in (problem.code, problem.detail, facts) if part))
    except Exception as problem:
        # Whatever failed, a person gets one line; `python -X dev -m comptoir …` shows where it came from.
        if sys.flags.dev_mode:
            raise
        _fail(f"{type(problem).__name__}: {problem}")


def _fail(sentence: str) -> None:
    click.echo(f"comptoir: {' '.join(sentence.splitlines()[:1])}", err=True)
    sys.exit(1)


if __name__ == "__main__":
    main()
