"""A private PostgreSQL for the tests: a cluster of its own in a temporary directory, on a socket there, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
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

    def start(self) -> None:
        """Make the cluster and start it, durable settings off: what is tested is SQL, not this machine's disk."""
        self._run("initdb", "-D", f"{self.home}/data", "-U", "comptoir", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = (
            f"-c listen_addresses='' -c unix_socket_directories={self.home} -c fsync=off -c max_connections=60 -c port={PORT}"
        )
        self._run("pg_ctl", "-D", f"{self.home}/data", "-w", "-o", options, "-l", f"{self.home}/log", "start")

    def stop(self) -> None:
        """Stop the cluster and remove it."""
        self._run("pg_ctl", "-D", f"{self.home}/data", "-m", "immediate", "stop", must_work=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def url(self, name: str) -> str:
        """Return the address of one of its databases."""
        return f"postgresql+psycopg://comptoir@/{name}?host={self.home}&port={PORT}"

    def new_database(self, template: str) -> str:
        """Make a database from a template and return its name."""
        self._count += 1
        name = f"d{self._count}"
        engine = create_engine(self.url("template1"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"create database {name} template {template}"))
        engine.dispose()
        return name

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
