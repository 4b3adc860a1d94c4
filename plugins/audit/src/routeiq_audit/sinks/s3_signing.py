"""Requests to S3, signed by botocore (AWS Signature Version 4) and sent by the gateway's own egress.

botocore opens no connection here, except where it has to ask for credentials.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from routeiq_audit.config import S3Sink
from routeiq_audit.sinks.base import SinkUnavailable
from routeiq_sdk import PluginError


class Signing:
    """Addresses and signs requests for the objects of one bucket. Raises `PluginError` without botocore."""

    def __init__(self, config: S3Sink) -> None:
        try:
            import botocore.session
            from botocore.auth import S3SigV4Auth
            from botocore.awsrequest import AWSRequest
            from botocore.credentials import Credentials
        except ImportError as error:
            raise PluginError("audit", "an S3 sink needs botocore", mend="pip install 'routeiq-audit[s3]'") from error
        self._auth: Any = S3SigV4Auth
        self._request: Any = AWSRequest
        self._session: Any = botocore.session.Session()
        self._region = config.region
        self._base = _base(config)
        self._credentials: Any = None
        if config.access_key_id is not None and config.secret_access_key is not None:
            token = config.session_token.reveal() if config.session_token is not None else None
            self._credentials = Credentials(config.access_key_id.reveal(), config.secret_access_key.reveal(), token)

    @property
    def origin(self) -> str:
        """Scheme, host and port that are called."""
        parts = urlsplit(self._base)
        return f"{parts.scheme}://{parts.netloc}"

    def url(self, key: str) -> str:
        """The address of an object."""
        return f"{self._base}/{quote(key, safe='/-_.~')}"

    async def headers(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        """`headers` with those that authenticate the request. Raises `SinkUnavailable` without credentials."""
        digest = hashlib.sha256(body).hexdigest()
        request = self._request(method, url, data=body, headers={**headers, "X-Amz-Content-SHA256": digest})
        credentials = await self._current()
        self._auth(credentials, "s3", self._region).add_auth(request)
        return {str(name): str(value) for name, value in request.headers.items()}

    async def _current(self) -> Any:
        if self._credentials is None:
            # Files, the environment, a metadata service: botocore knows where to look, and it blocks while it does.
            self._credentials = await asyncio.to_thread(self._session.get_credentials)
        if self._credentials is None:
            raise SinkUnavailable("no credentials for S3 were found; set access_key_id and secret_access_key")
        return await asyncio.to_thread(self._credentials.get_frozen_credentials)


def _base(config: S3Sink) -> str:
    if config.endpoint_url is not None:
        return f"{config.endpoint_url.rstrip('/')}/{config.bucket}"
    if "." in config.bucket:  # no certificate fits a bucket with dots
        return f"https://s3.{config.region}.amazonaws.com/{config.bucket}"
    return f"https://{config.bucket}.s3.{config.region}.amazonaws.com"
