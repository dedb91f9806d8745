"""What several test folders share."""

from __future__ import annotations

import gc
import hashlib
import importlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from importlib import metadata
from itertools import islice
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from typing import Any

import pytest
from flask import Flask
from hypothesis import settings
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from werkzeug.routing import Rule

from shop import assets
from tests import world
from tests.amounts import left_out

# Tests run beside each other on busy machines: how long one example takes says nothing. Hypothesis has its own profile for CI.
settings.register_profile("busy", deadline=None)
if "CI" not in os.environ:
    settings.load_profile("busy")

ROOT = Path(__file__).parent
MEMORY = Path("/dev/shm")
ROOM = 4 * 2**30


def pytest_configure() -> None:
    """Work in memory where there is room: a disk is written to no better for being slow, and the faults bring their own."""
    if "TMPDIR" not in os.environ and MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= ROOM:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


def pytest_xdist_auto_num_workers() -> int:
    """Run one test more than there are processors: many wait for other processes, for a browser, or for a while to pass."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_collection(session: pytest.Session) -> None:
    """Let each worker of a whole run begin to read the tests elsewhere: where none is compiled yet, they compile each once."""
    workers, number = worker_of(session.config)
    if workers == 1 or session.config.args != session.config.getini("testpaths"):
        return
    modules = sorted(path.relative_to(ROOT.parent).with_suffix("") for path in ROOT.rglob("test_*.py"))
    begin = len(modules) * number // workers
    for path in modules[begin:] + modules[:begin]:
        importlib.import_module(".".join(path.parts))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let each worker begin with its part of the longest tests: one that began last would leave the other processors idle.

    Workers get shares of equal length as the tests lie, and take the end of another's share when theirs is done (worksteal).
    """
    workers, _ = worker_of(config)
    longest = [item for item in items if item.get_closest_marker("long")]
    others = iter([item for item in items if not item.get_closest_marker("long")])
    left, shares = len(items), list[pytest.Item]()
    for number in range(workers):
        begins = longest[number::workers]
        length = left // (workers - number)
        shares += [*begins, *islice(others, max(0, length - len(begins)))]
        left -= length
    items[:] = [*shares, *others]


def worker_of(config: pytest.Config) -> tuple[int, int]:
    """Return how many workers run the tests, and the number of this one."""
    told = getattr(config, "workerinput", {"workercount": 1, "workerid": "gw0"})
    return told["workercount"], int(told["workerid"].removeprefix("gw"))


def pytest_collection_finish() -> None:
    """Let the collector of garbage leave alone what lives as long as the run: nine thousand tests, and every module of theirs.

    Beyond that it looks thirty times less often than by itself: a test's objects are few, and it took 7 % of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what the quick run leaves out."""
    if shares := left_out():
        terminalreporter.write_line(f"Left out here, tried by `make check`: {'; '.join(shares)}.")


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[world.Kiosk]:
    """An enrolled kiosk in the Nantes corner."""
    made = world.make_kiosk(tmp_path)
    yield made
    made.catalog.close()
    made.ops.close()


class CompiledOnce(BytecodeCache):
    """Templates as one of the run's processes compiled them: every test makes an app of its own, and its pages are the same text.

    A page costs 50 ms in each language. What one worker compiled lies in `folder` for the others.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._codes: dict[str, CodeType | None] = {}

    def get_bucket(self, environment: Environment, name: str, filename: str | None, source: str) -> Bucket:
        """Look a template up by what is really compiled: each language puts its own sentences into the same source."""
        text = f"{name} {filename} {environment.preprocess(source, name, filename)}"
        bucket = Bucket(environment, hashlib.sha256(text.encode()).hexdigest(), "")
        if bucket.key not in self._codes:
            # Not there yet, or not for whom a test is just now.
            with suppress(FileNotFoundError, PermissionError):
                bucket.bytecode_from_string((self._folder / bucket.key).read_bytes())
                self._codes[bucket.key] = bucket.code
        bucket.code = self._codes.get(bucket.key)
        return bucket

    def set_bucket(self, bucket: Bucket) -> None:
        """Remember a template."""
        self._codes[bucket.key] = bucket.code
        with suppress(PermissionError):
            written = self._folder / f"{bucket.key}.{os.getpid()}"
            written.write_bytes(bucket.bytecode_to_string())
            written.replace(self._folder / bucket.key)


def compiled_rules(compile_rule: Callable[[Rule], None]) -> Callable[[Rule], None]:
    """Return Werkzeug's way to compile a route, remembering what comes of it: most of making an app is that.

    It is made of the route's text, defaults and the map's converters alone; what builds addresses is bound to its rule.
    """
    known: dict[tuple[Any, ...], dict[str, Any]] = {}

    def remembered(rule: Rule) -> None:
        assert rule.map is not None
        where = (rule.subdomain, rule.host, rule.map.host_matching, rule.merge_slashes)
        key = (rule.rule, repr(rule.defaults), *where, *rule.map.converters.items())
        if key not in known:
            compile_rule(rule)
            known[key] = {name: getattr(rule, name) for name in ("_parts", "_trace", "_converters")} | {
                name: getattr(rule, name).__func__ for name in ("_build", "_build_unknown")
            }
            return
        for name, made in known[key].items():
            setattr(rule, name, MethodType(made, rule) if isinstance(made, FunctionType) else made)
        rule.arguments.update(rule._converters)

    return remembered


@pytest.fixture(scope="session")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the workers of a run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def compiled_once(run_folder: Path) -> Iterator[None]:
    """Compile no page and no route twice in a worker, and read what an app begins with once."""
    pages = run_folder / "pages"
    pages.mkdir(exist_ok=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "jinja_options", {**Flask.jinja_options, "bytecode_cache": CompiledOnce(pages)})
        patch.setattr(Rule, "compile", compiled_rules(Rule.compile))
        patch.setattr(assets, "load_assets", cache(assets.load_assets))
        # What `version` reads is a page of headers and the whole README.
        patch.setattr(metadata, "distribution", cache(metadata.distribution))
        patch.setattr(metadata.Distribution, "version", property(cache(lambda found: found.metadata["Version"])))
        yield
