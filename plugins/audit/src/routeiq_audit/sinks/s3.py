"""Keeps sealed objects in a bucket: created only where nothing is, read back before they count as kept.

Deleting old objects is the bucket's business.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from routeiq_audit.config import S3Sink as S3Config
from routeiq_audit.sealed import Sealed
from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_audit.sinks.calling import Answer, call
from routeiq_audit.sinks.s3_answers import code_of, failure
from routeiq_audit.sinks.s3_signing import Signing
from routeiq_sdk import Gateway

_SECONDS = 60.0
_OK = 200
_GONE = 404
_EXISTS = 412
_CONFLICT = 409
_TRIES = 8
"""As often as others may write a head between our look at it and our writing."""


@dataclass(frozen=True, slots=True)
class _Head:
    """A chain's head as it lies in the bucket."""

    seq: int
    etag: str


class S3Sink:
    """One bucket, below one prefix."""

    def __init__(self, config: S3Config) -> None:
        self._config = config
        self._signing = Signing(config)
        self._prefix = config.prefix.strip("/") + "/" if config.prefix.strip("/") else ""
        self._gateway: Gateway | None = None
        self._kept_keys: set[str] = set()
        self._heads: dict[str, _Head] = {}

    @property
    def name(self) -> str:
        """Kind and place."""
        place = f"{self._config.bucket}/{self._prefix}"
        return f"s3:{place}" if self._config.endpoint_url is None else f"s3:{self._signing.origin}/{place}"

    @property
    def origins(self) -> tuple[str, ...]:
        """Where the bucket is served."""
        return (self._signing.origin,)

    async def open(self, gateway: Gateway) -> None:
        """Nothing is asked yet: a bucket that is away now is as good."""
        self._gateway = gateway

    async def close(self) -> None:
        """Connections are the gateway's."""

    async def ship(self, sealed: Sealed) -> None:
        """Create the public key, the object and its manifest, each unless it is there, and move the head on."""
        if sealed.key_name not in self._kept_keys:
            await self._create(sealed.key_name, sealed.key, "application/x-pem-file", locked=False)
            self._kept_keys.add(sealed.key_name)
        await self._create(sealed.name, sealed.body, "application/zstd", locked=True)
        await self._create(sealed.manifest_name, sealed.manifest, "application/json", locked=True)
        if self._config.heads:
            await self._advance(sealed)

    async def _create(self, name: str, body: bytes, media_type: str, *, locked: bool) -> None:
        key = self._prefix + name
        digest = await asyncio.to_thread(_digest, body)  # a large body takes a while
        headers = self._headers(digest, media_type, locked=locked) | {"if-none-match": "*"}
        answer = await self._ask("PUT", key, body, headers)
        if answer.status == _CONFLICT and code_of(answer) in ("", "ConditionalRequestConflict", "OperationAborted"):
            raise SinkUnavailable(f"{self.name}: {key} is being written by another")
        if answer.status not in (_OK, _EXISTS):
            raise failure(self.name, "PUT", key, answer)
        await self._read_back(key, digest, len(body), existed=answer.status == _EXISTS)

    async def _read_back(self, key: str, digest: bytes, size: int, *, existed: bool) -> None:
        """What is there must be what was handed over: its size and its digest."""
        answer = await self._ask("HEAD", key, b"", {"x-amz-checksum-mode": "ENABLED"})
        if answer.status != _OK:
            raise failure(self.name, "HEAD", key, answer)
        stored = answer.headers.get("x-amz-checksum-sha256")
        if stored is not None:
            same = stored == _base64(digest)
        else:  # a store that keeps no checksums keeps what we told it of the body
            same = answer.headers.get("x-amz-meta-sha256") == digest.hex()
        if not same or answer.headers.get("content-length") != str(size):
            what = "holds something else" if existed else "did not keep what was sent"
            raise SinkRefused(f"{self.name}: {key} {what}; look at who writes there")

    async def _advance(self, sealed: Sealed) -> None:
        """Put the signed word of where the chain stands, unless a later one is there: without it, a missing end could
        not be seen."""
        name, key = sealed.head_name, self._prefix + sealed.head_name
        for _ in range(_TRIES):
            there = self._heads.get(name)
            if there is not None and there.seq >= sealed.last_seq:
                return
            headers = self._headers(_digest(sealed.head), "application/json", locked=False)
            headers["x-amz-meta-seq"] = str(sealed.last_seq)
            headers |= {"if-none-match": "*"} if there is None else {"if-match": there.etag}
            answer = await self._ask("PUT", key, sealed.head, headers)
            self._heads.pop(name, None)
            if answer.status == _OK:
                if etag := answer.headers.get("etag"):
                    self._heads[name] = _Head(sealed.last_seq, etag)
                return
            lost = there is not None and answer.status == _GONE and code_of(answer) != "NoSuchBucket"
            if answer.status not in (_EXISTS, _CONFLICT) and not lost:
                raise failure(self.name, "PUT", key, answer)
            await self._look_at_head(name)
        raise SinkUnavailable(f"{self.name}: {key} is being written by another")

    async def _look_at_head(self, name: str) -> None:
        key = self._prefix + name
        answer = await self._ask("HEAD", key, b"", {})
        if answer.status == _OK:
            seq = answer.headers.get("x-amz-meta-seq", "")
            self._heads[name] = _Head(int(seq) if seq.isdecimal() else 0, answer.headers.get("etag", "*"))
        elif answer.status != _GONE:
            raise failure(self.name, "HEAD", key, answer)

    def _headers(self, digest: bytes, media_type: str, *, locked: bool) -> dict[str, str]:
        headers = {
            "content-type": media_type,
            "x-amz-sdk-checksum-algorithm": "SHA256",
            "x-amz-checksum-sha256": _base64(digest),
            "x-amz-meta-sha256": digest.hex(),
        }
        lock = self._config.object_lock
        if lock is not None and locked:
            until = self._now() + timedelta(days=lock.days)
            headers["x-amz-object-lock-mode"] = lock.mode
            headers["x-amz-object-lock-retain-until-date"] = until.strftime("%Y-%m-%dT%H:%M:%SZ")
        if self._config.kms_key is not None:
            headers["x-amz-server-side-encryption"] = "aws:kms"
            headers["x-amz-server-side-encryption-aws-kms-key-id"] = self._config.kms_key
        return headers

    def _now(self) -> datetime:
        assert self._gateway is not None
        return datetime.fromtimestamp(self._gateway.clock.now_ns() / 1e9, UTC)

    async def _ask(self, method: str, key: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        assert self._gateway is not None
        url = self._signing.url(key)
        signed = await self._signing.headers(method, url, body, headers)
        return await call(self._gateway, self.name, method, url, headers=signed, body=body, seconds=_SECONDS)


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
