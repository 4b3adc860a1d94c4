"""Buckets get an object a request, under LiteLLM's names, with requests that their services would take."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from moto.server import ThreadedMotoServer

from routeiq_callbacks.config import GcsTarget, S3Target
from routeiq_callbacks.targets.gcs import GcsBucket
from routeiq_callbacks.targets.s3 import S3Bucket
from routeiq_sdk import PluginError, Principal
from routeiq_sdk.testing import make_context
from routeiq_sdk.values.attempts import Outcome
from routeiq_testkit.pytest_plugin import StartGateway

from .recorder import Recorder, Sent
from .requests import finished

SECRET = "s3-secret-3f5a"
DAY = "2023-11-14"  # of make_record


def s3(url: str, **more: Any) -> dict[str, Any]:
    keys = {"access_key_id": "AKIATEST", "secret_access_key": SECRET}
    return {"kind": "s3", "bucket": "logs", "path": "gateway", "endpoint_url": url, **keys, **more}


def answered(response_id: str) -> Outcome:
    return Outcome(1, "small-1", "openai", "small", "ok", 200, 10.0, response_id=response_id)


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()


def expected_signature(sent: Sent) -> str:
    """The signature by the words of AWS Signature Version 4, over what arrived."""
    told = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=AKIATEST/(\d{8})/(\S+)/s3/aws4_request, SignedHeaders=(\S+), Signature=\w+",
        sent.headers["authorization"],
    )
    assert told is not None
    day, region, names = told.groups()
    headers = "".join(f"{name}:{sent.headers[name]}\n" for name in names.split(";"))
    body = hashlib.sha256(sent.body).hexdigest()
    canonical = "\n".join([sent.method, quote(sent.path, safe="/-_.~"), "", headers, names, body])
    scope = f"{day}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{sent.headers['x-amz-date']}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{SECRET}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.new(key, text.encode(), "sha256").hexdigest()


async def test_s3_gets_a_signed_object_a_request(gateway: StartGateway, telling: Any, recorder: Recorder) -> None:
    running = await gateway(telling(s3(recorder.url, region="eu-central-1", server_side_encryption="AES256")))
    await running.chat("m")
    (sent,) = await recorder.until(1)
    assert sent.method == "PUT"
    assert re.fullmatch(r"/logs/gateway/\d{4}-\d\d-\d\d/time-\d\d-\d\d-\d\d-\d{6}_[\w-]+\.json", sent.path)
    assert sent.headers["authorization"].rpartition("=")[2] == expected_signature(sent)
    assert {"host", "x-amz-content-sha256", "x-amz-date", "x-amz-server-side-encryption"} <= set(
        re.findall(r"[\w-]+", sent.headers["authorization"].partition("SignedHeaders=")[2].partition(",")[0])
    )
    assert SECRET not in recorder.everything()
    assert sent.json()["status"] == "success"


async def test_objects_can_be_read_from_a_bucket(gateway: StartGateway, telling: Any, moto: str) -> None:
    import botocore.session

    client = botocore.session.Session().create_client(
        "s3", "us-east-1", endpoint_url=moto, aws_access_key_id="AKIATEST", aws_secret_access_key=SECRET
    )
    await asyncio.to_thread(client.create_bucket, Bucket="logs")
    params = {
        "s3_bucket_name": "logs",
        "s3_path": "by-litellm",
        "s3_endpoint_url": moto,
        "s3_aws_access_key_id": "AKIATEST",
        "s3_aws_secret_access_key": SECRET,
    }
    running = await gateway(telling(litellm={"success_callback": ["s3_v2"], "s3_callback_params": params}))
    _, headers, _ = await running.chat("m")
    async with asyncio.timeout(15):
        while not (listed := (await asyncio.to_thread(client.list_objects_v2, Bucket="logs")).get("Contents")):
            await asyncio.sleep(0.05)
    (entry,) = listed
    assert entry["Key"].startswith("by-litellm/2")
    found = await asyncio.to_thread(lambda: client.get_object(Bucket="logs", Key=entry["Key"])["Body"].read())
    assert json.loads(found)["litellm_call_id"] == headers["x-routeiq-request-id"]


@pytest.mark.parametrize(
    ("options", "attempts", "name"),
    [
        ({}, (), f"{DAY}/time-22-13-20-000000_req-test.json"),
        ({"path": "/a/b/"}, (), f"a/b/{DAY}/time-22-13-20-000000_req-test.json"),
        ({}, (answered("chatcmpl-1"),), f"{DAY}/time-22-13-20-000000_chatcmpl-1.json"),
        ({}, (answered("../../x:y"),), f"{DAY}/time-22-13-20-000000__.._x_y.json"),
        ({"team_prefix": True, "key_prefix": True}, (), f"red_team/my-key/{DAY}/time-22-13-20-000000_req-test.json"),
    ],
)
def test_objects_are_named_as_litellm_names_them(options: Any, attempts: Any, name: str) -> None:
    ctx = make_context(principal=Principal("k", attributes={"team_alias": "red team"}))
    told = finished(ctx, key_alias="my-key", attempts=attempts)
    assert S3Bucket(S3Target(bucket="logs", **options)).object_name(told) == name


@pytest.mark.parametrize(
    ("options", "origin"),
    [
        ({"bucket": "logs"}, "https://logs.s3.us-east-1.amazonaws.com"),
        ({"bucket": "my.logs", "region": "eu-west-1"}, "https://s3.eu-west-1.amazonaws.com/my.logs"),
        ({"bucket": "logs", "endpoint_url": "https://minio.example.com/"}, "https://minio.example.com/logs"),
    ],
)
def test_a_bucket_is_called_where_it_is_served(options: Any, origin: str) -> None:
    assert S3Bucket(S3Target(**options)).origins == (origin,)


@pytest.fixture
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def account(key: rsa.RSAPrivateKey, tmp_path: Path) -> Path:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    path = tmp_path / "account.json"
    path.write_text(json.dumps({"client_email": "gw@example.com", "private_key": pem, "private_key_id": "k1"}))
    return path


async def test_gcs_gets_an_object_with_a_token_that_the_account_signed(
    gateway: StartGateway, telling: Any, recorder: Recorder, account: Path, key: rsa.RSAPrivateKey
) -> None:
    target = {"kind": "gcs", "bucket": "logs/gw", "service_account": str(account), "endpoint_url": recorder.url}
    running = await gateway(telling(target))
    await running.chat("m")
    (sent,) = await recorder.until(1)
    assert (sent.path, sent.query["uploadType"]) == ("/upload/storage/v1/b/logs/o", "media")
    assert sent.query["name"].startswith("gw/2")
    head, claims, signature = sent.headers["authorization"].removeprefix("Bearer ").split(".")
    key.public_key().verify(
        base64.urlsafe_b64decode(signature + "=="), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256()
    )
    told = json.loads(base64.urlsafe_b64decode(claims + "=="))
    assert (told["iss"], told["aud"]) == ("gw@example.com", "https://storage.googleapis.com/")
    assert 0 < told["exp"] - told["iat"] <= 3600
    assert json.loads(base64.urlsafe_b64decode(head + "=="))["kid"] == "k1"


async def test_gcs_loses_nothing_to_a_provider_that_gives_one_id_to_many_answers(
    gateway: StartGateway, telling: Any, recorder: Recorder, account: Path
) -> None:
    objects: dict[str, bytes] = {}

    def create(sent: Sent) -> tuple[int, bytes]:
        if "ifGenerationMatch" in sent.query and sent.query["name"] in objects:
            return 412, b"{}"
        objects[sent.query["name"]] = sent.body
        return 200, b"{}"

    recorder.answer = create
    target = {"kind": "gcs", "bucket": "logs", "service_account": str(account), "endpoint_url": recorder.url}
    running = await gateway(telling(target))
    ids = {(await running.chat("m"))[1]["x-routeiq-request-id"] for _ in range(3)}
    await recorder.until(lambda sent: len(objects) == 3)
    assert {json.loads(body)["litellm_call_id"] for body in objects.values()} == ids


def test_gcs_objects_are_named_as_litellm_names_them() -> None:
    bucket = GcsBucket(GcsTarget(bucket="logs", service_account="x"))
    assert bucket.object_name(finished(attempts=(answered("chatcmpl-1"),))) == f"{DAY}/chatcmpl-1"
    assert bucket.object_name(finished(status=500)) == f"{DAY}/failure-req-test"


@pytest.mark.parametrize("text", ["", "{}", '{"client_email": "a", "private_key": "b"}', "[]"])
async def test_a_file_that_is_no_account_is_told_at_the_start(text: str, tmp_path: Path) -> None:
    path = tmp_path / "account.json"
    path.write_text(text)
    with pytest.raises(PluginError, match="no service account's JSON file"):
        await GcsBucket(GcsTarget(bucket="logs", service_account=str(path))).open()
    with pytest.raises(PluginError, match="FileNotFoundError"):
        await GcsBucket(GcsTarget(bucket="logs", service_account=str(tmp_path / "nowhere"))).open()
