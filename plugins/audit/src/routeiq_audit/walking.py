"""The walk along one chain, from its first number to its last, up to the first thing that does not hold.

It reports the sequence number from which on the chain proves nothing any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from routeiq_audit import merkle
from routeiq_audit.chain import GENESIS, line_hash
from routeiq_audit.packing import Unreadable, unpack
from routeiq_audit.signing import Trusted

if TYPE_CHECKING:
    from routeiq_audit.trail import Piece, Trail

_HASH = b',"hash":"'


@dataclass(frozen=True, slots=True)
class Known:
    """What somebody signed about a chain: the hash of the line with this number. `source` says who."""

    seq: int
    hash: str
    source: str


@dataclass(slots=True)
class ChainReport:
    """One chain. `events` counts lines that hold, `deleted` those that retention took away; `first` and `last` are the
    numbers of the first line that is there and of the last that holds."""

    stream: str
    tenant: str
    objects: int = 0
    events: int = 0
    deleted: int = 0
    first: int | None = None
    last: int = 0
    ok: bool = True
    first_bad: int | None = None
    problem: str | None = None
    keys: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Broken(Exception):
    """The chain does not hold from `seq` on."""

    def __init__(self, seq: int, problem: str) -> None:
        self.seq = seq
        self.problem = problem
        super().__init__(problem)


def signed_document(content: bytes, trusted: Trusted) -> tuple[Mapping[str, Any], str | None]:
    """A signed document, and what is wrong with it, if something is."""
    try:
        told = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}, "it is no JSON"
    if not isinstance(told, dict):
        return {}, "it is no JSON object"
    return told, trusted.problem(told)


def walk(
    trail: Trail,
    stream: str,
    tenant: str,
    pieces: Sequence[Piece],
    known: Sequence[Known],
    trusted: Trusted,
    step: Callable[[], None],
) -> ChainReport:
    """Walk along a chain. `known` are its signed head (and those of other copies)."""
    report = ChainReport(stream, tenant)
    walker = _Walker(trail, report, trusted, known)
    try:
        for number, piece in enumerate(pieces, start=1):
            if number == len(pieces) and walker.unfinished(piece):
                report.notes.append(f"{piece.name} is still being written")
            else:
                walker.piece(piece)
            step()
        walker.end()
    except Broken as broken:
        report.ok, report.first_bad, report.problem = False, broken.seq, broken.problem
    return report


class _Walker:
    """Knows where the chain stands: the number that is due, the hash and the manifest before it."""

    def __init__(self, trail: Trail, report: ChainReport, trusted: Trusted, known: Sequence[Known]) -> None:
        self._trail = trail
        self._report = report
        self._trusted = trusted
        self._known = known
        self._signed = {one.seq for one in known}
        self._signed_upto = max(self._signed, default=0)
        self._found: dict[int, str] = {}
        self._due = 1
        self._prev = GENESIS
        self._manifest = GENESIS
        self._keys: set[str] = set()

    def unfinished(self, piece: Piece) -> bool:
        """Whether the manifest may still come: nobody has signed yet that the chain reaches so far."""
        return not piece.has_manifest and piece.has_object and piece.first == self._due > self._signed_upto

    def piece(self, piece: Piece) -> None:
        """One object, or what is left of it."""
        if piece.first > self._due:
            raise Broken(self._due, f"the objects with {self._due} to {piece.first - 1} are missing")
        if piece.first < self._due:
            raise Broken(piece.first, f"{piece.name} claims numbers that another object has")
        if not piece.has_manifest:
            raise Broken(self._due, f"the manifest of {piece.name} is missing")
        content = self._trail.manifest(piece)
        manifest, digest = self._checked(piece, content), hashlib.sha256(content).hexdigest()
        if piece.has_object:
            self._lines(piece, manifest)
        else:
            self._tombstone(piece, manifest, digest)
        self._manifest = digest

    def end(self) -> None:
        """The chain must reach as far as somebody signed that it does."""
        if not any(one.source == "the signed head" for one in self._known):
            raise Broken(self._due, "there is no signed head, so nobody can say whether the chain goes on")
        for one in self._known:
            if one.seq >= self._due:
                raise Broken(self._due, f"the end is missing: {one.source} knows {one.seq} events")

    def _checked(self, piece: Piece, content: bytes) -> Mapping[str, Any]:
        """The manifest, which must be signed, say what the name says, and follow the one before."""
        told, problem = signed_document(content, self._trusted)
        if problem is not None:
            raise Broken(self._due, f"the manifest of {piece.name} does not count: {problem}")
        expected = {
            "object": piece.name,
            "stream": piece.stream,
            "tenant": piece.tenant,
            "sha256": piece.sha256,
            "first_seq": piece.first,
            "last_seq": piece.last,
            "count": piece.last - piece.first + 1,
            "first_prev": self._prev,
            "previous_manifest": self._manifest,
        }
        for name, value in expected.items():
            if told.get(name) != value:
                raise Broken(
                    self._due, f"the manifest of {piece.name} says {told.get(name)!r} as {name}, not {value!r}"
                )
        key = str(told["key"])
        if key not in self._keys:
            self._keys.add(key)
            self._report.keys.append(key)
        return told

    def _lines(self, piece: Piece, manifest: Mapping[str, Any]) -> None:
        """The object: every line, then what the manifest says of all of them."""
        start = self._due
        body = self._trail.object(piece)
        intact = hashlib.sha256(body).hexdigest() == piece.sha256
        try:
            content = unpack(body)
        except Unreadable as error:
            raise Broken(start, f"{piece.name} is not what was sealed: {error}") from None
        lines = content.splitlines()
        for line in lines:
            if self._due > piece.last:
                raise Broken(self._due, f"{piece.name} holds more lines than its name says")
            self._line(line, piece)
        if self._due <= piece.last:
            raise Broken(self._due, f"{piece.name} ends before {piece.last}")
        if not intact or not content.endswith(b"\n"):
            raise Broken(start, f"{piece.name} is not what was sealed: its SHA-256 is another")
        if manifest.get("size") != len(body):
            raise Broken(start, f"{piece.name} has {len(body)} bytes, its manifest says {manifest.get('size')}")
        if manifest.get("last_hash") != self._prev:
            raise Broken(start, f"the last hash in {piece.name} is not the one that was signed")
        if manifest.get("merkle_root") != merkle.root(lines):
            raise Broken(start, f"the Merkle root of {piece.name} is not the one that was signed")
        self._compare()
        self._report.objects += 1
        self._report.events += len(lines)
        self._report.last = piece.last
        if self._report.first is None:
            self._report.first = start

    def _line(self, line: bytes, piece: Piece) -> None:
        due = self._due
        try:
            told = orjson.loads(line)
            seq, prev, hash, of = told["seq"], told["prev"], told["hash"], (told["stream"], told["tenant"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise Broken(due, "the line is no audit event") from None
        if seq != due:
            raise Broken(due, f"{seq!r} stands where {due} is due")
        if of != (piece.stream, piece.tenant):
            raise Broken(due, f"the event is of the stream {of[0]!r} and the tenant {of[1]!r}")
        if prev != self._prev:
            raise Broken(due, "it does not name the hash of the event before")
        if hash != line_hash(self._prev, without_hash(line)):
            raise Broken(due, "its content does not fit its hash")
        self._prev = hash
        self._due += 1
        if due in self._signed:
            self._found[due] = hash

    def _tombstone(self, piece: Piece, manifest: Mapping[str, Any], digest: str) -> None:
        """Retention may have deleted the object: it then signed a tombstone, and the manifest stands for the lines."""
        if not piece.has_tombstone:
            raise Broken(self._due, f"{piece.name} is missing")
        told, problem = signed_document(self._trail.tombstone(piece), self._trusted)
        if problem is None and (told.get("object"), told.get("manifest")) != (piece.name, digest):
            problem = "it is that of another object"
        if problem is not None:
            raise Broken(self._due, f"{piece.name} is missing, and its tombstone does not count: {problem}")
        self._due = piece.last + 1
        self._prev = str(manifest.get("last_hash"))
        self._report.deleted += piece.last - piece.first + 1
        self._report.last = piece.last
        self._found[piece.last] = self._prev
        self._compare()

    def _compare(self) -> None:
        for one in self._known:
            found = self._found.get(one.seq, one.hash)
            if found != one.hash:
                raise Broken(one.seq, f"its hash is not the one that {one.source} knows: events were replaced")
        self._found.clear()


def without_hash(line: bytes) -> bytes:
    """The line as it was when its hash was taken. Texts inside JSON strings have their quotes escaped, so the last
    place that looks like the field is the field."""
    at = line.rfind(_HASH)
    return line[: at + 1] + line[at + len(_HASH) + 64 + 2 :] if at >= 0 else line
