"""Refreshing a grant once, however many calls in however many processes wait for it, and never losing what came back.

In a process one task refreshes for all; between processes a lease lets one of them ask, and the others read what it
wrote. A row is written only over the version that was refreshed, so a holder that lost its lease overwrites nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Mapping
from dataclasses import replace

from routeiq_oauth.delegation.outside import Reach
from routeiq_oauth.delegation.token_endpoint import TokenEndpoint, Tokens
from routeiq_oauth.delegation.trouble import Away, Denied
from routeiq_oauth.vault.grant import Grant
from routeiq_oauth.vault.store import Kept, Store
from routeiq_sdk import Gateway, RouteIQError, StoreUnavailable

log = logging.getLogger(__name__)

_LEASE_SECONDS = 90.0
"""Longer than a request to an authorization server and the writing of its answer may take."""
_WAIT_SECONDS = 40.0
_LOOK_SECONDS = (0.02, 0.05, 0.1, 0.2)
_WRITE_TRIES = 10
_WRITE_PAUSE = 0.5


class Refresher:
    """`fresh` gives the grant that is current afterwards, or `None` when the person has to agree again."""

    def __init__(self, gateway: Gateway, store: Store, endpoint: TokenEndpoint) -> None:
        self._gateway = gateway
        self._store = store
        self._endpoint = endpoint
        self._name = secrets.token_hex(8)
        self._running: dict[str, asyncio.Future[Grant | None]] = {}
        self._unwritten: dict[str, tuple[int, Grant]] = {}

    async def fresh(self, kept: Kept) -> Grant | None:
        """Refresh `kept`, unless somebody did since it was read. Raises `Away`, `Denied`, `Unfit`,
        `StoreUnavailable`; the row is then what it was."""
        name = _lease_name(kept)
        running = self._running.get(name)
        if running is None:
            running = self._running[name] = asyncio.get_running_loop().create_future()
            # Not the caller's task: who goes away while the server answers must not take the new tokens along.
            self._gateway.spawn(f"refresh {name[-12:]}", lambda: self._run(name, kept, running))
        return await asyncio.shield(running)

    async def _run(self, name: str, kept: Kept, result: asyncio.Future[Grant | None]) -> None:
        outcome: Grant | None = None
        failure: BaseException | None = None
        try:
            outcome = await self._alone(name, kept)
        except RouteIQError as error:
            failure = error
        except asyncio.CancelledError:
            failure = Away("the gateway is stopping")
            raise
        except Exception as error:
            log.error("a refresh failed: %s", type(error).__name__)
            failure = Away("the refresh failed")
        finally:
            self._running.pop(name, None)
            if not result.done():
                if failure is not None:
                    result.set_exception(failure)
                    result.exception()  # seen, also when nobody waits any more
                else:
                    result.set_result(outcome)

    async def _alone(self, name: str, kept: Kept) -> Grant | None:
        owner = f"{self._name} {secrets.token_hex(4)}"
        give_up = asyncio.get_running_loop().time() + _WAIT_SECONDS
        looks = 0
        while await self._gateway.state.acquire(name, owner, _LEASE_SECONDS) is None:
            current = await self._store.find(kept.owner, kept.upstream)
            if current is None or current.version != kept.version:
                return _usable(current)
            if asyncio.get_running_loop().time() > give_up:
                raise Away("another replica is refreshing and does not come back")
            await asyncio.sleep(_LOOK_SECONDS[min(looks, len(_LOOK_SECONDS) - 1)])
            looks += 1
        try:
            current = await self._store.find(kept.owner, kept.upstream)
            if current is None or current.version != kept.version:
                return _usable(current)
            version, came = self._unwritten.pop(name, (None, None))
            if came is not None and version == current.version:
                return await self._written(name, current, came)
            return await self._ask(name, current)
        finally:
            try:
                await self._gateway.state.release(name, owner)
            except StoreUnavailable:
                log.warning("a lease cannot be given back; it ends by itself")

    async def _ask(self, name: str, kept: Kept) -> Grant | None:
        grant = kept.grant
        if grant is None or grant.refresh is None or grant.stale:
            return None
        form = {"grant_type": "refresh_token", "refresh_token": grant.refresh.reveal(), **_resource(grant)}
        reach = reach_of(kept)
        try:
            tokens = await self._endpoint.ask(grant.token_endpoint, grant.client, form, reach, issuer=grant.issuer)
        except Denied as error:
            if error.code == "invalid_client" and grant.client.registered and grant.redirect_uri is not None:
                await self._store.keep_client(grant.issuer, grant.redirect_uri, None)
            elif error.code != "invalid_grant":
                raise
            return await self._over(kept)
        return await self._written(name, kept, renewed(grant, tokens))

    async def _over(self, kept: Kept) -> Grant | None:
        """The grant has ended at its server; a newer one may have taken its place meanwhile."""
        if await self._store.remove(kept):
            return None
        return _usable(await self._store.find(kept.owner, kept.upstream))

    async def _written(self, name: str, kept: Kept, grant: Grant) -> Grant | None:
        """Write what came back. The old refresh token may be worth nothing now, so this is tried for a while, and again
        by the next who wants the grant."""
        for attempt in range(_WRITE_TRIES):
            try:
                if await self._store.replace(kept, grant):
                    return grant
                current = await self._store.find(kept.owner, kept.upstream)
                if current is not None and current.grant is not None and current.grant.mark == grant.mark:
                    return grant  # it was written, and only the answer to that was lost
                log.info("a grant was removed or given anew while it was refreshed")
                return _usable(current)
            except StoreUnavailable:
                if attempt == _WRITE_TRIES - 1:
                    log.error("refreshed tokens cannot be written now; they are kept in memory")
                    self._unwritten[name] = (kept.version, grant)
                    raise
                await asyncio.sleep(_WRITE_PAUSE)
        raise AssertionError("unreachable")


def renewed(grant: Grant, tokens: Tokens) -> Grant:
    """A grant with what its refresh gave: a server that rotates sends a new refresh token, others keep the old one."""
    return replace(
        grant,
        access=tokens.access,
        obtained_at=tokens.obtained_at,
        expires_at=tokens.expires_at,
        refresh=tokens.refresh or grant.refresh,
        scopes=tokens.scopes if tokens.scopes is not None else grant.scopes,
        stale=False,
    )


def reach_of(kept: Kept) -> Reach:
    """What calls on behalf of a row may reach."""
    assert kept.grant is not None
    tenants = () if kept.owner.tenant == "-" else (kept.owner.tenant,)
    return Reach(frozenset(kept.grant.operator), tenants)


def _usable(kept: Kept | None) -> Grant | None:
    return kept.grant if kept is not None and kept.grant is not None and not kept.grant.stale else None


def _resource(grant: Grant) -> Mapping[str, str]:
    return {"resource": grant.resource} if grant.resource is not None else {}


def _lease_name(kept: Kept) -> str:
    place = "\0".join((kept.owner.tenant, kept.owner.user, kept.upstream, kept.issuer))
    return "oauth.refresh:" + hashlib.sha256(place.encode()).hexdigest()
