"""What happens to a spool's files when it is opened: torn ends are cut, damage is refused or set aside.

Whatever was acknowledged is either readable afterwards or named in an error; nothing is skipped silently.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from routeiq.state.entry import HEADER_SIZE, decode, find
from routeiq.state.errors import SpoolCorrupt
from routeiq.state.segments import (
    MAGIC,
    SUFFIX,
    Fsync,
    Segment,
    SegmentLog,
    create_segment,
    sync_directory,
    write_at,
)

OnCorrupt = Literal["refuse", "quarantine"]
QUARANTINE_SUFFIX = ".corrupt"


@dataclass(frozen=True, slots=True)
class Recovery:
    """What opening found: bytes of an unfinished write that were cut, and segments that were set aside just now."""

    cut_bytes: int = 0
    quarantined: tuple[Path, ...] = ()


def recover(directory: Path, *, segment_bytes: int, on_corrupt: OnCorrupt, fsync: Fsync) -> tuple[SegmentLog, Recovery]:
    """Read and check all segments and make the directory ready for writing. Raises `SpoolCorrupt` or `OSError`."""
    paths = sorted(directory.glob(f"{'[0-9]' * 20}{SUFFIX}"))
    segments: list[Segment] = []
    quarantined: list[Path] = []
    cut = 0
    for path in paths:
        try:
            segment = _scan(path, newest=path == paths[-1])
        except SpoolCorrupt:
            if on_corrupt == "refuse":
                raise
            aside = path.with_name(path.name + QUARANTINE_SUFFIX)
            path.rename(aside)
            quarantined.append(aside)
        else:
            cut += max(path.stat().st_size - segment.size, 0)
            segments.append(segment)

    aside_numbers = _quarantined_numbers(directory)
    _refuse_holes(segments, aside_numbers)
    sync_directory(directory, fsync)
    following = segments[-1].last + 1 if segments else 1
    # A segment set aside at the end keeps its numbers: what it held must never share them with something new.
    reserved = max((end for first, end in aside_numbers.items() if first >= following), default=following)
    if not segments or reserved > following:
        segment, fd = create_segment(directory, max(following, reserved), fsync)
        segments.append(segment)
    else:
        fd = _reopen(segments[-1], fsync)
    log = SegmentLog(directory, segments, fd, segment_bytes=segment_bytes, fsync=fsync)
    return log, Recovery(cut, tuple(quarantined))


def _scan(path: Path, *, newest: bool) -> Segment:
    """Check every entry. Only the newest segment may end in an unfinished write."""
    data = path.read_bytes()
    first = int(path.name.removesuffix(SUFFIX))
    segment = Segment(path, first, first - 1)
    if data[: len(MAGIC)] != MAGIC:
        # Zeros are what a power cut leaves of a file whose size was written before its bytes.
        if newest and MAGIC.startswith(data.strip(b"\0")):
            return segment
        raise SpoolCorrupt(path, 0, "this is no segment of a spool that this version can read")
    while segment.size < len(data):
        entry = decode(data, segment.size)
        if entry is None or entry.sequence != segment.last + 1:
            _require_torn_end(data, segment, newest=newest)
            break
        segment.note(entry.sequence, segment.size, entry.end)
    return segment


def _require_torn_end(data: bytes, segment: Segment, *, newest: bool) -> None:
    """Raise unless nothing from the end of `segment` on was ever acknowledged."""
    missing = segment.last + 1
    if not newest:
        raise SpoolCorrupt(segment.path, segment.size, f"entry {missing} is damaged")
    offset = segment.size
    while (entry := find(data, offset)) is not None:
        # Pages of one unfinished batch may reach the disk in any order, so a later entry alone proves nothing; one
        # that was written after the missing entry had been acknowledged does.
        if entry.acknowledged_before >= missing:
            raise SpoolCorrupt(
                segment.path,
                segment.size,
                f"entry {missing} is damaged, entry {entry.sequence} behind it is whole",
            )
        offset = entry.end


def _quarantined_numbers(directory: Path) -> dict[int, int]:
    """First number of each segment set aside, and a number that it cannot have reached."""
    numbers = {}
    for path in directory.glob(f"{'[0-9]' * 20}{SUFFIX}{QUARANTINE_SUFFIX}"):
        first = int(path.name.split(".", 1)[0])
        numbers[first] = first + path.stat().st_size // HEADER_SIZE + 1
    return numbers


def _refuse_holes(segments: list[Segment], explained: dict[int, int]) -> None:
    for before, after in pairwise(segments):
        missing = before.last + 1
        if after.first != missing and missing not in explained:
            raise SpoolCorrupt(after.path, 0, f"entries {missing} to {after.first - 1} are missing before this file")


def _reopen(segment: Segment, fsync: Fsync) -> int:
    fd = os.open(segment.path, os.O_RDWR)
    try:
        os.ftruncate(fd, segment.size)
        write_at(fd, MAGIC, 0)
        # Entries that a killed process wrote but never synced are kept, so they have to be made durable too.
        fsync(fd)
    except OSError:
        os.close(fd)
        raise
    return fd
