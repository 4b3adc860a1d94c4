"""Promise: of a folder only plain files inside its skills are read, a bad skill is left out whole, and changes are
seen within the time that the YAML says."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from pathlib import Path

import pytest

from routeiq_skills.store.folder import FolderSource
from routeiq_skills.store.limits import LIMITS
from routeiq_skills.store.skill import Skill
from routeiq_skills.store.snapshot import Snapshot, snapshot_of
from routeiq_skills.store.store import Store

from .writing import skill_md, write_skill

SECRET = b"outside-9f2c41"


def read(*folders: Path) -> Snapshot:
    return snapshot_of([FolderSource(folder) for folder in folders], 1 << 30, {})


def reasons(snapshot: Snapshot) -> dict[str | None, str]:
    return {trouble.name: trouble.reason for trouble in snapshot.troubles}


def held(skills: Sequence[Skill]) -> bytes:
    return b"".join(file.data for skill in skills for file in skill.files.values())


def test_good_skills_are_read_whole(folder: Path) -> None:
    snapshot = read(folder)
    assert list(snapshot.skills) == ["one", "pdf"]
    assert list(snapshot.skills["pdf"].files) == ["SKILL.md", "logo.png", "scripts/run.py", "templates/a b.md"]
    assert snapshot.troubles == ()


def test_no_link_is_followed(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write_skill(outside, "linked", {"x": SECRET})
    (outside / "secret").write_bytes(SECRET)
    (folder / "linked").symlink_to(outside / "linked")
    for name, target in {
        "file": outside / "secret",
        "tree": outside,
        "inside": Path("SKILL.md"),
        "gone": Path("/nowhere/at/all"),
        "device": Path("/dev/zero"),
    }.items():
        write_skill(folder, f"bad-{name}")
        (folder / f"bad-{name}" / "l").symlink_to(target)
    write_skill(folder, "bad-md")
    (folder / "bad-md" / "SKILL.md").unlink()
    (folder / "bad-md" / "SKILL.md").symlink_to(outside / "linked" / "SKILL.md")
    snapshot = read(folder)
    assert list(snapshot.skills) == ["one", "pdf"]
    assert SECRET not in held(list(snapshot.skills.values()))
    told = reasons(snapshot)
    assert set(told) == {"linked", "bad-md", *(f"bad-{name}" for name in ("file", "tree", "inside", "gone", "device"))}
    assert all("symbolic link" in reason for reason in told.values())


def test_what_is_no_plain_file_is_never_opened(folder: Path) -> None:
    write_skill(folder, "pipe")
    os.mkfifo(folder / "pipe" / "p")
    write_skill(folder, "sock")
    with socket.socket(socket.AF_UNIX) as unix:
        at = os.getcwd()
        os.chdir(folder / "sock")
        try:
            unix.bind("s")
        finally:
            os.chdir(at)
        snapshot = read(folder)
    assert set(reasons(snapshot)) == {"pipe", "sock"}
    assert all("no plain file" in reason for reason in reasons(snapshot).values())


def test_a_file_swapped_for_a_link_while_it_is_read_is_not_followed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_bytes(SECRET)
    victim = folder / "pdf" / "logo.png"
    real = os.open

    def swapping(path: str, flags: int, *args: object, **kwargs: object) -> int:
        if path == "logo.png":
            victim.unlink()
            victim.symlink_to(tmp_path / "secret")
        return real(path, flags, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr("routeiq_skills.store.folder.os.open", swapping)
    snapshot = read(folder)
    assert list(snapshot.skills) == ["one"]
    assert SECRET not in held(list(snapshot.skills.values()))


def test_limits_hold_to_the_file_and_to_the_byte(tmp_path: Path) -> None:
    many = {f"f{number}": b"" for number in range(LIMITS.files - 1)}
    write_skill(tmp_path, "many", many)
    write_skill(tmp_path, "too-many", {**many, "last": b""})
    md = skill_md("large")
    write_skill(tmp_path, "large", {"f": b"x" * (LIMITS.skill_bytes - len(md))}, md=md)
    write_skill(tmp_path, "too-large", {"f": b"x" * (LIMITS.skill_bytes - len(md))}, md=skill_md("too-large"))
    write_skill(tmp_path, "long-md", md=skill_md("long-md", body="x" * LIMITS.skill_md_bytes))
    write_skill(tmp_path, "deep", {"/".join("d" * LIMITS.depth) + "/f": b""})
    snapshot = read(tmp_path)
    assert list(snapshot.skills) == ["large", "many"]
    assert set(reasons(snapshot)) == {"too-many", "too-large", "long-md", "deep"}


def test_hidden_files_are_refused_and_litter_is_left(folder: Path) -> None:
    write_skill(folder, "tidy", {".DS_Store": b"x", ".git/config": SECRET, "__pycache__/a.pyc": b"x"})
    write_skill(folder, "hiding", {".env": SECRET})
    snapshot = read(folder)
    assert list(snapshot.skills["tidy"].files) == ["SKILL.md"]
    assert "hidden" in reasons(snapshot)["hiding"]


def test_the_earlier_source_has_the_name(folder: Path, tmp_path: Path) -> None:
    write_skill(tmp_path / "second", "one", md=skill_md("one", "Another."))
    write_skill(tmp_path / "second", "two")
    snapshot = read(folder, tmp_path / "second")
    assert snapshot.skills["one"].description == "Does a thing."
    assert "two" in snapshot.skills
    assert "earlier source" in reasons(snapshot)["one"]


def test_archives_are_the_same_for_the_same_files(folder: Path) -> None:
    first, second = read(folder).skills["pdf"], read(folder).skills["pdf"]
    os.utime(folder / "pdf" / "SKILL.md", (1, 1))
    assert first.archive.digest == second.archive.digest == read(folder).skills["pdf"].archive.digest
    assert first.zip == second.zip


async def test_a_change_is_seen_and_a_lost_source_keeps_what_was_read(folder: Path, tmp_path: Path) -> None:
    store = Store([FolderSource(folder)], seconds=0.05, most_bytes=1 << 30)
    assert await store.refresh()
    assert not await store.refresh()
    before = store.now
    (folder / "one" / "SKILL.md").write_bytes(skill_md("one", "Changed."))
    assert await store.refresh()
    assert store.now.skills["one"].description == "Changed."
    assert before.skills["one"].description == "Does a thing."
    assert store.now.skills["pdf"] is before.skills["pdf"]  # nothing is packed again for another skill's change
    assert "archive" in store.now.skills["pdf"].__dict__
    folder.rename(tmp_path / "away")
    assert await store.refresh()
    assert list(store.now.skills) == ["one", "pdf"]
    assert store.health().status == "degraded"
    assert "sources[0]" in store.health().reason
    assert str(tmp_path) not in store.health().reason
    (tmp_path / "away").rename(folder)
    assert await store.refresh()
    assert store.health().status == "ok"


async def test_a_file_of_the_same_size_and_time_put_in_its_place_is_seen(folder: Path) -> None:
    store = Store([FolderSource(folder)], seconds=0.05, most_bytes=1 << 30)
    await store.refresh()
    place = folder / "one" / "SKILL.md"
    told = place.stat()
    new = place.with_suffix(".new")
    new.write_bytes(skill_md("one", "Does a THING."))
    os.utime(new, ns=(told.st_atime_ns, told.st_mtime_ns))
    new.replace(place)
    await store.refresh()
    assert store.now.skills["one"].description == "Does a THING."


async def test_watching_survives_a_reader_that_fails(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store([FolderSource(folder)], seconds=0.01, most_bytes=1 << 30)
    await store.refresh()
    failed = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = FolderSource.mark

    def mark(source: FolderSource) -> object:
        if not failed.is_set():
            loop.call_soon_threadsafe(failed.set)
            raise RuntimeError("no")
        return real(source)

    monkeypatch.setattr(FolderSource, "mark", mark)
    watching = asyncio.create_task(store.watch())
    try:
        await failed.wait()
        (folder / "one" / "SKILL.md").write_bytes(skill_md("one", "Changed."))
        async with asyncio.timeout(10):
            while store.now.skills["one"].description != "Changed.":
                await asyncio.sleep(0.01)
    finally:
        watching.cancel()


def test_all_skills_together_have_a_bound(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_skill(tmp_path, name, {"f": b"x" * 1000})
    snapshot = snapshot_of([FolderSource(tmp_path)], 2500, {})
    assert list(snapshot.skills) == ["a", "b"]
    assert "max_mib" in reasons(snapshot)["c"]
