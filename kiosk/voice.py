"""The voice of this box: espeak-ng makes sound of what a page says.

Invariants: one voice at a time, the newest; text goes in by stdin, never as an argument; length, sound and time are bounded.
"""

from __future__ import annotations

import shutil
import struct
import subprocess  # the box's own voice, with nothing of a request in its arguments
import threading
from contextlib import suppress
from typing import IO, Any, cast

from pos.errors import Unavailable

PROGRAM = "espeak-ng"
VOICES = {"fr": "fr-fr", "en": "en-gb", "es": "es", "de": "de", "ar": "ar"}
WORDS_A_MINUTE = "150"
MOST_LETTERS = 600
LARGEST_BYTES = 6 * 1024 * 1024
"""Two minutes of sound."""
PATIENCE_S = 8.0
RIFF_SIZE, DATA_SIZE, HEADER_BYTES = 4, 40, 44
"""Where a WAV file says its sizes, and where its sound begins."""


class Voice:
    """The voice of this box, if espeak-ng is installed."""

    def __init__(self) -> None:
        self._program = shutil.which(PROGRAM)
        self._lock = threading.Lock()
        self._running: subprocess.Popen[bytes] | None = None

    def speaks(self, language: str) -> bool:
        """Tell whether there is a voice for this language."""
        return self._program is not None and language in VOICES

    def speak(self, text: str, *, language: str) -> bytes:
        """Return a WAV file of the text, ending whatever was being said. Raises: Unavailable."""
        if self._program is None or language not in VOICES:
            raise Unavailable("no voice here")
        call = [self._program, "-v", VOICES[language], "-s", WORDS_A_MINUTE, "--stdin", "--stdout"]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
        with self._lock:  # Until it is known to run: who begins later ends who began before.
            self._end()
            process = self._running = subprocess.Popen(call, **pipes)  # noqa: S603
        with process:
            limit = threading.Timer(PATIENCE_S, process.kill)
            limit.start()
            try:
                sound = _sound_of(process, text)
            finally:
                limit.cancel()
                process.kill()
        if len(sound) <= HEADER_BYTES:
            raise Unavailable("the voice said nothing")
        return _with_sizes(sound)

    def silence(self) -> None:
        """End what is being said."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._running is not None:
            self._running.kill()
            self._running = None


def _sound_of(process: subprocess.Popen[bytes], text: str) -> bytes:
    """Return what the program makes of the text, as far as it comes. `[[` would begin its own phonetic script."""
    words, sound = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
    with suppress(OSError):
        words.write(text[:MOST_LETTERS].replace("[[", "[ [").encode())
        words.close()
    return sound.read(LARGEST_BYTES)


def _with_sizes(sound: bytes) -> bytes:
    """Return the file with its true sizes: written to a pipe, it could not know them."""
    file = bytearray(sound)
    struct.pack_into("<I", file, RIFF_SIZE, len(file) - 8)
    struct.pack_into("<I", file, DATA_SIZE, len(file) - HEADER_BYTES)
    return bytes(file)
