"""A machine to install a kiosk on: this one, seen through a layer that is thrown away; and releases to install."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PRODUCT = Path("/srv/product")
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
SET_UP = """
set -e
mount -t tmpfs layer "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
cd "$1/root"
for place in proc sys dev; do mount --rbind /$place $place; done
mount -t tmpfs run run
mkdir -p srv/product srv/python srv/site
mount --bind "$2" srv/product
mount --bind "$3" srv/python
mount --bind "$4" srv/site
ip link set lo up
echo $$
exec sleep 1000000
"""

STAND_IN = f"""
import os, sys
ENVIRONMENT = {{"PATH": "{PATH}", "PYTHONPATH": "{PRODUCT}:/srv/site", "PYTHONDONTWRITEBYTECODE": "1",
    "LD_LIBRARY_PATH": "/srv/python/lib"}}
def main():
    os.execve("/srv/python/bin/python3", ["/srv/python/bin/python3", "-m", "comptoir", *sys.argv[1:]], ENVIRONMENT)
"""
"""Runs the product as it stands here, with the libraries that stand here: a release of it needs none of its own."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A root file system with processes of its own view; what is changed in it is gone when the test ends."""

    process: int

    def run(self, command: str, *, expect: int | None = 0, timeout_s: float = 120) -> str:
        """Run a shell command as root there and return all it printed. Raises: AssertionError for another status."""
        ended = subprocess.run(
            self._inside(f"cd /root && {command}"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert expect is None or ended.returncode == expect, f"{command}\n{ended.stdout}"
        return ended.stdout

    @contextmanager
    def running(self, command: str) -> Iterator[None]:
        """Run a program as root there until the block ends, and with it whatever it started."""
        shell = self._inside(f"exec {command}")
        started = subprocess.Popen(shell, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True)
        try:
            yield
        finally:
            subprocess.run([*AS_ROOT, "kill", "-KILL", "--", f"-{started.pid}"], check=True)
            started.wait()

    def _inside(self, command: str) -> list[str]:
        view = ["nsenter", "--target", str(self.process), "--mount", "--net", "chroot", f"/proc/{self.process}/cwd"]
        return [*AS_ROOT, *view, "env", "-i", f"PATH={PATH}", "HOME=/root", "LANG=C.UTF-8", "sh", "-c", command]

    def put(self, source: Path, target: str) -> None:
        """Copy a file of ours there."""
        subprocess.run([*AS_ROOT, "cp", str(source), f"/proc/{self.process}/cwd{target}"], check=True, timeout=60)


@contextmanager
def layered_machine(directory: Path, *, has_network: bool = True) -> Iterator[Machine]:
    """Show this very machine's files as a machine whose changes nobody else sees; without a network its ports are its own."""
    directory.mkdir(parents=True, exist_ok=True)
    python = [str(REPOSITORY), sys.base_prefix, sysconfig.get_paths()["purelib"]]
    apart = ["--mount"] if has_network else ["--mount", "--net"]
    command = [*AS_ROOT, "unshare", *apart, "sh", "-c", SET_UP, "sh", str(directory), *python]
    unshared = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert unshared.stdout is not None
    said = unshared.stdout.readline().strip()
    try:
        if not said.isdigit():
            not_here(f"no layer over this machine's files can be mounted ({said})")
        yield Machine(int(said))
    finally:
        if said.isdigit():
            subprocess.run([*AS_ROOT, "kill", "-KILL", said], check=True)
        unshared.wait()
        unshared.stdout.close()


def not_here(what: str) -> None:
    """Skip what cannot be tried here; where everything is required that is a failure."""
    pytest.fail(what) if os.environ.get("COMPTOIR_REQUIRE_ALL") else pytest.skip(what)


def make_release(directory: Path, version: str = "9.9.0", *, main: str = STAND_IN) -> Path:
    """Write a release as `deploy/release` does, whose one wheel holds `main` as its command."""
    release = directory / f"comptoir-{version}"
    wheel = make_wheel(release / "wheels", version, main)
    (release / "version").write_text(f"{version}\n")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (release / "lock.txt").write_text(f"comptoir=={version} \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{digest}\n")
    shutil.copytree(REPOSITORY / "deploy" / "root", release / "root")
    shutil.copy(REPOSITORY / "deploy" / "install", release)
    tar = directory / f"comptoir-{version}.tar"
    with tarfile.open(tar, "w") as archive:
        archive.add(release, arcname=release.name)
    return tar


def make_wheel(directory: Path, version: str, main: str) -> Path:
    """Write a wheel with one module `comptoir` and one command of that name (PyPA binary distribution format)."""
    directory.mkdir(parents=True)
    info = f"comptoir-{version}.dist-info"
    files = {
        "comptoir.py": main,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: comptoir\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\ncomptoir = comptoir:main\n",
    }
    record = "".join(
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},{len(text)}\n"
        for name, text in files.items()
    )
    wheel = directory / f"comptoir-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in {**files, f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}.items():
            archive.writestr(name, text)
    return wheel
