"""The wheel holds everything the product needs, and works from any directory; alone, without an extra, it is the kiosk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from bench.installed import distributions, size_mb, top_level
from tests import world
from tests.test_commands import digits

ROOT = Path(__file__).parent.parent
PARTS = ("comptoir.py", "pos", "sync", "shop", "kiosk", "marketplace", "demo", "templates")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of the product as it stands."""
    place = tmp_path_factory.mktemp("wheel")
    copy_product(place / "source")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(place)]
    subprocess.run([*build, str(place / "source")], check=True, capture_output=True, timeout=120)
    [wheel] = place.glob("comptoir-*.whl")
    return wheel


@pytest.fixture(scope="module")
def kiosk_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel and what `pip install comptoir` brings with it, no more."""
    place = tmp_path_factory.mktemp("kiosk-alone")
    venv.create(place, with_pip=False, symlinks=True)
    [site] = place.glob("lib/python*/site-packages")
    for path in {path for each in distributions("kiosk") for path in top_level(each)}:
        (site / path.name).symlink_to(path)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return place / "bin" / "python"


def run_in(python: Path, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run this Python in `cwd`; of our own environment it gets nothing."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    return subprocess.run(
        [python, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_wheel_runs_from_an_empty_directory(wheel: Path, tmp_path: Path) -> None:
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)

    packed = {path.relative_to(installed) for path in installed.rglob("*") if path.is_file()}
    meant = {path.relative_to(ROOT) for part in PARTS for path in files_of(ROOT / part)}
    assert meant - packed == set()

    environment = {**os.environ, "PYTHONPATH": str(installed)}
    for command in (
        ["-c", f"import templates, demo.sample; assert templates.__file__.startswith({str(installed)!r})"],
        ["-m", "comptoir", "sample", "--listings", "50", "--out", "feed"],
        ["-m", "comptoir", "marketplace", "init", "--dir", "hq"],
        ["-m", "comptoir", "marketplace", "import", "feed", "--dir", "hq"],
        ["-m", "comptoir", "marketplace", "publish", "--dir", "hq"],
        ["-m", "comptoir", "kiosk", "--help"],
    ):
        ended = subprocess.run(
            [sys.executable, *command], cwd=empty, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == 0, (command, ended.stderr)


VISIT = """
import sys
from pathlib import Path

from kiosk.app import create_app
from kiosk.printing import paper
from kiosk.printing.profiles import usual_paper
from pos.slips import slips_between

app = create_app(Path(sys.argv[1]), sync=False)
client = app.test_client()
pages = ("/", "/home", "/browse", "/browse?q=iphone", "/sku/" + sys.argv[2], "/plans", "/readyz", "/drawings/tv-38506b-0.svg")
for page in pages:
    answer = client.get(page)
    assert answer.status_code == 200, (page, answer.status_code)
selection = client.post("/selections", data={"listing": sys.argv[3]}).headers["Location"]
assert client.get(selection).status_code == 200
slip = client.post(selection.partition("?")[0] + "/slip").headers["Location"]
assert client.get(slip).status_code == 200
assert client.get(slip.partition("?")[0] + "/qr.svg").data.startswith(b"<svg")
[issued] = slips_between(app.extensions["comptoir"].ops.read(), "2000", "3000")
data = paper.slip_bytes(issued.facts, "http://marche.test/k/" + issued.digits, paper=usual_paper(80), language="fr", copy_no=0)
assert len(data) > 2000, len(data)
clerk = app.test_client()
clerk.post("/counter/session", data={"clerk": "camille", "pin": sys.argv[4]})
clerk.post("/counter/labels/prints", data={"format": "l7160"})
assert clerk.get("/counter/labels/sheets/1.pdf").data.startswith(b"%PDF-"), "a sheet of shelf labels"
for centre in ("alembic", "granian", "psycopg", "sqlalchemy", "marketplace.db", "marketplace.app"):
    try:
        __import__(centre)
    except ModuleNotFoundError:
        continue
    raise AssertionError(centre + " is installed")
"""


def test_the_kiosk_alone_serves_its_pages_and_prints(kiosk_python: Path, tmp_path: Path) -> None:
    directory = tmp_path / "kiosk"
    directory.mkdir()
    world.make_kiosk(directory).ops.close()

    ended = run_in(kiosk_python, "-W", "error", "-c", VISIT, str(directory), "IPHONE-12-128-BLUE", "101", world.PIN, cwd=tmp_path)

    assert ended.returncode == 0, ended.stderr


def test_a_command_of_a_part_that_is_not_installed_names_its_extra(kiosk_python: Path, tmp_path: Path) -> None:
    for arguments, extra in (
        (("marketplace", "init", "--dir", "m"), "marketplace"),
        (("sync", "export", "--dir", "m", "--out", "o"), "marketplace"),
        (("demo",), "demo"),
        (("fleet", "--help"), "demo"),
    ):
        ended = run_in(kiosk_python, "-m", "comptoir", *arguments, cwd=tmp_path)
        assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1), (arguments, ended.stderr)
        assert f"pip install 'comptoir[{extra}]'" in ended.stderr
    for arguments in (("--help",), ("marketplace", "--help"), ("kiosk", "serve", "--help"), ("slip", "read", digits())):
        ended = run_in(kiosk_python, "-m", "comptoir", *arguments, cwd=tmp_path)
        assert ended.returncode == 0, (arguments, ended.stderr)
    assert list(tmp_path.iterdir()) == []


def test_the_kiosk_s_files_are_few_enough_for_a_small_disk() -> None:
    assert size_mb("kiosk") <= 130


def copy_product(target: Path) -> None:
    """Copy what the wheel is built from."""
    target.mkdir()
    for name in ("pyproject.toml", "README.md", *PARTS):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, target / name)


def files_of(part: Path) -> list[Path]:
    return [part] if part.is_file() else [path for path in part.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
