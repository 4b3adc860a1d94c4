"""Requests to S3, signed by botocore (AWS Signature Version 4) and sent by the gateway's own egress.

botocore opens no connection here, except where it has to ask for credentials.
"""

from __future__ import annotations

import asyncio
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
            raise PluginError("audit", "an S3 sink needs botocore", mend="pip install botocore") from error
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
        # In a thread: a large body takes a while to hash, and botocore blocks where it asks for credentials.
        return await asyncio.to_thread(self._signed, method, url, body, headers)

    def _signed(self, method: str, url: str, body: bytes, headers: Mapping[str, str]) -> dict[str, str]:
        request = self._request(method, url, data=body, headers=dict(headers))
        self._auth(self._current(), "s3", self._region).add_auth(request)
        return {str(name): str(value) for name, value in request.headers.items()}

    def _current(self) -> Any:
        from botocore.exceptions import BotoCoreError

        try:
            if self._credentials is None:  # files, the environment, a metadata service: botocore knows where to look
                self._credentials = self._session.get_credentials()
            if self._credentials is not None:
                return self._credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise SinkUnavailable(f"credentials for S3 cannot be read: {error}") from error
        raise SinkUnavailable("no credentials for S3 were found; set access_key_id and secret_access_key")


def _base(config: S3Sink) -> str:
    if config.endpoint_url is not None:
        return f"{config.endpoint_url.rstrip('/')}/{config.bucket}"
    domain = f"s3.{config.region}.amazonaws.com"
    if config.region.startswith("cn-"):
        domain += ".cn"
    if "." in config.bucket:  # no certificate fits a bucket with dots
        return f"https://{domain}/{config.bucket}"
    return f"https://{config.bucket}.{domain}"
