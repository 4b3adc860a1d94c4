"""Hooks around each call to a provider."""

from __future__ import annotations

from routeiq_sdk.context import Context
from routeiq_sdk.hooks.marks import hook
from routeiq_sdk.values.attempts import Attempt, Outcome
from routeiq_sdk.values.verdict import Reject


class AttemptHooks:
    """See, change or veto one call; learn how it ended."""

    @hook(failure="skip")
    async def before_attempt(self, ctx: Context, attempt: Attempt) -> Reject | None:
        """Change `attempt.headers` or `attempt.params`, or return `Reject` to veto this target. Fires before each call.

        A veto or a failure skips the target; the loop goes on with the next.
        """

    @hook(failure="log")
    async def after_attempt(self, ctx: Context, outcome: Outcome) -> None:
        """Learn how a call ended. Fires after each call, successful or not. A failure is logged."""
