"""The Kafka sink against librdkafka's mock cluster in another process: what arrives, and what outages do."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from routeiq.egress import Egress, EgressPolicy
from routeiq.handle import PluginEgress
from routeiq_audit.config import KafkaSink as KafkaConfig
from routeiq_audit.sealed import Sealed
from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_audit.sinks.kafka import KafkaSink
from routeiq_sdk import PluginError
from routeiq_sdk.testing import FakeGateway
from routeiq_testkit.servers import KafkaCluster

from .sink_parts import sealed_events, sealed_objects

TOPIC = "audit"
PRODUCE, INIT_PRODUCER_ID = 0, 22
TIMED_OUT, NOT_LEADER, TOO_LARGE, TOO_FEW_REPLICAS, NO_TOPIC_RIGHTS, NO_CLUSTER_RIGHTS = 7, 6, 10, 19, 29, 31
IMPATIENT = {"delivery.timeout.ms": 1500, "socket.timeout.ms": 1000, "reconnect.backoff.max.ms": 200}
SECONDS = 30.0


def consumed(bootstrap: str, count: int) -> list[Any]:
    """All messages of the topic, at least so many, in the order of their partition."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "enable.partition.eof": True})
    partitions = consumer.list_topics(TOPIC, timeout=SECONDS).topics[TOPIC].partitions
    consumer.assign([TopicPartition(TOPIC, number, OFFSET_BEGINNING) for number in partitions])
    found: list[Any] = []
    ended: set[int] = set()
    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends and not (len(found) >= count and len(ended) == len(partitions)):
        message = consumer.poll(0.5)
        if message is not None and message.error() is None:
            found.append(message)
            ended.discard(message.partition())
        elif message is not None and message.error().code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition())
    consumer.close()
    return found


async def read(cluster: KafkaCluster, count: int) -> list[tuple[dict[str, bytes], bytes]]:
    """Headers and value of each message."""
    messages = await asyncio.to_thread(consumed, cluster.bootstrap, count)
    return [(dict(message.headers()), message.value()) for message in messages]


def contents(*objects: Sealed) -> list[bytes]:
    """What the messages of these objects hold."""
    return [value for sealed in objects for value in (*sealed.lines(), sealed.manifest)]


@asynccontextmanager
async def opened(bootstrap: str, **config: Any) -> AsyncIterator[KafkaSink]:
    sink = KafkaSink(KafkaConfig.model_validate({"bootstrap": bootstrap, "topic": TOPIC, "config": config}))
    await sink.open(FakeGateway())
    try:
        yield sink
    finally:
        await sink.close()


async def test_every_line_arrives_with_its_id_and_number(kafka_cluster: KafkaCluster) -> None:
    objects = sealed_objects(3, events=50, tenant="team-1")
    async with opened(kafka_cluster.bootstrap) as sink:
        for sealed in objects:
            await sink.ship(sealed)
    messages = await asyncio.to_thread(consumed, kafka_cluster.bootstrap, 153)
    assert [message.value() for message in messages] == contents(*objects)
    assert {message.key() for message in messages} == {b"team-1"}
    for message in messages:
        headers, value = dict(message.headers()), orjson.loads(message.value())
        if headers["kind"] == b"manifest":
            assert headers["object"].decode() == value["object"]
        else:
            assert (headers["id"].decode(), headers["seq"].decode()) == (value["id"], str(value["seq"]))
        assert headers["stream"].decode() == value["stream"]


@pytest.mark.parametrize("errors", [[TIMED_OUT] * 3, [NOT_LEADER, TOO_FEW_REPLICAS, TIMED_OUT]])
async def test_what_brokers_cannot_do_now_is_tried_again_and_nothing_arrives_twice(
    kafka_cluster: KafkaCluster, errors: list[int]
) -> None:
    (sealed,) = sealed_objects(1, events=200)
    async with opened(kafka_cluster.bootstrap, **{"batch.num.messages": 20, "retry.backoff.ms": 10}) as sink:
        kafka_cluster.fail(PRODUCE, *errors)
        await sink.ship(sealed)
    assert [value for _, value in await read(kafka_cluster, 201)] == contents(sealed)


async def test_while_a_broker_is_away_nothing_is_lost_and_it_goes_on_afterwards(kafka_cluster: KafkaCluster) -> None:
    first, second = sealed_objects(2)
    async with opened(kafka_cluster.bootstrap, **IMPATIENT) as sink:
        await sink.ship(first)
        kafka_cluster.down()
        with pytest.raises(SinkUnavailable, match=rf"kafka:{kafka_cluster.bootstrap}/audit: .*timed out \("):
            await sink.ship(second)
        with pytest.raises(SinkUnavailable):
            await sink.ship(second)
        kafka_cluster.up()
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    await sink.ship(second)
                    break
                except SinkUnavailable:
                    await asyncio.sleep(0.1)
    assert [value for _, value in await read(kafka_cluster, 8)] == contents(first, second)


async def test_after_a_failure_only_what_did_not_arrive_is_written_again(kafka_cluster: KafkaCluster) -> None:
    (sealed,) = sealed_objects(1, events=5)
    async with opened(kafka_cluster.bootstrap, **{"batch.num.messages": 1, "max.in.flight": 1}) as sink:
        kafka_cluster.fail(PRODUCE, 0, 0, TOO_LARGE)
        with pytest.raises(SinkRefused, match=r"message\.max\.bytes"):
            await sink.ship(sealed)
        await sink.ship(sealed)
    values = [value for _, value in await read(kafka_cluster, 6)]
    assert sorted(values) == sorted(contents(sealed))


async def test_a_line_too_large_for_a_message_comes_in_parts(kafka_cluster: KafkaCluster) -> None:
    sealed = sealed_events("small", "x" * 2_500_000, "small again")
    async with opened(kafka_cluster.bootstrap) as sink:
        await sink.ship(sealed)
    messages = await read(kafka_cluster, 6)
    assert [headers.get("part") for headers, _ in messages] == [None, b"1/3", b"2/3", b"3/3", None, None]
    assert [headers.get("seq") for headers, _ in messages] == [b"1", b"2", b"2", b"2", b"3", None]
    assert b"".join(value for _, value in messages) == b"".join(contents(sealed))


@pytest.mark.parametrize(
    ("error", "told"),
    [(TOO_LARGE, r"message\.max\.bytes"), (NO_TOPIC_RIGHTS, "allow this user to write to the topic")],
)
async def test_what_no_retry_mends_is_told_with_its_mend(kafka_cluster: KafkaCluster, error: int, told: str) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(kafka_cluster.bootstrap) as sink:
        kafka_cluster.fail(PRODUCE, error)
        with pytest.raises(SinkRefused, match=f"/audit: .*{told}"):
            await sink.ship(sealed)
        await sink.ship(sealed)
    assert {value for _, value in await read(kafka_cluster, 4)} == set(contents(sealed))


async def test_a_producer_that_lost_its_rights_is_made_anew(kafka_cluster: KafkaCluster) -> None:
    (sealed,) = sealed_objects(1)
    kafka_cluster.fail(INIT_PRODUCER_ID, NO_CLUSTER_RIGHTS)
    async with opened(kafka_cluster.bootstrap) as sink:
        with pytest.raises(SinkRefused, match="Cluster authorization failed: allow this user idempotent writes"):
            await sink.ship(sealed)
        await sink.ship(sealed)
    assert [value for _, value in await read(kafka_cluster, 4)] == contents(sealed)


async def test_shipping_that_is_given_up_can_be_begun_again(kafka_cluster: KafkaCluster) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(kafka_cluster.bootstrap) as sink:
        kafka_cluster.down()
        shipping = asyncio.create_task(sink.ship(sealed))
        async with asyncio.timeout(SECONDS):
            while not len(sink._delivery._producer):  # what waits in it
                await asyncio.sleep(0.01)
        shipping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await shipping
        kafka_cluster.up()
        async with asyncio.timeout(SECONDS):
            await sink.ship(sealed)
    assert [value for _, value in await read(kafka_cluster, 4)] == contents(sealed)


async def test_a_closed_sink_writes_nothing(kafka_cluster: KafkaCluster) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(kafka_cluster.bootstrap) as sink:
        pass
    with pytest.raises(SinkUnavailable, match="is closed"):
        await sink.ship(sealed)


async def test_an_option_that_kafka_does_not_know_stops_the_start(kafka_cluster: KafkaCluster) -> None:
    with pytest.raises(PluginError, match="correct `config` of the Kafka sink"):
        async with opened(kafka_cluster.bootstrap, **{"no.such.option": "1"}):
            pass


@pytest.mark.parametrize("weaker", [{"acks": "1"}, {"enable.idempotence": False}, {"request.required.acks": 0}])
def test_options_that_weaken_the_trail_are_refused(weaker: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="for an audit trail"):
        KafkaConfig.model_validate({"bootstrap": "b:1", "topic": TOPIC, "config": weaker})


def test_passwords_do_not_show() -> None:
    config = KafkaConfig.model_validate({"bootstrap": "b:1", "topic": TOPIC, "config": {"sasl.password": "hunter2"}})
    assert "hunter2" not in repr(config)
    assert "hunter2" not in KafkaSink(config).name


@pytest.mark.parametrize(
    ("bootstrap", "options"),
    [
        ("broker.example:9092,169.254.169.254:9092", {}),
        ("SASL_SSL://metadata.google.internal:9092", {}),
        ("broker.example:9092", {"sasl.oauthbearer.token.endpoint.url": "http://[fd00:ec2::254]/token"}),
        ("rebound.example:9092", {}),
    ],
)
async def test_brokers_at_a_clouds_metadata_are_refused_at_the_start(bootstrap: str, options: dict[str, str]) -> None:
    async def look_up(host: str, port: int) -> list[str]:
        return ["10.0.0.7", *(["169.254.169.254"] if host.startswith("rebound") else [])]

    gateway = FakeGateway("audit")
    gateway.egress = PluginEgress(Egress(EgressPolicy(), lookup=look_up))  # type: ignore[assignment]
    sink = KafkaSink(KafkaConfig(bootstrap=bootstrap, topic=TOPIC, config=options))
    with pytest.raises(PluginError, match="metadata services are never reachable"):
        await sink.open(gateway)
