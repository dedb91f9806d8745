"""The command line: one group that gathers the commands of each part, loading a part only when it is called.

Exit status: 0 done, 1 the work failed (one line on stderr), 2 wrong usage.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

import click
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pos import clock, tokens
from pos.errors import Invalid, PosError
from pos.privacy import UMASK

# Commands are loaded when called, so that a kiosk starts without the central app's libraries.
PARTS = {
    "demo": "demo.commands:demo",
    "fleet": "demo.commands:fleet",
    "kiosk": "kiosk.commands:kiosk",
    "marketplace": "marketplace.commands:marketplace",
    "sample": "demo.sample_commands:sample",
}


# Both ends of one errand, each living in the part whose directory it works on.
ERRANDS = {
    "export": "marketplace.publishing.bundles:export_command",
    "import": "kiosk.bundles:import_command",
}


class Gathering(click.Group):
    """A group whose commands live in the parts."""

    parts = PARTS

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands of every part and our own."""
        return sorted([*self.parts, *super().list_commands(ctx)])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the command from its part."""
        if cmd_name not in self.parts:
            return super().get_command(ctx, cmd_name)
        module, name = self.parts[cmd_name].split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


class Errands(Gathering):
    """The group of what is carried by hand between HQ and a corner."""

    parts = ERRANDS


@click.group(cls=Gathering)
@click.version_option(package_name="comptoir")
def comptoir() -> None:
    """Point of sale for refurbished electronics: kiosk, slip, marketplace."""


@comptoir.group(cls=Errands)
def sync() -> None:
    """Carry the catalogue to corners that no network reaches."""


@comptoir.group()
def slip() -> None:
    """Look at slips."""


@slip.command()
@click.argument("digits_or_url")
@click.option("--public-key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="PEM, 32 raw bytes or hex.")
def read(digits_or_url: str, public_key: Path | None) -> None:
    """Print a slip token's fields as JSON, and whether its signature holds."""
    data = tokens.from_digits(digits_or_url.rstrip("/").rsplit("/", 1)[-1])
    token = tokens.decode(data)
    fields = {
        "layout": tokens.LAYOUT,
        "number": tokens.slip_number(token.corner_no, token.counter),
        "key_id": token.key_id.hex(),
        "corner_no": token.corner_no,
        "counter": token.counter,
        "clock_quality": token.clock_quality,
        "issued_by_clerk": token.issued_by_clerk,
        "currency": token.currency,
        "issued_at": clock.to_text(token.issued_at),
        "validity_hours": token.validity_hours,
        "valid_until": clock.to_text(token.valid_until),
        "publication": token.publication,
        "lines": [
            {
                "listing_id": line.listing_id or None,
                "plan_id": line.plan_id or None,
                "quantity": line.quantity,
                "option_ids": list(line.option_ids),
                "one_off_cents": line.one_off_cents,
                "monthly_cents": line.monthly_cents,
            }
            for line in token.lines
        ],
        "one_off_cents": token.one_off_cents,
        "monthly_cents": token.monthly_cents,
        "signature": "unchecked",
    }
    if public_key:
        fields["signature"] = "valid" if tokens.verify(data, _raw_public_key(public_key.read_bytes())) else "invalid"
    click.echo(json.dumps(fields, ensure_ascii=False, indent=2))
    if fields["signature"] == "invalid":
        _fail("the signature does not hold for this key")


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


def _raw_public_key(content: bytes) -> bytes:
    if len(content) == 32:
        return content
    if content.startswith(b"-----"):
        try:
            return load_pem_public_key(content).public_bytes_raw()  # type: ignore[union-attr]  # other kinds have no raw form
        except (ValueError, AttributeError):
            raise Invalid("not an Ed25519 public key") from None
    try:
        raw = bytes.fromhex(content.decode("ascii"))
    except ValueError:
        raw = b""
    if len(raw) != 32:
        raise Invalid("not an Ed25519 public key")
    return raw


if __name__ == "__main__":
    main()
