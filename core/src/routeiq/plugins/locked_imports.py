"""The import of locked plugins: each module comes from a file that the lock covers, hashed from the bytes that run.

Which files those are is read in `lock`. A digest taken before would say nothing of a compiled copy in `__pycache__`, of
a package laid over a module, or of a folder further up on the path; here none of them is looked at.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ExtensionFileLoader, ModuleSpec, PathFinder, SourceFileLoader
from pathlib import PurePosixPath
from types import CodeType, ModuleType


@dataclass(frozen=True, slots=True)
class LockedFiles:
    """The files of locked distributions: real path to SHA-256, and the dotted names of the packages they make up."""

    digests: Mapping[str, str]
    packages: frozenset[str]

    def __or__(self, other: LockedFiles) -> LockedFiles:
        return LockedFiles({**self.digests, **other.digests}, self.packages | other.packages)

    def covers(self, name: str) -> bool:
        """Whether a module is one of theirs, or a package that one of theirs lies in."""
        return any(
            name == package or name.startswith(f"{package}.") or package.startswith(f"{name}.")
            for package in self.packages
        )


NOTHING = LockedFiles({}, frozenset())


def packages_of(recorded: Sequence[PurePosixPath]) -> frozenset[str]:
    """The outermost packages and lone modules among the files of a distribution, as they are imported."""
    files = set(recorded)
    found = set()
    for file in recorded:
        if file.suffix not in {".py", ".so", ".pyd"} or file.parts[0] == ".." or file.parts[0].endswith(".dist-info"):
            continue
        top = file.parent
        if top / "__init__.py" not in files:
            found.add(".".join((*top.parts, file.name.partition(".")[0])))
            continue
        while top.parent.parts and top.parent / "__init__.py" in files:
            top = top.parent
        found.add(".".join(top.parts))
    return frozenset(found)


def hold_imports_to(files: LockedFiles) -> None:
    """From now on modules of these packages are imported from these files alone. Replaces what was held to before."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    if files.packages:
        sys.meta_path.insert(0, _Finder(files))


class _Finder(MetaPathFinder):
    def __init__(self, files: LockedFiles) -> None:
        self._files = files

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not self._files.covers(fullname):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin is None or not spec.has_location:
            return spec  # absent, or a folder without code of its own
        place = os.path.realpath(spec.origin)
        digest = self._files.digests.get(place)
        if digest is None:
            raise ImportError(f"{place} is not a file that the lock covers", name=fullname, path=place)
        if isinstance(spec.loader, SourceFileLoader):  # one that some library put in its place, too: it is not used
            spec.loader = _FromSource(fullname, place, digest)
        elif isinstance(spec.loader, ExtensionFileLoader):
            _same(place, spec.loader.get_data(place), digest)
        else:
            raise ImportError(f"{place} is of a kind that is not run under a lock", name=fullname, path=place)
        return spec


class _FromSource(SourceFileLoader):
    """Compiles what it read and hashed; compiled copies on the disk are neither read nor written."""

    def __init__(self, fullname: str, path: str, digest: str) -> None:
        super().__init__(fullname, path)
        self._digest = digest

    def get_code(self, fullname: str) -> CodeType:
        data = self.get_data(self.path)
        _same(self.path, data, self._digest)
        code: CodeType = self.source_to_code(data, self.path)
        return code


def _same(path: str, data: bytes, digest: str) -> None:
    if hashlib.sha256(data).hexdigest() != digest:
        raise ImportError(f"{path} is no longer what the lock covers", path=path)
