"""The gate of protected resources: which credentials are ours to judge, and what a token says once it is believed.

Issuers are in `source`, what a refused client is told in `challenge`.
"""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from routeiq_oauth.address import Address
from routeiq_oauth.resource import strict
from routeiq_oauth.resource.claims import check_audience, check_dates, check_header
from routeiq_oauth.resource.refusal import Refused, Unavailable
from routeiq_oauth.resource.source import Source
from routeiq_sdk import Context, Gateway, Principal, Reject, StoreUnavailable

log = logging.getLogger(__name__)

_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class _Believed:
    """A token whose signature was verified: its claims, its end (Unix seconds), whose key it was."""

    claims: Mapping[str, Any]
    ends: float
    source: Source
    key: str


class Gate:
    """Judges bearer tokens that come to protected resources. `source_of` finds the issuer for an `iss`."""

    def __init__(self, gateway: Gateway, address: Address, source_of: Callable[[str, Context], Source | None]) -> None:
        self._gateway = gateway
        self._address = address
        self._source_of = source_of
        self._believed: OrderedDict[bytes, _Believed] = OrderedDict()

    async def authenticate(self, ctx: Context) -> Principal | Reject | None:
        """Who calls a protected resource with a token. Whatever is no JSON web token is somebody else's: `None`."""
        if ctx.credential is None:
            return None
        text = ctx.credential.reveal()
        if not strict.is_token(text):
            return None
        resource = self._gateway.protected_resource(ctx.path)
        if resource is None:
            return None
        base = self._address.base(ctx.headers)
        try:
            return await self._principal(text, frozenset((base + ctx.path, base + resource.path)), ctx)
        except Refused as error:
            return Reject(401, f"Authentication Error, {error.reason}.", "auth_error", code="401")
        except Unavailable as error:
            log.warning("a token cannot be judged now: %s", error.reason)
            return _away("The authorization server cannot be reached", error.retry_after)
        except StoreUnavailable:
            return _away("The shared store cannot be reached", 1.0)

    async def _principal(self, text: str, resources: frozenset[str], ctx: Context) -> Principal:
        known = await self._believe(text, ctx)
        check_audience(known.claims, known.source.audiences(resources))
        return await known.source.principal(known.claims, strict.digest(text).hex()[:16])

    async def _believe(self, text: str, ctx: Context) -> _Believed:
        digest, now = strict.digest(text), self._gateway.clock.now_ns() / 1e9
        known = self._believed.get(digest)
        if known is not None:
            if (
                now < known.ends
                and known.source.holds(known.key)
                and self._issued_by(known.claims, ctx) is known.source
            ):
                return known
            self._believed.pop(digest, None)  # it ended, or its key is the issuer's no more
        token = strict.read(text)
        source = self._issued_by(token.claims, ctx)
        if source is None:
            raise Refused("the token's issuer is not known")
        check_header(token, source.algorithms)
        ends = check_dates(token.claims, now, source.leeway)
        key = await source.verify(token)
        believed = self._believed[digest] = _Believed(token.claims, ends, source, key.thumbprint)
        if len(self._believed) > _MOST_REMEMBERED:
            self._believed.popitem(last=False)
        return believed

    def _issued_by(self, claims: Mapping[str, Any], ctx: Context) -> Source | None:
        issuer = claims.get("iss")
        return self._source_of(issuer, ctx) if isinstance(issuer, str) else None


def _away(what: str, seconds: float) -> Reject:
    return Reject(
        503,
        f"{what}, so nobody can tell whether this token is valid. Try again.",
        "auth_provider_unavailable",
        headers={"retry-after": str(max(1, math.ceil(seconds)))},
    )
