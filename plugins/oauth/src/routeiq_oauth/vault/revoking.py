"""Ending grants: at the authorization server (RFC 7009) as far as it can be told, and always here.

Who may end which grant is decided by those who call.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from routeiq_oauth.delegation.token_endpoint import TokenEndpoint
from routeiq_oauth.vault.refreshing import reach_of
from routeiq_oauth.vault.store import Kept, Store
from routeiq_sdk import RouteIQError

log = logging.getLogger(__name__)


class Revoker:
    """Ends grants."""

    def __init__(self, store: Store, endpoint: TokenEndpoint) -> None:
        self._store = store
        self._endpoint = endpoint

    async def end(self, rows: Sequence[Kept]) -> int:
        """Delete rows, then revoke their tokens; returns how many there were. Raises `StoreUnavailable`."""
        ended = 0
        for kept in rows:
            # First here: whatever the server answers, nobody uses these tokens any more.
            if await self._store.remove(kept, any_version=True):
                ended += 1
            await self.revoke(kept)
        return ended

    async def revoke(self, kept: Kept) -> bool:
        """Tell the server that the tokens of a row are over; says whether it agreed."""
        grant = kept.grant
        if grant is None or grant.revocation_endpoint is None:
            return False
        token, hint = (grant.refresh, "refresh_token") if grant.refresh is not None else (grant.access, "access_token")
        try:
            await self._endpoint.revoke(
                grant.revocation_endpoint, grant.client, token, hint, reach_of(kept), issuer=grant.issuer
            )
        except RouteIQError as error:
            log.warning("tokens for %s could not be revoked at their server: %s", kept.upstream, error)
            return False
        return True
