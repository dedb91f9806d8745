"""The same page followed on a bare Debian 12 under its own service manager, with a release made as for a store.

It fetches a Debian and takes minutes: `make check` alone does it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from marketplace.fleet.enrolments import start_enrolment
from marketplace.publishing.releases import add_release, give_release
from pos import clock
from tests.amounts import amount
from tests.deploy.machines import AS_ROOT, PATH, REPOSITORY, make_release, not_here
from tests.deploy.test_install import COMMANDS
from tests.faults.conftest import Served

RELEASE = "bookworm"
NO_SEAT = "[Service]\nEnvironment=WLR_BACKENDS=headless WLR_LIBINPUT_NO_DEVICES=1 WLR_RENDERER=pixman\n"
QUICK_DOG = "[Service]\nWatchdogSec=5\n"
VERSION, NEXT, BAD = "0.1.0", "0.1.1", "0.1.2"
SOON_S = 120.0


class BareMachine:
    """A Debian 12 booted in a container, which shares our network."""

    def __init__(self, root: Path, leader: int) -> None:
        self._root, self._leader = root, leader

    def run(self, command: str, *, expect: int | None = 0) -> str:
        inside = ["nsenter", "--target", str(self._leader), "--mount", "--uts", "--ipc", "--pid", "--cgroup", "env", "-i"]
        environment = [f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
        shell = [*AS_ROOT, *inside, *environment, "sh", "-c", f"cd /root && {command}"]
        ended = subprocess.run(
            shell, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900, check=False
        )
        assert expect is None or ended.returncode == expect, f"{command}\n{ended.stdout}"
        return ended.stdout

    def wait(self, command: str, until: str) -> str:
        """Run a command until it prints what matches; return that. Raises: AssertionError when it never does."""
        deadline = time.monotonic() + SOON_S
        while not re.search(until, said := self.run(command, expect=None)):
            assert time.monotonic() < deadline, said
            time.sleep(0.5)
        return said


def mirror() -> str:
    """Return where this machine takes its own packages of the release from."""
    asked = ["apt-get", "indextargets", "--format", "$(REPO_URI)", f"Codename: {RELEASE}", "Created-By: Packages"]
    known = subprocess.run(asked, check=True, capture_output=True, text=True, timeout=60).stdout.split()
    if not known:
        not_here(f"this machine has no mirror of Debian {RELEASE}")
    return known[0]


@contextmanager
def bare_machine(directory: Path) -> Iterator[BareMachine]:
    """Make a Debian 12 with its service manager and nothing else, and boot it until the block ends."""
    for needed in ("debootstrap", "systemd-nspawn"):
        if not shutil.which(needed, path=PATH):
            not_here(f"{needed} is missing: install the packages debootstrap and systemd-container")
    root = directory / "debian"
    made = ["debootstrap", "--variant=minbase", "--include=systemd,systemd-sysv,dbus,iproute2", RELEASE, str(root), mirror()]
    subprocess.run([*AS_ROOT, *made], check=True, stdout=subprocess.DEVNULL, timeout=1200)
    boot = ["systemd-nspawn", "--directory", str(root), "--register=no", "--keep-unit", "--quiet", "--console=pipe", "--boot"]
    booted = subprocess.Popen([*AS_ROOT, *boot], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + SOON_S
        while not (leader := leader_of(booted.pid)):
            if booted.poll() is not None or time.monotonic() > deadline:
                # A bare Debian does not boot: that is for want of a right to, and nothing of ours has run in it.
                pytest.skip("no service manager can be booted in a container here")
            time.sleep(0.1)
        machine = BareMachine(root, leader)
        machine.wait("systemctl is-system-running || true", "running|degraded")
        yield machine
    finally:
        booted.terminate()
        booted.wait(60)


def leader_of(container: int) -> int:
    """Return the container's first process, 0 while there is none: what makes it ready is a child before, and goes."""
    for child in Path(f"/proc/{container}/task/{container}/children").read_text().split():
        with suppress(OSError):
            if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                return int(child)
    return 0


def make_real_release(directory: Path) -> Path:
    """Make a release as `make release` does, from a copy of the sources."""
    away = shutil.ignore_patterns(".venv", ".git", "build", "__pycache__", ".*_cache", "*.egg-info", ".comptoir")
    shutil.copytree(REPOSITORY, directory / "source", ignore=away)
    change(directory / "source/kiosk/releases.py", r"(NIGHT_IDLE_S, DAY_IDLE_S = .*), 600.0, 1800.0", r"\1, 0.0, 0.0")
    change(directory / "source/deploy/root/usr/lib/comptoir/update", r"(EXCHANGE_S = \S+) 60.0, 240.0,", r"\1 5.0, 40.0,")
    subprocess.run(
        ["sh", "deploy/release", sys.executable], cwd=directory / "source", check=True, capture_output=True, timeout=600
    )
    [release] = (directory / "source" / "build").glob("comptoir-*.tar")
    return release


def make_next_release(release: Path, directory: Path) -> Path:
    """Make the release after a real one: the same product under the next version's name."""
    subprocess.run(["tar", "-xf", str(release), "-C", str(directory)], check=True, timeout=60)
    [folder] = directory.glob(f"comptoir-{VERSION}")
    following = folder.rename(directory / f"comptoir-{NEXT}")
    change(directory / "source/pyproject.toml", f'version = "{VERSION}"', f'version = "{NEXT}"')
    for wheel in (following / "wheels").glob("comptoir-*.whl"):
        wheel.unlink()
    made = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(following / "wheels"),
        ".",
    ]
    subprocess.run(made, cwd=directory / "source", check=True, capture_output=True, timeout=300)
    [wheel] = (following / "wheels").glob("comptoir-*.whl")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    change(following / "lock.txt", r"comptoir==.*", f"comptoir=={NEXT} --hash=sha256:{digest}")
    (following / "version").write_text(NEXT)
    return following


def change(path: Path, what: str, into: str) -> None:
    """Change a file's text in its one place that matches."""
    text, count = re.subn(what, into, path.read_text(encoding="utf-8"))
    assert count == 1, (path, what)
    path.write_text(text, encoding="utf-8")


def give(machine: BareMachine, served: Served, release: Path) -> str:
    """Have HQ give a release to everybody, the kiosk fetch it, and root look; return what root's journal says."""
    added = add_release(served.hq.engine, served.hq.directory, release, now=clock.now())
    give_release(served.hq.engine, served.hq.directory, added.version, "stable", now=clock.now())
    # A round of the app's own may be under way: then it is asked again.
    machine.wait("comptoir kiosk sync --dir /var/lib/comptoir/kiosk && echo fetched", r"fetched\s*$")
    machine.wait("ls /var/lib/comptoir/kiosk/update/wanted", "^/")
    machine.run("systemctl start comptoir-update.service")
    return machine.run("journalctl --unit comptoir-update --output cat")


def follow_the_page(machine: BareMachine, served: Served) -> dict[str, str]:
    """Run every command of the page; return what each said."""
    code = start_enrolment(served.hq.engine, "nantes-crebillon", now=clock.now())
    own = {"https://comptoir.example": served.url, "7K3M-Q9TD": code}
    said = {}
    for line in COMMANDS:
        if line.startswith("systemctl start "):
            # A container has no seat and no minute to wait for the watchdog: these two alone are otherwise than in a store.
            for name, change in (("screen", NO_SEAT), ("kiosk", QUICK_DOG)):
                place = f"/etc/systemd/system/comptoir-{name}.service.d"
                machine.run(f"mkdir -p {place} && printf '{change}' > {place}/test.conf")
            machine.run("systemctl daemon-reload")
        told = re.sub("|".join(map(re.escape, own)), lambda match: own[match[0]], line)
        said[line] = machine.run(told, expect=1 if line.startswith("comptoir kiosk doctor") else 0)
    return said


if amount("bare machines followed by the page"):

    @pytest.mark.long
    def test_a_bare_debian_becomes_a_corner_whose_services_come_back(tmp_path: Path, served: Served) -> None:
        release = make_real_release(tmp_path)
        with bare_machine(tmp_path) as machine:
            shutil.copy(release, tmp_path / "debian" / "root")
            said = follow_the_page(machine, served)
            checks = dict(re.findall(r"^(\w+) +(ok|FAULT) ", said[COMMANDS[-1]], re.MULTILINE))
            assert [name for name, state in checks.items() if state != "ok"] == ["printer"], said[COMMANDS[-1]]
            machine.wait("systemctl status comptoir-kiosk", r'active \(running\)(.|\n)*Status: "ready"')

            # The browser came up under cage and asks the app for its pages, its own profile in its own folder.
            machine.wait("ls /run/comptoir-screen/profile", "Default")
            machine.wait("ss -tn dst 127.0.0.1:8001", "ESTAB")
            machine.run("ls /run/comptoir-screen/profile/DevToolsActivePort", expect=2)

            # The service that copies the records does so, with no second disk there.
            machine.run("systemctl start comptoir-backup.service")
            assert "no disk at /media/comptoir-backup" in machine.run("journalctl --unit comptoir-backup")
            assert "ops-" in machine.run("ls /var/lib/comptoir/kiosk/backup")

            # An app that hangs is killed and started; a browser that is killed comes back.
            first = machine.run("systemctl show --property MainPID --value comptoir-kiosk").strip()
            machine.run(f"kill -STOP {first}")
            machine.wait("journalctl -u comptoir-kiosk", "Watchdog timeout")
            machine.wait(
                "systemctl show --property MainPID --property SubState comptoir-kiosk", rf"MainPID=(?!{first}\n)(.|\n)*running"
            )
            browser = machine.run("pidof -s -x /usr/lib/comptoir/session").strip()
            machine.run(f"kill -KILL {browser}")
            machine.wait("systemctl show --property NRestarts comptoir-screen", "NRestarts=[1-9]")
            machine.wait("systemctl is-active comptoir-screen", "^active")

            # HQ signs the next release: the machine takes it. It signs one that never starts: the machine comes back from it.
            assert f"comptoir {NEXT} is healthy" in give(machine, served, make_next_release(release, tmp_path))
            served_by = "curl -sS http://127.0.0.1:8001/status.json; echo; readlink /opt/comptoir/current"
            machine.run("apt-get install --yes --no-install-recommends curl")
            assert machine.run(served_by).split()[-1] == NEXT
            assert f'"version":"{NEXT}"' in machine.run(served_by).replace(" ", "")
            bad = make_release(tmp_path / "bad", BAD, main="def main():\n    raise SystemExit('not today')\n")
            assert f"comptoir {BAD} is not healthy: it" in give(machine, served, bad)
            assert machine.run("readlink /opt/comptoir/current").strip() == NEXT
            machine.wait("systemctl status comptoir-kiosk", r'active \(running\)(.|\n)*Status: "ready"')
            machine.wait("comptoir kiosk status --dir /var/lib/comptoir/kiosk", "B-16 update_stepped_back")
