"""One skill: its files in memory, their digests, and what its SKILL.md says of it.

Where the bytes came from is not known here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any

from routeiq_skills.store.frontmatter import frontmatter_of
from routeiq_skills.store.limits import LIMITS, SKILL_MD, BadSkill
from routeiq_skills.store.media import media_type_of, text_of
from routeiq_skills.store.packing import tar_gz, zipped
from routeiq_skills.store.paths import check_apart, check_path, shown


@dataclass(frozen=True, slots=True)
class File:
    """One file: its bytes and what can be said of them. `text` is set when they are UTF-8."""

    path: str
    data: bytes
    digest: str
    media_type: str
    text: str | None

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.data)


@dataclass(frozen=True, eq=False)
class Skill:
    """A skill whose files cannot change any more; SKILL.md comes first, the others in the order of their paths."""

    name: str
    frontmatter: Mapping[str, Any]
    files: Mapping[str, File]
    source: str = ""

    @property
    def description(self) -> str:
        """What it is good for, as its author wrote it."""
        told: str = self.frontmatter["description"]
        return told

    @property
    def skill_md(self) -> File:
        """The file that every skill has."""
        return self.files[SKILL_MD]

    @cached_property
    def archive(self) -> File:
        """All files as a `.tar.gz`: the same bytes for the same files."""
        data = tar_gz((file.path, file.data) for file in self.files.values())
        return File(f"{self.name}.tar.gz", data, digest_of(data), "application/gzip", None)

    @cached_property
    def zip(self) -> bytes:
        """All files as a `.zip` below a folder of the skill's name: the same bytes for the same files."""
        return zipped((f"{self.name}/{file.path}", file.data) for file in self.files.values())

    @property
    def digest(self) -> str:
        """Names what the skill holds: of the paths and digests of all files."""
        told = "".join(f"{file.path}\0{file.digest}\n" for file in self.files.values())
        return digest_of(told.encode())


def digest_of(data: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def skill_of(name: str, contents: Mapping[str, bytes], source: str = "") -> Skill:
    """The skill of these files, which lie in a folder of this name. Raises `BadSkill`."""
    if SKILL_MD not in contents:
        raise BadSkill(f"there is no {SKILL_MD}")
    if len(contents) > LIMITS.files:
        raise BadSkill(f"it has {len(contents)} files, more than {LIMITS.files}")
    total = sum(len(data) for data in contents.values())
    if total > LIMITS.skill_bytes:
        raise BadSkill(f"it has {total} bytes, more than {LIMITS.skill_bytes}")
    if len(contents[SKILL_MD]) > LIMITS.skill_md_bytes:
        raise BadSkill(f"{SKILL_MD} has more than {LIMITS.skill_md_bytes} bytes")
    for path in contents:
        check_path(path)
    check_apart(contents)
    told = frontmatter_of(contents[SKILL_MD])
    if told["name"] != name:
        raise BadSkill(f"its folder is {shown(name)} and its name is {shown(told['name'])}; they have to be the same")
    if text_of(contents[SKILL_MD]) is None:
        raise BadSkill(f"{SKILL_MD} is not UTF-8")
    order = sorted(contents, key=lambda path: (path != SKILL_MD, path))
    files = {path: _file(path, contents[path]) for path in order}
    return Skill(name, MappingProxyType(dict(told)), MappingProxyType(files), source)


def _file(path: str, data: bytes) -> File:
    text = text_of(data)
    return File(path, data, digest_of(data), media_type_of(path, text is not None), text)
