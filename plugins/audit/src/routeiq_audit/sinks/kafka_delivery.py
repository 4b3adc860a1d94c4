"""Messages on their way to Kafka's brokers: one librdkafka producer, worked by one thread of its own.

What the messages are is the sink's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_sdk import PluginError

log = structlog.get_logger("routeiq.audit")

_POLL_SECONDS = 0.1
_CLOSE_SECONDS = 2.0
_DEFAULTS = {
    "client.id": "routeiq-audit",
    "compression.type": "zstd",
    "delivery.timeout.ms": 60_000,
    "linger.ms": 20,
    "log_level": 2,  # what goes wrong is told by callbacks; librdkafka would print it as well
    "socket.timeout.ms": 10_000,
}
_DURABLE = {"enable.idempotence": True, "acks": "all"}
_MENDS = {
    "MSG_SIZE_TOO_LARGE": "set `message.max.bytes` in `config` to what the topic takes",
    "TOPIC_AUTHORIZATION_FAILED": "allow this user to write to the topic",
    "CLUSTER_AUTHORIZATION_FAILED": "allow this user idempotent writes",
    "UNKNOWN_TOPIC_OR_PART": "create the topic",
    "_UNKNOWN_TOPIC": "create the topic",
    "_UNKNOWN_PARTITION": "correct `partitioner` in `config`",
    "TOPIC_EXCEPTION": "correct `topic`",
    "POLICY_VIOLATION": "let the topic's policy allow it",
    "INVALID_RECORD": "let the topic take any record",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    value: bytes
    headers: list[tuple[str, bytes]]


class _Batch:
    """What one call of `deliver` waits for. All but `given_up` belongs to the thread."""

    def __init__(self, taken: set[int]) -> None:
        self.taken = taken
        self.under_way = 0
        self.failed: Any = None
        self.given_up = False

    def delivered(self, place: int, error: Any, message: Any) -> None:
        """The brokers' word on one message."""
        self.under_way -= 1
        if error is None:
            self.taken.add(place)
        else:
            self.failed = self.failed or error


class Delivery:
    """Delivers batches, one at a time. `library` is confluent_kafka, `name` the sink's, for errors."""

    def __init__(self, library: Any, name: str, topic: str, options: Mapping[str, Any]) -> None:
        self._library = library
        self._name = name
        self._topic = topic
        self._options = {**_DEFAULTS, **options, **_DURABLE, "error_cb": self._hear}
        if "message.timeout.ms" in options:  # the other name of the same option
            del self._options["delivery.timeout.ms"]
        self._thread: ThreadPoolExecutor | None = None
        self._producer: Any = None
        self._heard = ""
        self._told = ""

    def open(self) -> None:
        """Make the producer. Raises `PluginError` for options that librdkafka does not know."""
        self._producer = self._made()
        self._thread = ThreadPoolExecutor(1, "audit-kafka")

    async def close(self) -> None:
        """Forget what is under way."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._drop)
            thread.shutdown(wait=False)

    async def deliver(self, key: bytes, messages: Sequence[Message], taken: set[int]) -> None:
        """Write the messages whose places are not in `taken`; those that the brokers acknowledge come to it.

        Returns once they acknowledged all. Raises `SinkUnavailable` or `SinkRefused` for the first that they did not.
        """
        if self._thread is None:
            raise SinkUnavailable(f"{self._name} is closed")
        batch = _Batch(taken)
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._work, key, messages, batch)
        except asyncio.CancelledError:
            batch.given_up = True  # the thread sees it at its next look
            raise

    def _work(self, key: bytes, messages: Sequence[Message], batch: _Batch) -> None:
        self._heard = ""
        try:
            if self._producer is None:  # the one before was given up
                self._producer = self._made()
            for place, message in enumerate(messages):
                if place not in batch.taken and not batch.given_up:
                    self._produce(key, message, partial(batch.delivered, place), batch)
            while batch.under_way and not batch.given_up:
                self._producer.poll(_POLL_SECONDS)
        except self._library.KafkaException as error:  # an idempotent producer that lost its place, among others
            self._drop()
            raise self._failure(error.args[0]) from None
        except BaseException:
            self._drop()
            raise
        if batch.given_up:
            self._drop()
        elif batch.failed is not None:
            raise self._failure(batch.failed)

    def _produce(self, key: bytes, message: Message, delivered: Any, batch: _Batch) -> None:
        while not batch.given_up:
            try:
                self._producer.produce(self._topic, message.value, key, headers=message.headers, on_delivery=delivered)
                batch.under_way += 1
                return
            except BufferError:  # librdkafka's queue is full
                self._producer.poll(_POLL_SECONDS)

    def _made(self) -> Any:
        try:
            return self._library.Producer(self._options)
        except self._library.KafkaException as error:
            told = f"{self._name} cannot be opened: {error.args[0].str()}"
            raise PluginError("audit", told, mend="correct `config` of the Kafka sink") from None

    def _drop(self) -> None:
        """Give the producer up, with what is in its queues."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with suppress(self._library.KafkaException):
                producer.purge()
                producer.flush(_CLOSE_SECONDS)

    def _failure(self, error: Any) -> SinkUnavailable | SinkRefused:
        told = f"{self._name}: {error.str()}"
        if mend := _MENDS.get(error.name()):
            self._drop()  # librdkafka remembers refusals for minutes; whoever mends one is not kept waiting
            return SinkRefused(f"{told}: {mend}")
        return SinkUnavailable(f"{told} ({self._heard})" if self._heard else told)

    def _hear(self, error: Any) -> None:
        self._heard = error.str().partition(" (after ")[0]  # without times, which differ each time
        if self._heard != self._told:
            self._told = self._heard
            log.debug("kafka", sink=self._name, reason=self._heard)
