"""The parts of the plugin and how they hang together, made at set-up.

What each does is in its own room.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from routeiq_oidc.answers import away, refused, store_away
from routeiq_oidc.config import Login, OidcConfig, Scim
from routeiq_oidc.login.flow import Flow
from routeiq_oidc.login.routes import Browser
from routeiq_oidc.login.sealing import session_secret
from routeiq_oidc.login.session import Sessions
from routeiq_oidc.people.identity import identity_of
from routeiq_oidc.people.removed import Removed
from routeiq_oidc.people.resolver import Resolver
from routeiq_oidc.scim.changes import Changes
from routeiq_oidc.scim.errors import ScimError
from routeiq_oidc.scim.people import People
from routeiq_oidc.scim.teams import Teams
from routeiq_oidc.scim.turns import Turns
from routeiq_oidc.tokens.refusal import Refused, Unavailable
from routeiq_oidc.tokens.trust import Trust, trust_of
from routeiq_oidc.tokens.verifier import Verifier
from routeiq_oidc.translation import trusts_of
from routeiq_sdk import Gateway, PluginError, Principal, StoreUnavailable
from routeiq_sdk.gateway import Directory

log = logging.getLogger(__name__)


class Parts:
    """One of each."""

    def __init__(self, config: OidcConfig, gateway: Gateway) -> None:
        self._gateway = gateway
        trusts = _trusts(config, os.environ, gateway.plugin)
        self.verifier = Verifier(trusts, gateway, identity_of)
        self._removed = Removed(gateway)
        self.people = Resolver({trust.name: trust for trust in trusts}, gateway, self._removed)
        self.changes = Changes(gateway, self.people.forget)
        self._turns = Turns(gateway)
        self.browser = self._browser(config.login) if config.login is not None else None
        self._scim = config.scim

    async def principal(self, text: str) -> Principal:
        """Who a token is. Raises `RequestError`."""
        try:
            return await self.people.principal(await self.verifier.verify(text))
        except Refused as error:
            raise refused(error) from None
        except Unavailable as error:
            raise away(error) from None
        except StoreUnavailable:
            raise store_away() from None

    async def warm(self) -> None:
        """Fetch the keys of all issuers."""
        for provider in self.verifier.providers:
            await provider.keys.warm()

    def without_keys(self) -> list[str]:
        """Issuers whose keys were never had."""
        return [each.trust.label for each in self.verifier.providers if not each.keys.known]

    def scim_users(self) -> People:
        """SCIM's operations on users, over the directory of the runtime that serves now."""
        return People(self._directory, self._turns, self._removed, self.changes, self._configured.organization)

    def scim_groups(self) -> Teams:
        """SCIM's operations on groups."""
        return Teams(self._directory, self._turns, self.changes, self._configured.organization)

    async def close(self) -> None:
        """End what is under way."""
        await self.verifier.close()
        await self.people.close()

    @property
    def _configured(self) -> Scim:
        assert self._scim is not None
        return self._scim

    @property
    def _directory(self) -> Directory:
        directory = self._gateway.directory
        if directory is None:
            raise ScimError(503, "no plugin keeps users and groups")
        return directory

    def _browser(self, login: Login) -> Browser:
        provider = next(
            each for each in self.verifier.providers if each.trust.name == login.issuer or login.issuer is None
        )
        secret = login.session_secret or session_secret(self._gateway.data_dir)
        secure = urlsplit(login.public_url).scheme == "https"
        sessions = Sessions(secret, minutes=login.session_minutes, secure=secure, gateway=self._gateway)
        flow = Flow(login, provider, self.verifier, secret, self._gateway)
        return Browser(flow, sessions, self.people, self._gateway, secure=secure)


def _trusts(config: OidcConfig, environment: Mapping[str, str], plugin: str) -> tuple[Trust, ...]:
    if not config.enable_jwt_auth:
        return tuple(trust_of(row) for row in config.issuers)
    try:
        trusts = trusts_of(config.litellm_jwtauth, environment)
    except ValueError as error:
        raise PluginError(
            plugin, f"{error}.", mend="set the variable, write litellm_jwtauth.issuers, or turn enable_jwt_auth off"
        ) from None
    for trust in trusts:
        if trust.audience is None:
            log.warning("tokens of %s count whatever their audience is: set JWT_AUDIENCE", trust.label)
    return trusts
