"""An address that takes payloads as JSON.

What a payload says is `payload`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from routeiq_callbacks.config import WebhookTarget
from routeiq_callbacks.payload import Finished
from routeiq_callbacks.targets.base import send
from routeiq_sdk import Gateway


class Webhook:
    """One address."""

    def __init__(self, config: WebhookTarget) -> None:
        self._config = config
        self.name = f"webhook:{config.url.partition('?')[0]}"

    @property
    def origins(self) -> tuple[str, ...]:
        """The address."""
        return (self._config.url,)

    async def deliver(self, gateway: Gateway, batch: Sequence[Finished]) -> None:
        """Post a list of payloads, or one after the other."""
        headers = {name: value.reveal() for name, value in self._config.headers.items()}
        headers["content-type"] = "application/json"
        payloads = [finished.payload for finished in batch]
        for body in [payloads] if self._config.batch else payloads:
            await send(gateway, "POST", self._config.url, headers, orjson.dumps(body, default=str))
