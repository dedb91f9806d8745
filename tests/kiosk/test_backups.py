"""What a technician types: copies of the records, a list of them, and one put back."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from comptoir import comptoir
from kiosk import background
from sync.locks import BACKUP_FILE, hold, hold_directory
from tests import world


def run(*arguments: str) -> Result:
    return CliRunner().invoke(comptoir, ["kiosk", *arguments])


def test_copies_are_made_listed_and_one_is_put_back(kiosk: world.Kiosk) -> None:
    at = ("--dir", str(kiosk.directory))
    made = run("backup", *at, "--also", str(kiosk.directory / "no-disk"))
    listed = run("restore", *at)

    assert made.exit_code == listed.exit_code == 0, (made.output, listed.output)
    hour, day = (line.removeprefix("kept ") for line in made.output.splitlines()[1:])
    assert made.output.splitlines()[0] == f"no disk at {kiosk.directory / 'no-disk'}"
    assert sorted(line.split()[0] for line in listed.output.splitlines()) == sorted(Path(path).name for path in (hour, day))
    assert all(line.endswith(" 0 slips, 0 events") for line in listed.output.splitlines())

    kiosk.ops.close()
    restored = run("restore", *at, Path(hour).name)
    assert restored.exit_code == 0, restored.output
    assert restored.output.startswith(f"{hour} is in place: 0 slips; what stood there is in {kiosk.directory / 'set-aside'}/")
    assert "enrol this kiosk again" not in restored.output


def test_records_in_use_are_not_replaced(kiosk: world.Kiosk) -> None:
    at = ("--dir", str(kiosk.directory))
    name = Path(run("backup", *at).output.split()[-1]).name
    with hold_directory(kiosk.directory, doing="serving"):
        assert "is held already" in str(run("restore", *at, name).exception)
    assert not (kiosk.directory / "set-aside").exists()


def test_a_copy_that_fails_is_a_fault_until_one_succeeds(kiosk: world.Kiosk) -> None:
    (kiosk.directory / "backup").write_text("no folder")
    assert not background.clean_up(kiosk.ops)
    (kiosk.directory / "backup").unlink()
    assert background.clean_up(kiosk.ops)


def test_one_copy_is_made_at_a_time_and_none_is_put_back_meanwhile(kiosk: world.Kiosk) -> None:
    at = ("--dir", str(kiosk.directory))
    name = Path(run("backup", *at).output.split()[-1]).name
    copy = kiosk.directory / "backup" / name
    copy.rename(kiosk.directory / name)
    with hold(kiosk.directory / BACKUP_FILE):
        assert background.clean_up(kiosk.ops)
        assert not copy.exists()
        kiosk.ops.close()
        assert "is held by another process" in str(run("restore", *at, str(kiosk.directory / name)).exception)
    assert not (kiosk.directory / "set-aside").exists()
