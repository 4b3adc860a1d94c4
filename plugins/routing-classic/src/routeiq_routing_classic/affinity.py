"""Keeps requests that belong together on one deployment: marked prompt prefixes, sessions, callers.

It is a preference: a deployment that is benched, full or left out by a filter is passed over.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from routeiq_routing_classic.prefixes import marked_prefixes
from routeiq_routing_classic.prompt import prompt_of
from routeiq_sdk import Attempt, Context, Deployment, Gateway, ModelGroup

log = logging.getLogger(__name__)

_TABLE = "routing-classic.affinity.cache"
_PREFIX_SECONDS = 300.0
_LEAST_CACHED_TOKENS = 1024
"""Shorter prompts are not cached by providers."""


class _Pin(NamedTuple):
    """A key under which a deployment is remembered, and for how long after its last call."""

    key: str
    seconds: float


class _Pins(NamedTuple):
    """What is known of one request on one model: its keys, the strongest first, and the deployments under them."""

    pins: tuple[_Pin, ...]
    deployments: tuple[str, ...]


class Affinity:
    """Remembers deployments in the shared state. A store that fails costs the preference and nothing else."""

    gateway: Gateway

    def __init__(self, checks: Collection[str], by_model: Mapping[str, Collection[str]], seconds: float) -> None:
        self._checks = frozenset(checks)
        self._by_model = {model: frozenset(named) for model, named in by_model.items()}
        self._seconds = seconds
        self._asked_for = bool(self._checks or any(self._by_model.values()))

    async def find(self, ctx: Context, group: ModelGroup) -> None:
        """Look up where the request belongs; `preferred` tells it."""
        if not self._asked_for or len(group.deployments) < 2:
            return
        pins = self._pins(ctx, group.name)
        if not pins:
            return
        found: list[str] = []
        try:
            for pin in pins:
                value = await self.gateway.state.get(_TABLE, pin.key)
                if value is not None:
                    found.append(value.decode())
        except Exception as error:
            log.warning("affinity is not known: %s", type(error).__name__)
        ctx.keep(self, {**self._kept(ctx), group.name: _Pins(pins, tuple(found))})

    def preferred(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Deployment | None:
        """Where the request belongs, if that is among `deployments`."""
        known = self._kept(ctx).get(group.name)
        if known is None:
            return None
        by_id = {d.id: d for d in deployments}
        return next((by_id[name] for name in known.deployments if name in by_id), None)

    async def before(self, ctx: Context, attempt: Attempt) -> None:
        """Remember the deployment of a call. It is written before the call, so that a client's next request finds it;
        a call that fails is followed by one that writes its own deployment over it."""
        known = self._kept(ctx).get(attempt.deployment.group)
        if known is None:
            return
        try:
            for pin in known.pins:
                await self.gateway.state.put(_TABLE, pin.key, attempt.deployment.id.encode(), ttl_seconds=pin.seconds)
        except Exception as error:
            log.warning("affinity is not kept: %s", type(error).__name__)

    def _pins(self, ctx: Context, model: str) -> tuple[_Pin, ...]:
        named = self._by_model.get(model, self._checks)
        found: list[_Pin] = []
        if "prompt_caching" in self._checks and ctx.request.wire in ("openai-chat", "anthropic-messages"):
            prefixes = marked_prefixes(ctx.request.json())
            if prefixes and prompt_of(ctx).likely >= _LEAST_CACHED_TOKENS:
                found += [_Pin(_key("prefix", model, prefix), _PREFIX_SECONDS) for prefix in prefixes]
        if "session_affinity" in named:
            session = _session(ctx)
            if session is not None:  # sessions are named by clients: one caller's is not another's
                found.append(_Pin(_key("session", model, ctx.principal.id, session), self._seconds))
        if "deployment_affinity" in named:
            found.append(_Pin(_key("caller", model, ctx.principal.id), self._seconds))
        return tuple(found)

    def _kept(self, ctx: Context) -> dict[str, _Pins]:
        return ctx.kept(self, dict) or {}


def _session(ctx: Context) -> str | None:
    told = ctx.headers.get("x-litellm-session-id")
    if told:
        return told
    for name in ("litellm_metadata", "metadata"):
        metadata: Any = ctx.request.param(name)
        session = metadata.get("session_id") if isinstance(metadata, Mapping) else None
        if isinstance(session, str) and session:
            return session
    return None


def _key(*parts: str) -> str:
    """A digest: what callers and sessions are called is nobody's business, and it has one length."""
    joined = "\0".join(part.replace("\0", "\0\0") for part in parts)
    return hashlib.sha256(joined.encode("utf-8", "surrogatepass")).hexdigest()
