from __future__ import annotations

from pathlib import Path
from unittest.mock import Mock

import pytest
from click.testing import CliRunner

from comptoir import marketplace
from pos.errors import PosError
from sync.locks import SERVER_FILE
from tests.marketplace import world


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(marketplace, [str(argument) for argument in arguments])
    return result.exit_code, result.output + (str(result.exception) if isinstance(result.exception, PosError) else "")


def test_from_set_up_to_a_code(tmp_path: Path) -> None:
    hq, feed = tmp_path / "hq", world.write_feed(tmp_path / "feed")
    status, said = run("init", "--dir", hq)
    assert status == 0
    assert said.splitlines()[-1].startswith("console password (shown once): ")
    for name in ("marketplace.json", "marketplace.db"):
        assert (hq / name).stat().st_mode & 0o077 == 0
    assert run("import", feed, "--dir", hq) == (0, "Test world: 4 listings; 28 rows added, 0 changed, 0 removed\n")
    assert run("publish", "--dir", hq) == (0, "fr: publication 1\n")
    assert run("publish", "--dir", hq) == (0, "fr: nothing changed\n")
    status, code = run("enrol", "nantes-crebillon", "--dir", hq)
    assert (status, len(code)) == (0, len("XXXX-XXXX-XXXX\n"))


def test_what_fails_says_so_in_a_line(tmp_path: Path) -> None:
    hq = tmp_path / "hq"
    status, said = run("publish", "--dir", hq)
    assert (status, "run `comptoir marketplace init` first" in said) == (1, True)
    run("init", "--dir", hq)
    assert run("init", "--dir", hq)[0] == 1
    assert run("enrol", "nowhere", "--dir", hq) == (1, "no corner nowhere")
    feed = world.write_feed(tmp_path / "feed", None, world.listings(l11={"price": "-1.00"}))
    status, said = run("import", feed, "--dir", hq)
    assert status == 1
    assert "listings.csv:2: price: negative price" in said
    assert said.endswith("Error: 1 problem(s): nothing was imported\n")
    assert run("import", tmp_path / "nothing", "--dir", hq)[0] == 2
    assert run("publish")[0] == 2


def test_where_a_marketplace_serves_is_written_as_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("init", "--dir", tmp_path / "hq")
    monkeypatch.setattr("marketplace.commands._refuse_taken_port", Mock(side_effect=OSError))
    run("serve", "--dir", tmp_path / "hq", "--host", "::1", "--port", "8000")

    assert (tmp_path / "hq" / SERVER_FILE).read_text().endswith(" on http://[::1]:8000/\n")
