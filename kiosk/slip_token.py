"""`comptoir slip read`: a slip's token, field by field."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from pos import clock, tokens
from pos.errors import Invalid


@click.command("read")
@click.argument("digits_or_url")
@click.option("--public-key", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="PEM, 32 raw bytes or hex.")
def read_command(digits_or_url: str, public_key: Path | None) -> None:
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
        click.echo("comptoir: the signature does not hold for this key", err=True)
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
