"""Datadog's logs intake.

What a payload says is `payload`'s business.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence

import orjson

from routeiq_callbacks.config import DatadogTarget
from routeiq_callbacks.payload import Finished
from routeiq_callbacks.targets.base import send
from routeiq_sdk import Gateway

_A_POST = 500


class Datadog:
    """One organization's logs."""

    def __init__(self, config: DatadogTarget) -> None:
        self._config = config
        base = config.url or f"https://http-intake.logs.{config.site}"
        self._url = base.rstrip("/") + "/api/v2/logs"
        self.name = f"datadog:{base}"

    @property
    def origins(self) -> tuple[str, ...]:
        """The intake."""
        return (self._url,)

    async def deliver(self, gateway: Gateway, batch: Sequence[Finished]) -> None:
        """Post logs, compressed."""
        headers = {
            "dd-api-key": self._config.api_key.reveal(),
            "content-type": "application/json",
            "content-encoding": "gzip",
        }
        for start in range(0, len(batch), _A_POST):
            logs = [
                {
                    "ddsource": "routeiq",
                    "service": self._config.service,
                    "status": "info" if finished.ok else "error",
                    "message": orjson.dumps(finished.payload, default=str).decode(),
                }
                for finished in batch[start : start + _A_POST]
            ]
            await send(gateway, "POST", self._url, headers, gzip.compress(orjson.dumps(logs)))
