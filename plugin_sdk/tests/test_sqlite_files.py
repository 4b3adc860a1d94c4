"""Processes that start at once find one file, in WAL mode, that only this user reads."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from routeiq_sdk.sqlite_files import prepare_sqlite


@pytest.mark.parametrize("round_", range(10))
def test_however_many_start_at_once_all_can_use_the_file(tmp_path: Path, round_: int) -> None:
    path = tmp_path / "folder" / f"{round_}.sqlite3"

    def start(worker: int) -> None:
        prepare_sqlite(str(path))
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("BEGIN IMMEDIATE").close()
        connection.execute("CREATE TABLE IF NOT EXISTS seen (worker INTEGER)").close()
        connection.execute("INSERT INTO seen VALUES (?)", (worker,)).close()
        connection.execute("COMMIT").close()
        connection.close()

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(start, range(8)))
    connection = sqlite3.connect(path)
    assert {worker for (worker,) in connection.execute("SELECT worker FROM seen")} == set(range(8))
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert path.stat().st_mode & 0o077 == 0


def test_a_lock_that_stays_is_an_error_in_the_end(tmp_path: Path) -> None:
    path = tmp_path / "held.sqlite3"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE").close()
    try:
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            prepare_sqlite(str(path), seconds=0.05)
    finally:
        holder.close()


def test_what_is_no_database_is_an_error_at_once(tmp_path: Path) -> None:
    path = tmp_path / "text.sqlite3"
    path.write_text("this is no database, however one looks at it" * 100)
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        prepare_sqlite(str(path))


@pytest.mark.parametrize("database", [None, "", ":memory:"])
def test_memory_has_no_file(database: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare_sqlite(database)
    assert list(tmp_path.iterdir()) == []
