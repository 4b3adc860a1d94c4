"""Writes the lines of sealed objects to a Kafka topic, each once as far as an idempotent producer goes.

A crash between the broker's word and ours writes an object's lines a second time; the header `id` tells them apart.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import orjson
import structlog

from routeiq_audit.config import KafkaSink as KafkaConfig
from routeiq_audit.sealed import Sealed
from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_sdk import Gateway, PluginError

log = structlog.get_logger("routeiq.audit")

_DELIVERY_MS = 60_000
_POLL_SECONDS = 0.1
_CLOSE_SECONDS = 3.0
_DURABLE = {"enable.idempotence": True, "acks": "all"}
_DEFAULTS = {
    "client.id": "routeiq-audit",
    "compression.type": "zstd",
    "delivery.timeout.ms": _DELIVERY_MS,
    "linger.ms": 20,
    "socket.timeout.ms": 10_000,
}


class KafkaSink:
    """One topic. librdkafka works in threads of its own; a thread of ours only collects its words."""

    def __init__(self, config: KafkaConfig) -> None:
        try:
            import confluent_kafka
        except ImportError as error:
            mend = "pip install 'routeiq-audit[kafka]'"
            raise PluginError("audit", "a Kafka sink needs confluent-kafka", mend=mend) from error
        self._library: Any = confluent_kafka
        self._config = config
        self._producer: Any = None

    @property
    def name(self) -> str:
        """Kind and place."""
        return f"kafka:{self._config.bootstrap}/{self._config.topic}"

    @property
    def origins(self) -> tuple[str, ...]:
        """Brokers speak no HTTP."""
        return ()

    async def open(self, gateway: Gateway) -> None:
        """Make the producer; a broker that is away now is as good. Raises `PluginError` for options it does not
        know."""
        self._producer = self._made()

    def _made(self) -> Any:
        options = {
            **_DEFAULTS,
            **self._config.config,
            "bootstrap.servers": self._config.bootstrap,
            **_DURABLE,
            "error_cb": self._tell,
        }
        try:
            return self._library.Producer(options)
        except self._library.KafkaException as error:
            told = f"{self.name} cannot be opened: {error.args[0].str()}"
            raise PluginError("audit", told, mend="correct `config` of the Kafka sink") from None

    async def close(self) -> None:
        """Drop what is under way: it is handed over again after the next start."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            await asyncio.to_thread(producer.flush, _CLOSE_SECONDS)

    async def ship(self, sealed: Sealed) -> None:
        """Write every line and the manifest, and wait for the brokers' word on each."""
        lines = list(sealed.lines())
        messages = [(line, self._headers(line, sealed)) for line in lines]
        messages.append((sealed.manifest, [("kind", b"manifest"), ("object", sealed.name.encode())]))
        await asyncio.to_thread(self._write, sealed.tenant.encode(), messages)

    def _headers(self, line: bytes, sealed: Sealed) -> list[tuple[str, bytes]]:
        told = orjson.loads(line)
        return [
            ("kind", b"event"),
            ("id", str(told["id"]).encode()),
            ("seq", str(told["seq"]).encode()),
            ("stream", sealed.stream.encode()),
        ]

    def _write(self, key: bytes, messages: Sequence[tuple[bytes, list[tuple[str, bytes]]]]) -> None:
        if self._producer is None:  # an idempotent producer that lost its place has to be made anew
            self._producer = self._made()
        producer = self._producer
        left = len(messages)
        failed: Any = None
        done = threading.Event()

        def delivered(error: Any, message: Any) -> None:
            nonlocal left, failed
            failed = failed or error
            left -= 1
            if left == 0:
                done.set()

        for value, headers in messages:
            while True:
                try:
                    producer.produce(self._config.topic, value, key, headers=headers, on_delivery=delivered)
                    break
                except BufferError:
                    producer.poll(_POLL_SECONDS)
                except self._library.KafkaException as error:
                    raise SinkRefused(f"{self.name}: {error.args[0].str()}") from None
        while not done.is_set():
            producer.poll(_POLL_SECONDS)
        if failed is not None:
            raise self._failure(failed)

    def _failure(self, error: Any) -> SinkUnavailable | SinkRefused:
        told = f"{self.name}: {error.str()}"
        if error.fatal():
            self._producer = None
        return SinkUnavailable(told)

    def _tell(self, error: Any) -> None:
        log.debug("kafka", sink=self.name, reason=error.str())
