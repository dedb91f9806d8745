"""The TUF roots of HQ, each a file that stays for ever: which keys count, said by the keys that counted before.

Invariant: a root is signed by enough of its own keys and of the one before it, or it is not written.
Source: TUF specification §5.3 (how clients walk from root to root) and §6.1 (key management).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, Snapshot, Targets, Timestamp
from tuf.api.serialization.json import JSONSerializer

from pos.errors import NotFound
from sync.blobs import replace_file
from sync.errors import NotEnoughKeys
from sync.hq.keys import make_key, signer_at, signers_in

ONLINE_ROLES = (Targets.type, Snapshot.type, Timestamp.type)


def newest_root(static: Path) -> str:
    """Return the newest root as text, for kiosks to pin. Raises: NotFound."""
    return root_path(static, newest_version(static)).read_text(encoding="utf-8")


def newest_version(static: Path) -> int:
    """Return the version of the newest root. Raises: NotFound before the first."""
    version = 0
    while root_path(static, version + 1).exists():
        version += 1
    if not version:
        raise NotFound(f"no root in {static / 'metadata'}: run `comptoir marketplace keys init` first")
    return version


def read_root(static: Path, version: int) -> Metadata[Root]:
    """Return a root as it was signed. Raises: OSError, RepositoryError."""
    return Metadata[Root].from_bytes(root_path(static, version).read_bytes())


def root_path(static: Path, version: int) -> Path:
    """Return where a root is served from."""
    return static / "metadata" / f"{version}.root.json"


def write_root(static: Path, root: Root, signers: Iterable[CryptoSigner], *, before: Root | None = None) -> None:
    """Sign a root and write it, once itself and the root `before` it would believe it. Raises: RepositoryError otherwise."""
    metadata = Metadata(root)
    for signer in {signer.public_key.keyid: signer for signer in signers}.values():
        metadata.sign(signer, append=True)
    for judge in (root, before or root):
        judge.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)
    replace_file(root_path(static, root.version), metadata.to_bytes(JSONSerializer(compact=True)))


def make_root_keys(folder: Path, version: int, count: int) -> list[CryptoSigner]:
    """Return the root keys first named by root `version`, made where they are missing: cut short, it goes on."""
    paths = [folder / f"{version}.{number}.pem" for number in range(1, count + 1)]
    for path in paths:
        if not path.exists():
            make_key(path)
    return [signer_at(path) for path in paths]


def keys_at_hand(folder: Path, root: Root) -> list[CryptoSigner]:
    """Return the keys in `folder` that `root` names as its own. Raises: NotEnoughKeys when they are fewer than decide."""
    role = root.roles[Root.type]
    signers = [signer for signer in signers_in(folder) if signer.public_key.keyid in role.keyids]
    if len(signers) < role.threshold:
        raise NotEnoughKeys(
            f"{len(signers)} of the {role.threshold} root keys needed are in {folder}", found=len(signers), needed=role.threshold
        )
    return signers


def name_root_keys(root: Root, signers: Iterable[CryptoSigner], threshold: int) -> None:
    """Let these keys alone, `threshold` of them together, decide on the next root."""
    _forget_keys(root, Root.type)
    for signer in signers:
        root.add_key(signer.public_key, Root.type)
    root.roles[Root.type].threshold = threshold


def name_online_key(root: Root, signer: CryptoSigner) -> None:
    """Let this key alone sign what is announced."""
    for role in ONLINE_ROLES:
        _forget_keys(root, role)
        root.add_key(signer.public_key, role)


def _forget_keys(root: Root, role: str) -> None:
    for keyid in list(root.roles[role].keyids):
        root.revoke_key(keyid, role)
