"""The keys of one issuer in memory: found by its metadata, fetched by one call at a time, seldom, kept when it is away.

What a key may verify is told in `jwk`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from routeiq_oauth.config import Issuer
from routeiq_oauth.fetching import FetchFailed, fetch_json
from routeiq_oauth.resource.jwk import Key, read_keys, signer_of
from routeiq_oauth.resource.refusal import Refused, Unavailable
from routeiq_oauth.resource.strict import Token
from routeiq_oauth.urls import check_url
from routeiq_sdk import Gateway

log = logging.getLogger(__name__)

FETCHES = 2
WINDOW_SECONDS = 60.0
"""At most `FETCHES` in any `WINDOW_SECONDS`, whatever tokens come in."""
STALE_SECONDS = 24 * 3600.0
"""How long keys count while the issuer cannot be reached."""
SETTLED_SECONDS = 10.0
"""For so long after a fetch a key that was not in it is taken for invented. Later, and with no fetch left to make,
nobody can tell: the issuer may have changed its keys."""
_GAP_SECONDS = 5.0
_UNKNOWN = "the token's key is not known"


class KeySet:
    """Keys of one issuer. `monotonic` seconds throughout."""

    def __init__(self, issuer: Issuer, gateway: Gateway) -> None:
        self._issuer = issuer
        self._gateway = gateway
        self._keys: tuple[Key, ...] = ()
        self._fetched: float | None = None
        self._tries: deque[float] = deque(maxlen=FETCHES)
        self._failed = False
        self._flight: asyncio.Task[None] | None = None

    async def verify(self, token: Token) -> Key:
        """The key that made the token's signature.

        Raises `Refused` when no key of the issuer did, `Unavailable` when nobody can tell now.
        """
        arrived = self._now()
        if self._fetched is None or arrived - self._fetched > STALE_SECONDS:
            await self._refresh()
        else:
            self._tend(arrived)
        while (key := signer_of(token, self._keys)) is None:
            if token.key_id is not None and any(each.kid == token.key_id for each in self._keys):
                raise Refused("the token's signature does not fit")
            if self._fetched is not None and self._fetched >= arrived:
                raise Refused(_UNKNOWN)  # not even in a set that was asked for after the token came
            wait = self._wait(self._now())
            if self._flight is None and wait > 0:
                if self._fetched is not None and arrived - self._fetched <= SETTLED_SECONDS:
                    raise Refused(_UNKNOWN)
                raise Unavailable(f"{self._issuer.label} has no such key yet, and was asked a moment ago", wait)
            await self._refresh()
        return key

    def holds(self, thumbprint: str) -> bool:
        """Whether a key that verified a token is still the issuer's, as far as it was asked of late."""
        now = self._now()
        if self._fetched is None or now - self._fetched > STALE_SECONDS:
            return False
        self._tend(now)
        return any(key.thumbprint == thumbprint for key in self._keys)

    async def warm(self) -> None:
        """Fetch before the first token comes. A failure is only logged."""
        try:
            await self._refresh()
        except Unavailable:
            pass  # it was logged, and the first token will try again

    @property
    def known(self) -> bool:
        """Whether there are any keys."""
        return bool(self._keys)

    async def close(self) -> None:
        """End a fetch under way."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait((self._flight,))

    async def _refresh(self) -> None:
        """Fetch now, or wait for the fetch under way. Raises `Unavailable`."""
        if self._flight is None:
            wait = self._wait(self._now())
            if wait > 0:
                raise Unavailable(f"{self._issuer.label} was asked for its keys a moment ago", wait)
            self._fly()
        flight = self._flight
        if flight is not None:
            await asyncio.wait((flight,))
            error = None if flight.cancelled() else flight.exception()
            if error is not None or flight.cancelled():
                raise Unavailable(str(error), max(1.0, self._wait(self._now()))) from None

    def _tend(self, now: float) -> None:
        """Fetch keys that grew old; what is known serves until the new ones land."""
        if self._fetched is not None and now - self._fetched > self._issuer.refresh_seconds and self._wait(now) <= 0:
            self._fly()

    def _fly(self) -> None:
        if self._flight is None:
            self._flight = asyncio.ensure_future(self._fetch())
            self._flight.add_done_callback(self._landed)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flight = None
        error = None if flight.cancelled() else flight.exception()
        if error is not None:
            log.warning("the keys of %s cannot be fetched: %s", self._issuer.label, error)

    async def _fetch(self) -> None:
        started = self._now()
        self._tries.append(started)
        self._failed = True
        try:
            url = self._issuer.jwks_url or await self._discovered()
            document = await fetch_json(self._gateway, url, written=self._written)
            self._keys = read_keys(document.value, self._issuer.algorithms)
        except (FetchFailed, ValueError) as error:
            raise Unavailable(str(error)) from None
        self._failed, self._fetched = False, started

    async def _discovered(self) -> str:
        """Its `jwks_uri`, as its metadata says."""
        failures = []
        for url in metadata_urls(self._issuer.issuer):
            try:
                described: Any = (await fetch_json(self._gateway, url, written=self._written)).value
            except FetchFailed as error:
                failures.append(str(error))
                continue
            if not isinstance(described, Mapping) or described.get("issuer") != self._issuer.issuer:
                failures.append(f"{url} describes another issuer")
                continue
            keys = described.get("jwks_uri")
            if not isinstance(keys, str):
                raise FetchFailed(f"{url} names no jwks_uri")
            http = self._issuer.allow_http or urlsplit(self._issuer.issuer).scheme == "http"
            return check_url(keys, allow_http=http)
        raise FetchFailed("; ".join(failures))

    @property
    def _written(self) -> tuple[str, ...]:
        return written_by_operator(self._issuer)

    def _wait(self, now: float) -> float:
        """Seconds until a fetch may be made; 0 or less when it may be made now."""
        wait = self._tries[0] + WINDOW_SECONDS - now if len(self._tries) == FETCHES else 0.0
        if self._failed and self._tries:
            wait = max(wait, self._tries[-1] + _GAP_SECONDS - now)
        return wait

    def _now(self) -> float:
        return self._gateway.clock.monotonic()


def written_by_operator(issuer: Issuer) -> tuple[str, ...]:
    """The addresses that the configuration names."""
    return (issuer.issuer,) if issuer.jwks_url is None else (issuer.issuer, issuer.jwks_url)


def metadata_urls(issuer: str) -> tuple[str, ...]:
    """Where an issuer's metadata may be: OpenID Connect Discovery (appended), then RFC 8414 (path-inserted)."""
    parts = urlsplit(issuer)
    root, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    return (
        f"{root}{path}/.well-known/openid-configuration",
        f"{root}/.well-known/oauth-authorization-server{path}",
    )
