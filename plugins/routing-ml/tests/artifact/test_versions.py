"""The memory of versions never goes back, not with many writers, not after a crash, and not when it is broken."""

from __future__ import annotations

import multiprocessing
import os
from contextlib import suppress
from pathlib import Path

import pytest

from routeiq_routing_ml.artifact.errors import ArtifactError
from routeiq_routing_ml.artifact.versions import MEMORY, Seen, Versions

A, B = "a" * 64, "b" * 64


def test_what_is_remembered_is_seen_by_another(tmp_path: Path) -> None:
    assert Versions(tmp_path / "new").seen("router") is None
    assert Versions(tmp_path / "new").remember("router", 3, A) == Seen(3, A)
    assert Versions(tmp_path / "new").seen("router") == Seen(3, A)
    assert Versions(tmp_path / "new").seen("other") is None


def test_an_older_version_and_other_content_are_refused_and_change_nothing(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    versions.remember("router", 3, A)
    versions.remember("router", 3, A)
    with pytest.raises(ArtifactError, match="older"):
        versions.remember("router", 2, B)
    with pytest.raises(ArtifactError, match="other content"):
        versions.remember("router", 3, B)
    assert versions.seen("router") == Seen(3, A)
    assert versions.remember("other", 1, B) == Seen(1, B)
    assert versions.remember("router", 4, B) == versions.seen("router")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"{}", b'{"artifacts":{},"schema":2}', b'{"artifacts":[],"schema":1}',
        b'{"artifacts":{"r":{"digest":"x","version":1}},"schema":1}',
        b'{"artifacts":{"r":{"digest":"' + b"a" * 64 + b'","version":"1"}},"schema":1}',
        b'{"artifacts":{"r":null},"schema":1}', b"\xff" * 10, b"[" * 50_000, b" " * (2 << 20),
    ],
)  # fmt: skip
def test_a_broken_memory_refuses_and_is_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / MEMORY).write_bytes(content)
    for ask in (lambda: Versions(tmp_path).seen("r"), lambda: Versions(tmp_path).remember("r", 9, A)):
        with pytest.raises(ArtifactError, match=MEMORY) as caught:
            ask()
        assert caught.value.mend
    assert (tmp_path / MEMORY).read_bytes() == content


def test_a_link_or_fifo_is_no_memory(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / MEMORY)
    with pytest.raises(ArtifactError, match="not a plain file"):
        Versions(tmp_path).seen("r")
    (tmp_path / MEMORY).unlink()
    (tmp_path / MEMORY).symlink_to("/dev/zero")
    with pytest.raises(ArtifactError, match="a link"):
        Versions(tmp_path).seen("r")


def _count_up(folder: Path, name: str, start: int) -> None:
    versions = Versions(folder)
    versions.remember(name, start + 1, A)
    for version in range(start + 2, start + 20):
        with suppress(ArtifactError):  # another worker was further already
            versions.remember("shared", version, A)


def test_workers_at_once_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_count_up, args=(tmp_path, f"w{n}", 10 * n)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    versions = Versions(tmp_path)
    assert [versions.seen(f"w{n}") for n in range(4)] == [Seen(10 * n + 1, A) for n in range(4)]
    assert versions.seen("shared") == Seen(49, A)
    assert sorted(os.listdir(tmp_path)) == ["versions.json", "versions.lock"]
