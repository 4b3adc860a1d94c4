"""Hooks that keep accounts: reserve before a provider is called, settle always afterwards."""

from __future__ import annotations

from collections.abc import Sequence

from routeiq_sdk.context import Context
from routeiq_sdk.filters import StreamMeter
from routeiq_sdk.hooks.marks import hook
from routeiq_sdk.values.models import ModelGroup, Usage
from routeiq_sdk.values.verdict import Reject


class LedgerHooks:
    """Money and quotas. One reservation a request, one settlement a request."""

    @hook(failure="closed")
    async def reserve(self, ctx: Context, ranked: Sequence[ModelGroup]) -> Reject | None:
        """Hold what the request may cost on the models in `ranked`, dearest included. Fires before the first attempt.

        Fires again before a fallback to a model that was not in `ranked`: reserve the difference. A failure refuses.
        """

    @hook(failure="closed")
    def meter_stream(self, ctx: Context) -> StreamMeter | None:
        """Give a meter for this stream, or `None` to leave it alone. Fires once a stream, before its first byte.

        Synchronous. With a meter the gateway reads every event of the stream, so that a stream that is cut is settled
        by what passed. A failure ends the stream with a typed error event.
        """

    @hook(failure="retry")
    async def settle(self, ctx: Context, usage: Usage | None) -> None:
        """Turn the reservation into what was used. Fires once for every request that `reserve` saw, also when the
        client
        went away or all attempts failed (`usage` is `None` when no provider was called). A failure is tried again."""
