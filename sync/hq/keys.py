"""HQ's private keys on disk, readable by their owner only.

Root keys decide which keys count and may live elsewhere; the online key signs what is published; the reply key signs HQ's answers
to kiosks. All are Ed25519 in PEM (PKCS #8, RFC 5958 and RFC 8410).
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from securesystemslib.signer import CryptoSigner

from pos.errors import Invalid, NotFound
from pos.files import read_file
from sync.blobs import sync_directory

ONLINE = "online.pem"
REPLY = "reply.pem"
ROOT = "root"
"""The folder of root keys below the folder of keys."""
MOST_KEY_BYTES = 2**14


def make_key(path: Path) -> None:
    """Put a new key at `path` in one durable step, in place of any there."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = path.with_name(f"{path.name}.part")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    sync_directory(path.parent)


def read_key(path: Path) -> Ed25519PrivateKey:
    """Return the key at `path`. Raises: NotFound, Invalid."""
    try:
        # Root keys come on a stick, the others perhaps as a link to where secrets are mounted.
        key = load_pem_private_key(read_file(path.resolve(), most_bytes=MOST_KEY_BYTES), password=None)
    except FileNotFoundError:
        raise NotFound(f"no key at {path}: `comptoir marketplace keys init` makes the keys of a marketplace") from None
    except OSError as problem:
        raise Invalid(f"{path} cannot be read: {problem.strerror or problem}") from None
    except (ValueError, TypeError):
        raise Invalid(f"{path} holds no private key") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Invalid(f"{path} holds no Ed25519 key")
    return key


def signer_at(path: Path) -> CryptoSigner:
    """Return what signs TUF metadata with the key at `path`. Raises: NotFound, Invalid."""
    return CryptoSigner(read_key(path))


def signers_in(directory: Path) -> list[CryptoSigner]:
    """Return the signers of every PEM file in `directory`, in order of their names."""
    return [signer_at(path) for path in sorted(directory.glob("*.pem"))]
