"""What a router reads of a request, and how long it takes the whole to be.

Turning it into a vector is the business of `features`.
"""

from __future__ import annotations

from dataclasses import dataclass

from routeiq_routing_ml.model.costs import estimated_tokens
from routeiq_sdk import Context


@dataclass(frozen=True, slots=True)
class Prompt:
    """`text` is the newest word of the user, `tokens` the estimated length of everything the model will read."""

    text: str
    tokens: float


def prompt_of(ctx: Context) -> Prompt:
    """The prompt of a request. A request without a word of the user is read as a whole."""
    whole = ctx.request.text()
    return Prompt(ctx.request.last_user_text() or whole, estimated_tokens(len(whole)))
