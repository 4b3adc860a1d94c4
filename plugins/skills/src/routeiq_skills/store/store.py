"""Keeps the snapshot current: looks at the sources every few seconds, in a thread, and never on a request.

What the snapshot is made of is in the modules beside this one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from routeiq_sdk.values.health import Health
from routeiq_skills.store.limits import BadSkill
from routeiq_skills.store.paths import shown
from routeiq_skills.store.skill import Skill
from routeiq_skills.store.snapshot import Snapshot, Trouble, snapshot_of
from routeiq_skills.store.source import Source

log = structlog.get_logger("routeiq.skills")
_SHOWN = 3


class Store:
    """The skills of the operator's sources."""

    def __init__(self, sources: Sequence[Source], *, seconds: float, most_bytes: int) -> None:
        self._sources = sources
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._marks: object = None
        self.now = Snapshot()

    async def refresh(self) -> bool:
        """Read the sources again if anything changed since; says whether it did."""
        marks = await asyncio.to_thread(self._mark)
        if marks == self._marks:
            return False
        last: dict[str, list[Skill]] = {}
        for skill in self.now.skills.values():
            last.setdefault(skill.source, []).append(skill)
        snapshot = await asyncio.to_thread(snapshot_of, self._sources, self._most_bytes, last)
        self._tell(self.now.troubles, snapshot)
        self.now = snapshot
        # What changed while it was read is read once more: the marks are those from before.
        self._marks = marks
        return True

    async def watch(self) -> None:
        """Refresh for ever."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.refresh()
            except Exception:
                log.exception("skills could not be read; what was read before is served")

    def health(self) -> Health:
        """Degraded while anything is left out. Anybody may read it, so it tells where sources stand in the YAML and not
        on the disk."""
        troubles = self.now.troubles
        if not troubles:
            return Health()
        places = {source.name: f"sources[{number}]" for number, source in enumerate(self._sources)}
        told = []
        for trouble in troubles[:_SHOWN]:
            what = f"skill {shown(trouble.name)} of " if trouble.name is not None else ""
            told.append(f"{what}{places[trouble.source]}: {trouble.reason}")
        more = f"; and {len(troubles) - _SHOWN} more" if len(troubles) > _SHOWN else ""
        return Health("degraded", f"not served: {'; '.join(told)}{more}")

    def _mark(self) -> object:
        marks: list[object] = []
        for source in self._sources:
            try:
                marks.append(source.mark())
            except (BadSkill, OSError) as error:
                marks.append(str(error))
        return marks

    def _tell(self, before: Sequence[Trouble], snapshot: Snapshot) -> None:
        for trouble in snapshot.troubles:
            if trouble not in before:
                log.warning("left out", source=trouble.source, skill=trouble.name, reason=trouble.reason)
        log.info("skills read", skills=len(snapshot.skills), left_out=len(snapshot.troubles))
