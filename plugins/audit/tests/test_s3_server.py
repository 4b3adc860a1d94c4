"""The S3 sink against moto: races for one name, Object Lock as a client of S3 sees it, outages."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from routeiq_audit.config import ObjectLock
from routeiq_audit.config import S3Sink as S3Config
from routeiq_audit.outbox import Outbox
from routeiq_audit.shipping import Shipper
from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_audit.sinks.s3 import S3Sink
from routeiq_audit.verifying import verify
from routeiq_sdk import Secret
from routeiq_testkit.servers import S3Server

from .parts import append, opened
from .sink_parts import calling, sealed_objects

BUCKET = "trail"


def client_of(server: S3Server) -> Any:
    import boto3

    keys = {"aws_access_key_id": "AKIATEST", "aws_secret_access_key": "test-secret"}
    return boto3.client("s3", endpoint_url=server.url, region_name="us-east-1", **keys)


def bucket(server: S3Server) -> Any:
    """A client, and the bucket made, with Object Lock."""
    client = client_of(server)
    client.create_bucket(Bucket=BUCKET, ObjectLockEnabledForBucket=True)
    return client


def sink_of(server: S3Server, **more: Any) -> S3Sink:
    told: dict[str, Any] = {
        "bucket": BUCKET,
        "endpoint_url": server.url,
        "access_key_id": Secret("AKIATEST"),
        "secret_access_key": Secret("test-secret"),
        "object_lock": ObjectLock(mode="COMPLIANCE", days=30),
    }
    return S3Sink(S3Config(**{**told, **more}))


def download(client: Any, folder: Path) -> list[str]:
    """The names of all objects, which then lie in the folder; heads apart, no name has two versions."""
    versions = client.list_object_versions(Bucket=BUCKET).get("Versions", ())
    for name in {each["Key"] for each in versions}:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(client.get_object(Bucket=BUCKET, Key=name)["Body"].read())
    return sorted(each["Key"] for each in versions if not each["Key"].startswith("heads/"))


async def test_objects_have_the_retention_that_was_asked_for_and_cannot_be_deleted(s3_server: S3Server) -> None:
    client, objects = bucket(s3_server), sealed_objects(3)
    sink = sink_of(s3_server)
    async with calling(s3_server.url) as gateway:
        await sink.open(gateway)
        for sealed in objects:
            await sink.ship(sealed)
    for name, body in [(s.name, s.body) for s in objects] + [(s.manifest_name, s.manifest) for s in objects]:
        found = client.get_object(Bucket=BUCKET, Key=name)
        assert found["Body"].read() == body
        assert found["ObjectLockMode"] == "COMPLIANCE"
        left = found["ObjectLockRetainUntilDate"] - datetime.now(UTC)
        assert timedelta(days=29) < left <= timedelta(days=30)
        with pytest.raises(Exception, match=r"AccessDenied|Access Denied"):
            client.delete_object(Bucket=BUCKET, Key=name, VersionId=found["VersionId"])


async def test_of_sixteen_shippers_one_creates_an_object_and_all_succeed(s3_server: S3Server) -> None:
    client, (sealed,) = bucket(s3_server), sealed_objects(1)
    sinks = [sink_of(s3_server) for _ in range(16)]
    async with calling(s3_server.url) as gateway:
        for sink in sinks:
            await sink.open(gateway)
        await asyncio.gather(*(sink.ship(sealed) for sink in sinks))
    versions = [each["Key"] for each in client.list_object_versions(Bucket=BUCKET)["Versions"]]
    assert sorted(versions) == sorted((sealed.key_name, sealed.head_name, sealed.name, sealed.manifest_name))


async def test_what_lies_under_the_name_of_an_object_is_not_replaced(s3_server: S3Server) -> None:
    client, (sealed,) = bucket(s3_server), sealed_objects(1)
    client.put_object(Bucket=BUCKET, Key=sealed.name, Body=b"forged", ChecksumAlgorithm="SHA256")
    sink = sink_of(s3_server)
    async with calling(s3_server.url) as gateway:
        await sink.open(gateway)
        with pytest.raises(SinkRefused, match="holds something else"):
            await sink.ship(sealed)
    assert client.get_object(Bucket=BUCKET, Key=sealed.name)["Body"].read() == b"forged"


async def test_a_bucket_that_is_missing_is_named(s3_server: S3Server) -> None:
    (sealed,) = sealed_objects(1)
    sink = sink_of(s3_server)
    async with calling(s3_server.url) as gateway:
        await sink.open(gateway)
        with pytest.raises(SinkRefused, match=rf"{BUCKET}/.*NoSuchBucket: there is no such bucket; create it"):
            await sink.ship(sealed)


async def test_two_shippers_of_one_outbox_leave_a_trail_that_verifies(tmp_path: Path, s3_server: S3Server) -> None:
    client = bucket(s3_server)
    async with opened(tmp_path) as bed:
        for number in range(8):
            await append(bed, range(number * 10 + 1, number * 10 + 4))
            await bed.sealer.seal_all()
    sinks = [sink_of(s3_server), sink_of(s3_server)]
    outboxes = [bed.outbox, Outbox(tmp_path / "outbox-0")]
    outboxes[1].open()
    async with calling(s3_server.url) as gateway:
        for sink in sinks:
            await sink.open(gateway)
        shippers = [Shipper(*pair, [sinks[0].name]) for pair in zip(sinks, outboxes, strict=True)]
        while bed.outbox.waiting():
            await asyncio.gather(*(shipper.ship_all() for shipper in shippers))
    names = download(client, tmp_path / "copy")
    assert len(names) == len(set(names)) == 1 + 2 * 8
    assert verify(tmp_path / "copy").ok


async def test_an_outage_is_told_and_the_object_arrives_afterwards(s3_server: S3Server) -> None:
    client, (sealed,) = bucket(s3_server), sealed_objects(1)
    sink = sink_of(s3_server)
    async with calling(s3_server.url) as gateway:
        await sink.open(gateway)
        s3_server.stop()
        with pytest.raises(SinkUnavailable, match="cannot be reached"):
            await sink.ship(sealed)
        s3_server.start()
        client = bucket(s3_server)
        await sink.ship(sealed)
    assert client.get_object(Bucket=BUCKET, Key=sealed.name)["Body"].read() == sealed.body
