"""Langfuse, through its ingestion API or its OpenTelemetry endpoint, whichever the server takes.

Versions 2 and 3 take events; version 4, and its cloud since November 2026, refuse those and take spans.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from routeiq_callbacks.config import LangfuseTarget
from routeiq_callbacks.finished import Finished
from routeiq_callbacks.payload import spelled
from routeiq_callbacks.targets.base import Door, NotTaken, Posting, place
from routeiq_callbacks.targets.generation import Generation
from routeiq_callbacks.targets.langfuse_events import events
from routeiq_callbacks.targets.langfuse_spans import span
from routeiq_sdk import Gateway

_PARTLY = 207
_NO_SUCH_API = frozenset({404, 405, 410})
_MOST_BYTES = 3_000_000  # its limit: 3.5 MB
_CLOUD = "langfuse.com"


class Langfuse:
    """One project. `tenants` says that a key or a team named it, and how it may be called; without, it is the
    operator's."""

    def __init__(self, config: LangfuseTarget, *, tenants: Door | None = None, texts: bool = True) -> None:
        self._config = config
        self._texts = texts
        base = config.host.rstrip("/")
        pair = f"{config.public_key.reveal()}:{config.secret_key.reveal()}"
        headers = {
            "authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
            "content-type": "application/json",
        }
        self._events = Posting(
            f"{base}/api/public/ingestion",
            headers,
            before=b'{"batch":[',
            after=b"]}",
            most_bytes=_MOST_BYTES,
            taken=(_PARTLY,),
            door=tenants,
        )
        resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "routeiq"}}]}
        head = spelled({"resource": resource})[:-1]
        self._spans = Posting(
            f"{base}/api/public/otel/v1/traces",
            {**headers, "x-langfuse-ingestion-version": "4"},
            before=b'{"resourceSpans":[' + head + b',"scopeSpans":[{"scope":{"name":"routeiq"},"spans":[',
            after=b"]}]}]}",
            most_bytes=_MOST_BYTES,
            door=tenants,
        )
        host = urlsplit(config.host).hostname or ""
        cloud = host == _CLOUD or host.endswith(f".{_CLOUD}")
        self._takes_spans = config.api == "otlp" or (config.api == "auto" and cloud)
        self._may_change = config.api == "auto"
        self.origins: tuple[str, ...] = (base,) if tenants is None else ()
        self.name = f"langfuse:{place(config.host)}"

    async def open(self) -> None:
        """Nothing is needed."""

    async def deliver(self, gateway: Gateway, batch: Sequence[Finished]) -> int:
        """Post them as events or as spans. Raises `NotTaken` when one was refused for a reason that may pass."""
        told = [Generation(finished, self._config, texts=self._texts) for finished in batch]
        if self._takes_spans:
            return await self._post_spans(gateway, told)
        try:
            refused = await self._post_events(gateway, told)
        except NotTaken as error:
            if error.status not in _NO_SUCH_API or not self._may_change:
                raise
            refused = len(batch)
        if refused < len(batch) or not self._may_change:
            return refused
        refused = await self._post_spans(gateway, told)
        self._takes_spans = refused < len(batch)
        return refused

    async def _post_events(self, gateway: Gateway, told: Sequence[Generation]) -> int:
        items = [b",".join(spelled(event) for event in events(each)) for each in told]
        return await self._events.post(gateway, items, self._reads(_refused_events))

    async def _post_spans(self, gateway: Gateway, told: Sequence[Generation]) -> int:
        return await self._spans.post(gateway, [spelled(span(each)) for each in told], self._reads(_refused_spans))

    def _reads(self, count: Callable[[Any], int]) -> Callable[[bytes], int]:
        def read(answer: bytes) -> int:
            try:
                return count(orjson.loads(answer))
            except NotTaken as error:
                raise NotTaken(f"{place(self._config.host)} {error}") from None
            except (orjson.JSONDecodeError, AttributeError, TypeError, ValueError):
                return 0  # taken, and told in words of its own

        return read


def _refused_events(told: Any) -> int:
    """How many requests had an event refused for good."""
    errors = told.get("errors") or ()
    if any(int(error.get("status") or 0) >= 500 or error.get("status") == 429 for error in errors):
        raise NotTaken(f"did not take {len(errors)} events for now")
    return len({str(error.get("id")).rpartition("-")[0] for error in errors})


def _refused_spans(told: Any) -> int:
    return int((told.get("partialSuccess") or {}).get("rejectedSpans") or 0)
