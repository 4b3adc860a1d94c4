"""An S3 that is strict where moto is not: signatures are recomputed, checksums compared, retention kept.

It knows one access key and one bucket with Object Lock; it lives in memory, over real HTTP.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ACCESS, SECRET, REGION, BUCKET = "AKIASTRICT", "strict-secret-key", "eu-test-1", "trail"


@dataclass
class Kept:
    body: bytes
    headers: dict[str, str]
    until: datetime | None


@dataclass
class StrictS3:
    url: str = ""
    objects: dict[str, Kept] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    puts: list[dict[str, str]] = field(default_factory=list)
    fail_next: list[int] = field(default_factory=list)


def _refuse(server: StrictS3, status: int, code: str) -> web.Response:
    server.refusals.append(code)
    return web.Response(status=status, text=f"<Error><Code>{code}</Code></Error>", content_type="application/xml")


def _signature_fits(request: web.Request, body: bytes) -> bool:
    """Sign the request again with the secret that belongs to the key, and compare."""
    told = request.headers.get("authorization", "")
    if f"Credential={ACCESS}/" not in told or f"/{REGION}/s3/aws4_request" not in told:
        return False
    signed = told.partition("SignedHeaders=")[2].partition(",")[0].split(";")
    if not {"host", "x-amz-date", "x-amz-content-sha256"} <= set(signed):
        return False
    if request.headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
        return False
    headers = {name: request.headers[name] for name in signed}
    url = f"http://{request.headers['host']}{request.raw_path}"
    again = AWSRequest(request.method, url, data=body, headers=headers)
    signer = S3SigV4Auth(Credentials(ACCESS, SECRET), "s3", REGION)
    again.context["timestamp"] = request.headers["x-amz-date"]
    canonical = signer.canonical_request(again)
    fits: bool = told.rpartition("Signature=")[2] == signer.signature(signer.string_to_sign(again, canonical), again)
    return fits


def _until(request: web.Request) -> datetime | None:
    told = request.headers.get("x-amz-object-lock-retain-until-date")
    return datetime.fromisoformat(told) if told else None


async def _put(server: StrictS3, request: web.Request, key: str, body: bytes) -> web.Response:
    server.puts.append({name.lower(): value for name, value in request.headers.items()})
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    if request.headers.get("x-amz-checksum-sha256") != digest:
        return _refuse(server, 400, "BadDigest")
    mode, until = request.headers.get("x-amz-object-lock-mode"), _until(request)
    if (mode is None) != (until is None) or (until is not None and until <= datetime.now(UTC)):
        return _refuse(server, 400, "InvalidRequest")
    known = server.objects.get(key)
    if known is not None and request.headers.get("if-none-match") == "*":
        return _refuse(server, 412, "PreconditionFailed")
    if known is not None and known.until is not None and (until is None or until < known.until):
        return _refuse(server, 403, "AccessDenied")  # a shorter retention
    kept = {name.lower(): value for name, value in request.headers.items() if name.lower().startswith("x-amz-")}
    server.objects[key] = Kept(body, kept, until)
    return web.Response()


def _head(server: StrictS3, key: str) -> web.Response:
    kept = server.objects.get(key)
    if kept is None:
        return web.Response(status=404)
    told = {name: value for name, value in kept.headers.items() if "checksum-sha256" in name or "-meta-" in name}
    return web.Response(headers={**told, "content-length": str(len(kept.body))})


@asynccontextmanager
async def strict_s3() -> AsyncIterator[StrictS3]:
    server = StrictS3()

    async def serve(request: web.Request) -> web.Response:
        body = await request.read()
        if server.fail_next:
            return _refuse(server, server.fail_next.pop(0), "SlowDown")
        if not _signature_fits(request, body):
            return _refuse(server, 403, "SignatureDoesNotMatch")
        bucket, _, key = request.path.lstrip("/").partition("/")
        if bucket != BUCKET:
            return _refuse(server, 404, "NoSuchBucket")
        if request.method == "PUT":
            return await _put(server, request, key, body)
        return _head(server, key) if request.method == "HEAD" else _refuse(server, 405, "MethodNotAllowed")

    handler: Callable[[web.Request], Awaitable[Any]] = serve
    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
