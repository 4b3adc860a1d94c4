"""Datadog's logs intake.

What a payload says is `payload`'s business.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence

from routeiq_callbacks.config import DatadogTarget
from routeiq_callbacks.finished import Finished
from routeiq_callbacks.payload import MASKED, spelled
from routeiq_callbacks.targets.base import Posting, place
from routeiq_sdk import Gateway

_MOST_ITEMS, _MOST_BYTES = 1000, 4_500_000  # its limits: 1,000 logs, 5 MB uncompressed
_NOT_IN_TAGS = re.compile(r"[^a-z0-9_\-:./]+")


class Datadog:
    """One organization's logs."""

    def __init__(self, config: DatadogTarget) -> None:
        self._config = config
        url = (config.url or f"https://http-intake.logs.{config.site}").rstrip("/") + "/api/v2/logs"
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        if config.api_key is not None:
            headers["dd-api-key"] = config.api_key.reveal()
        self._posting = Posting(url, headers, most_items=_MOST_ITEMS, most_bytes=_MOST_BYTES, pack=gzip.compress)
        self.name = f"datadog:{place(url)}"

    @property
    def origins(self) -> tuple[str, ...]:
        """The intake."""
        return (self._posting.url,)

    async def open(self) -> None:
        """Nothing is needed."""

    async def deliver(self, gateway: Gateway, batch: Sequence[Finished]) -> int:
        """Post logs, compressed."""
        return await self._posting.post(gateway, [spelled(self._log(finished)) for finished in batch])

    def _log(self, finished: Finished) -> dict[str, object]:
        config = self._config
        told: dict[str, object] = {
            "ddsource": config.source,
            "service": config.service,
            "ddtags": ",".join([*config.tags, *_tags(finished)]),
            "status": "info" if finished.ok else "error",
            "message": finished.spelled.decode(),
        }
        if config.hostname is not None:
            told["hostname"] = config.hostname
        return told


def _tags(finished: Finished) -> list[str]:
    metadata = finished.payload.get("metadata", {})
    team = metadata.get("user_api_key_team_alias") or metadata.get("user_api_key_team_id")
    found = [f"request_tag:{tag}" for tag in finished.record.tags]
    if team and team != MASKED:
        found.append(f"team:{team}")
    return [_NOT_IN_TAGS.sub("_", tag.lower())[:200] for tag in found]
