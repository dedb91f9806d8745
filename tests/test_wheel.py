"""The wheel holds everything the product needs, and works from any directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PARTS = ("comptoir.py", "pos", "sync", "shop", "kiosk", "marketplace", "demo", "templates")


def test_the_wheel_runs_from_an_empty_directory(tmp_path: Path) -> None:
    source, installed, empty = tmp_path / "source", tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    copy_product(source)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*build, str(source)], check=True, capture_output=True, timeout=120)
    [wheel] = tmp_path.glob("comptoir-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)

    packed = {path.relative_to(installed) for path in installed.rglob("*") if path.is_file()}
    meant = {path.relative_to(source) for part in PARTS for path in files_of(source / part)}
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
