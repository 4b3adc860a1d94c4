"""The S3 sink against a strict stand-in: signatures, checksums, conditions, retention, and what refusals tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from routeiq_audit.config import ObjectLock
from routeiq_audit.config import S3Sink as S3Config
from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_audit.sinks.s3 import S3Sink
from routeiq_sdk import Secret

from .sink_parts import calling, sealed_objects
from .strict_s3 import ACCESS, BUCKET, REGION, SECRET, TOKEN, StrictS3, strict_s3


@pytest.fixture
async def strict() -> AsyncIterator[StrictS3]:
    async with strict_s3() as server:
        yield server


def config(url: str | None, **more: Any) -> S3Config:
    told: dict[str, Any] = {
        "bucket": BUCKET,
        "endpoint_url": url,
        "region": REGION,
        "access_key_id": Secret(ACCESS),
        "secret_access_key": Secret(SECRET),
        "object_lock": ObjectLock(mode="COMPLIANCE", days=30),
    }
    return S3Config(**{**told, **more})


@asynccontextmanager
async def opened(strict: StrictS3, **more: Any) -> AsyncIterator[S3Sink]:
    """A sink of the strict server's bucket."""
    async with calling(strict.url) as gateway:
        sink = S3Sink(config(strict.url, **more))
        await sink.open(gateway)
        yield sink
        await sink.close()


async def test_requests_are_signed_checked_and_locked(strict: StrictS3) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(strict, prefix="/gw/", kms_key="arn:kms") as sink:
        await sink.ship(sealed)
    assert strict.refusals == []
    assert strict.objects[f"gw/{sealed.name}"].body == sealed.body
    assert strict.objects[f"gw/{sealed.manifest_name}"].body == sealed.manifest
    assert strict.objects[f"gw/{sealed.head_name}"].body == sealed.head
    assert strict.objects[f"gw/{sealed.key_name}"].body == sealed.key
    for name in (sealed.name, sealed.manifest_name):
        kept = strict.objects[f"gw/{name}"]
        assert kept.mode == "COMPLIANCE"
        assert kept.until is not None
        assert timedelta(days=29) < kept.until - datetime.now(UTC) <= timedelta(days=30)
    puts = [put for sent in strict.puts.values() for put in sent]
    assert {put["if-none-match"] for put in puts} == {"*"}, "also the head, when there is none"
    assert {put["x-amz-server-side-encryption"] for put in puts} == {"aws:kms"}
    assert {put["x-amz-server-side-encryption-aws-kms-key-id"] for put in puts} == {"arn:kms"}
    assert strict.objects[f"gw/{sealed.head_name}"].until is None
    assert SECRET not in str(puts)


async def test_names_of_any_tenant_are_signed_as_they_are_sent(strict: StrictS3) -> None:
    (sealed,) = sealed_objects(1, tenant="Zürich & Söhne/№7 +x%2F")
    async with opened(strict, prefix="a b/ü") as sink:
        await sink.ship(sealed)
    assert strict.refusals == []
    assert f"a b/ü/{sealed.name}" in strict.objects


async def test_a_session_token_is_sent_and_signed(strict: StrictS3) -> None:
    strict.token = TOKEN
    (sealed,) = sealed_objects(1)
    async with opened(strict, session_token=Secret(TOKEN)) as sink:
        await sink.ship(sealed)
    assert strict.refusals == []


async def test_without_configured_credentials_botocore_finds_them(
    strict: StrictS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    (sealed,) = sealed_objects(1)
    async with opened(strict, access_key_id=None, secret_access_key=None) as sink:
        await sink.ship(sealed)
    assert strict.refusals == []


async def test_without_any_credentials_it_says_what_to_set(strict: StrictS3, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "BOTO_CONFIG"):
        monkeypatch.setenv(name, "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (sealed,) = sealed_objects(1)
    async with opened(strict, access_key_id=None, secret_access_key=None) as sink:
        with pytest.raises(SinkUnavailable, match="set access_key_id and secret_access_key"):
            await sink.ship(sealed)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    async with opened(strict, access_key_id=None, secret_access_key=None) as sink:
        with pytest.raises(SinkUnavailable, match="credentials for S3 cannot be read"):
            await sink.ship(sealed)
    assert strict.requests == []


async def test_a_retention_that_was_set_can_be_prolonged_and_not_shortened(strict: StrictS3) -> None:
    import boto3

    (sealed,) = sealed_objects(1)
    async with opened(strict) as sink:
        await sink.ship(sealed)
    keys = {"aws_access_key_id": ACCESS, "aws_secret_access_key": SECRET}
    client = boto3.client("s3", endpoint_url=strict.url, region_name=REGION, **keys)
    kept = strict.objects[sealed.name].until
    assert kept is not None

    def retain(until: datetime) -> None:
        retention = {"Mode": "COMPLIANCE", "RetainUntilDate": until}
        client.put_object_retention(Bucket=BUCKET, Key=sealed.name, Retention=retention)

    with pytest.raises(Exception, match="AccessDenied"):
        await asyncio.to_thread(retain, kept - timedelta(days=1))
    assert strict.objects[sealed.name].until == kept
    await asyncio.to_thread(retain, kept + timedelta(days=1))
    assert strict.objects[sealed.name].until == kept + timedelta(days=1)
    with pytest.raises(Exception, match="AccessDenied"):
        await asyncio.to_thread(client.delete_object, Bucket=BUCKET, Key=sealed.name, VersionId="1")


async def test_shipping_twice_changes_nothing(strict: StrictS3) -> None:
    (sealed,) = sealed_objects(1)
    for _ in range(2):  # the second sink knows nothing of the first, as after a restart
        async with opened(strict) as sink:
            await sink.ship(sealed)
    assert strict.refusals == ["PreconditionFailed"] * 4
    assert {len(versions) for versions in strict.versions.values()} == {1}


async def test_something_else_under_the_name_is_refused_and_stays(strict: StrictS3) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(strict) as sink:
        await sink.ship(sealed)
        strict.objects[sealed.name].body = b"forged"
        strict.objects[sealed.name].headers["x-amz-checksum-sha256"] = "x"
        with pytest.raises(SinkRefused, match=rf"{sealed.name} holds something else"):
            await sink.ship(sealed)
    assert strict.objects[sealed.name].body == b"forged"


async def test_an_object_that_reads_back_otherwise_does_not_count(strict: StrictS3) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(strict, heads=False) as sink:
        await sink.ship(sealed)
        kept = strict.objects[sealed.manifest_name]
        del kept.headers["x-amz-checksum-sha256"]
        await sink.ship(sealed)  # a store without checksums: what we told it of the body counts
        kept.headers["x-amz-meta-sha256"] = "0" * 64
        with pytest.raises(SinkRefused, match=r"manifest\.json holds something else"):
            await sink.ship(sealed)
        kept.headers["x-amz-checksum-sha256"] = strict.puts[sealed.manifest_name][0]["x-amz-checksum-sha256"]
        kept.body += b" "
        with pytest.raises(SinkRefused, match=r"manifest\.json holds something else"):
            await sink.ship(sealed)


async def test_a_head_moves_on_and_never_goes_back(strict: StrictS3) -> None:
    first, second, third = sealed_objects(3)
    async with opened(strict) as fast, opened(strict) as slow:
        await fast.ship(first)
        await fast.ship(second)
        assert strict.objects[second.head_name].body == second.head
        await slow.ship(first)
        assert strict.objects[second.head_name].body == second.head, "the slow shipper is behind"
        await slow.ship(second)
        await slow.ship(third)
        await fast.ship(third)
    assert strict.objects[third.head_name].body == third.head
    conditions = [put.get("if-match") or put["if-none-match"] for put in strict.puts[third.head_name]]
    assert all(conditions), "no head is written without looking"
    assert [kept.body for kept in strict.versions[third.head_name]] == [first.head, second.head, third.head]


async def test_a_head_that_was_removed_comes_again(strict: StrictS3) -> None:
    first, second = sealed_objects(2)
    async with opened(strict) as sink:
        await sink.ship(first)
        del strict.versions[first.head_name]
        await sink.ship(second)
    assert strict.objects[second.head_name].body == second.head


async def test_heads_can_be_left_out(strict: StrictS3) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(strict, heads=False) as sink:
        await sink.ship(sealed)
    assert sorted(strict.objects) == sorted((sealed.key_name, sealed.name, sealed.manifest_name))


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"secret_access_key": Secret("wrong-secret")}, "SignatureDoesNotMatch: .*correct `secret_access_key`"),
        ({"access_key_id": Secret("AKIANOBODY")}, "InvalidAccessKeyId: .*correct `access_key_id`"),
        ({"session_token": Secret("old-token")}, "InvalidToken: .*correct `session_token`"),
        ({"region": "us-west-9"}, "AuthorizationHeaderMalformed: .*correct `region`"),
        ({"bucket": "other"}, "s3:.*/other/.* NoSuchBucket: there is no such bucket; create it"),
    ],
)
async def test_what_no_retry_mends_is_told_with_its_mend(strict: StrictS3, more: dict[str, Any], told: str) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(strict, **more) as sink:
        with pytest.raises(SinkRefused, match=told) as refused:
            await sink.ship(sealed)
    assert not any(secret in str(refused.value) for secret in ("wrong-secret", "old-token", SECRET))
    assert strict.objects == {}


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "SlowDown"),
        (400, "RequestTimeout"),
        (409, "ConditionalRequestConflict"),
    ],
)
async def test_what_passes_by_itself_is_tried_again(strict: StrictS3, status: int, code: str) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(strict) as sink:
        strict.fail_next = [(status, code)]
        with pytest.raises(SinkUnavailable):
            await sink.ship(sealed)
        await sink.ship(sealed)
    assert strict.objects[sealed.name].body == sealed.body


@pytest.mark.parametrize("place", range(7))
async def test_a_failure_at_any_request_for_an_object_leaves_it_to_the_next_try(strict: StrictS3, place: int) -> None:
    (sealed,) = sealed_objects(1)
    strict.fail_next = [*[None] * place, (503, "SlowDown")]
    async with opened(strict) as sink:
        with pytest.raises(SinkUnavailable, match="503"):
            await sink.ship(sealed)
        await sink.ship(sealed)
    assert strict.refusals.count("SlowDown") == 1
    bodies = {sealed.name: sealed.body, sealed.manifest_name: sealed.manifest, sealed.head_name: sealed.head}
    assert {name: kept.body for name, kept in strict.objects.items()} == {**bodies, sealed.key_name: sealed.key}
    assert {len(versions) for versions in strict.versions.values()} == {1}


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (403, "AccessDenied", "allow s3:PutObject"),
        (400, "ObjectLockConfigurationNotFoundError", "has no Object Lock"),
        (501, "NotImplemented", "does not know conditional writes"),
        (409, "BucketAlreadyExists", "answered 409 BucketAlreadyExists"),
    ],
)
async def test_refusals_of_a_bucket_name_their_mend(strict: StrictS3, status: int, code: str, told: str) -> None:
    (sealed,) = sealed_objects(1)
    async with opened(strict) as sink:
        strict.fail_next = [(status, code)]
        with pytest.raises(SinkRefused, match=told):
            await sink.ship(sealed)


async def test_nobody_there_is_unavailable_and_another_address_is_refused() -> None:
    (sealed,) = sealed_objects(1)
    sink = S3Sink(config("http://127.0.0.1:9"))
    async with calling("http://127.0.0.1:9") as gateway:
        await sink.open(gateway)
        with pytest.raises(SinkUnavailable, match="cannot be reached"):
            await sink.ship(sealed)
    async with calling("http://127.0.0.1:8") as gateway:
        await sink.open(gateway)
        with pytest.raises(SinkRefused, match="refused"):
            await sink.ship(sealed)


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ({}, "https://trail.s3.eu-test-1.amazonaws.com/k%3D1/x"),
        ({"bucket": "my.trail"}, "https://s3.eu-test-1.amazonaws.com/my.trail/k%3D1/x"),
        ({"region": "cn-north-1"}, "https://trail.s3.cn-north-1.amazonaws.com.cn/k%3D1/x"),
        ({"endpoint_url": "https://minio.example.com:9000/"}, "https://minio.example.com:9000/trail/k%3D1/x"),
    ],
)
def test_a_bucket_has_its_address(told: dict[str, Any], address: str) -> None:
    sink = S3Sink(config(None, **told))
    assert sink._signing.url("k=1/x") == address
    assert [address.startswith(origin) for origin in sink.origins] == [True]
