"""A sink that counts, and a route that tells the counts."""

from __future__ import annotations

from pydantic import Field

from routeiq_sdk import Context, Plugin, PluginConfig, Record, hookimpl
from routeiq_sdk.values.http import HttpRequest, HttpResponse, Routes

OTHERS = "(others)"


class ModelCounterConfig(PluginConfig):
    """What the YAML may say under `routeiq.plugins.model-counter`."""

    most_models: int = Field(1000, ge=1, description="Models that are counted by name; the rest are counted together.")


class ModelCounter(Plugin[ModelCounterConfig]):
    """Counts what each model answered, and what failed."""

    def __init__(self, config: ModelCounterConfig) -> None:
        super().__init__(config)
        self.counts: dict[str, dict[str, int]] = {}

    @hookimpl
    def register_routes(self, routes: Routes) -> None:
        routes.add(
            "GET",
            "/acme/model-counts",
            self._tell,
            access="admin",
            action="usage:read",
            summary="Finished requests by model",
        )

    @hookimpl
    def record(self, ctx: Context, record: Record) -> None:
        if record.model is None:  # refused before a model was called
            return
        # Names may come from clients, by way of a wildcard: without a bound they could fill the memory.
        known = record.model in self.counts or len(self.counts) < self.config.most_models
        model = self.counts.setdefault(record.model if known else OTHERS, {"ok": 0, "failed": 0})
        model["ok" if record.status < 400 else "failed"] += 1

    async def _tell(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse.json(self.counts)
