"""Keeps sealed objects in a bucket: created only where nothing is, read back before they count as kept.

Deleting old objects is the bucket's business.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from routeiq_audit.config import S3Sink as S3Config
from routeiq_audit.sealed import Sealed
from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_audit.sinks.s3_signing import Signing
from routeiq_sdk import Gateway

_SECONDS = 60.0
_EXISTS = 412
_CONFLICT = 409
_CODE = re.compile(rb"<Code>([A-Za-z0-9]+)</Code>")
_MENDS = {
    "NoSuchBucket": "there is no such bucket; create it, with Object Lock if it shall have it",
    "AccessDenied": "the credentials may not do this; allow s3:PutObject, s3:GetObject (and s3:PutObjectRetention)",
    "InvalidAccessKeyId": "the access key is not known there",
    "SignatureDoesNotMatch": "the secret access key does not belong to the access key",
    "InvalidRequest": "the bucket may lack Object Lock, or the request is not to its liking",
    "KMS.NotFoundException": "the KMS key does not exist in this region",
}
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})


class S3Sink:
    """One bucket, below one prefix."""

    def __init__(self, config: S3Config) -> None:
        self._config = config
        self._signing = Signing(config)
        self._prefix = config.prefix.strip("/") + "/" if config.prefix.strip("/") else ""
        self._gateway: Gateway | None = None

    @property
    def name(self) -> str:
        """Kind and place."""
        return f"s3:{self._config.bucket}/{self._prefix}"

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
        """Create the public key, the object and its manifest, each unless it is there."""
        await self._create(sealed.key_name, sealed.key, "application/x-pem-file", locked=False)
        await self._create(sealed.name, sealed.body, "application/zstd", locked=True)
        await self._create(sealed.manifest_name, sealed.manifest, "application/json", locked=True)
        if self._config.heads:
            await self._advance(sealed)

    async def _advance(self, sealed: Sealed) -> None:
        """The signed word of where the chain stands: without it, a missing end could not be seen."""
        key = self._prefix + sealed.head_name
        headers = self._headers(sealed.head, "application/json", locked=False)
        del headers["if-none-match"]
        status, code = await self._call("PUT", key, sealed.head, headers)
        if status != 200:
            raise self._failure("PUT", key, status, code)

    async def _create(self, name: str, body: bytes, media_type: str, *, locked: bool) -> None:
        key = self._prefix + name
        status, code = await self._call("PUT", key, body, self._headers(body, media_type, locked=locked))
        if status == _CONFLICT:  # somebody else creates it at this very moment
            raise SinkUnavailable(f"{self.name}: {key} is being written by another")
        if status not in (200, _EXISTS):
            raise self._failure("PUT", key, status, code)
        await self._read_back(key, body, existed=status == _EXISTS)

    def _headers(self, body: bytes, media_type: str, *, locked: bool) -> dict[str, str]:
        digest = hashlib.sha256(body)
        headers = {
            "content-type": media_type,
            "if-none-match": "*",
            "x-amz-sdk-checksum-algorithm": "SHA256",
            "x-amz-checksum-sha256": base64.b64encode(digest.digest()).decode(),
            "x-amz-meta-sha256": digest.hexdigest(),
        }
        lock = self._config.object_lock
        if lock is not None and locked:
            until = datetime.now(UTC) + timedelta(days=lock.days)
            headers["x-amz-object-lock-mode"] = lock.mode
            headers["x-amz-object-lock-retain-until-date"] = until.strftime("%Y-%m-%dT%H:%M:%SZ")
        if self._config.kms_key is not None:
            headers["x-amz-server-side-encryption"] = "aws:kms"
            headers["x-amz-server-side-encryption-aws-kms-key-id"] = self._config.kms_key
        return headers

    async def _read_back(self, key: str, body: bytes, *, existed: bool) -> None:
        """What is there must be what was handed over: its size and its digest."""
        status, _, headers = await self._ask("HEAD", key, b"", {"x-amz-checksum-mode": "ENABLED"})
        if status != 200:
            raise self._failure("HEAD", key, status, "")
        digest = hashlib.sha256(body)
        stored = headers.get("x-amz-checksum-sha256")
        same = stored == base64.b64encode(digest.digest()).decode() if stored else None
        if same is None:
            same = headers.get("x-amz-meta-sha256") == digest.hexdigest()
        if not same or headers.get("content-length") != str(len(body)):
            what = "holds something else" if existed else "did not keep what was sent"
            raise SinkRefused(f"{self.name}: {key} {what}; look at who writes there")

    async def _call(self, method: str, key: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, str]:
        status, answer, _ = await self._ask(method, key, body, headers)
        found = _CODE.search(answer)
        return status, found[1].decode() if found is not None else ""

    async def _ask(
        self, method: str, key: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes, Mapping[str, str]]:
        assert self._gateway is not None
        url = self._signing.url(key)
        signed = await self._signing.headers(method, url, body, headers)
        try:
            async with self._gateway.egress.call(
                method, url, headers=signed, body=body or None, timeout_seconds=_SECONDS
            ) as answer:
                return answer.status, await answer.read(), answer.headers
        except (OSError, TimeoutError) as error:
            raise SinkUnavailable(f"{self.name} cannot be reached: {type(error).__name__}") from error

    def _failure(self, method: str, key: str, status: int, code: str) -> SinkRefused | SinkUnavailable:
        told = f"{self.name}: {method} {key} was answered {status} {code}".rstrip()
        mend = _MENDS.get(code)
        if status in _LATER:
            return SinkUnavailable(told)
        return SinkRefused(f"{told}: {mend}" if mend else told)
