"""Writes the lines of sealed objects to a Kafka topic, each once as far as an idempotent producer goes.

How a message reaches the brokers is told in `kafka_delivery`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import orjson

from routeiq_audit.config import KafkaOption
from routeiq_audit.config import KafkaSink as KafkaConfig
from routeiq_audit.sealed import Sealed
from routeiq_audit.sinks.kafka_delivery import Delivery, Message
from routeiq_sdk import Gateway, PluginError, RouteIQError, Secret

_MESSAGE_BYTES = 1_000_000
"""What librdkafka and brokers take unless they are told otherwise (`message.max.bytes`)."""
_ROOM = 0.9
"""The part of it that a line may take: key and headers come to it."""


class KafkaSink:
    """One topic. A message is a line, its key the tenant; the manifest follows the lines of its object.

    Headers say what a message is: `kind` (`event` or `manifest`), `stream`, `id` and `seq`, or the manifest's `object`.
    A crash between the brokers' word and our note of it writes lines a second time: `id` tells them apart.
    """

    def __init__(self, config: KafkaConfig) -> None:
        try:
            import confluent_kafka
        except ImportError as error:
            mend = "pip install confluent-kafka"
            raise PluginError("audit", "a Kafka sink needs confluent-kafka", mend=mend) from error
        self._name = f"kafka:{config.bootstrap}/{config.topic}"
        options = {name: _plain(value) for name, value in config.config.items()}
        most = int(options.get("message.max.bytes", _MESSAGE_BYTES))
        self._line_bytes = max(1, int(most * _ROOM))
        options["bootstrap.servers"] = config.bootstrap
        self._servers = _servers(options)
        self._delivery = Delivery(confluent_kafka, self._name, config.topic, options)
        self._under_way = ""
        self._taken: set[int] = set()
        """Places of the messages of the object under way that the brokers have."""

    @property
    def name(self) -> str:
        """Kind and place."""
        return self._name

    @property
    def origins(self) -> tuple[str, ...]:
        """Brokers speak no HTTP."""
        return ()

    async def open(self, gateway: Gateway) -> None:
        """Make the producer; a broker that is away now is as good. Raises `PluginError` for options that librdkafka
        does not know, and for brokers that may not be called."""
        for server in self._servers:
            try:
                await gateway.egress.check(server)
            except RouteIQError as error:
                mend = "correct bootstrap, or the option of librdkafka that names it"
                raise PluginError("audit", f"{self._name}: {error}", mend=mend) from error
        self._delivery.open()

    async def close(self) -> None:
        """Let go of the producer. What is under way is handed over again after the next start."""
        await self._delivery.close()

    async def ship(self, sealed: Sealed) -> None:
        """Write every line and the manifest, and wait for the brokers' word on each. After a failure only what they
        did not take is written again."""
        if self._under_way != sealed.name:
            self._under_way, self._taken = sealed.name, set()
        messages = await asyncio.to_thread(lambda: list(self._messages(sealed)))
        await self._delivery.deliver(sealed.tenant.encode(), messages, self._taken)

    def _messages(self, sealed: Sealed) -> Iterator[Message]:
        stream = ("stream", sealed.stream.encode())
        for line in sealed.lines():
            told = orjson.loads(line)
            identity = [("id", str(told["id"]).encode()), ("seq", str(told["seq"]).encode())]
            yield from self._parts(line, [("kind", b"event"), stream, *identity])
        yield from self._parts(sealed.manifest, [("kind", b"manifest"), stream, ("object", sealed.name.encode())])

    def _parts(self, value: bytes, headers: list[tuple[str, bytes]]) -> Iterator[Message]:
        """One message, or several with a header `part` (`2/3`) where one would be too large for the brokers."""
        count = -(-len(value) // self._line_bytes)
        if count <= 1:
            yield Message(value, headers)
            return
        for number in range(count):
            part = value[number * self._line_bytes : (number + 1) * self._line_bytes]
            yield Message(part, [*headers, ("part", f"{number + 1}/{count}".encode())])


def _servers(options: Mapping[str, str | int | float]) -> list[str]:
    """What librdkafka is told to call at first; brokers tell it of the others."""
    named = ["bootstrap.servers", "metadata.broker.list", *(name for name in options if name.endswith(".url"))]
    lists = (str(options[name]).split(",") for name in named if name in options)
    return [server.strip() for servers in lists for server in servers if server.strip()]


def _plain(value: KafkaOption) -> str | int | float:
    return value.reveal() if isinstance(value, Secret) else value
