"""A PostgreSQL server with a folder of its own, and a fresh database for each test.

Its durability against a crash of the machine is off; what was committed survives the end of its processes.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from .binaries import postgres_programs
from .home import unprivileged
from .process import ServerError, ServerProcess

_numbers = itertools.count()


class PostgresServer(ServerProcess):
    """`url` is `postgresql://postgres@127.0.0.1:PORT/postgres`; `database()` makes an empty one and gives its URL."""

    name = "postgres"
    privileged = False

    @property
    def url(self) -> str:
        """The database that is always there."""
        return self._url("postgres")

    def command(self) -> Sequence[str | Path]:
        options = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "16MB",
            "max_connections": "200",
            "autovacuum": "off",
        }
        words = (word for name, value in options.items() for word in ("-c", f"{name}={value}"))
        return [postgres_programs() / "postgres", "-D", self._data, *words]

    def start(self) -> None:
        """Start it, after `initdb` the first time, and wait until it answers. Harmless when it runs."""
        if not self._data.exists():
            self._initialize()
        super().start()

    def answers(self) -> bool:
        pid_file = self._data / "postmaster.pid"
        try:
            lines = pid_file.read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def processes(self) -> Sequence[int]:
        return [self.pid, *_children(self.pid)] if self.running else []

    async def database(self) -> str:
        """Make an empty database; its URL."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        await self.execute(f"CREATE DATABASE {name}")
        return self._url(name)

    async def execute(self, statement: str, url: str = "") -> str:
        """Run one SQL statement through `psql`; its rows, one a line, columns parted by `|`."""
        process = await asyncio.create_subprocess_exec(
            postgres_programs() / "psql",
            *("--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"),
            *("--command", statement, url or self.url),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise ServerError(f"psql: {output.decode(errors='replace')}")
        return output.decode().strip()

    def refresh(self) -> None:
        """Whatever a test did to it: running."""
        self.resume()
        self.start()

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _url(self, database: str) -> str:
        return f"postgresql://postgres@{self.address}/{database}"

    def _initialize(self) -> None:
        user, group = unprivileged() or (None, None)
        made = subprocess.run(
            [
                postgres_programs() / "initdb",
                *("-D", self._data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"),
            ],
            cwd=self.folder,
            user=user,
            group=group,
            extra_groups=[] if user is not None else None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if made.returncode != 0:
            shutil.rmtree(self._data, ignore_errors=True)
            raise ServerError(f"initdb: {made.stdout.decode(errors='replace')}")


def _children(parent: int) -> list[int]:
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = (line.split() for line in listed.splitlines())
    return [int(pid) for pid, above in pairs if int(above) == parent]
