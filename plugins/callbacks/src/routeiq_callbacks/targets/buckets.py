"""S3 and Google Cloud Storage: an object a request, under its day.

Objects have the request's id in their names, so what is told twice replaces itself.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

from routeiq_callbacks.config import GcsTarget, S3Target
from routeiq_callbacks.payload import Finished
from routeiq_callbacks.targets.base import NotTaken, send
from routeiq_sdk import Gateway, PluginError

_AT_ONCE = 8
_TOKEN_SECONDS = 3600


def object_name(path: str, finished: Finished) -> str:
    """`PATH/2026-11-26/time-09-30-00-123456_ID.json`, as LiteLLM names them."""
    at = datetime.fromtimestamp(finished.record.at / 1e9, UTC)
    id = str(finished.payload.get("id") or finished.record.request_id).replace("/", "_").replace(":", "_")[:128]
    prefix = f"{path.strip('/')}/" if path.strip("/") else ""
    return f"{prefix}{at:%Y-%m-%d}/time-{at:%H-%M-%S-%f}_{id}.json"


class S3Bucket:
    """A bucket of S3; requests are signed by botocore and sent by the gateway."""

    def __init__(self, config: S3Target) -> None:
        try:
            import botocore.session
            from botocore.auth import S3SigV4Auth
            from botocore.awsrequest import AWSRequest
            from botocore.credentials import Credentials
        except ImportError as error:
            mend = "pip install 'routeiq-callbacks[s3]'"
            raise PluginError("callbacks", "an S3 target needs botocore", mend=mend) from error
        self._config = config
        self._auth: Any = S3SigV4Auth
        self._request: Any = AWSRequest
        self._session: Any = botocore.session.Session()
        self._credentials: Any = None
        if config.access_key_id is not None and config.secret_access_key is not None:
            token = config.session_token.reveal() if config.session_token is not None else None
            self._credentials = Credentials(config.access_key_id.reveal(), config.secret_access_key.reveal(), token)
        host = f"https://s3.{config.region}.amazonaws.com"
        self._base = f"{(config.endpoint_url or host).rstrip('/')}/{config.bucket}"
        self.name = f"s3:{config.bucket}"

    @property
    def origins(self) -> tuple[str, ...]:
        """Where the bucket is served."""
        return (self._base,)

    async def deliver(self, gateway: Gateway, batch: Sequence[Finished]) -> None:
        """Write an object for each request, a few at once."""
        if self._credentials is None:
            self._credentials = await asyncio.to_thread(self._session.get_credentials)
        if self._credentials is None:
            raise NotTaken("no credentials for S3 were found")
        await _few_at_once([self._put(gateway, finished) for finished in batch])

    async def _put(self, gateway: Gateway, finished: Finished) -> None:
        body = orjson.dumps(finished.payload, default=str)
        url = f"{self._base}/{quote(object_name(self._config.path, finished), safe='/-_.~')}"
        headers = {"content-type": "application/json", "X-Amz-Content-SHA256": hashlib.sha256(body).hexdigest()}
        request = self._request("PUT", url, data=body, headers=headers)
        self._auth(self._credentials, "s3", self._config.region).add_auth(request)
        signed = {str(name): str(value) for name, value in request.headers.items()}
        await send(gateway, "PUT", url, signed, body)


class GcsBucket:
    """A bucket of Google Cloud Storage, by its JSON API; the service account signs its own token (RFC 7523)."""

    def __init__(self, config: GcsTarget) -> None:
        self._config = config
        self._bucket, _, self._path = config.bucket.partition("/")
        self._account = _account(config.service_account)
        self._token = ""
        self._until = 0.0
        self.name = f"gcs:{config.bucket}"

    @property
    def origins(self) -> tuple[str, ...]:
        """Where the bucket is served."""
        return (self._config.endpoint_url,)

    async def deliver(self, gateway: Gateway, batch: Sequence[Finished]) -> None:
        """Write an object for each request, a few at once."""
        if time.time() > self._until - 60:
            self._token, self._until = await asyncio.to_thread(_signed_token, self._account)
        await _few_at_once([self._put(gateway, finished) for finished in batch])

    async def _put(self, gateway: Gateway, finished: Finished) -> None:
        name = quote(object_name(self._path, finished), safe="")
        base = self._config.endpoint_url.rstrip("/")
        url = f"{base}/upload/storage/v1/b/{quote(self._bucket, safe='')}/o?uploadType=media&name={name}"
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        await send(gateway, "POST", url, headers, orjson.dumps(finished.payload, default=str))


async def _few_at_once(calls: Sequence[Any]) -> None:
    for start in range(0, len(calls), _AT_ONCE):
        await asyncio.gather(*calls[start : start + _AT_ONCE])


def _account(path: str) -> dict[str, str]:
    try:
        told: dict[str, str] = json.loads(Path(path).read_text(encoding="utf-8"))
        missing = [name for name in ("client_email", "private_key") if not told.get(name)]
    except (OSError, ValueError) as error:
        raise PluginError("callbacks", f"{path} is no service account's JSON file: {type(error).__name__}") from None
    if missing:
        raise PluginError("callbacks", f"{path} lacks {' and '.join(missing)}", mend="download the key again")
    return told


def _signed_token(account: dict[str, str]) -> tuple[str, float]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    now = int(time.time())
    head = {"alg": "RS256", "typ": "JWT", "kid": account.get("private_key_id", "")}
    claims = {
        "iss": account["client_email"],
        "sub": account["client_email"],
        "aud": "https://storage.googleapis.com/",
        "iat": now,
        "exp": now + _TOKEN_SECONDS,
    }
    signed = b".".join(_part(orjson.dumps(part)) for part in (head, claims))
    key = load_pem_private_key(account["private_key"].encode(), None)
    assert isinstance(key, RSAPrivateKey)
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return (signed + b"." + _part(signature)).decode(), float(now + _TOKEN_SECONDS)


def _part(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")
