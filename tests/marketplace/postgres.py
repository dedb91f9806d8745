"""A private PostgreSQL for the tests: a cluster of its own in a temporary directory, on a socket there, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

PORT = 5432
SERVER_USER = "postgres"


class PostgresMissing(Exception):
    """No PostgreSQL server programs on this machine."""


class Cluster:
    """A running cluster; every database of it is made from `template`."""

    def __init__(self) -> None:
        self.programs = _programs()
        self.home = Path(tempfile.mkdtemp(prefix="comptoir-postgres-"))
        if os.geteuid() == 0:
            account = pwd.getpwnam(SERVER_USER)
            os.chown(self.home, account.pw_uid, account.pw_gid)
        self._count = 0
        # Kept open for the databases made and dropped; not on `postgres`, which others are made from.
        self._administration = create_engine(self.url("template1"), isolation_level="AUTOCOMMIT")

    def start(self, *, durable: bool = False) -> None:
        """Make the cluster and start it; unless asked for not `durable`: what is tested is SQL, not this machine's disk."""
        self._run("initdb", "-D", f"{self.home}/data", "-U", "comptoir", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        settings = {
            "listen_addresses": "''",
            "unix_socket_directories": self.home,
            "port": PORT,
            "max_connections": 60,
            "fsync": "on" if durable else "off",
            "wal_level": "minimal",
            "max_wal_senders": 0,
            "max_wal_size": "64MB",
            "min_wal_size": "32MB",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        self._run("pg_ctl", "-D", f"{self.home}/data", "-w", "-o", options, "-l", f"{self.home}/log", "start")

    def stop(self) -> None:
        """Stop the cluster and remove it."""
        self._administration.dispose()
        self._run("pg_ctl", "-D", f"{self.home}/data", "-m", "immediate", "stop", must_work=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def url(self, name: str) -> str:
        """Return the address of one of its databases."""
        return f"postgresql+psycopg://comptoir@/{name}?host={self.home}&port={PORT}"

    def new_database(self, template: str) -> str:
        """Make a database from a template and return its name."""
        self._count += 1
        name = f"d{self._count}"
        # Copying files costs the server a fifth less than writing what is in them to its log.
        self._administer(f"create database {name} template {template} strategy file_copy")
        return name

    @contextmanager
    def lent_database(self, template: str) -> Iterator[str]:
        """Lend a new database's address and drop it afterwards: each takes 9 MB, and hundreds of tests ask for one."""
        name = self.new_database(template)
        yield self.url(name)
        self._administer(f"drop database {name} with (force)")

    def _administer(self, statement: str) -> None:
        with self._administration.connect() as connection:
            connection.execute(text(statement))

    def _run(self, program: str, *arguments: str, must_work: bool = True) -> None:
        command = [str(self.programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--clear-groups", *command]
        environment = {**os.environ, "HOME": str(self.home), "LC_ALL": "C"}
        done = subprocess.run(
            command,
            cwd=self.home,
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        if must_work and done.returncode:
            raise RuntimeError(f"{program}: {done.stderr.decode()}")


def _programs() -> Path:
    """Return the folder of the newest server programs."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise PostgresMissing("initdb is neither on the PATH nor in /usr/lib/postgresql")
    return versions[-1].parent
