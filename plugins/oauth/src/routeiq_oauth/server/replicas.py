"""Whether all replicas sign with one key: each one's own key would make tokens that the others refuse.

Where keys come from is told in `keys`.
"""

from __future__ import annotations

import asyncio

from routeiq_sdk import Gateway, PluginError

_TABLE, _KEY = "oauth.signing", "thumbprint"
_SECONDS = 120.0


class OneKey:
    """Names the key of this gateway in the shared store for as long as it runs."""

    def __init__(self, gateway: Gateway, thumbprint: str, known: frozenset[str]) -> None:
        self._gateway = gateway
        self._thumbprint = thumbprint
        self._known = known

    async def claim(self) -> None:
        """Raises `PluginError` when another replica signs with a key that is not ours."""
        told = await self._gateway.state.get(_TABLE, _KEY)
        if told is not None and told.decode() not in self._known:
            raise PluginError(
                self._gateway.plugin,
                "another replica of this gateway signs tokens with another key, or did two minutes ago.",
                mend="authorization_server.signing_key: os.environ/ROUTEIQ_OAUTH_SIGNING_KEY, the same everywhere",
            )
        await self._tell()

    async def keep(self) -> None:
        """Go on telling, until the gateway stops."""
        while True:
            await asyncio.sleep(_SECONDS / 3)
            await self._tell()

    async def _tell(self) -> None:
        await self._gateway.state.put(_TABLE, _KEY, self._thumbprint.encode(), ttl_seconds=_SECONDS)
