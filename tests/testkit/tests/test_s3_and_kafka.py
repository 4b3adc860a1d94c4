"""The servers that speak S3 and Kafka: they answer other processes, and bear being paused, stopped and told to fail."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from confluent_kafka import Consumer, Message, Producer

from routeiq_testkit.servers import KafkaCluster, S3Server, ServerError

READER = """
import sys
from confluent_kafka import Consumer, OFFSET_BEGINNING, TopicPartition
consumer = Consumer({"bootstrap.servers": sys.argv[1], "group.id": "g"})
consumer.assign([TopicPartition("t", 0, OFFSET_BEGINNING)])
while (message := consumer.poll(20)) is not None and message.error():
    pass
print(message.value().decode())
consumer.close()
"""


def ask(server: S3Server, method: str, path: str, body: bytes | None = None, seconds: float = 10.0) -> bytes:
    request = urllib.request.Request(f"{server.url}{path}", method=method, data=body)
    with urllib.request.urlopen(request, timeout=seconds) as answer:
        return bytes(answer.read())


def written(cluster: KafkaCluster, value: bytes, **options: object) -> str:
    """Write one message; the error of its delivery, empty when there was none."""
    told: list[str] = []

    def delivered(error: object, message: Message) -> None:
        told.append(str(error or ""))

    producer = Producer({"bootstrap.servers": cluster.bootstrap, "acks": "all", "log_level": 2, **options})
    producer.produce("t", value, partition=0, on_delivery=delivered)
    producer.flush(20)
    return told[0]


def test_s3_keeps_objects_until_the_next_test(s3_server: S3Server) -> None:
    ask(s3_server, "PUT", "/bucket")
    ask(s3_server, "PUT", "/bucket/name", b"content")
    assert b"<Key>name</Key>" in ask(s3_server, "GET", "/bucket")
    s3_server.refresh()
    assert b"<Name>bucket</Name>" not in ask(s3_server, "GET", "/")


def test_s3_bears_a_pause_and_keeps_its_address_over_a_stop(s3_server: S3Server) -> None:
    ask(s3_server, "PUT", "/bucket")
    s3_server.pause()
    with pytest.raises(TimeoutError):
        ask(s3_server, "GET", "/bucket", seconds=0.2)
    s3_server.resume()
    assert b"<Name>bucket</Name>" in ask(s3_server, "GET", "/")
    url = s3_server.url
    s3_server.stop()
    with pytest.raises(urllib.error.URLError):
        ask(s3_server, "GET", "/")
    s3_server.start()
    assert s3_server.url == url
    assert b"<Name>bucket</Name>" not in ask(s3_server, "GET", "/")


def test_kafka_serves_clients_of_other_processes(kafka_cluster: KafkaCluster) -> None:
    kafka_cluster.topic("t", 1)
    assert written(kafka_cluster, b"hello") == ""
    command = [sys.executable, "-c", READER, kafka_cluster.bootstrap]
    assert subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout == "hello\n"


def test_kafka_is_down_and_up_at_one_address_and_keeps_its_messages(kafka_cluster: KafkaCluster) -> None:
    kafka_cluster.topic("t", 1)
    assert written(kafka_cluster, b"one") == ""
    kafka_cluster.down()
    assert "timed out" in written(kafka_cluster, b"lost", **{"message.timeout.ms": 500})
    kafka_cluster.up()
    assert written(kafka_cluster, b"two") == ""
    consumer = Consumer(
        {"bootstrap.servers": kafka_cluster.bootstrap, "group.id": "g", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe(["t"])
    found: list[bytes] = []
    ends = time.monotonic() + 30
    while len(found) < 2 and time.monotonic() < ends:
        message = consumer.poll(1)
        if message is not None and message.error() is None:
            found.append(message.value())
    consumer.close()
    assert found == [b"one", b"two"]


def test_kafka_fails_as_it_is_told(kafka_cluster: KafkaCluster) -> None:
    kafka_cluster.topic("t", 1)
    kafka_cluster.fail(0, 10)
    assert "MSG_SIZE_TOO_LARGE" in written(kafka_cluster, b"x")
    assert written(kafka_cluster, b"x") == ""
    with pytest.raises(ServerError, match="unknown command"):
        kafka_cluster._tell("sing")
