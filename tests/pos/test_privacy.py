from __future__ import annotations

from pathlib import Path

import pytest

from pos.privacy import advice, open_to_others, take_over


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory of ours, its owner's alone."""
    directory = tmp_path / "place"
    for each in (directory, directory / "keys", directory / "sync"):
        take_over(each)
    for name in ("ops.db", "keys/root.key", "sync/head"):
        (directory / name).touch(mode=0o600)
    return directory


def test_what_only_its_owner_can_open_is_private(place: Path) -> None:
    assert open_to_others(place) == []


@pytest.mark.parametrize("name", [".", "ops.db", "keys", "keys/root.key", "sync", "sync/head"])
@pytest.mark.parametrize("right", [0o001, 0o002, 0o004, 0o010, 0o020, 0o040])
def test_any_right_of_others_is_told(place: Path, name: str, right: int) -> None:
    path = place / name
    path.chmod(path.stat().st_mode | right)
    assert open_to_others(place) == [path]


def test_a_folder_that_is_public_by_purpose_is_not_told(place: Path) -> None:
    (place / "sync").chmod(0o755)
    (place / "sync" / "head").chmod(0o644)
    assert open_to_others(place, public={"sync"}) == []
    assert open_to_others(place, public={"nothing"}) == [place / "sync", place / "sync" / "head"]


def test_a_link_says_nothing_of_what_it_leads_to(place: Path) -> None:
    (place / "link").symlink_to("ops.db")
    (place / "dangling").symlink_to("nowhere")
    assert open_to_others(place) == []


def test_the_first_three_are_named() -> None:
    assert "open a, b: close" in advice([Path("a"), Path("b")])
    assert "open a, b, c and 2 more: close" in advice([Path(name) for name in "abcde"])


def test_a_directory_made_for_us_is_closed(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir(mode=0o755)
    take_over(tmp_path / "made")
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o700
