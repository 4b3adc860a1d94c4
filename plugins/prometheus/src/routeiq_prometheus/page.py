"""The page `/metrics`: gathers the rows of all workers and has them written, in a thread of its own.

Counting is the business of `recorder`; formats are `exposition`'s.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from operator import add

from routeiq_prometheus.exemplars import Exemplar, Exemplars
from routeiq_prometheus.exposition import OPENMETRICS, TEXT, Exposition, wants_openmetrics
from routeiq_prometheus.families import Family, Labels
from routeiq_prometheus.metric import Cells, Scene
from routeiq_prometheus.places import Places
from routeiq_prometheus.rows import Rows
from routeiq_prometheus.shared import Peer, SharedCells
from routeiq_prometheus.watch import Watch
from routeiq_sdk.values.http import HttpRequest, HttpResponse

_GZIP = 16 + zlib.MAX_WBITS
_FAST = 1


class Page:
    """Answers `GET /metrics`. One reading at a time."""

    def __init__(
        self,
        exposition: Exposition,
        rows: Rows,
        shared: SharedCells | None,
        places: Places,
        watch: Watch,
        exemplars: Exemplars,
    ) -> None:
        self._exposition = exposition
        self._rows = rows
        self._shared = shared
        self._places = places
        self._watch = watch
        self._exemplars = exemplars
        self._reading = asyncio.Lock()

    async def serve(self, request: HttpRequest) -> HttpResponse:
        """The metrics of all workers, in the format that the client asks for."""
        openmetrics = wants_openmetrics(request.headers.get("accept", "") or "")
        zipped = _takes_gzip(request.headers.get("accept-encoding", "") or "")
        async with self._reading:
            self._watch.look()
            self._places.all()
            body = await asyncio.to_thread(self._written, openmetrics, zipped)
        headers = {"vary": "accept, accept-encoding", **({"content-encoding": "gzip"} if zipped else {})}
        return HttpResponse(200, body, headers, OPENMETRICS if openmetrics else TEXT)

    def _written(self, openmetrics: bool, zipped: bool) -> bytes:
        text = self._exposition.write(self.scene(), openmetrics=openmetrics, exemplar=self._exemplar)
        body = text.encode("utf-8", "replace")
        if not zipped:
            return body
        packer = zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP)
        return packer.compress(body) + packer.flush()

    def scene(self) -> Scene:
        """The rows of all workers, with their sums."""
        families = self._rows.families
        rows: dict[Family, dict[Labels, Cells]] = {family: {} for family in families}
        workers = 0
        for peer in self._workers():
            workers += peer.alive
            at = 0
            for number, labels in peer.rows:
                family = families[number]
                part = peer.cells[at : at + family.width]
                at += family.width
                if not peer.alive and family.live:
                    continue
                known = rows[family].get(labels)
                if known is None or (family.newest and part[0] > known[0]):
                    rows[family][labels] = part
                elif not family.newest:
                    rows[family][labels] = list(map(add, known, part))
        return Scene(rows, workers, self._places)

    def _workers(self) -> Iterator[Peer]:
        own = self._rows.in_order()
        used = sum(self._rows.families[number].width for number, _ in own)
        yield Peer(True, own, self._rows.cells[:used].tolist())
        if self._shared is not None:
            yield from self._shared.peers()

    def _exemplar(self, family: Family, labels: Labels, cell: int) -> Exemplar | None:
        row = self._rows.known(family, labels)
        return self._exemplars.at(row + cell) if row is not None else None


def _takes_gzip(accepted: str) -> bool:
    for offered in accepted.lower().split(","):
        coding, _, weight = offered.replace(" ", "").partition(";q=")
        if coding == "gzip":
            return weight.strip("0.") != "" or not weight
    return False
