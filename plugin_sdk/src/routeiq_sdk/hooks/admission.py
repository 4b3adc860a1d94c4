"""Hooks of the first gates: overload, identity, policy."""

from __future__ import annotations

from routeiq_sdk.context import Context
from routeiq_sdk.hooks.marks import hook
from routeiq_sdk.values.models import Deployment
from routeiq_sdk.values.principal import Principal
from routeiq_sdk.values.verdict import Reject


class AdmissionHooks:
    """May this request come in, who sends it, and is it allowed?"""

    @hook(failure="open")
    async def admit(self, ctx: Context) -> Reject | None:
        """Shed load. Fires before the body is read; return `Reject(429 or 503, retry_after=seconds)` to refuse.

        A failure lets the request pass: the core's own bound on requests in flight still holds.
        """

    @hook(failure="closed")
    async def authenticate(self, ctx: Context) -> Principal | Reject | None:
        """Find out who calls, from headers alone. Fires in plugin order: `None` means "not mine, ask the next",
        `Reject` ends the request.

        When all answer `None` the core compares the master key, then refuses. A failure refuses the request.
        """

    @hook(failure="closed")
    async def authorize_action(self, ctx: Context, action: str) -> bool | Reject | None:
        """Say whether the caller may do `action` (`resource:verb`), which its route declares. Fires once the caller is
        known, on every route but public ones, before the body is read.

        `Reject` refuses, `True` allows, `None` has no opinion. One `Reject` ends it; without any opinion the route's
        `access` decides: any caller for `key`, the holder of the master key for `admin`. A failure refuses, and so does
        any other answer, `False` too.
        """

    @hook(failure="closed")
    async def authorize(self, ctx: Context) -> Reject | None:
        """Agree to the request. Fires once its body is known; all plugins must agree. A failure refuses the request."""

    @hook(failure="closed")
    def authorize_target(self, ctx: Context, deployment: Deployment) -> Reject | None:
        """Agree to one deployment. Fires as a filter on the candidates, and again for every attempt's target,
        fallbacks too.

        Synchronous: it must answer from memory. A failure leaves the target out.
        """
