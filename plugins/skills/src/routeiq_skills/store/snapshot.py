"""The snapshot that all faces serve, and what was left out of it.

It is built whole and replaced whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from routeiq_skills.store.limits import BadSkill
from routeiq_skills.store.skill import Skill, skill_of
from routeiq_skills.store.source import Source, Troubled


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is not served: a skill (`name`) of a source, or all of the source."""

    source: str
    name: str | None
    reason: str


@dataclass(frozen=True, eq=False)
class Snapshot:
    """Skills in the order of their names."""

    skills: Mapping[str, Skill] = field(default_factory=dict)
    troubles: Sequence[Trouble] = ()


def snapshot_of(sources: Sequence[Source], most_bytes: int, last: Mapping[str, Sequence[Skill]]) -> Snapshot:
    """Read all sources. One that cannot be read keeps what was read of it `last`."""
    skills: dict[str, Skill] = {}
    troubles: list[Trouble] = []
    size = 0
    for source in sources:
        for each in _read(source, last.get(source.name, ())):
            if isinstance(each, Trouble):
                troubles.append(each)
                continue
            if each.name in skills:
                reason = "an earlier source has a skill of this name"
                troubles.append(Trouble(source.name, each.name, reason))
                continue
            size += sum(file.size for file in each.files.values())
            if size > most_bytes:
                size -= sum(file.size for file in each.files.values())
                troubles.append(Trouble(source.name, each.name, "all skills together pass max_mib"))
                continue
            skills[each.name] = each
    return Snapshot(dict(sorted(skills.items())), tuple(troubles))


def _read(source: Source, last: Sequence[Skill]) -> Sequence[Skill | Trouble]:
    read: list[Skill | Trouble] = []
    try:
        for found in source.read():
            if isinstance(found, Troubled):
                read.append(Trouble(source.name, found.name, found.reason))
                continue
            try:
                read.append(_kept(skill_of(found.name, found.contents, source.name), last))
            except BadSkill as bad:
                read.append(Trouble(source.name, found.name, str(bad)))
    except (BadSkill, OSError) as error:
        reason = str(error) if isinstance(error, BadSkill) else f"it cannot be read: {error.strerror}"
        return [*last, Trouble(source.name, None, reason)]
    return read


def _kept(skill: Skill, last: Sequence[Skill]) -> Skill:
    """The skill as it was when nothing changed; a new one with its archive made here, and not while a request waits."""
    for known in last:
        if known.name == skill.name and known.digest == skill.digest:
            return known
    if len(skill.files) > 1:
        skill.archive  # noqa: B018 - made once, kept with the skill
    return skill
