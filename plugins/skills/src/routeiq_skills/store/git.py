"""Skills as they are committed in a git checkout: its objects are read, nothing of it is run.

No program is started: hooks, filters and aliases of a repository have no say. Nothing is fetched.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from routeiq_skills.store.limits import LIMITS, SKILL_MD, BadSkill
from routeiq_skills.store.paths import is_litter, shown
from routeiq_skills.store.source import Found, Troubled

_SHA = 40


class GitSource:
    """The tree of a commit; folders below `within` are skills."""

    def __init__(self, path: Path, ref: str, within: str) -> None:
        self._path = path
        self._ref = ref
        self._within = [part for part in within.split("/") if part]
        self.name = f"{path} at {ref}"

    def mark(self) -> object:
        """The commit."""
        with self._open() as repository:
            return self._commit(repository)

    def read(self) -> Iterator[Found | Troubled]:
        """All skills of the commit."""
        with self._open() as repository:
            tree = self._tree(repository, self._commit(repository))
            for entry in tree.items():
                name = _text(entry.path)
                if is_litter(name):
                    continue
                if stat.S_ISLNK(entry.mode):
                    yield Troubled(name, "it is a symbolic link, and none is followed")
                elif entry.mode == stat.S_IFDIR:
                    try:
                        folder = repository[entry.sha]
                        if SKILL_MD.encode() in folder:
                            yield Found(name, _contents(repository, folder))
                    except BadSkill as bad:
                        yield Troubled(name, str(bad))
                    except (KeyError, ValueError, OSError) as error:
                        yield Troubled(name, f"it cannot be read: {type(error).__name__}")

    def _open(self) -> Any:
        from dulwich.errors import NotGitRepository
        from dulwich.repo import Repo

        try:
            return Repo(str(self._path))
        except (NotGitRepository, OSError):
            raise BadSkill("it is no git checkout that can be read") from None

    def _commit(self, repository: Any) -> bytes:
        """The id of the commit that the ref names."""
        ref = self._ref.encode()
        for name in (ref, b"refs/heads/" + ref, b"refs/tags/" + ref, b"refs/remotes/" + ref):
            try:
                found: bytes = repository.refs[name]
                return found
            except (KeyError, ValueError):
                continue
        if len(ref) == _SHA and all(character in b"0123456789abcdef" for character in ref):
            return ref
        raise BadSkill(f"there is no branch, tag or full commit id {shown(self._ref)}")

    def _tree(self, repository: Any, commit: bytes) -> Any:
        from dulwich.objects import Commit, Tag, Tree

        try:
            found = repository[commit]
            while isinstance(found, Tag):
                found = repository[found.object[1]]
            if not isinstance(found, Commit):
                raise BadSkill(f"{shown(self._ref)} is no commit")
            tree = repository[found.tree]
            for part in self._within:
                mode, sha = tree[part.encode()]
                tree = repository[sha] if mode == stat.S_IFDIR else None
                if not isinstance(tree, Tree):
                    raise BadSkill(f"{shown('/'.join(self._within))} is no folder at {shown(self._ref)}")
        except KeyError:
            where = shown("/".join(self._within) or ".")
            raise BadSkill(f"{where} is not in the repository at {shown(self._ref)}") from None
        return tree


def _contents(repository: Any, folder: Any) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    left = LIMITS.skill_bytes

    def take(tree: Any, prefix: str, depth: int) -> None:
        nonlocal left
        if depth > LIMITS.depth:
            raise BadSkill(f"{shown(prefix)} lies deeper than {LIMITS.depth} folders")
        for entry in tree.items():
            name = _text(entry.path)
            path = f"{prefix}{name}"
            if is_litter(name):
                continue
            if entry.mode == stat.S_IFDIR:
                take(repository[entry.sha], f"{path}/", depth + 1)
            elif stat.S_ISREG(entry.mode):
                if len(contents) >= LIMITS.files:
                    raise BadSkill(f"it has more than {LIMITS.files} files")
                data = repository[entry.sha].as_raw_string()
                left -= len(data)
                if left < 0 or len(data) > LIMITS.file_bytes:
                    raise BadSkill(f"with {shown(path)} it has more than {LIMITS.skill_bytes} bytes")
                contents[path] = data
            else:
                what = "a symbolic link" if stat.S_ISLNK(entry.mode) else "a submodule"
                raise BadSkill(f"{shown(path)} is {what}")

    take(folder, "", 1)
    return contents


def _text(name: bytes) -> str:
    try:
        return name.decode("utf-8")
    except UnicodeDecodeError:
        raise BadSkill(f"the name {shown(name)} is not UTF-8") from None
