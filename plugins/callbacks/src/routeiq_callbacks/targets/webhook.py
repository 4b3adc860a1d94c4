"""An address that takes payloads as JSON: a list a post, one a line, or one a post.

What a payload says is `payload`'s business.
"""

from __future__ import annotations

from collections.abc import Sequence

from routeiq_callbacks.config import WebhookTarget
from routeiq_callbacks.finished import Finished
from routeiq_callbacks.targets.base import Posting, place
from routeiq_sdk import Gateway

_FRAMES = {"json_array": (b"[", b",", b"]"), "ndjson": (b"", b"\n", b"\n"), "single": (b"", b"", b"")}


class Webhook:
    """One address."""

    def __init__(self, config: WebhookTarget) -> None:
        self._url = config.url
        self._single = config.log_format == "single"
        before, between, after = _FRAMES[config.log_format]
        media_type = "application/x-ndjson" if config.log_format == "ndjson" else "application/json"
        headers = {"content-type": media_type}
        headers |= {name.lower(): value.reveal() for name, value in config.headers.items()}
        self._posting = Posting(
            config.url,
            headers,
            before=before,
            between=between,
            after=after,
            most_items=1 if self._single else 100,
        )
        self._posted: set[str] = set()
        self.name = f"webhook:{place(config.url)}"

    @property
    def origins(self) -> tuple[str, ...]:
        """The address."""
        return (self._url,)

    async def open(self) -> None:
        """Nothing is needed."""

    async def deliver(self, gateway: Gateway, batch: Sequence[Finished]) -> int:
        """Post them."""
        if not self._single:
            return await self._posting.post(gateway, [finished.spelled for finished in batch])
        refused = 0
        for finished in batch:  # one that was posted is not posted again because a later one failed
            if finished.record.request_id not in self._posted:
                refused += await self._posting.post(gateway, [finished.spelled])
                self._posted.add(finished.record.request_id)
        self._posted.clear()
        return refused
