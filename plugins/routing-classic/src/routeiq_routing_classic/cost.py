"""The deployment on which the request is expected to cost least.

Prices are the catalogue's; what was really spent is kept by ledgers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from routeiq_routing_classic.prompt import prompt_of
from routeiq_routing_classic.usage import WithinLimits
from routeiq_sdk import Context, Deployment, ModelGroup, Usage


class CostBased(WithinLimits):
    """LiteLLM's cost-based-routing. The prompt's tokens are estimated; the answer is taken to be as long as the request
    allows, or as its prompt. Deployments without a price come last."""

    def pick(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Deployment | None:
        """The cheapest one of `deployments`."""
        asked = max(1, prompt_of(ctx).likely)
        usage = Usage(asked, _longest_answer(ctx) or asked, estimated=True)
        return self.lowest(deployments, lambda d: d.price.cost(usage) if d.price is not None else math.inf)


def _longest_answer(ctx: Context) -> int | None:
    for name in ("max_completion_tokens", "max_tokens", "max_output_tokens"):
        told = ctx.request.param(name)
        if isinstance(told, int) and not isinstance(told, bool) and 0 < told < 10_000_000:
            return told
    return None
