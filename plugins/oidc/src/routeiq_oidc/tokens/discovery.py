"""An issuer's own description (OpenID Connect Discovery 1.0, RFC 8414): fetched once an hour, kept when it fails.

Its keys are fetched in `keyset`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from routeiq_oidc.config import check_url
from routeiq_oidc.fetching import FetchFailed, fetch_json
from routeiq_oidc.tokens.refusal import Unavailable
from routeiq_oidc.tokens.trust import Trust
from routeiq_sdk import Gateway

log = logging.getLogger(__name__)

_FRESH_SECONDS = 3600.0
_GAP_SECONDS = 5.0


class Discovery:
    """The metadata of one issuer."""

    def __init__(self, trust: Trust, gateway: Gateway) -> None:
        self._trust = trust
        self._gateway = gateway
        self._known: Mapping[str, Any] | None = None
        self._fetched = 0.0
        self._failed: float | None = None
        self._one_at_a_time = asyncio.Lock()

    async def url(self, name: str) -> str:
        """One address of the metadata, such as `jwks_uri`. Raises `Unavailable`."""
        value = (await self.metadata()).get(name)
        if not isinstance(value, str):
            raise Unavailable(f"the discovery document of {self._trust.label} names no {name}")
        try:
            return check_url(value, allow_http=self._trust.allow_http or self._is_http)
        except ValueError as error:
            raise Unavailable(f"the discovery document of {self._trust.label} names a bad {name}: {error}") from None

    async def metadata(self) -> Mapping[str, Any]:
        """The document. Raises `Unavailable` when none was ever had."""
        async with self._one_at_a_time:
            now = self._gateway.clock.monotonic()
            if self._known is not None and now - self._fetched < _FRESH_SECONDS:
                return self._known
            if self._failed is not None and now - self._failed < _GAP_SECONDS:
                return self._last(Unavailable("discovery failed a moment ago", self._failed + _GAP_SECONDS - now))
            try:
                self._known, self._fetched, self._failed = await self._fetch(), now, None
            except FetchFailed as error:
                self._failed = now
                log.warning("discovery of %s failed: %s", self._trust.label, error)
                return self._last(Unavailable(str(error), _GAP_SECONDS))
            return self._known

    async def _fetch(self) -> Mapping[str, Any]:
        issuer = self._trust.issuer
        if issuer is None:
            raise FetchFailed("no issuer is configured to discover")
        url = issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = await fetch_json(self._gateway, url)
        if not isinstance(document, Mapping) or document.get("issuer") != issuer:
            raise FetchFailed(f"{url} describes another issuer than {issuer}")
        return document

    def _last(self, failure: Unavailable) -> Mapping[str, Any]:
        if self._known is None:
            raise failure
        return self._known

    @property
    def _is_http(self) -> bool:
        """An issuer on loopback may name addresses like its own."""
        return self._trust.issuer is not None and urlsplit(self._trust.issuer).scheme == "http"
