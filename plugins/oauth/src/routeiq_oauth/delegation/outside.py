"""Calls to authorization servers: small answers, short waits, no redirects, https but on loopback.

What the answers mean is read elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from routeiq_oauth.delegation.trouble import Away, Unfit
from routeiq_oauth.urls import check_url, origin
from routeiq_sdk import Gateway, RouteIQError
from routeiq_sdk.values.delegation import Delegate

log = logging.getLogger(__name__)

_MOST_BYTES = 256 * 1024
_PING = b'{"jsonrpc":"2.0","id":"authorization","method":"ping"}'


@dataclass(frozen=True, slots=True)
class Reach:
    """What a call may reach: origins that the operator wrote may be private; `tenants` are bound by their lists."""

    operator: frozenset[str] = frozenset()
    tenants: tuple[str, ...] = ()

    @classmethod
    def of(cls, delegate: Delegate, tenants: tuple[str, ...] = ()) -> Reach:
        """Of calls for an upstream."""
        if delegate.untrusted:
            return cls(frozenset(), tenants)
        auth = delegate.auth
        written = (delegate.url, auth.issuer, auth.token_url, auth.authorization_url, auth.identity_provider)
        return cls(frozenset(origin(url) for url in written if url is not None), tenants)


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and the JSON object of the body, as far as it was any."""

    status: int
    body: Mapping[str, Any] | None
    authenticate: str = ""


class Outside:
    """Speaks to authorization servers for all of delegation."""

    def __init__(self, gateway: Gateway, timeout_seconds: float) -> None:
        self._gateway = gateway
        self._seconds = timeout_seconds

    async def get(self, url: str, reach: Reach) -> Answer:
        """GET a document. Raises `Away`, or `Unfit` for an address that is none."""
        return await self._call("GET", url, reach, {"accept": "application/json"}, None)

    async def post_form(
        self, url: str, form: Mapping[str, str], reach: Reach, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """POST a form. Raises as `get` does."""
        sent = {
            "accept": "application/json",
            "content-type": "application/x-www-form-urlencoded",
            **(headers or {}),
        }
        return await self._call("POST", url, reach, sent, urlencode(form).encode())

    async def post_json(self, url: str, value: Mapping[str, Any], reach: Reach) -> Answer:
        """POST JSON. Raises as `get` does."""
        sent = {"accept": "application/json", "content-type": "application/json"}
        return await self._call("POST", url, reach, sent, json.dumps(value).encode())

    async def probe(self, url: str, reach: Reach) -> str:
        """What `WWW-Authenticate` an upstream answers to somebody without a token; empty when it does not say.

        The question is a JSON-RPC ping: servers need not guard any other method than POST.
        """
        headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
        try:
            answer = await self._call("POST", url, reach, headers, _PING, head_only=True)
        except (Away, Unfit):
            return ""
        return answer.authenticate if answer.status == 401 else ""

    async def _call(
        self,
        method: str,
        url: str,
        reach: Reach,
        headers: Mapping[str, str],
        body: bytes | None,
        *,
        head_only: bool = False,
    ) -> Answer:
        host = host_of(url)
        try:
            check_url(url)
            trusted = origin(url) in reach.operator
        except ValueError as error:
            raise Unfit(f"an address of the authorization server cannot be used: {error}") from None
        try:
            async with asyncio.timeout(self._seconds):
                call = self._gateway.egress.call(
                    method,
                    url,
                    headers=headers,
                    body=body,
                    timeout_seconds=self._seconds,
                    max_bytes=_MOST_BYTES,
                    untrusted=not trusted,
                    tenants=reach.tenants,
                )
                async with call as response:
                    status = response.status
                    authenticate = response.headers.get("WWW-Authenticate", "")
                    raw = b"" if head_only else await response.read()
        except RouteIQError as error:
            log.warning("a call to %s was refused: %s", host, error)
            raise Unfit(f"{host}, or the size of its answer, is against the gateway's rules of egress") from None
        except Exception as error:  # the network's failures and time-outs: it cannot be had
            log.debug("a call to %s failed: %s", host, type(error).__name__)
            raise Away(f"{host} cannot be reached") from None
        return Answer(status, _object(raw), authenticate)


def host_of(url: str) -> str:
    """What a message may say of an address."""
    try:
        return urlsplit(url).netloc.rpartition("@")[2] or "an address without a host"
    except ValueError:
        return "an address that cannot be read"


def _object(raw: bytes) -> Mapping[str, Any] | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
