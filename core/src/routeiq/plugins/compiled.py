"""The compiled pipeline: one tuple of ready calls a hook, frozen at start. pluggy is asked nothing after that.

What a gate does with the answers of its calls is the request's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from routeiq.plugins.load import Examined
from routeiq_sdk import Need, Plugin


@dataclass(slots=True)
class Stats:
    """How often a plugin was called at a gate, how often it failed, and how long it took."""

    calls: int = 0
    errors: int = 0
    total_ns: int = 0
    max_ns: int = 0

    def add(self, elapsed_ns: int, failed: bool = False) -> None:
        """Count one call."""
        self.calls += 1
        self.errors += failed
        self.total_ns += elapsed_ns
        self.max_ns = max(self.max_ns, elapsed_ns)


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """One plugin at one gate. `function` takes the hook's parameters by position; await it if the hook is async."""

    plugin: str
    distribution: str
    hook: str
    function: Callable[..., Any]
    stats: Stats = field(default_factory=Stats)


Calls = tuple[Call, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Every gate with its calls in order. An empty tuple is a gate that is not there."""

    setup: Calls = ()
    teardown: Calls = ()
    register_routes: Calls = ()
    register_strategies: Calls = ()
    register_embedders: Calls = ()
    register_adapters: Calls = ()
    offer_directory: Calls = ()
    offer_tool_servers: Calls = ()
    offer_delegation: Calls = ()
    protected_resource: Calls = ()
    challenge: Calls = ()
    model_rows: Calls = ()
    health_check: Calls = ()
    admit: Calls = ()
    authenticate: Calls = ()
    authorize_action: Calls = ()
    authorize: Calls = ()
    authorize_target: Calls = ()
    guard_request: Calls = ()
    guard_during: Calls = ()
    stream_filter: Calls = ()
    stream_part_filter: Calls = ()
    apply_guard: Calls = ()
    guard_response: Calls = ()
    select_model: Calls = ()
    filter_deployments: Calls = ()
    select_deployment: Calls = ()
    reserve: Calls = ()
    meter_stream: Calls = ()
    settle: Calls = ()
    before_attempt: Calls = ()
    after_attempt: Calls = ()
    commit: Calls = ()
    record: Calls = ()
    emit: Calls = ()
    permitted_tools: Calls = ()
    guard_tool_definition: Calls = ()
    guard_tool_call: Calls = ()
    guard_tool_result: Calls = ()
    reserve_tool_call: Calls = ()
    settle_tool_call: Calls = ()
    open_tools: Calls = ()
    needs: frozenset[Need] = frozenset()

    def at(self, hook: str) -> Calls:
        """The calls of a hook by its name."""
        calls: Calls = getattr(self, hook)
        return calls


def empty() -> Pipeline:
    """The pipeline of a gateway without plugins."""
    return Pipeline()


def bind(examined: Examined, instance: Plugin[Any]) -> Calls:
    """The calls of one plugin: bound methods, or a thread around those that burn CPU."""
    found, idle = examined.found, instance.idle_hooks
    return tuple(
        Call(
            plugin=found.name,
            distribution=found.distribution,
            hook=hook.spec.name,
            function=_offloaded(instance, hook.method) if hook.offload else getattr(instance, hook.method),
        )
        for hook in examined.hooks
        if hook.spec.name not in idle
    )


def compile_pipeline(plugins: Iterable[tuple[type[Plugin[Any]], Calls]]) -> Pipeline:
    """Freeze the calls of ordered plugins into one tuple a hook."""
    gates: dict[str, list[Call]] = {}
    needs: frozenset[Need] = frozenset()
    for plugin, calls in plugins:
        needs |= plugin.needs
        for call in calls:
            gates.setdefault(call.hook, []).append(call)
    return Pipeline(**{hook: tuple(calls) for hook, calls in gates.items()}, needs=needs)


def _offloaded(instance: Plugin[Any], method: str) -> Callable[..., Any]:
    function = getattr(instance, method)

    async def in_a_thread(*arguments: Any) -> Any:
        return await asyncio.to_thread(function, *arguments)

    return in_a_thread
