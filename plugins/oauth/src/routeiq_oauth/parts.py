"""The parts of the plugin and how they hang together, made at set-up.

What each does is in its own room.
"""

from __future__ import annotations

from collections.abc import Sequence

from routeiq_oauth.address import Address
from routeiq_oauth.config import OAuthConfig
from routeiq_oauth.outbound import Outbound, who_left
from routeiq_oauth.pages.login import Browsers
from routeiq_oauth.resource.challenge import Challenges
from routeiq_oauth.resource.gate import Gate
from routeiq_oauth.resource.metadata import Metadata
from routeiq_oauth.resource.source import Configured, Source
from routeiq_oauth.server.routes import Endpoints
from routeiq_oauth.vault.keyring import open_keyring
from routeiq_sdk import Context, Event, Gateway
from routeiq_sdk.values.http import Headers


class Parts:
    """One of each. `delegation` and its pages are made of these."""

    def __init__(self, config: OAuthConfig, gateway: Gateway) -> None:
        self.config = config
        self.gateway = gateway
        self.address = Address(config, gateway)
        self.keyring = open_keyring(
            config.vault_keys, gateway.data_dir, shared=config.database_url is not None, plugin=gateway.plugin
        )
        self.browsers = Browsers(
            gateway,
            self.keyring,
            secure=self.address.secure,
            sign_in=config.sign_in.login_url,
            minutes=config.sign_in.minutes,
            attempts=config.sign_in.attempts,
        )
        self._configured = {issuer.issuer: Configured(issuer, gateway) for issuer in config.issuers}
        self.server = Endpoints(self) if config.authorization_server.enabled else None
        self.gate = Gate(gateway, self.address, self._source)
        self.challenges = Challenges(gateway, self.address)
        self.metadata = Metadata(gateway, self.address, self._servers)
        self.outbound = Outbound(config, gateway, self.address, self.keyring, self.browsers)

    async def open(self) -> None:
        """What set-up has to wait for. Raises `PluginError`."""
        await self.outbound.open()
        if self.server is not None and self.config.authorization_server.signing_key is None:
            from routeiq_oauth.server.replicas import OneKey

            key = OneKey(self.gateway, self.server.keys.thumbprint, self.server.keys.known)
            await key.claim()
            self.gateway.spawn("tell other replicas which key signs tokens", key.keep)

    async def warm(self) -> None:
        """Fetch the keys of all issuers."""
        for source in self._configured.values():
            await source.keys.warm()

    def without_keys(self) -> list[str]:
        """Issuers whose keys were never had."""
        return [source.label for source in self._configured.values() if not source.keys.known]

    async def heard(self, events: Sequence[Event]) -> None:
        """People who were shut out: what they granted ends, to upstreams and to clients. Raises `StoreUnavailable`."""
        await self.outbound.heard(events)
        if self.server is not None:
            for event in events:
                for user in who_left(event.name, event.payload):
                    await self.server.forget(user)

    async def close(self) -> None:
        """End what is under way."""
        await self.outbound.close()
        for source in self._configured.values():
            await source.keys.close()

    def _source(self, issuer: str, ctx: Context) -> Source | None:
        if self.server is not None and issuer == self.address.base(ctx.headers):
            return self.server.own
        return self._configured.get(issuer)

    def _servers(self, headers: Headers) -> Sequence[str]:
        """The authorization servers that clients may ask; the company's come first."""
        own = [self.address.base(headers)] if self.server is not None else []
        return [*self._configured, *own]
