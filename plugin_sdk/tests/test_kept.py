"""A kept secret is made once, whole, and for this user alone."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

from routeiq_sdk.kept import kept_secret, random_text


def test_it_is_made_once_and_only_this_user_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "new" / "secret"
    first = kept_secret(path)
    assert len(first) == 64
    assert kept_secret(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["secret"]


def test_of_many_at_once_one_counts_for_all(tmp_path: Path) -> None:
    together = Barrier(8)

    def make() -> bytes:
        together.wait(20)  # nobody has written anything yet
        return random_text()

    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: kept_secret(tmp_path / "secret", make), range(8)))
    assert len(found) == 1
    assert [each.name for each in tmp_path.iterdir()] == ["secret"]


def test_what_lies_there_is_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("restored from a copy\n")
    assert kept_secret(tmp_path / "secret", lambda: b"never made") == b"restored from a copy"
