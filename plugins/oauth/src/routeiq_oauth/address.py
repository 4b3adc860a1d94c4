"""The gateway's own address, as clients know it: what resources, issuer and links begin with.

Which paths are resources is told by the plugins that serve them.
"""

from __future__ import annotations

from routeiq_oauth.config import OAuthConfig
from routeiq_sdk import Gateway, PluginError
from routeiq_sdk.values.http import Headers


class Address:
    """`public_url`, or what the request's `Host` says while the gateway listens on loopback alone."""

    def __init__(self, config: OAuthConfig, gateway: Gateway) -> None:
        if config.public_url is None and not gateway.loopback:
            raise PluginError(
                gateway.plugin,
                "public_url is missing, and the gateway listens beyond loopback: tokens are bound to its address",
                mend="public_url: https://the.name.clients.use",
            )
        self._configured = config.public_url

    @property
    def secure(self) -> bool:
        """Whether browsers come by https, so that cookies may say so."""
        return self._configured is not None and self._configured.startswith("https:")

    def base(self, headers: Headers) -> str:
        """Scheme, host, and path if there is one; without a slash at the end. The core has checked `Host`."""
        return self._configured or f"http://{(headers.get('host') or 'localhost').lower()}"
