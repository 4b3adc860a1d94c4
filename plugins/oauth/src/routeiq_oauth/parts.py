"""The parts of the plugin and how they hang together, made at set-up.

What each does is in its own room.
"""

from __future__ import annotations

from routeiq_oauth.address import Address
from routeiq_oauth.config import OAuthConfig
from routeiq_oauth.outbound import Outbound
from routeiq_oauth.pages.login import Browsers
from routeiq_oauth.vault.keyring import open_keyring
from routeiq_sdk import Gateway


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
        )

        self.outbound = Outbound(config, gateway, self.address, self.keyring, self.browsers)

    async def close(self) -> None:
        """End what is under way."""
        await self.outbound.close()
