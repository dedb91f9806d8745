"""A machine brings itself to the release that HQ signed, and back from one that does not come to health."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.releases import follow_release
from marketplace.publishing.releases import add_release, give_release
from pos import clock
from sync.corner.mirrors import open_trust
from tests.deploy.machines import AS_ROOT, Machine, layered_machine, make_release
from tests.deploy.releases import app
from tests.faults.conftest import Served
from tests.faults.corners import Corner

KIOSK, OWN = "/var/lib/comptoir/kiosk", "/var/lib/comptoir-update"
UPDATE = "/usr/lib/comptoir/update"
SERVICES = f"""#!/bin/sh
case "$*" in
  *restart*comptoir-kiosk*)
    fuser -sk 8001/tcp
    app="/opt/comptoir/current/venv/bin/comptoir kiosk serve --dir {KIOSK} --port 8001"
    setsid runuser -u comptoir -- $app >/dev/null 2>&1 & ;;
  *NRestarts*) echo 0 ;;
  enable*|mask*) SYSTEMD_OFFLINE=1 exec /usr/bin/systemctl "$@" ;;
esac
"""
"""A service manager as far as the updater needs one."""
SOON = "LOOK_S, GOOD_S, WINDOW_S, EXCHANGE_S = 0.1, 0.5, 60.0, 60.0"


class Shop:
    """A machine with release 9.9.0, and a kiosk's directory that is fetched to here and copied there."""

    def __init__(self, machine: Machine, served: Served, folder: Path) -> None:
        self.machine, self.served, self.folder = machine, served, folder
        self.corner = Corner(folder / "kiosk", served)
        machine.put(make_release(folder / "first", "9.9.0", main=app("9.9.0")), "/root/")
        machine.run("tar -xf comptoir-9.9.0.tar && comptoir-9.9.0/install")
        (folder / "systemctl").write_text(SERVICES)
        machine.put(folder / "systemctl", "/usr/local/sbin/")
        machine.run("chmod 755 /usr/local/sbin/systemctl && mkdir -p /run/systemd/system")
        machine.run(f"sed -i 's/^LOOK_S, GOOD_S.*/{SOON}/' {UPDATE}")
        machine.run("systemctl restart comptoir-kiosk")
        self.fetch()
        assert "from HQ by its root 1" in machine.run(f"{UPDATE} trust")

    def release(self, version: str, how: str = "well", *, files: dict[str, str] | None = None) -> None:
        """Have HQ give a release to everybody, and the app fetch it."""
        folder = self.folder / version
        make_release(folder, version, main=app(version, how))
        for name, text in (files or {}).items():
            (folder / f"comptoir-{version}" / "root" / name).write_text(text)
        engine, directory = self.served.hq.engine, self.served.hq.directory
        add_release(engine, directory, folder / f"comptoir-{version}", now=clock.now())
        give_release(engine, directory, version, "stable", now=clock.now())
        self.fetch()

    def fetch(self) -> None:
        """Do a round, fetch what there is, and lay the directory on the machine as its app would have it."""
        report = self.corner.round()
        trust = open_trust(self.corner.directory, self.corner.ops, self.corner.client, now=clock.now)
        follow_release(self.corner.directory, self.corner.ops, trust, report.release or b"", version="9.9.0", most_bytes=10**9)
        self.corner.ops.close()
        target = f"/proc/{self.machine.process}/cwd{KIOSK}"
        self.machine.run(f"rm -rf {KIOSK}")
        subprocess.run([*AS_ROOT, "cp", "-R", str(self.corner.directory), target], check=True, timeout=60)
        self.machine.run(f"chown -R comptoir:comptoir {KIOSK}")

    def serving(self) -> Any:
        return self.machine.run("readlink /opt/comptoir/current").strip()

    def state(self) -> Any:
        return json.loads(self.machine.run(f"cat {OWN}/state.json"))


@pytest.fixture
def shop(served: Served, tmp_path: Path) -> Iterator[Shop]:
    with layered_machine(tmp_path / "layer", has_network=False) as machine:
        yield Shop(machine, served, tmp_path)


def test_a_release_that_is_well_stays_and_each_that_is_not_gives_its_place_back(shop: Shop) -> None:
    run = shop.machine.run
    policy = "etc/sysctl.d/90-comptoir.conf"
    shop.release("9.9.1", files={policy: "kernel.sysrq = 0\n", "etc/udev/rules.d/71-new.rules": "# new\n"})

    # While somebody is there, nothing is begun.
    run("touch /tmp/busy")
    run(UPDATE)
    assert shop.serving() == "9.9.0"
    run("rm /tmp/busy")
    assert "comptoir 9.9.1 is healthy" in run(UPDATE)
    assert (shop.serving(), run(f"cat /{policy}"), run("ls /etc/udev/rules.d/71-new.rules | wc -l")) == (
        "9.9.1", "kernel.sysrq = 0\n", "1\n",
    )  # fmt: skip
    assert run("ls /opt/comptoir").split() == ["9.9.0", "9.9.1", "current"]
    assert "ops-" in run(f"ls {KIOSK}/backup"), "the records were copied before"
    assert run(f"find {KIOSK} -user root") == "", "nothing of the app's came to belong to root"

    shop.release("9.9.2", "crashes", files={"etc/udev/rules.d/72-bad.rules": "# bad\n"})
    run(f"sed -i 's/^LOOK_S, GOOD_S.*/{SOON.replace('60', '3')}/' {UPDATE}")
    assert "9.9.2 is not healthy: it does not answer; back to 9.9.1" in run(UPDATE)
    assert shop.serving() == "9.9.1"
    asked = "curl -sS --retry 60 --retry-delay 1 --retry-connrefused http://127.0.0.1:8001/status.json 2>/dev/null"
    assert json.loads(run(asked))["version"] == "9.9.1", "the one before serves again"
    assert run(f"ls /etc/udev/rules.d/72-bad.rules {OWN}/trial.json 2>&1 | grep -c 'No such'") == "2\n"
    # It is not tried again: nothing is done, though the app wants it still.
    assert run(UPDATE) == ""
    [refused] = shop.state()["refused"].values()
    assert (refused["version"], refused["until"][:4]) == ("9.9.2", "9999")


def test_root_installs_nothing_on_the_word_of_the_app_alone(shop: Shop) -> None:
    run = shop.machine.run
    shop.release("9.9.1")
    run(f"rm {OWN}/trust.db*")
    assert "no root of HQ's was pinned" in run(UPDATE, expect=1)
    assert shop.state()["problem"]["code"] == "update_failed"
    run(f"{UPDATE} trust")

    # What the app's user could write: another wheel under its name, a link to what is root's.
    blobs = f"{KIOSK}/update/b"
    run(f"for blob in {blobs}/*; do echo x >> $blob; done")
    assert "more than" in run(UPDATE, expect=1)
    run(f"for blob in {blobs}/*; do rm $blob; mkfifo $blob; done")
    assert "a named pipe, not a file" in run(UPDATE, expect=1)
    assert (shop.serving(), run("ls /opt/comptoir").split()) == ("9.9.0", ["9.9.0", "current"])

    # The disk has no room: a clear word, and all stays.
    shop.release("9.9.2")
    run(f"sed -i 's/^FREE_BYTES.*/FREE_BYTES = 2**60/' {UPDATE}")
    assert "no room for 9.9.2" in run(UPDATE, expect=1)
    assert shop.state()["problem"]["code"] == "update_no_room"
    assert shop.serving() == "9.9.0"
