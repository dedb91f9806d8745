"""The command line as scripts meet it: exit statuses, one line on stderr, never a traceback, one JSON document."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests import world
from tests.processes import five_ports, free_port, run, run_apart

DIGITS = json.loads((Path(__file__).parent / "pos" / "token_examples.json").read_text())


def fails(*arguments: str) -> str:
    """Run a command whose work fails; return its one line of stderr."""
    ended = run(*arguments)
    assert ended.returncode == 1, ended
    [line] = ended.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("kiosk", "sync"),
        ("kiosk", "serve", "--dir", "k", "--port", "99999"),
        ("sample", "--listings", "0", "--out", "f"),
        ("slip", "read"),
        ("demo", "--port", "70000"),
        ("demo", "--public-url", "javascript:alert(1)"),
        ("demo", "--host", "not a host"),
        ("marketplace", "init", "--dir", "m", "--public-url", "javascript:alert(1)"),
        ("marketplace", "serve", "--dir", "m", "--host", "http://here"),
        ("kiosk", "enrol", "--dir", "k", "--marketplace", "not a url", "--code", "ABCD"),
        ("kiosk", "set", "--dir", "k", "--marketplace", "not a url"),
        ("kiosk", "set", "--dir", "k", "--mirror", "file:///etc"),
        ("kiosk", "set", "--dir", "k", "--printer", "here:0"),
        ("kiosk", "set", "--dir", "k", "--printer", "a b:9100"),
        ("kiosk", "serve", "--dir", "k", "--host", "a b"),
        ("fleet", "--kiosks", "1", "--against", "nonsense"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(arguments: tuple[str, ...]) -> None:
    ended = run(*arguments)

    assert ended.returncode == 2
    assert ended.stdout == ""
    assert "Usage: comptoir" in ended.stderr
    assert not {Path("k"), Path("m"), Path("comptoir-demo")} & set(Path().iterdir())


def test_a_kiosk_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    ended = run_apart("kiosk", "sync", "--dir", str(tmp_path / "nowhere"))

    assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1)
    assert "run `comptoir kiosk enrol` first" in ended.stderr
    assert not (tmp_path / "nowhere").exists()


def test_a_marketplace_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    assert "run `comptoir marketplace init` first" in fails("marketplace", "publish", "--dir", str(tmp_path))


def test_damaged_records_are_named_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "ops.db"
    path.write_bytes(b"not a database" * 500)

    line = fails("kiosk", "status", "--dir", str(tmp_path), "--json")

    assert "records_damaged" in line
    assert str(path) in line
    assert path.read_bytes() == b"not a database" * 500


def test_a_damaged_key_is_said(tmp_path: Path) -> None:
    world.make_kiosk(tmp_path).ops.close()
    (tmp_path / "device.key").write_bytes(b"short")

    assert "device.key is damaged" in fails("kiosk", "sync", "--dir", str(tmp_path))


def test_a_marketplace_out_of_reach_is_said(tmp_path: Path) -> None:
    here = f"http://127.0.0.1:{free_port()}"

    line = fails("kiosk", "enrol", "--dir", str(tmp_path / "k"), "--marketplace", here, "--code", "ABCD")

    assert "offline" in line
    assert here in line


@pytest.mark.parametrize("address", ["nonsense://here", "postgresql://127.0.0.1:9/nothing"])
def test_a_database_that_cannot_be_opened_is_said(tmp_path: Path, address: str) -> None:
    assert fails("marketplace", "init", "--dir", str(tmp_path / "m"), "--database", address)


@pytest.mark.parametrize("text", ["", "0", "abc", "٣٤", "9" * 5000, "http://marche.test/k/12"])
def test_what_is_no_token_is_said(text: str) -> None:
    assert "mangled_token" in fails("slip", "read", text)


def test_a_key_that_is_no_key_is_said(tmp_path: Path) -> None:
    for content in (b"", b"not a key", b"-----BEGIN"):
        (tmp_path / "key").write_bytes(content)
        assert "not an Ed25519 public key" in fails("slip", "read", digits(), "--public-key", str(tmp_path / "key"))


def test_a_signature_that_does_not_hold_is_a_failure_said_on_stderr(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(bytes(31) + b"\x01")
    ended = run("slip", "read", digits(), "--public-key", str(tmp_path / "key"))

    assert (ended.returncode, json.loads(ended.stdout)["signature"]) == (1, "invalid")
    assert len(ended.stderr.splitlines()) == 1


def test_status_is_one_document(tmp_path: Path) -> None:
    world.make_kiosk(tmp_path).ops.close()
    ended = run("kiosk", "status", "--dir", str(tmp_path), "--json")

    assert (ended.returncode, ended.stderr) == (0, "")
    assert json.loads(ended.stdout)["corner"] == "nantes-crebillon"


def test_a_marketplace_that_others_can_read_says_so_as_it_starts(tmp_path: Path) -> None:
    directory = tmp_path / "m"
    run("marketplace", "init", "--dir", str(directory))
    (directory / "marketplace.db").chmod(0o644)
    (directory / "sync").chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = run("marketplace", "serve", "--dir", str(directory), "--port", str(taken.getsockname()[1]))
    told, _ = ended.stderr.splitlines()
    assert told == f"comptoir: others on this machine can open {directory / 'marketplace.db'}: close them with chmod go="


def test_a_taken_port_is_said_by_every_part(tmp_path: Path) -> None:
    """The marketplace's workers share one port among them, and would share it with a stranger too."""
    world.make_kiosk(tmp_path).ops.close()
    run("marketplace", "init", "--dir", str(tmp_path / "m"))
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        for arguments in (
            ("marketplace", "serve", "--dir", str(tmp_path / "m")),
            ("kiosk", "serve", "--dir", str(tmp_path)),
            ("demo", "--dir", str(tmp_path / "d")),
        ):
            ended = run_apart(*arguments, "--port", port)
            assert (ended.returncode, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1), arguments
    assert not (tmp_path / "d").exists()


def test_the_demo_keeps_out_of_a_directory_that_is_no_demo(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")

    for more in ((), ("--fresh",)):
        assert "not_a_demo" in fails("demo", "--dir", str(tmp_path), "--port", str(five_ports()), *more)
    assert [path.name for path in tmp_path.iterdir()] == ["letters.txt"]


def test_a_bad_feed_is_refused_with_its_lines(tmp_path: Path) -> None:
    run("marketplace", "init", "--dir", str(tmp_path / "m"))
    run("sample", "--listings", "5", "--out", str(tmp_path / "f"))
    listings = tmp_path / "f" / "listings.csv"
    listings.write_text(listings.read_text().replace(";EUR;", ";USD;", 1))

    ended = run("marketplace", "import", str(tmp_path / "f"), "--dir", str(tmp_path / "m"))

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[0] == "listings.csv:2: currency: USD is not the market's EUR"


def digits() -> str:
    return str(DIGITS[0]["digits"])
