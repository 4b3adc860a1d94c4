"""Leaves deployments out whose context window is too small for a prompt.

Regions are the core's business. The prompt's length is an estimate, so only what cannot fit at all is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from routeiq_routing_classic.prompt import prompt_of
from routeiq_sdk import Context, Deployment, ModelGroup, Reject


def large_enough(ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Sequence[Deployment] | Reject:
    """The deployments that hold the prompt even if it is dense; else those that may hold it; else a refusal."""
    if all(d.max_input_tokens is None for d in deployments):
        return deployments
    prompt = prompt_of(ctx)
    for tokens in (prompt.most, prompt.least):
        left = [d for d in deployments if d.max_input_tokens is None or d.max_input_tokens >= tokens]
        if left:
            return left
    windows = "\n".join(f"Model={d.model}, Max Input Tokens={d.max_input_tokens}" for d in deployments)
    return Reject(
        400,
        "litellm.ContextWindowExceededError: Context Window exceeded for given call. No models have context window "
        f"large enough for this call, which has at least {prompt.least} tokens. Received Model Group={group.name}\n"
        f"{windows}",
        code="context_length_exceeded",
    )
