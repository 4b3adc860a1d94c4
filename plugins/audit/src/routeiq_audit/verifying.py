"""Verification of a trail from its objects alone: names, digests, lines, chains, Merkle roots, signatures, heads.

One chain is walked by `walking`; here the chains, the keys and the anchors come together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from routeiq_audit.signing import Trusted
from routeiq_audit.trail import Trail
from routeiq_audit.walking import ChainReport, Known, signed_document, walk


@dataclass(slots=True)
class Report:
    """What was found. `first_bad` is the first bad sequence number of the first chain that does not hold."""

    path: str
    pinned: bool
    keys: list[str] = field(default_factory=list)
    chains: list[ChainReport] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether everything holds; an empty trail does not."""
        return bool(self.chains) and not self.problems and all(chain.ok for chain in self.chains)

    @property
    def events(self) -> int:
        """Events that were read and hold."""
        return sum(chain.events for chain in self.chains)

    @property
    def first_bad(self) -> int | None:
        """The first bad sequence number; `None` when there is none."""
        return next((chain.first_bad for chain in self.chains if chain.first_bad is not None), None)

    def told(self) -> dict[str, Any]:
        """The report as JSON data."""
        return {"ok": self.ok, "first_bad": self.first_bad, "events": self.events, **asdict(self)}


def verify(
    path: Path,
    *,
    keys: Sequence[bytes] = (),
    anchors: Sequence[Path] = (),
    stream: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Verify the trail in a folder.

    `keys` are public keys in PEM: given some, no others count (else those beside the objects do, which a forger could
    have replaced). `anchors` are other copies, whose heads must be in this one. `progress` hears how many of how many
    objects are done. Raises `ValueError` for a key that is none.
    """
    trail = Trail(path)
    report = Report(str(path), pinned=bool(keys))
    trusted = Trusted(keys) if keys else Trusted(_sound(trail.keys(), report))
    chains = {name: pieces for name, pieces in trail.chains().items() if stream is None or name[0] == stream}
    known = _known(trail.heads(), trusted, report)
    for anchor in anchors:
        copy = Trail(anchor)
        theirs = Trusted(keys) if keys else Trusted(_sound(copy.keys(), report))
        told = _known(copy.heads(), theirs, report)
        if not told:
            report.problems.append(f"the anchor {anchor} has no head")
        for name, heads in told.items():
            known.setdefault(name, []).extend(Known(head.seq, head.hash, f"the anchor {anchor}") for head in heads)
    total, done = sum(len(pieces) for pieces in chains.values()), 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    for name in sorted(chains.keys() | (known.keys() if stream is None else {n for n in known if n[0] == stream})):
        report.chains.append(walk(trail, *name, chains.get(name, []), known.get(name, []), trusted, step))
    if not report.chains:
        wanted = f" of the stream {stream}" if stream is not None else ""
        report.problems.append(f"there are no audit objects{wanted} in {path}")
    report.keys = sorted({key for chain in report.chains for key in chain.keys})
    return report


def _known(heads: Iterable[tuple[str, bytes]], trusted: Trusted, report: Report) -> dict[tuple[str, str], list[Known]]:
    """What signed heads say, by chain."""
    found: dict[tuple[str, str], list[Known]] = {}
    for name, content in heads:
        told, problem = signed_document(content, trusted)
        if problem is None and not (isinstance(told.get("seq"), int) and isinstance(told.get("hash"), str)):
            problem = "it names no sequence and hash"
        if problem is not None:
            report.problems.append(f"the head {name} does not count: {problem}")
            continue
        chain = (str(told.get("stream")), str(told.get("tenant")))
        found.setdefault(chain, []).append(Known(told["seq"], told["hash"], "the signed head"))
    return found


def _sound(keys: Iterable[tuple[str, bytes]], report: Report) -> list[bytes]:
    sound = []
    for name, content in keys:
        try:
            Trusted([content])
        except ValueError as error:
            report.notes.append(f"the key {name} cannot be read: {error}")
        else:
            sound.append(content)
    return sound
