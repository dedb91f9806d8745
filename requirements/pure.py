"""Let a lock take the wheel without compiled parts of a distribution: `pure.py NAME LOCK…`.

fonttools' compiled parts and their sources weigh 18 MB, and what fpdf2 asks of it runs none of them.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

ANY = ("--only-binary=:all:", "--platform", "any", "--implementation", "py", "--abi", "none", "--python-version", "3.11")


def main(name: str, *locks: str) -> None:
    """Keep of the distribution's hashes in each lock the pure wheel's alone."""
    for lock in map(Path, locks):
        text = lock.read_text(encoding="utf-8")
        version, hashes = re.findall(rf"^{name}==(\S+) \\\n((?:    --hash=.*\n)+)", text, re.MULTILINE)[0]
        with TemporaryDirectory() as directory:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", *ANY, "-d", directory, f"{name}=={version}"]
            subprocess.run(command, check=True)  # noqa: S603 - what the Makefile says
            [wheel] = Path(directory).iterdir()
            sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
        if sha256 not in hashes:
            raise SystemExit(f"{lock} does not know {wheel.name}")
        lock.write_text(text.replace(hashes, f"    --hash=sha256:{sha256}\n"), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
