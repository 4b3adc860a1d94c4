"""The keys of one issuer in memory: fetched by one call at a time, seldom, and kept when the issuer is away.

What a key may verify is told in `jwk`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

from routeiq_oidc.fetching import FetchFailed, fetch_json
from routeiq_oidc.tokens.discovery import Discovery
from routeiq_oidc.tokens.jwk import Key, read_keys
from routeiq_oidc.tokens.refusal import Refused, Unavailable
from routeiq_oidc.tokens.strict import Token
from routeiq_oidc.tokens.trust import Trust
from routeiq_sdk import Gateway

log = logging.getLogger(__name__)

FETCHES = 2
WINDOW_SECONDS = 60.0
"""At most `FETCHES` in any `WINDOW_SECONDS`, whatever tokens come in."""
STALE_SECONDS = 24 * 3600.0
"""How long keys count while the issuer cannot be reached."""
SETTLED_SECONDS = 10.0
"""For so long after a fetch a key id that was not in it is taken for invented. Later, and with no fetch left to make,
nobody can tell: the issuer may have changed its keys."""
_GAP_SECONDS = 5.0
_UNKNOWN = "the token's key is not known"


class KeySet:
    """Keys by their id. `monotonic` seconds throughout."""

    def __init__(self, trust: Trust, gateway: Gateway, discovery: Discovery) -> None:
        self._trust = trust
        self._gateway = gateway
        self._discovery = discovery
        self._keys: dict[str, tuple[Key, ...]] = {}
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
        while (key := self._signer(token)) is None:
            if self._fetched is not None and self._fetched >= arrived:
                raise Refused(_UNKNOWN)  # not even in a set that was asked for after the token came
            wait = self._wait(self._now())
            if self._flight is None and wait > 0:
                if self._fetched is not None and arrived - self._fetched <= SETTLED_SECONDS:
                    raise Refused(_UNKNOWN)
                raise Unavailable(f"{self._trust.label} has no such key yet, and was asked a moment ago", wait)
            await self._refresh()
        return key

    def holds(self, thumbprint: str) -> bool:
        """Whether a key that verified a token is still the issuer's, as far as it was asked of late."""
        now = self._now()
        if self._fetched is None or now - self._fetched > STALE_SECONDS:
            return False
        self._tend(now)
        return any(key.thumbprint == thumbprint for keys in self._keys.values() for key in keys)

    async def warm(self) -> None:
        """Fetch before the first token comes. A failure is only logged."""
        try:
            await self._refresh()
        except Unavailable:
            pass  # it was logged, and the first token will try again

    @property
    def known(self) -> bool:
        """Whether there are any keys."""
        return any(self._keys.values())

    async def close(self) -> None:
        """End a fetch under way."""
        if self._flight is not None:
            self._flight.cancel()
            await asyncio.wait((self._flight,))

    def _signer(self, token: Token) -> Key | None:
        """The key that verifies the token, `None` when none that may have signed it is known. Raises `Refused`."""
        named = False
        for keys in self._keys.values():
            for key in keys:
                if token.key_id is not None and key.kid not in (None, token.key_id):
                    continue
                if key.verifies(token.algorithm, token.signed, token.signature):
                    return key
                named = named or (key.kid is not None and key.kid == token.key_id)
        if named:
            raise Refused("the token's signature does not verify")
        return None

    async def _refresh(self) -> None:
        """Fetch, or wait for the fetch under way. Raises `Unavailable`."""
        if self._flight is None:
            wait = self._wait(self._now())
            if wait > 0:
                raise Unavailable(f"{self._trust.label} was asked for its keys a moment ago", wait)
            self._fly()
        flight = self._flight
        if flight is not None:
            await asyncio.wait((flight,))
            error = None if flight.cancelled() else flight.exception()
            if error is not None or flight.cancelled():
                raise Unavailable(str(error), max(1.0, self._wait(self._now()))) from None

    def _tend(self, now: float) -> None:
        """Fetch keys that grew old; what is known serves until the new ones land."""
        if self._fetched is not None and now - self._fetched > self._trust.refresh_seconds and self._wait(now) <= 0:
            self._fly()

    def _fly(self) -> None:
        if self._flight is None:
            self._flight = asyncio.ensure_future(self._fetch())
            self._flight.add_done_callback(self._landed)

    def _landed(self, flight: asyncio.Task[None]) -> None:
        self._flight = None
        error = None if flight.cancelled() else flight.exception()
        if error is not None:
            log.warning("the keys of %s cannot be fetched: %s", self._trust.label, error)

    async def _fetch(self) -> None:
        started = self._now()
        self._tries.append(started)
        fetched: dict[str, tuple[Key, ...]] = {}
        failures: list[str] = []
        try:
            urls = self._trust.jwks_urls or (await self._discovery.url("jwks_uri"),)
            for url in urls:
                try:
                    fetched[url] = read_keys(await fetch_json(self._gateway, url), self._trust.algorithms)
                except (FetchFailed, ValueError) as error:
                    failures.append(f"{url}: {error}")
        except Unavailable as error:
            failures.append(error.reason)
        self._failed = bool(failures)
        if not fetched:
            raise Unavailable("; ".join(failures))
        kept = {url: keys for url, keys in self._keys.items() if url in urls}
        self._keys = {**kept, **fetched}
        self._fetched = started

    def _wait(self, now: float) -> float:
        """Seconds until a fetch may be made; 0 or less when it may be made now."""
        wait = self._tries[0] + WINDOW_SECONDS - now if len(self._tries) == FETCHES else 0.0
        if self._failed and self._tries:
            wait = max(wait, self._tries[-1] + _GAP_SECONDS - now)
        return wait

    def _now(self) -> float:
        return self._gateway.clock.monotonic()
