"""The plugin: counts every request in rows that all workers can read, and serves them as `/metrics`.

What is counted is in `recorder`, under which names it is shown in `catalogue`.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence

from routeiq_prometheus.catalogue import catalogue
from routeiq_prometheus.config import PrometheusConfig
from routeiq_prometheus.exposition import Exposition
from routeiq_prometheus.layout import Layout
from routeiq_prometheus.page import Page
from routeiq_prometheus.places import Places
from routeiq_prometheus.recorder import Recorder
from routeiq_prometheus.rows import Rows
from routeiq_prometheus.shared import SharedCells
from routeiq_prometheus.watch import Watch
from routeiq_sdk import Context, Event, Gateway, Plugin, PluginError, Record, hookimpl
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

_CELL = 8
_ACTION = "metrics:read"


class Prometheus(Plugin[PrometheusConfig]):
    """Serves the metrics of all workers of this gateway, whichever of them is asked."""

    def __init__(self, config: PrometheusConfig) -> None:
        super().__init__(config)
        self._shared: SharedCells | None = None
        self._recorder: Recorder | None = None
        self._page: Page | None = None
        self._watch: Watch | None = None

    @hookimpl
    async def setup(self, gateway: Gateway) -> None:
        layout = Layout(self.config)
        places = Places(gateway)
        rows = self._open(gateway, layout, places)
        recorder = self._recorder = Recorder(self.config, layout, rows, places)
        watch = self._watch = Watch(gateway, layout, rows, places, recorder.rarely)
        exposition = Exposition(catalogue(self.config, layout))
        self._page = Page(exposition, rows, self._shared, places, watch, recorder.exemplars)
        gateway.spawn("vitals", watch.run)

    @hookimpl
    async def teardown(self) -> None:
        self._recorder, self._page = None, None
        if self._watch is not None:
            self._watch.ended = True  # its task is cancelled after this
        shared, self._shared = self._shared, None
        if shared is not None:
            shared.close()

    @hookimpl
    def register_routes(self, routes: Routes) -> None:
        access = self.config.access
        action = None if access == "public" else _ACTION
        for path in ("/metrics", "/metrics/"):
            routes.add("GET", path, self._serve, access=access, summary="Metrics for Prometheus", action=action)

    @hookimpl
    def record(self, ctx: Context, record: Record) -> None:
        if self._recorder is not None:
            self._recorder.record(ctx, record)

    @hookimpl
    async def emit(self, events: Sequence[Event]) -> None:
        if self._recorder is not None:
            self._recorder.rarely.events(events)

    async def _serve(self, request: HttpRequest) -> HttpResponse:
        if self._page is None:
            return HttpResponse(503, b"the metrics are not ready\n", media_type="text/plain")
        return await self._page.serve(request)

    def _open(self, gateway: Gateway, layout: Layout, places: Places) -> Rows:
        """Cells in memory for one worker, in files that the others read for several."""
        if gateway.workers == 1:
            cells = memoryview(mmap.mmap(-1, layout.cells * _CELL)).cast("d")
            return Rows(layout.families, cells, places.is_served)
        folder = gateway.data_dir / "workers"
        try:
            shared = self._shared = SharedCells(folder, layout.families, layout.fingerprint(), layout.cells)
        except OSError as error:
            raise PluginError(
                gateway.plugin,
                f"{folder} cannot hold the counts that {gateway.workers} workers share: {error}.",
                mend="put routeiq.data_dir on a local disk with room.",
            ) from error
        return Rows(layout.families, shared.cells, places.is_served, shared, shared.kept)
