"""A spool that begins anew (its folder was lost) is sealed like any other: its numbers start at 1 again."""

from __future__ import annotations

import shutil
from pathlib import Path

from routeiq_audit.entry import packed

from .parts import append, entry, ids, opened


async def test_what_is_written_after_the_spool_was_lost_is_sealed(tmp_path: Path) -> None:
    async with opened(tmp_path) as bed:
        await append(bed, range(1, 6))
        await bed.sealer.seal_all()
    shutil.rmtree(tmp_path / "events-0")
    async with opened(tmp_path) as bed:
        for number in (6, 7):
            payload = packed([entry(number)])
            bed.sealer.arrived(len(payload), await bed.spool.append(payload))
        await bed.sealer.seal_all()
        assert ids(bed.outbox) == [f"event-{number}" for number in range(1, 8)]
