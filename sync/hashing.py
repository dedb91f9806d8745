"""The hashing of a snapshot in a process of its own, so that the second core sums while the first one inserts.

`python -m sync.hashing` reads one path a line; at the end of input it prints `{channel: [state in hex, rows]}`.
It imports nothing but the codec: its memory is part of the kiosk's.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from sync.errors import SyncError
from sync.roots import RootState
from sync.segments import decode_part


class Hashing:
    """A running hashing process: `feed` it the parts as they arrive, then ask once for `states`."""

    def __init__(self) -> None:
        # -P: a json.py in the working directory must not stand in for the library's.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "sync.hashing"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def feed(self, path: Path) -> None:
        """Queue one verified part; returns at once."""
        if self._process.stdin is None:
            raise SyncError("the hashing process takes no input")
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()

    def states(self) -> dict[str, RootState]:
        """Wait for the sums of everything fed. Raises: SyncError when the process failed."""
        output, _ = self._process.communicate()
        if self._process.returncode != 0:
            raise SyncError(f"the hashing process ended with status {self._process.returncode}")
        return {name: RootState(int(state, 16), rows) for name, (state, rows) in json.loads(output).items()}

    def stop(self) -> None:
        """End the process, whatever it is doing; harmless when it has ended."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


def main() -> None:
    """Hash the parts named on standard input."""
    states: dict[str, RootState] = {}
    for line in sys.stdin:
        part = decode_part(Path(line.rstrip("\n")).read_bytes())
        state = states.setdefault(part.channel, RootState())
        for table, block in part.tables:
            state.add(table, block.rows())
    sys.stdout.write(json.dumps({name: [f"{state.value:x}", state.rows] for name, state in states.items()}))


if __name__ == "__main__":
    main()
