"""The operating page is followed from its first line: a machine with Debian becomes a corner that works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from marketplace.fleet.enrolments import start_enrolment
from pos import clock
from tests.deploy.machines import REPOSITORY, Machine, make_release
from tests.faults.conftest import Served

PAGE = (REPOSITORY / "docs" / "operating.md").read_text(encoding="utf-8")
SECTION = PAGE[PAGE.index("## From bare Debian 12") : PAGE.index("## A corner\n")]
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL) for line in block.splitlines()]
UNITS = sorted(path.name for path in (REPOSITORY / "deploy/root/etc/systemd/system").iterdir())


def test_the_page_followed_makes_a_machine_the_kiosk_of_its_corner(machine: Machine, served: Served, tmp_path: Path) -> None:
    machine.put(make_release(tmp_path), "/root/")
    code = start_enrolment(served.hq.engine, "nantes-crebillon", now=clock.now())
    own = {"0.1.0": "9.9.0", "https://comptoir.example": served.url, "7K3M-Q9TD": code}
    # Debian's packages and a running service manager are tried on a bare machine: see test_bare_machine.py.
    elsewhere = [line for line in COMMANDS if line.startswith(("apt-get ", "systemctl start "))]
    assert len(elsewhere) == 3

    said = {}
    for line in COMMANDS:
        if line not in elsewhere:
            said[line] = machine.run(re.sub("|".join(map(re.escape, own)), lambda found: own[found[0]], line), expect=None)

    enrol, doctor = (next(each for each in said if f"kiosk {name}" in each) for name in ("enrol", "doctor"))
    assert said["comptoir-0.1.0/install"].splitlines()[-1:] == ["comptoir 9.9.0 is installed"], said
    assert "enrolled as nantes-crebillon" in said[enrol]
    checks = dict(re.findall(r"^(\w+) +(ok|FAULT) ", said[doctor], re.MULTILINE))
    assert [name for name, state in checks.items() if state != "ok"] == ["printer"], said[doctor]  # none hangs on this machine
    machine.run(
        "SYSTEMD_OFFLINE=1 systemctl is-enabled comptoir.target comptoir-kiosk.service comptoir-screen.service seatd.service"
    )
    assert machine.run("stat -c '%U %a' /var/lib/comptoir/kiosk /var/lib/comptoir/kiosk/ops.db").split() == [
        "comptoir",
        "700",
        "comptoir",
        "600",
    ]
    machine.run("runuser -u comptoir-screen -- ls /var/lib/comptoir/kiosk", expect=2)

    # The service manager and udev understand what was installed, word for word.
    assert machine.run(f"systemd-analyze verify {' '.join(UNITS)}") == ""
    assert float(machine.run("systemd-analyze security --offline=true comptoir-kiosk.service").split()[-3]) < 2.5
    rules = machine.run("udevadm test --action=add /sys/class/mem/null")
    assert "70-comptoir.rules" in rules
    assert re.findall(r".*70-comptoir\.rules:\d+.*", rules) == []
    assert machine.run("/usr/lib/comptoir/socket-name 1-2.3:1.0") == "1-2-3\n"

    # What the timer calls copies the records, to a second disk as well once it is mounted.
    backup = machine.run("sed -n s/^ExecStart=//p /etc/systemd/system/comptoir-backup.service").strip()
    assert "no disk at /media/comptoir-backup\n" in machine.run(f"runuser -u comptoir -- {backup}")
    machine.run("mount -t tmpfs -o mode=0700,uid=comptoir disk /media/comptoir-backup")
    machine.run("systemd-tmpfiles --create /etc/tmpfiles.d/comptoir.conf")  # as at each start of the machine
    machine.run(f"runuser -u comptoir -- {backup}")
    copies = [machine.run(f"ls {place}") for place in ("/var/lib/comptoir/kiosk/backup", "/media/comptoir-backup")]
    assert copies[0] == copies[1] != ""

    # Installed again, nothing is lost; a release that is not whole changes nothing.
    assert "is installed" in machine.run("comptoir-9.9.0/install")
    machine.run("test -s /var/lib/comptoir/kiosk/device.key")
    machine.run(
        "cp -r comptoir-9.9.0 spoilt && echo 9.9.1 > spoilt/version && for wheel in spoilt/wheels/*; do echo x >> $wheel; done"
    )
    assert "the release is not whole" in machine.run("spoilt/install", expect=1)
    assert machine.run("readlink /opt/comptoir/current; ls /opt/comptoir").split() == ["9.9.0", "9.9.0", "current"]

    # What runs with the rights of the app changes no release, and so nothing that root runs.
    for place in ("/opt/comptoir", "/opt/comptoir/9.9.0", "/opt/comptoir/current/venv/bin/comptoir"):
        machine.run(f"runuser -u comptoir -- test -w {place}", expect=1)

    # A device that leaves: nothing stays of the corner, and the directory is ready for the next.
    reset = "comptoir kiosk factory-reset --dir /var/lib/comptoir/kiosk --corner nantes-crebillon"
    assert "nothing of the corner is left here" in machine.run(reset)
    assert machine.run("ls -A /var/lib/comptoir/kiosk") == ""


def test_what_is_missing_is_said_before_anything_is_changed(machine: Machine, tmp_path: Path) -> None:
    machine.put(make_release(tmp_path), "/root/")
    machine.run("tar -xf comptoir-9.9.0.tar && rm /usr/bin/cage")

    assert "cage is missing: see" in machine.run("comptoir-9.9.0/install", expect=1)
    machine.run("test ! -e /etc/chromium/policies/managed/comptoir.json && test ! -e /opt/comptoir")


@pytest.mark.parametrize("name", ["comptoir-kiosk.service", "comptoir-screen.service"])
def test_a_service_of_the_corner_is_tried_again_for_ever(name: str) -> None:
    unit = (REPOSITORY / "deploy/root/etc/systemd/system" / name).read_text(encoding="ascii")

    assert {"StartLimitIntervalSec=0", "Restart=always", "NoNewPrivileges=yes", "ProtectSystem=strict"} <= set(unit.splitlines())
