"""Hooks that choose: a model for a request, a deployment for an attempt."""

from __future__ import annotations

from collections.abc import Sequence

from routeiq_sdk.context import Context
from routeiq_sdk.hooks.marks import hook
from routeiq_sdk.values.decision import Decision
from routeiq_sdk.values.models import Deployment, ModelGroup
from routeiq_sdk.values.verdict import Reject


class RoutingHooks:
    """The choice of model is a decision with scores and reasons; the choice of deployment is load balancing."""

    @hook(failure="next")
    async def select_model(self, ctx: Context, groups: Sequence[ModelGroup]) -> Decision | None:
        """Rank models for a request whose asked name is a virtual model. `groups` are the candidates that fit it.

        Fires once a request; the first plugin that returns a `Decision` decides. It may name only models of `groups`.
        A failure, a `None` or a wrong name asks the next strategy, at last a static one.
        """

    @hook(failure="closed")
    async def filter_deployments(
        self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]
    ) -> Sequence[Deployment] | Reject | None:
        """Narrow the deployments of a group that may serve this request: by tags, budgets, context windows, affinity.

        Fires for each group whose turn comes, before its first attempt, and for each candidate of a virtual model.
        Return
        some of `deployments`, `None` to leave them all, or `Reject` when none may serve. Plugins are asked in order,
        each with what the one before left. A failure refuses the group.
        """

    @hook(failure="next")
    def select_deployment(
        self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]
    ) -> Deployment | None:
        """Pick one of `deployments` for the next attempt. Synchronous; fires for each attempt.

        `deployments` are those of `group` that are healthy and allowed. A failure or `None` falls to the configured
        strategy.
        """
