"""The Kafka sink against librdkafka's mock cluster: what arrives, in which order, and what an outage does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, Producer

from routeiq_audit.config import KafkaSink as KafkaConfig
from routeiq_audit.sinks.base import SinkUnavailable
from routeiq_audit.sinks.kafka import KafkaSink
from routeiq_sdk import PluginError
from routeiq_sdk.testing import FakeGateway

from .sink_parts import sealed_objects

TOPIC = "audit"


@pytest.fixture
def cluster() -> Iterator[str]:
    """A cluster of one broker, alive as long as the client that hosts it."""
    host = Producer({"bootstrap.servers": "", "test.mock.num.brokers": 1})
    ends = time.monotonic() + 20
    brokers: dict[Any, Any] = {}
    while time.monotonic() < ends and not brokers:
        brokers = {id: broker for id, broker in host.list_topics(timeout=10).brokers.items() if broker.port}
    (broker,) = brokers.values()
    yield f"{broker.host}:{broker.port}"
    host.flush(1)


def consumed(bootstrap: str, count: int) -> list[Any]:
    """So many messages, in the order of their partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    found: list[Any] = []
    ends = time.monotonic() + 30
    while len(found) < count and time.monotonic() < ends:
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            found.append(message)
    consumer.close()
    return found


async def opened(bootstrap: str, **config: Any) -> KafkaSink:
    sink = KafkaSink(KafkaConfig(bootstrap=bootstrap, topic=TOPIC, config=config))
    await sink.open(FakeGateway())
    return sink


async def test_every_line_arrives_with_its_id_and_number(cluster: str) -> None:
    objects = sealed_objects(3)
    sink = await opened(cluster)
    for sealed in objects:
        await sink.ship(sealed)
    await sink.close()
    messages = await asyncio.to_thread(consumed, cluster, 12)
    headers = [dict(message.headers()) for message in messages]
    events = [message for message, told in zip(messages, headers, strict=True) if told["kind"] == b"event"]
    assert [message.value() for message in events] == [line for sealed in objects for line in sealed.lines()]
    assert {message.key() for message in messages} == {b"ALL"}
    for message in events:
        told, line = dict(message.headers()), orjson.loads(message.value())
        assert (told["id"], told["seq"]) == (line["id"].encode(), str(line["seq"]).encode())
    manifests = [
        message.value() for message, told in zip(messages, headers, strict=True) if told["kind"] == b"manifest"
    ]
    assert manifests == [sealed.manifest for sealed in objects]


async def test_a_broker_that_is_away_is_waited_for_and_nothing_is_lost(cluster: str) -> None:
    (sealed,) = sealed_objects(1)
    away = await opened("127.0.0.1:9", **{"delivery.timeout.ms": 1500, "socket.timeout.ms": 1000})
    with pytest.raises(SinkUnavailable, match=r"kafka:127\.0\.0\.1:9/audit"):
        await away.ship(sealed)
    await away.close()
    sink = await opened(cluster)
    await sink.ship(sealed)
    await sink.close()
    messages = await asyncio.to_thread(consumed, cluster, 4)
    assert [m.value() for m in messages if dict(m.headers())["kind"] == b"event"] == list(sealed.lines())


async def test_an_option_that_kafka_does_not_know_stops_the_start(cluster: str) -> None:
    with pytest.raises(PluginError, match="correct `config` of the Kafka sink"):
        await opened(cluster, **{"no.such.option": "1"})


@pytest.mark.parametrize("weaker", [{"acks": "1"}, {"enable.idempotence": False}, {"request.required.acks": 0}])
def test_options_that_weaken_the_trail_are_refused(weaker: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="for an audit trail"):
        KafkaConfig(bootstrap="b:1", topic=TOPIC, config=weaker)
