"""The S3 sink against moto, and against a strict stand-in for what moto does not check."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from routeiq_audit.config import ObjectLock
from routeiq_audit.config import S3Sink as S3Config
from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_audit.sinks.s3 import S3Sink
from routeiq_sdk import Secret

from .sink_parts import calling, sealed_objects
from .strict_s3 import ACCESS, BUCKET, REGION, SECRET, StrictS3, strict_s3


@pytest.fixture
async def strict() -> AsyncIterator[StrictS3]:
    async with strict_s3() as server:
        yield server


def config(url: str, **more: Any) -> S3Config:
    told: dict[str, Any] = {
        "bucket": BUCKET,
        "endpoint_url": url,
        "region": REGION,
        "access_key_id": Secret(ACCESS),
        "secret_access_key": Secret(SECRET),
        "object_lock": ObjectLock(mode="COMPLIANCE", days=30),
    }
    return S3Config(**{**told, **more})


async def test_requests_are_signed_checked_and_locked(strict: StrictS3) -> None:
    (sealed,) = sealed_objects(1)
    sink = S3Sink(config(strict.url, prefix="gw", kms_key="arn:kms"))
    async with calling(strict.url) as gateway:
        await sink.open(gateway)
        await sink.ship(sealed)
    assert strict.refusals == []
    kept = strict.objects[f"gw/{sealed.name}"]
    assert kept.body == sealed.body
    for name in (sealed.name, sealed.manifest_name):
        headers = strict.objects[f"gw/{name}"].headers
        assert headers["x-amz-object-lock-mode"] == "COMPLIANCE"
        until = datetime.fromisoformat(headers["x-amz-object-lock-retain-until-date"])
        assert timedelta(days=29) < until - datetime.now(UTC) <= timedelta(days=30)
        assert headers["x-amz-server-side-encryption"] == "aws:kms"
        assert headers["x-amz-server-side-encryption-aws-kms-key-id"] == "arn:kms"
    created = [put for put in strict.puts if "json" not in put["content-type"]]
    assert {put.get("if-none-match") for put in created} == {"*"}
    assert SECRET not in str(strict.puts)
    assert f"gw/{sealed.head_name}" in strict.objects
    assert strict.objects[f"gw/{sealed.key_name}"].until is None


async def test_shipping_twice_changes_nothing(strict: StrictS3) -> None:
    (sealed,) = sealed_objects(1)
    sink = S3Sink(config(strict.url))
    async with calling(strict.url) as gateway:
        await sink.open(gateway)
        await sink.ship(sealed)
        before = {name: kept.body for name, kept in strict.objects.items()}
        await sink.ship(sealed)
    assert {name: kept.body for name, kept in strict.objects.items()} == before
    assert strict.refusals == ["PreconditionFailed"] * 3


async def test_something_else_under_the_name_is_never_replaced(strict: StrictS3) -> None:
    (sealed,) = sealed_objects(1)
    sink = S3Sink(config(strict.url))
    async with calling(strict.url) as gateway:
        await sink.open(gateway)
        await sink.ship(sealed)
        strict.objects[sealed.name].body = b"forged"
        strict.objects[sealed.name].headers["x-amz-checksum-sha256"] = "x"
        with pytest.raises(SinkRefused, match="holds something else"):
            await sink.ship(sealed)
    assert strict.objects[sealed.name].body == b"forged"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"secret_access_key": Secret("wrong")}, "SignatureDoesNotMatch"),
        ({"bucket": "other"}, "there is no such bucket"),
    ],
)
async def test_what_no_retry_mends_is_told_with_its_mend(strict: StrictS3, more: dict[str, Any], told: str) -> None:
    (sealed,) = sealed_objects(1)
    sink = S3Sink(config(strict.url, **more))
    async with calling(strict.url) as gateway:
        await sink.open(gateway)
        with pytest.raises(SinkRefused, match=told) as refused:
            await sink.ship(sealed)
    assert "wrong" not in str(refused.value)


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_tried_again(strict: StrictS3, status: int) -> None:
    (sealed,) = sealed_objects(1)
    sink = S3Sink(config(strict.url))
    async with calling(strict.url) as gateway:
        await sink.open(gateway)
        strict.fail_next = [status]
        with pytest.raises(SinkUnavailable):
            await sink.ship(sealed)
        await sink.ship(sealed)
    assert sealed.name in strict.objects


async def test_nobody_there_is_unavailable() -> None:
    (sealed,) = sealed_objects(1)
    sink = S3Sink(config("http://127.0.0.1:9"))
    async with calling("http://127.0.0.1:9") as gateway:
        await sink.open(gateway)
        with pytest.raises(SinkUnavailable, match="cannot be reached"):
            await sink.ship(sealed)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    port = _free_port()
    argv = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.1)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(10)


def client_of(url: str) -> Any:
    import boto3

    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=ACCESS, aws_secret_access_key=SECRET
    )


async def test_moto_keeps_objects_with_their_retention(moto: str) -> None:
    bucket = f"trail-{time.monotonic_ns()}"
    client = client_of(moto)
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    objects = sealed_objects(3)
    sink = S3Sink(config(moto, bucket=bucket, region="us-east-1"))
    async with calling(moto) as gateway:
        await sink.open(gateway)
        for sealed in objects:
            await sink.ship(sealed)
    for sealed in objects:
        found = client.get_object(Bucket=bucket, Key=sealed.name)
        assert found["Body"].read() == sealed.body
        assert found["ObjectLockMode"] == "COMPLIANCE"
        version = found["VersionId"]
        with pytest.raises(Exception, match=r"AccessDenied|Access Denied"):
            client.delete_object(Bucket=bucket, Key=sealed.name, VersionId=version)


async def test_moto_lets_one_of_sixteen_create_an_object(moto: str) -> None:
    bucket = f"race-{time.monotonic_ns()}"
    client = client_of(moto)
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    (sealed,) = sealed_objects(1)
    sinks = [S3Sink(config(moto, bucket=bucket, region="us-east-1", heads=False)) for _ in range(16)]
    async with calling(moto) as gateway:
        for sink in sinks:
            await sink.open(gateway)
        ended = await asyncio.gather(*(sink.ship(sealed) for sink in sinks), return_exceptions=True)
    assert [error for error in ended if error is not None and not isinstance(error, SinkUnavailable)] == []
    versions = client.list_object_versions(Bucket=bucket)["Versions"]
    assert sorted(each["Key"] for each in versions) == sorted({each["Key"] for each in versions})
