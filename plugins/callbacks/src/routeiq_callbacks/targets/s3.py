"""A bucket of S3: an object a request, named by its time and id as LiteLLM names them.

botocore signs (AWS Signature Version 4); the gateway sends. Object names hold the request's id, so what is told twice
replaces itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from routeiq_callbacks.config import S3Target
from routeiq_callbacks.finished import Finished
from routeiq_callbacks.payload import MASKED, answer_id
from routeiq_callbacks.targets.base import NotTaken, few_at_once, send
from routeiq_sdk import Gateway, PluginError

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


class S3Bucket:
    """One bucket, below one path."""

    def __init__(self, config: S3Target) -> None:
        self._config = config
        self._base = _base(config)
        self._auth: Any = None
        self._request: Any = None
        self._session: Any = None
        self._credentials: Any = None
        self.name = f"s3:{config.bucket}"

    @property
    def origins(self) -> tuple[str, ...]:
        """Where the bucket is served."""
        return (self._base,)

    async def open(self) -> None:
        """Load botocore. Raises `PluginError` without it."""
        await asyncio.to_thread(self._load)

    def _load(self) -> None:
        try:
            import botocore.session
            from botocore.auth import S3SigV4Auth
            from botocore.awsrequest import AWSRequest
            from botocore.credentials import Credentials
        except ImportError as error:
            mend = "pip install 'routeiq-callbacks[s3]'"
            raise PluginError("callbacks", "an S3 target needs botocore", mend=mend) from error
        self._auth, self._request, self._session = S3SigV4Auth, AWSRequest, botocore.session.Session()
        config = self._config
        if config.access_key_id is not None and config.secret_access_key is not None:
            token = config.session_token.reveal() if config.session_token is not None else None
            self._credentials = Credentials(config.access_key_id.reveal(), config.secret_access_key.reveal(), token)

    async def deliver(self, gateway: Gateway, batch: Sequence[Finished]) -> int:
        """Write an object for each request, a few at once."""
        credentials = await asyncio.to_thread(self._current)
        if credentials is None:
            raise NotTaken("no credentials for S3 were found; write access_key_id and secret_access_key")
        await few_at_once([partial(self._put, gateway, finished, credentials) for finished in batch])
        return 0

    def _current(self) -> Any:
        """Credentials of now. Files, the environment, a metadata service: botocore knows where to look, and blocks."""
        if self._credentials is None:
            self._credentials = self._session.get_credentials()
        return self._credentials.get_frozen_credentials() if self._credentials is not None else None

    async def _put(self, gateway: Gateway, finished: Finished, credentials: Any) -> None:
        body = finished.spelled
        url = f"{self._base}/{quote(self.object_name(finished), safe='/-_.~')}"
        headers = {"content-type": "application/json"}
        if self._config.server_side_encryption is not None:
            headers["x-amz-server-side-encryption"] = self._config.server_side_encryption
        if self._config.kms_key is not None:
            headers["x-amz-server-side-encryption-aws-kms-key-id"] = self._config.kms_key
        request = self._request("PUT", url, data=body, headers=headers)
        self._auth(credentials, "s3", self._config.region).add_auth(request)
        signed = {str(name): str(value) for name, value in request.headers.items()}
        await send(gateway, "PUT", url, signed, body)

    def object_name(self, finished: Finished) -> str:
        """`PATH/2026-11-26/time-09-30-00-123456_ID.json`."""
        metadata = finished.payload.get("metadata", {})
        team, key = metadata.get("user_api_key_team_alias"), metadata.get("user_api_key_alias")
        parts = [
            self._config.path.strip("/"),
            team if self._config.team_prefix and team != MASKED else None,
            key if self._config.key_prefix and key != MASKED else None,
        ]
        at = datetime.fromtimestamp(finished.record.at / 1e9, UTC)
        path = "".join(f"{part if number == 0 else safe(part)}/" for number, part in enumerate(parts) if part)
        return f"{path}{at:%Y-%m-%d}/time-{at:%H-%M-%S-%f}_{safe(answer_id(finished))}.json"


def safe(name: str) -> str:
    """A part of an object's name. Providers and teams choose what they are called, not where objects go."""
    return _NOT_IN_NAMES.sub("_", name)[:128].strip(".") or "_"


def _base(config: S3Target) -> str:
    if config.endpoint_url is not None:
        return f"{config.endpoint_url.rstrip('/')}/{config.bucket}"
    if "." in config.bucket:  # no certificate fits a bucket with dots
        return f"https://s3.{config.region}.amazonaws.com/{config.bucket}"
    return f"https://{config.bucket}.s3.{config.region}.amazonaws.com"
