"""Tag routing: which deployments a request's tags allow, with LiteLLM's rules.

Where a request's tags come from is the core's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from routeiq_routing_classic.rows import tag_patterns
from routeiq_sdk import Context, Deployment, ModelGroup, Reject

_DEFAULT = "default"
_LONGEST_AGENT = 1024


class _Wanted(NamedTuple):
    """A request's tags by their meaning: `&tag` is required, `!tag` excluded, the others are offered for a match."""

    required: frozenset[str]
    excluded: frozenset[str]
    offered: frozenset[str]
    routing: frozenset[str]
    """Offered tags that carried the prefix: nobody can take them for something else."""


class TagRouting:
    """Filters by tags where it is on: for all models, or by `model_info.enable_tag_filtering` of a model's rows."""

    def __init__(self, *, enabled: bool, match_any: bool, prefix: str) -> None:
        self._enabled = enabled
        self._match_any = match_any
        self._prefix = prefix

    def filter(
        self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]
    ) -> Sequence[Deployment] | Reject:
        """The deployments that the request's tags allow."""
        if not self._is_on(group):
            return deployments
        wanted = self._wanted(ctx)
        able = [d for d in deployments if wanted.required <= d.tags and not wanted.excluded & d.tags]
        agent = ctx.headers.get("user-agent") or ""
        line = f"User-Agent: {agent[:_LONGEST_AGENT]}" if agent and not wanted.required else ""
        by_pattern = bool(line) and any(tag_patterns(d) for d in able)
        if wanted.offered or by_pattern:
            left = [d for d in able if self._matches(d, wanted.offered, line)]
            if not left and not self._known(group, wanted):
                left = _defaults(able)
        elif wanted.required:
            left = able
        else:
            left = [d for d in _defaults(deployments) or deployments if not wanted.excluded & d.tags]
        return left or self._refusal(ctx, group)

    def _is_on(self, group: ModelGroup) -> bool:
        for deployment in group.deployments:
            told = deployment.info.get("enable_tag_filtering")
            if isinstance(told, bool):
                return told
        return self._enabled

    def _wanted(self, ctx: Context) -> _Wanted:
        tags, prefix = ctx.tags, self._prefix
        prefixed = frozenset(tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)) if prefix else None
        if prefixed is not None:
            told = ctx.identified
            policy = told.tags if told is not None else frozenset()
            tags = prefixed | frozenset(tag.removeprefix(prefix) for tag in policy)
        required = frozenset(tag[1:] for tag in tags if tag.startswith("&") and len(tag) > 1)
        excluded = frozenset(tag[1:] for tag in tags if tag.startswith("!") and len(tag) > 1)
        offered = frozenset(tag for tag in tags if not tag.startswith(("&", "!")))
        return _Wanted(required, excluded, offered, offered & (prefixed or frozenset()))

    def _matches(self, deployment: Deployment, offered: frozenset[str], line: str) -> bool:
        common = offered & deployment.tags
        if common and (self._match_any or common == offered):
            return True
        if not line or (deployment.tags and not self._match_any):
            return False  # an expression is no way round tags of which all must match
        return any(pattern.search(line) for pattern in tag_patterns(deployment))

    def _known(self, group: ModelGroup, wanted: _Wanted) -> bool:
        """Whether the tags were meant for this model: then the default deployments are no substitute."""
        return bool(wanted.routing) or any(wanted.offered & d.tags for d in group.deployments)

    def _refusal(self, ctx: Context, group: ModelGroup) -> Reject:
        return Reject(
            401,
            f"Not allowed to access model due to tags configuration. Passed model={group.name} "
            f"and tags={sorted(ctx.tags)}",
            type="authentication_error",
        )


def _defaults(deployments: Sequence[Deployment]) -> list[Deployment]:
    return [d for d in deployments if _DEFAULT in d.tags]
