"""An S3 that is strict where moto is not: signatures are computed anew from AWS's own description of them, checksums
compared, conditions on writes and retention kept.

It knows one access key and one bucket with Object Lock; it lives in memory, over real HTTP.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web

ACCESS, SECRET, TOKEN, REGION, BUCKET = "AKIASTRICT", "strict-secret-key", "strict-token", "eu-test-1", "trail"
_SKEW_SECONDS = 900
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, "
    r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})"
)


@dataclass
class Kept:
    """One version of an object."""

    body: bytes
    headers: dict[str, str]
    mode: str | None = None
    until: datetime | None = None

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.body, usedforsecurity=False).hexdigest()}"'


@dataclass
class StrictS3:
    """What it holds, what it was sent, and what it refused. `versions` also holds those that were replaced."""

    url: str = ""
    token: str = ""
    versions: dict[str, list[Kept]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    puts: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    fail_next: list[tuple[int, str] | None] = field(default_factory=list)
    """Answers to the next requests; `None` serves one."""

    @property
    def objects(self) -> dict[str, Kept]:
        """The newest version of each object."""
        return {key: versions[-1] for key, versions in self.versions.items()}


class Refused(Exception):
    """An error document."""

    def __init__(self, status: int, code: str) -> None:
        self.status = status
        self.code = code


def _check_signature(server: StrictS3, request: web.Request, headers: Mapping[str, str], body: bytes) -> None:
    told = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if told is None:
        raise Refused(403, "AccessDenied")
    access, day, region, names, signature = told.groups()
    if access != ACCESS:
        raise Refused(403, "InvalidAccessKeyId")
    if region != REGION:
        raise Refused(400, "AuthorizationHeaderMalformed")
    if headers.get("x-amz-security-token", "") != server.token:
        raise Refused(400, "InvalidToken")
    moment = headers["x-amz-date"]
    at = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs((datetime.now(UTC) - at).total_seconds()) > _SKEW_SECONDS or not moment.startswith(day):
        raise Refused(403, "RequestTimeTooSkewed")
    signed = names.split(";")
    unsigned = {name for name in headers if name.startswith("x-amz-")} - set(signed)
    if "host" not in signed or unsigned:
        raise Refused(403, "AccessDenied")
    if headers["x-amz-content-sha256"] != hashlib.sha256(body).hexdigest():
        raise Refused(400, "XAmzContentSHA256Mismatch")
    if signature != _signature(request, headers, signed, moment, day):
        raise Refused(403, "SignatureDoesNotMatch")


def _signature(request: web.Request, headers: Mapping[str, str], signed: list[str], moment: str, day: str) -> str:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html, step by step."""
    path, _, query = request.raw_path.partition("?")
    parameters = "&".join(sorted(part if "=" in part else f"{part}=" for part in query.split("&") if part))
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in signed)
    canonical = "\n".join((request.method, path, parameters, lines, ";".join(signed), headers["x-amz-content-sha256"]))
    scope = f"{day}/{REGION}/s3/aws4_request"
    text = "\n".join(("AWS4-HMAC-SHA256", moment, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = f"AWS4{SECRET}".encode()
    for part in (day, REGION, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, text.encode(), "sha256").hex()


def _put(server: StrictS3, key: str, headers: dict[str, str], body: bytes) -> web.Response:
    server.puts.setdefault(key, []).append(headers)
    if headers.get("x-amz-checksum-sha256") != base64.b64encode(hashlib.sha256(body).digest()).decode():
        raise Refused(400, "BadDigest")
    mode, until = headers.get("x-amz-object-lock-mode"), _date(headers.get("x-amz-object-lock-retain-until-date"))
    if (mode is None) != (until is None) or mode not in (None, "COMPLIANCE", "GOVERNANCE"):
        raise Refused(400, "InvalidRequest")
    if until is not None and until <= datetime.now(UTC):
        raise Refused(400, "InvalidRequest")
    there = server.objects.get(key)
    if there is not None and headers.get("if-none-match") == "*":
        raise Refused(412, "PreconditionFailed")
    if "if-match" in headers and (there is None or headers["if-match"] != there.etag):
        raise Refused(412, "PreconditionFailed") if there is not None else Refused(404, "NoSuchKey")
    told = {name: value for name, value in headers.items() if "checksum-sha256" in name or "-meta-" in name}
    kept = Kept(body, told, mode, until)
    server.versions.setdefault(key, []).append(kept)
    return web.Response(headers={"etag": kept.etag})


def _retain(kept: Kept, body: bytes) -> web.Response:
    """PutObjectRetention: what is in COMPLIANCE can only be prolonged."""
    wanted = re.search(rb"<RetainUntilDate>([^<]+)<", body)
    until = _date(wanted[1].decode() if wanted else None)
    if kept.mode == "COMPLIANCE" and (until is None or kept.until is None or until < kept.until):
        raise Refused(403, "AccessDenied")
    kept.until = until
    return web.Response()


def _date(told: str | None) -> datetime | None:
    return datetime.fromisoformat(told) if told else None


def _answer(server: StrictS3, request: web.Request, headers: dict[str, str], body: bytes) -> web.Response:
    if server.fail_next and (failure := server.fail_next.pop(0)) is not None:
        raise Refused(*failure)
    _check_signature(server, request, headers, body)
    bucket, _, key = request.path.lstrip("/").partition("/")
    if bucket != BUCKET:
        raise Refused(404, "NoSuchBucket")
    there = server.objects.get(key)
    if request.method == "PUT" and "retention" in request.query and there is not None:
        return _retain(there, body)
    if request.method == "PUT":
        return _put(server, key, headers, body)
    if there is None:
        raise Refused(404, "NoSuchKey")
    if request.method == "HEAD":
        return web.Response(headers={**there.headers, "etag": there.etag, "content-length": str(len(there.body))})
    if request.method == "DELETE" and there.until is not None and there.until > datetime.now(UTC):
        raise Refused(403, "AccessDenied")
    raise Refused(405, "MethodNotAllowed")


@asynccontextmanager
async def strict_s3() -> AsyncIterator[StrictS3]:
    """One that is empty."""
    server = StrictS3()

    async def serve(request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        server.requests.append(f"{request.method} {request.path}")
        try:
            return _answer(server, request, headers, body)
        except Refused as refused:
            server.refusals.append(refused.code)
            document = f"<Error><Code>{refused.code}</Code></Error>"
            return web.Response(status=refused.status, text=document, content_type="application/xml")

    app = web.Application(client_max_size=1 << 26)
    app.router.add_route("*", "/{path:.*}", serve)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()
