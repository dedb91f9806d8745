"""A corner's kiosk as HQ enrols it, made in this process: its key, its document and the catalogue its market published."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from marketplace.db import open_engine, reading
from marketplace.fleet.corners import corner_document
from marketplace.fleet.enrolments import Enrolment, enrol_device, start_enrolment
from marketplace.installation import read_installation, replica_path
from pos import clock, ops
from pos.corners import store_corner
from pos.db import connect


def found_corner(marketplace: Path, kiosk: Path, corner_id: str, *, url: str) -> None:
    """Enrol a kiosk of a corner in the directory `kiosk`; `url` is the marketplace's."""
    key, engine = Ed25519PrivateKey.generate(), open_engine(read_installation(marketplace).database)
    code = start_enrolment(engine, corner_id, now=clock.now())
    public_key = key.public_key().public_bytes_raw().hex()
    enrolment = enrol_device(engine, code, public_key, slip_prefix=f"{url}/k/", now=clock.now())
    with reading(engine) as connection:
        document = corner_document(connection, corner_id, slip_prefix=f"{url}/k/")
    engine.dispose()
    assert isinstance(enrolment, Enrolment)
    kiosk.mkdir(exist_ok=True)
    with (
        closing(connect(replica_path(marketplace, document["market"]), durable=False)) as replica,
        closing(connect(kiosk / "catalog.db", durable=False)) as copy,
    ):
        replica.conn.backup(copy.conn)
    (kiosk / "device.key").write_bytes(key.private_bytes_raw())
    (kiosk / "device.key").chmod(0o600)
    store = ops.open_ops(kiosk / "ops.db")
    with store.write() as records:
        for name, value in {"corner_sha256": "0" * 64, "marketplace_url": url, "key_id": enrolment.key_id, "acked": 0}.items():
            ops.store_setting(records, name, value)
        ops.store_setting(records, "stream", enrolment.stream)
        store_corner(records, dict(document))
    store.close()
