"""Promise: of a checkout what is committed at the ref is served, and nothing of the repository is run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from routeiq_skills.store.git import GitSource
from routeiq_skills.store.snapshot import Snapshot, snapshot_of

from .writing import skill_md, write_skill


def git(at: Path, *words: str) -> str:
    who = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@x", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@x"}
    env = {"PATH": os.environ["PATH"], "HOME": str(at), "GIT_CONFIG_NOSYSTEM": "1", **who}
    return subprocess.run(["git", "-C", str(at), *words], check=True, capture_output=True, text=True, env=env).stdout


def commit(at: Path) -> str:
    git(at, "add", "-A")
    git(at, "commit", "-qm", "x", "--no-verify")
    return git(at, "rev-parse", "HEAD").strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    place = tmp_path / "checkout"
    place.mkdir()
    git(place, "init", "-q", "-b", "main")
    write_skill(place / "skills", "one", {"a.txt": b"committed\n"})
    commit(place)
    return place


def read(checkout: Path, ref: str = "HEAD", within: str = "skills") -> Snapshot:
    return snapshot_of([GitSource(checkout, ref, within)], 1 << 30, {})


def test_the_commit_counts_and_not_the_working_tree(checkout: Path) -> None:
    (checkout / "skills" / "one" / "a.txt").write_text("changed")
    write_skill(checkout / "skills", "two")
    git(checkout, "add", "-A")
    snapshot = read(checkout)
    assert list(snapshot.skills) == ["one"]
    assert snapshot.skills["one"].files["a.txt"].data == b"committed\n"


def test_refs_of_every_kind_are_found(checkout: Path) -> None:
    first = git(checkout, "rev-parse", "HEAD").strip()
    git(checkout, "tag", "light")
    git(checkout, "tag", "-a", "heavy", "-m", "x")
    git(checkout, "checkout", "-qb", "work")
    write_skill(checkout / "skills", "two")
    commit(checkout)
    git(checkout, "checkout", "-q", "main")
    for ref in ("HEAD", "main", "refs/heads/main", "light", "heavy", first):
        assert list(read(checkout, ref).skills) == ["one"], ref
    assert list(read(checkout, "work").skills) == ["one", "two"]
    git(checkout, "pack-refs", "--all")
    git(checkout, "gc", "-q")
    assert list(read(checkout, "work").skills) == ["one", "two"]


@pytest.mark.parametrize("ref", ["nowhere", "../../etc/passwd", "a" * 40, "HEAD~1", "-x", "main:skills"])
def test_a_ref_that_is_not_there_says_so(checkout: Path, ref: str) -> None:
    snapshot = read(checkout, ref)
    assert not snapshot.skills
    (trouble,) = snapshot.troubles
    assert trouble.name is None


@pytest.mark.parametrize("within", ["nowhere", "../..", "skills/one/SKILL.md", ".git"])
def test_a_folder_that_is_not_in_the_commit_says_so(checkout: Path, within: str) -> None:
    snapshot = read(checkout, within=within)
    assert not snapshot.skills
    assert len(snapshot.troubles) == 1


def test_a_folder_without_git_says_so(tmp_path: Path) -> None:
    assert "no git checkout" in read(tmp_path).troubles[0].reason


def test_committed_links_and_submodules_are_refused(checkout: Path) -> None:
    for name, target in {"out": "/etc/passwd", "up": "../../..", "in": "SKILL.md"}.items():
        write_skill(checkout / "skills", f"link-{name}")
        (checkout / "skills" / f"link-{name}" / "l").symlink_to(target)
    (checkout / "skills" / "link").symlink_to("one")
    write_skill(checkout / "skills", "sub")
    head = commit(checkout)
    git(checkout, "update-index", "--add", "--cacheinfo", f"160000,{head},skills/sub/m")
    git(checkout, "commit", "-qm", "x")
    snapshot = read(checkout)
    assert list(snapshot.skills) == ["one"]
    told = {trouble.name: trouble.reason for trouble in snapshot.troubles}
    assert set(told) == {"link", "link-out", "link-up", "link-in", "sub"}
    assert "submodule" in told["sub"]


def test_nothing_of_the_repository_is_run(checkout: Path, tmp_path: Path) -> None:
    canary = tmp_path / "ran"
    (checkout / ".gitattributes").write_text("* filter=evil diff=evil\n")
    commit(checkout)
    for name in ("filter.evil.smudge", "filter.evil.clean", "diff.evil.textconv", "core.fsmonitor", "core.pager"):
        git(checkout, "config", name, f"touch {canary}")
    git(checkout, "config", "core.sshCommand", f"touch {canary}")
    git(checkout, "config", "remote.origin.promisor", "true")
    git(checkout, "config", "remote.origin.url", f"ext::touch {canary}")
    git(checkout, "config", "alias.cat-file", f"!touch {canary}")
    for hook in (checkout / ".git" / "hooks").iterdir():
        hook.unlink()
    for hook in ("post-checkout", "post-index-change", "pre-auto-gc", "reference-transaction"):
        place = checkout / ".git" / "hooks" / hook
        place.write_text(f"#!/bin/sh\ntouch {canary}\n")
        place.chmod(0o755)
    blob = git(checkout, "rev-parse", "HEAD:skills/one/a.txt").strip()
    (checkout / ".git" / "objects" / blob[:2] / blob[2:]).unlink()  # a promisor would fetch it
    snapshot = read(checkout)
    assert not snapshot.skills
    assert snapshot.troubles[0].name == "one"
    assert not canary.exists()


def test_a_new_commit_is_seen(checkout: Path) -> None:
    source = GitSource(checkout, "main", "skills")
    before = source.mark()
    assert source.mark() == before
    (checkout / "skills" / "one" / "SKILL.md").write_bytes(skill_md("one", "Changed."))
    commit(checkout)
    assert source.mark() != before
    assert read(checkout, "main").skills["one"].description == "Changed."
