"""A bucket of Google Cloud Storage, by its JSON API: an object a request, under its day and id as LiteLLM names them.

The service account signs its own token (RFC 7523), so nobody is asked for one.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from routeiq_callbacks.config import GcsTarget
from routeiq_callbacks.finished import Finished
from routeiq_callbacks.payload import answer_id
from routeiq_callbacks.targets.base import NotTaken, few_at_once, send
from routeiq_callbacks.targets.s3 import safe
from routeiq_sdk import Gateway, PluginError

_TOKEN_SECONDS = 3600
_RENEW_SECONDS = 300
_AUDIENCE = "https://storage.googleapis.com/"
_EXISTS = 412


class GcsBucket:
    """One bucket, below one path."""

    def __init__(self, config: GcsTarget) -> None:
        self._config = config
        self._bucket, _, path = config.bucket.partition("/")
        self._path = f"{path.strip('/')}/" if path.strip("/") else ""
        self._account: dict[str, str] = {}
        self._key: Any = None
        self._token = ""
        self._until = 0
        self.name = f"gcs:{self._bucket}"

    @property
    def origins(self) -> tuple[str, ...]:
        """Where the bucket is served."""
        return (self._config.endpoint_url,)

    async def open(self) -> None:
        """Read the service account. Raises `PluginError` when it cannot be used."""
        await asyncio.to_thread(self._load)

    def _load(self) -> None:
        try:
            from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
            from cryptography.hazmat.primitives.serialization import load_pem_private_key
        except ImportError as error:
            mend = "pip install 'routeiq-callbacks[gcs]'"
            raise PluginError("callbacks", "a GCS target needs cryptography", mend=mend) from error
        path = self._config.service_account
        try:
            self._account = json.loads(Path(path).read_text(encoding="utf-8"))
            key = load_pem_private_key(self._account["private_key"].encode(), None)
            if not isinstance(key, RSAPrivateKey) or not self._account["client_email"]:
                raise ValueError
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PluginError(
                "callbacks",
                f"{path} is no service account's JSON file ({type(error).__name__})",
                mend="download the account's key again, or write the file's path",
            ) from None
        self._key = key

    async def deliver(self, gateway: Gateway, batch: Sequence[Finished]) -> int:
        """Write an object for each request, a few at once."""
        now = gateway.clock.now_ns() // 1_000_000_000
        if now > self._until - _RENEW_SECONDS:
            self._token, self._until = await asyncio.to_thread(self._signed, now), now + _TOKEN_SECONDS
        await few_at_once([partial(self._put, gateway, finished) for finished in batch])
        return 0

    async def _put(self, gateway: Gateway, finished: Finished) -> None:
        name = self.object_name(finished)
        try:
            await self._create(gateway, name, finished.spelled, "&ifGenerationMatch=0")
        except NotTaken as error:
            if error.status != _EXISTS:
                raise
            # Told before, or a provider that gives one id to many answers: nothing is lost under a name of its own.
            await self._create(gateway, f"{name}-{finished.record.request_id}", finished.spelled)

    async def _create(self, gateway: Gateway, name: str, body: bytes, condition: str = "") -> None:
        base = f"{self._config.endpoint_url.rstrip('/')}/upload/storage/v1/b/{quote(self._bucket, safe='')}/o"
        url = f"{base}?uploadType=media{condition}&name={quote(name, safe='')}"
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        await send(gateway, "POST", url, headers, body)

    def object_name(self, finished: Finished) -> str:
        """`PATH/2026-11-26/ID`, or `PATH/2026-11-26/failure-ID`."""
        at = datetime.fromtimestamp(finished.record.at / 1e9, UTC)
        return f"{self._path}{at:%Y-%m-%d}/{'' if finished.ok else 'failure-'}{safe(answer_id(finished))}"

    def _signed(self, now: int) -> str:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        email = self._account["client_email"]
        head = {"alg": "RS256", "typ": "JWT", "kid": self._account.get("private_key_id", "")}
        claims = {"iss": email, "sub": email, "aud": _AUDIENCE, "iat": now, "exp": now + _TOKEN_SECONDS}
        signed = b".".join(_part(orjson.dumps(part)) for part in (head, claims))
        signature = self._key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return (signed + b"." + _part(signature)).decode()


def _part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
