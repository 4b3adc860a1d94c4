"""The parts of delegation and how they hang together, made at set-up; and what they hear of people who are shut out.

What each does is in its own room.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from routeiq_oauth.address import Address
from routeiq_oauth.config import OAuthConfig
from routeiq_oauth.delegation.clients import Clients
from routeiq_oauth.delegation.consent import Consent
from routeiq_oauth.delegation.discovery import Discovery
from routeiq_oauth.delegation.machine import MachineTokens
from routeiq_oauth.delegation.outside import Outside
from routeiq_oauth.delegation.people import PeopleTokens
from routeiq_oauth.delegation.questions import Questions
from routeiq_oauth.delegation.remembered import Remembered
from routeiq_oauth.delegation.service import Delegations
from routeiq_oauth.delegation.token_endpoint import TokenEndpoint
from routeiq_oauth.pages.login import Browsers
from routeiq_oauth.vault.database import Database
from routeiq_oauth.vault.keyring import Keyring
from routeiq_oauth.vault.refreshing import Refresher
from routeiq_oauth.vault.revoking import Revoker
from routeiq_oauth.vault.store import Store
from routeiq_sdk import Event, Gateway, RouteIQError, StoreUnavailable
from routeiq_sdk.events import UserV1

log = logging.getLogger(__name__)

_AHEAD_PAUSE_SECONDS = 30.0


class Outbound:
    """One of each."""

    def __init__(
        self, config: OAuthConfig, gateway: Gateway, address: Address, keyring: Keyring, browsers: Browsers
    ) -> None:
        self.gateway = gateway
        self.address = address
        self.browsers = browsers
        self._config = config.delegation
        self._database = Database(config.database_url, gateway.data_dir)
        self.store = Store(self._database, keyring, gateway.clock)
        outside = Outside(gateway, self._config.timeout_seconds)
        endpoint = TokenEndpoint(outside, gateway.clock)
        discovery = Discovery(outside, gateway.clock)
        self.questions = Questions(gateway, keyring, self._config.consent_minutes * 60.0)
        self.clients = Clients(gateway, self._config, self.store, outside)
        self.revoker = Revoker(self.store, endpoint)
        self.refresher = Refresher(gateway, self.store, endpoint)
        self.consent = Consent(gateway, keyring, self.questions, self.clients, endpoint, self.store, self.revoker)
        self.people = PeopleTokens(gateway, address, self.store, self.refresher, discovery, self.questions)
        machine = MachineTokens(discovery, endpoint, Remembered(gateway.clock))
        self.delegation = Delegations(gateway, machine, self.people, self.questions, self.store, self.revoker)

    async def open(self) -> None:
        """Open the vault. Raises `PluginError`."""
        await self._database.open()
        self.gateway.spawn("seal with the newest key", self._reseal)
        if self._config.refresh_ahead_minutes:
            self.gateway.spawn("refresh ahead", self._refresh_ahead)

    async def close(self) -> None:
        """Close the vault."""
        await self._database.close()

    async def heard(self, events: Sequence[Event]) -> None:
        """People who were shut out: their grants end. Raises `StoreUnavailable`; the events then come again."""
        for event in events:
            for user in who_left(event.name, event.payload):
                if await self.delegation.forget_user(user):
                    log.info("the grants of a user who was shut out were ended")

    async def _reseal(self) -> None:
        try:
            done = await self.store.reseal()
        except StoreUnavailable as error:
            log.warning("rows of the vault were not sealed anew: %s", error)
            return
        if done:
            log.info("%d rows of the vault were sealed with the newest key", done)

    async def _refresh_ahead(self) -> None:
        """Keep grants alive while nobody calls. Replicas meet at the leases of the rows, so each is refreshed once."""
        ahead = self._config.refresh_ahead_minutes * 60
        while True:
            try:
                before = self.gateway.clock.now_ns() // 10**9 + ahead
                for kept in await self.store.ending(before):
                    grant = kept.grant
                    if grant is None or grant.expires_at is None:
                        continue
                    half = (grant.obtained_at + grant.expires_at) // 2
                    if self.gateway.clock.now_ns() // 10**9 < half:
                        continue  # shorter lives than `ahead` are not refreshed all the time
                    try:
                        await self.refresher.fresh(kept)
                    except RouteIQError as error:
                        log.warning("a grant for %s was not refreshed ahead: %s", kept.upstream, error)
            except StoreUnavailable as error:
                log.warning("grants were not refreshed ahead: %s", error)
            await asyncio.sleep(_AHEAD_PAUSE_SECONDS)


def who_left(name: str, payload: Mapping[str, Any]) -> Sequence[str]:
    """The users whom an event says to be shut out: deleted, deactivated or blocked.

    That a user is let in again brings nothing back. What was merely asked of the admin API (`routeiq.admin.v1`) does
    not count: of a request that names many users some may be refused.
    """
    if name == "routeiq.scim.v1" and payload.get("what") in ("user.deleted", "user.deactivated"):
        return [str(payload.get("id"))]
    if name == UserV1.NAME:
        return [str(payload.get("user"))]
    return ()
