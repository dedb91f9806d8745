"""A real process watched at each of its writes to disk: killed at the n-th of them, or written down for a power cut to be played.

`python -m tests.faults.deaths` imports the product once, then forks a child for each piece of work and traces it (ptrace(2)), so
that one death costs milliseconds. A kill leaves what the kernel was told; a power cut leaves what was flushed as well.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import os
import pickle
import platform
import random
import signal
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any

TRACEME, CONT, CONT_TO_SYSCALL, SETOPTIONS, SYSCALL_INFO = 0, 7, 24, 0x4200, 0x420E
EXITKILL_AND_SYSGOOD = 0x100001
SYSCALL_STOP = signal.SIGTRAP | 0x80
ENTRY = 1
NUMBERS = {
    "x86_64": {
        1: "write", 18: "pwrite", 74: "sync", 75: "sync", 77: "truncate", 82: "rename", 264: "renameat", 316: "renameat",
        87: "unlink", 263: "unlinkat",
    },
    "aarch64": {
        64: "write", 68: "pwrite", 82: "sync", 83: "sync", 46: "truncate", 38: "renameat", 276: "renameat", 35: "unlinkat",
    },
}  # fmt: skip


class CannotTrace(Exception):
    """This machine does not let a process watch its own child."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a process asked of the disk. `path` is absolute; a write to standard output is `told`."""

    kind: str
    path: str
    offset: int = 0
    data: bytes = b""
    target: str = ""


@dataclass(frozen=True, slots=True)
class Life:
    """How a piece of work went: the watched steps in their order, whether it was killed, and what it said."""

    steps: list[Step]
    is_killed: bool
    status: int
    output: str


class Workshop:
    """The process that forks and watches; `work` names a function of this module's `WORKS`."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.faults.deaths"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self._answer() != "ready":
            self.close()
            raise CannotTrace(f"{platform.machine()} or this sandbox does not let a process be traced (ptrace)")

    def run(self, work: str, directory: Path, *arguments: str, watch: Sequence[str] = ("*",), kill_at: int = 0) -> Life:
        """Do `work` in `directory`, and kill it just before its `kill_at`-th watched step (never, when 0).

        `watch` are patterns of files below `directory`; watching nothing is faster.
        """
        assert self._process.stdin is not None
        pickle.dump((work, str(directory), arguments, tuple(watch), kill_at), self._process.stdin)
        self._process.stdin.flush()
        answer = self._answer()
        assert isinstance(answer, Life), answer
        return answer

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return pickle.load(self._process.stdout)


@dataclass
class Disk:
    """What a disk holds of a directory while steps are played onto it: flushed bytes for certain, the others perhaps."""

    files: dict[str, bytearray] = field(default_factory=dict)
    waiting: dict[str, list[Step]] = field(default_factory=dict)

    @classmethod
    def of(cls, directory: Path) -> Disk:
        return cls({str(path): bytearray(path.read_bytes()) for path in directory.rglob("*") if path.is_file()})

    def play(self, step: Step) -> None:
        """Take one step. Names are durable at once: a journalling file system orders them; bytes only when flushed."""
        if step.kind == "sync":
            for each in self.waiting.pop(step.path, ()):
                _put(self.files, each)
        elif step.kind == "rename":
            self.files[step.target] = self.files.pop(step.path, bytearray())
            self.waiting[step.target] = self.waiting.pop(step.path, [])
        elif step.kind == "unlink":
            self.files.pop(step.path, None)
            self.waiting.pop(step.path, None)
        elif step.kind != "told":
            self.waiting.setdefault(step.path, []).append(step)

    def cut(self, directory: Path, onto: Path, *, chance: random.Random | None = None) -> None:
        """Write to `onto` what a power cut leaves of `directory`: flushed bytes only, or with `chance` some of the others too."""
        files = {path: bytearray(content) for path, content in self.files.items()}
        for steps in self.waiting.values():
            for each in steps:
                if chance is not None and chance.random() < 0.5:
                    _put(files, each)
        for path, content in files.items():
            if not path.endswith("-shm"):
                target = onto / Path(path).relative_to(directory)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)


def _put(files: dict[str, bytearray], step: Step) -> None:
    content = files.setdefault(step.path, bytearray())
    if step.kind == "truncate":
        del content[step.offset :]
        content.extend(bytes(step.offset - len(content)))
        return
    content.extend(bytes(max(0, step.offset - len(content))))
    content[step.offset : step.offset + len(step.data)] = step.data


def _trace(work: Callable[[], None], directory: str, watch: tuple[str, ...], kill_at: int) -> Life:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        _be_traced(work, writer)
    os.close(writer)
    steps: list[Step] = []
    os.waitpid(child, 0)
    _ptrace(SETOPTIONS, child, 0, EXITKILL_AND_SYSGOOD)
    is_killed, passed_on = False, 0
    while True:
        _ptrace(CONT_TO_SYSCALL if watch else CONT, child, 0, passed_on)
        _, status = os.waitpid(child, 0)
        passed_on = 0
        if not os.WIFSTOPPED(status):
            break
        if os.WSTOPSIG(status) != SYSCALL_STOP:
            passed_on = os.WSTOPSIG(status)
            continue
        step = _step(child, directory)
        if step is not None and (step.kind == "told" or any(fnmatch(step.path, f"{directory}/{name}") for name in watch)):
            steps.append(step)
            if sum(each.kind != "told" for each in steps) == kill_at and step.kind != "told":
                os.kill(child, signal.SIGKILL)
                _, status = os.waitpid(child, 0)
                is_killed = True
                break
    with os.fdopen(reader, "rb") as output:
        return Life(steps, is_killed, os.waitstatus_to_exitcode(status), output.read().decode(errors="replace"))


def _be_traced(work: Callable[[], None], writer: int) -> None:
    status = 1
    try:
        for descriptor in (1, 2):
            os.dup2(writer, descriptor)
        _ptrace(TRACEME, 0, 0, 0)
        os.kill(os.getpid(), signal.SIGSTOP)
        work()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException as problem:  # noqa: BLE001 - the child ends here, whatever it met
        os.write(2, repr(problem).encode())
    finally:
        os._exit(status)


def _step(child: int, directory: str) -> Step | None:
    """Return what the stopped child is about to do, when it concerns the disk."""
    info = _info()
    _ptrace(SYSCALL_INFO, child, len(info), ctypes.addressof(info))
    if info[0] != ENTRY:
        return None
    number, *arguments = struct.unpack_from("<7Q", info, 24)
    kind = NUMBERS[platform.machine()].get(number)
    if kind is None:
        return None
    if kind in ("rename", "unlink"):
        names = arguments
    elif kind in ("renameat", "unlinkat"):
        names = [arguments[1], arguments[3]]
    else:
        return _file_step(child, kind, arguments)
    kind = kind.removesuffix("at")
    target = _text(child, names[1], directory) if kind == "rename" else ""
    return Step(kind, _text(child, names[0], directory), target=target)


def _file_step(child: int, kind: str, arguments: list[int]) -> Step | None:
    descriptor = arguments[0]
    path = os.readlink(f"/proc/{child}/fd/{descriptor}")
    if kind in ("write", "pwrite"):
        data = _memory(child, arguments[1], arguments[2])
        if descriptor == 1:
            return Step("told", "", data=data)
        offset = arguments[3] if kind == "pwrite" else _position(child, descriptor)
        return Step("write", path, offset=offset, data=data)
    return Step(kind, path, offset=arguments[1] if kind == "truncate" else 0)


def _position(child: int, descriptor: int) -> int:
    return int(Path(f"/proc/{child}/fdinfo/{descriptor}").read_text().split()[1])


def _text(child: int, address: int, directory: str) -> str:
    text = _memory(child, address, 400).partition(b"\0")[0].decode()
    return text if text.startswith("/") else f"{directory}/{text}"


def _memory(child: int, address: int, length: int) -> bytes:
    with open(f"/proc/{child}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        return memory.read(length)


@cache
def _info() -> Any:
    return (ctypes.c_ubyte * 88)()


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.ptrace.restype = ctypes.c_long
    library.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return library


def _ptrace(request: int, process: int, address: int, data: int) -> int:
    answer = int(_library().ptrace(request, process, address, data))
    if answer < 0:
        raise CannotTrace(os.strerror(ctypes.get_errno()))
    return answer


def _sync(directory: Path) -> None:
    from comptoir import comptoir

    comptoir(["kiosk", "sync", "--dir", str(directory)])


def _slips(directory: Path, *listings: str) -> None:
    """Issue slips as the screens do, and say each number to standard output once the answer would leave."""
    from kiosk.app import create_app

    client = create_app(directory, sync=False).test_client()
    for listing in listings:
        selection = client.post("/selections", data={"listing": listing}).headers["Location"]
        answer = client.post(f"{selection}/slip")
        os.write(1, f"{answer.headers['Location'].rpartition('/')[2]}\n".encode())


def _publish(directory: Path) -> None:
    from comptoir import comptoir

    comptoir(["marketplace", "publish", "--dir", str(directory)])


WORKS: dict[str, Callable[..., None]] = {"sync": _sync, "slips": _slips, "publish": _publish}


def _orders() -> Iterator[Any]:
    with contextlib.suppress(EOFError):
        while True:
            yield pickle.load(sys.stdin.buffer)


def main() -> None:
    """Serve orders from standard input until it ends."""
    answers = os.fdopen(os.dup(1), "wb")

    def answer(value: Any) -> None:
        pickle.dump(value, answers)
        answers.flush()

    try:
        is_able = platform.machine() in NUMBERS and _trace(lambda: None, "/", (), 0).status == 0
    except (CannotTrace, OSError):
        is_able = False
    # Imported once, here, for every child.
    for module in ("comptoir", "kiosk.app", "kiosk.rounds", "marketplace.publishing.commands"):
        importlib.import_module(module)

    answer("ready" if is_able else "unable")
    for work, directory, arguments, watch, kill_at in _orders() if is_able else ():
        answer(_trace(lambda: WORKS[work](Path(directory), *arguments), directory, watch, kill_at))  # noqa: B023 - called at once


if __name__ == "__main__":
    # What is pickled has to belong to the module's own name, not to `__main__`.
    importlib.import_module("tests.faults.deaths")
    sys.modules["tests.faults.deaths"].main()
