"""Tenants that `routeiq.egress.tenants` confines: which deployments are left for them, and what their calls may reach.

The door itself is `routeiq.egress`, which refuses what slips through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from routeiq.egress import EgressPolicy, EgressRefused, OutOfReach, Reach, Url, parse_operator_url
from routeiq.errors import Errors
from routeiq_sdk import Context, Deployment, ModelGroup


class Confinement:
    """For one runtime that confines somebody."""

    def __init__(self, policy: EgressPolicy, errors: Errors) -> None:
        self._policy = policy
        self._errors = errors

    def reach(self, ctx: Context) -> Reach | None:
        """What the calls of a request may reach; `None` when nothing binds it."""
        return self._policy.reach(ctx.principal.tenants)

    def left(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Sequence[Deployment]:
        """The deployments that may be within reach. Raises `RequestError` when none is."""
        reach = self.reach(ctx)
        if reach is None:
            return deployments
        left: list[Deployment] = []
        tenant = ""
        for deployment in deployments:
            url = None if deployment.wire == "mock" else _url(deployment.api_base)
            try:
                if url is not None:
                    reach.check(url)  # what its addresses decide is decided when it is called
            except OutOfReach as refused:
                tenant = refused.tenant
            else:
                left.append(deployment)
        if not left:
            raise self._errors.out_of_reach(group.name, tenant)
        return left


@lru_cache(maxsize=4096)
def _url(api_base: str | None) -> Url | None:
    """Where a deployment is called; `None` when that shows only at the call."""
    try:
        return None if api_base is None else parse_operator_url(api_base)
    except EgressRefused:
        return None
