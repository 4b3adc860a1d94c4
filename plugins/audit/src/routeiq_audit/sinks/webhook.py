"""Posts the events of sealed objects to an address: a SIEM, a collector, a service of one's own.

What an event looks like in OCSF is told in `ocsf`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import orjson

from routeiq_audit.config import WebhookSink as WebhookConfig
from routeiq_audit.sealed import Sealed
from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_audit.sinks.calling import Answer, call
from routeiq_sdk import Gateway

_SECONDS = 30.0
_A_POST = 500
_A_POST_BYTES = 512 * 1024
"""Of lines; in OCSF they grow by half, and many servers take a mebibyte."""
_MENDS = {
    401: "correct the credentials in `headers`",
    403: "correct the credentials in `headers`",
    404: "correct `url`",
    413: "let it take posts of this size; the trail waits for it",
}


class WebhookSink:
    """One address. Events come in order, in posts of at most 500; `idempotency-key` names each post."""

    def __init__(self, config: WebhookConfig) -> None:
        self._config = config
        self._gateway: Gateway | None = None
        self._posted = ("", 0)
        """The object that is under way, and how many of its events were taken."""

    @property
    def name(self) -> str:
        """Kind and host. The rest of the address may be a secret: it is told by a digest."""
        parts = urlsplit(self._config.url)
        digest = hashlib.sha256(self._config.url.encode()).hexdigest()[:8]
        return f"webhook:{parts.scheme}://{parts.netloc.rpartition('@')[2]}#{digest}"

    @property
    def origins(self) -> tuple[str, ...]:
        """The address."""
        return (self._config.url,)

    async def open(self, gateway: Gateway) -> None:
        """Nothing is asked yet."""
        self._gateway = gateway

    async def close(self) -> None:
        """Connections are the gateway's."""

    async def ship(self, sealed: Sealed) -> None:
        """Post every event. After a failure it goes on where it was; a post whose answer was lost comes again, under
        the same key."""
        lines = await asyncio.to_thread(lambda: list(sealed.lines()))
        name, start = self._posted
        if name != sealed.name:
            start = 0
        while start < len(lines):
            end = _end(lines, start)
            body = await asyncio.to_thread(self._body, lines[start:end])
            first = sealed.first_seq + start
            key = f"{sealed.stream}-{first:012d}-{sealed.first_seq + end - 1:012d}-{sealed.sha256}"
            await self._post(body, {"idempotency-key": key, "x-routeiq-object": sealed.name})
            start = end
            self._posted = (sealed.name, start)

    def _body(self, lines: Sequence[bytes]) -> bytes:
        events = [orjson.loads(line) for line in lines]
        if self._config.format == "splunk_hec":
            return b"\n".join(orjson.dumps(each) for each in _hec(events))
        if self._config.format == "ocsf":
            from routeiq_audit.ocsf import to_ocsf

            return orjson.dumps([to_ocsf(event) for event in events])
        return orjson.dumps(events)

    async def _post(self, body: bytes, headers: dict[str, str]) -> None:
        assert self._gateway is not None
        sent = {name.lower(): value.reveal() for name, value in self._config.headers.items()}
        sent |= {**headers, "content-type": "application/json"}
        if self._config.secret is not None:
            sent["x-routeiq-signature"] = self._signature(body)
        answer = await call(
            self._gateway, self.name, "POST", self._config.url, headers=sent, body=body, seconds=_SECONDS
        )
        if not 200 <= answer.status < 300:
            raise self._failure(answer, len(body))

    def _failure(self, answer: Answer, size: int) -> SinkRefused | SinkUnavailable:
        told = f"{self.name} answered {answer.status} to a post of {size} bytes"
        if answer.passes:
            return SinkUnavailable(told, retry_after=answer.retry_after)
        return SinkRefused(f"{told}; {_MENDS.get(answer.status, 'look at `url`, `headers` and `format`')}")

    def _signature(self, body: bytes) -> str:
        """`t=UNIX SECONDS,v1=HEX`: HMAC-SHA256 over the seconds, a dot and the body."""
        assert self._gateway is not None
        assert self._config.secret is not None
        seconds = str(self._gateway.clock.now_ns() // 10**9)
        key = self._config.secret.reveal().encode()
        return f"t={seconds},v1={hmac.new(key, seconds.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def _end(lines: Sequence[bytes], start: int) -> int:
    """Where the post that begins at `start` ends: it has at least one event."""
    size, end = len(lines[start]), start + 1
    while end < len(lines) and end - start < _A_POST and size + len(lines[end]) <= _A_POST_BYTES:
        size += len(lines[end])
        end += 1
    return end


def _hec(events: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Events as Splunk's HTTP Event Collector takes them."""
    for event in events:
        yield {
            "time": datetime.fromisoformat(event["time"]).timestamp(),
            "source": event["stream"],
            "sourcetype": f"routeiq:{event['class']}",
            "event": event,
        }
