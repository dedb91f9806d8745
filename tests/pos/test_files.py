from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from pos.files import read_file


def listen(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(path))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "a named pipe, not a file"),
        (os.mkdir, "a directory, not a file"),
        (listen, "a socket, not a file"),
        (lambda path: path.symlink_to("/dev/zero"), "a symbolic link, not a file"),
        (lambda path: path.symlink_to("nowhere"), "a symbolic link, not a file"),
        (lambda path: path.write_bytes(b"12345"), "5 bytes, more than 4"),
    ],
    ids=["pipe", "directory", "socket", "link to a device", "link to nothing", "too long"],
)
def test_what_is_no_plain_file_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], object], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "it")
    with pytest.raises(OSError, match=reason) as problem:
        read_file(tmp_path / "it", most_bytes=4)
    assert problem.value.strerror == reason


def test_a_device_is_not_read() -> None:
    with pytest.raises(OSError, match="a device, not a file"):
        read_file(Path("/dev/zero"), most_bytes=4)


def test_a_plain_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"1234")
    assert read_file(tmp_path / "it", most_bytes=4) == b"1234"
    with pytest.raises(FileNotFoundError):
        read_file(tmp_path / "other", most_bytes=4)
