"""Posts the events of sealed objects to an address: a SIEM, a collector, a service of one's own.

What an event looks like in OCSF is told in `ocsf`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import orjson

from routeiq_audit.config import WebhookSink as WebhookConfig
from routeiq_audit.sealed import Sealed
from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_sdk import Gateway

_SECONDS = 30.0
_A_POST = 500
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
_LONGEST_TOLD = 300.0


class WebhookSink:
    """One address. Events come in posts of at most 500, in order; `idempotency-key` names each post."""

    def __init__(self, config: WebhookConfig) -> None:
        self._config = config
        self._gateway: Gateway | None = None

    @property
    def name(self) -> str:
        """Kind and place, without what may hold a secret."""
        return f"webhook:{self._config.url.partition('?')[0]}"

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
        """Post every event. A post that was taken before is posted again after a failure, under the same key."""
        events = [orjson.loads(line) for line in sealed.lines()]
        for start in range(0, len(events), _A_POST):
            part = events[start : start + _A_POST]
            await self._post(self._body(part), f"{sealed.name}#{part[0]['seq']}-{part[-1]['seq']}")

    def _body(self, events: Iterable[dict[str, Any]]) -> bytes:
        if self._config.format == "splunk_hec":
            return b"\n".join(orjson.dumps(each) for each in _hec(events))
        if self._config.format == "ocsf":
            from routeiq_audit.ocsf import to_ocsf

            return orjson.dumps([to_ocsf(event) for event in events])
        return orjson.dumps(list(events))

    async def _post(self, body: bytes, key: str) -> None:
        assert self._gateway is not None
        headers = {name: value.reveal() for name, value in self._config.headers.items()}
        headers |= {"content-type": "application/json", "idempotency-key": hashlib.sha256(key.encode()).hexdigest()}
        if self._config.secret is not None:
            headers["x-routeiq-signature"] = self._signature(body)
        try:
            async with self._gateway.egress.call(
                "POST", self._config.url, headers=headers, body=body, timeout_seconds=_SECONDS
            ) as answer:
                status, told = answer.status, answer.headers.get("retry-after")
        except (OSError, TimeoutError) as error:
            raise SinkUnavailable(f"{self.name} cannot be reached: {type(error).__name__}") from error
        if status in _LATER:
            raise SinkUnavailable(f"{self.name} answered {status}", retry_after=_seconds(told))
        if not 200 <= status < 300:
            raise SinkRefused(f"{self.name} answered {status}; look at its address and its headers")

    def _signature(self, body: bytes) -> str:
        """`t=UNIX SECONDS,v1=HEX`: HMAC-SHA256 over the seconds, a dot and the body."""
        assert self._gateway is not None
        assert self._config.secret is not None
        seconds = str(self._gateway.clock.now_ns() // 10**9)
        key = self._config.secret.reveal().encode()
        return f"t={seconds},v1={hmac.new(key, seconds.encode() + b'.' + body, hashlib.sha256).hexdigest()}"


def _hec(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Events as Splunk's HTTP Event Collector takes them."""
    for event in events:
        yield {
            "time": datetime.fromisoformat(event["time"]).timestamp(),
            "source": event["stream"],
            "sourcetype": f"routeiq:{event['class']}",
            "event": event,
        }


def _seconds(told: str | None) -> float | None:
    return min(float(told), _LONGEST_TOLD) if told is not None and told.isdecimal() else None
