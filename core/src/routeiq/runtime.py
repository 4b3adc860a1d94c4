"""The frozen runtime: everything one configuration means, built once. A reload builds another beside it.

Reading the YAML is `config`'s, serving HTTP is `app`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from routeiq import health
from routeiq.catalog.deployments import addresses, deployment_of, priced, provider_of
from routeiq.catalog.groups import Catalog
from routeiq.catalog.prices import PriceBook, find_price_map
from routeiq.config.added_rows import with_rows
from routeiq.config.errors import ConfigErrors, Problems
from routeiq.config.model import Config
from routeiq.config.position import dotted
from routeiq.egress import AllowRule, EgressPolicy, EgressRefused
from routeiq.errors import Errors
from routeiq.handle import PluginHandle
from routeiq.limits.users import Users
from routeiq.plugins.assemble import assemble
from routeiq.plugins.compiled import Call
from routeiq.plugins.from_litellm import sees
from routeiq.plugins.lifecycle import PluginSet
from routeiq.plugins.member import Member
from routeiq.request import gates
from routeiq.request.answer_headers import EMULATED, AnswerHeaders
from routeiq.request.attempts import Attempts
from routeiq.request.auth import MasterKey
from routeiq.request.choice import Choice, SimpleShuffle
from routeiq.request.confinement import Confinement
from routeiq.request.pipeline import Road
from routeiq.request.pool import Pools
from routeiq.request.routing import Router, VirtualModel
from routeiq.request.services import Bounds, Services
from routeiq.request.settlement import Settlement
from routeiq.request.tool_road import ToolRoad
from routeiq.routes import admin, decisions, guardrails, llm, models, openapi
from routeiq.routes import health as probes
from routeiq.routes.table import PluginRoutes, RouteTable
from routeiq.rules import routing_rules
from routeiq.shared import Shared
from routeiq.strategies import EmbedderRegistry, StrategyRegistry
from routeiq.telemetry.fan_out import FanOut
from routeiq.telemetry.request_log import log_request
from routeiq.upstream.adapters import Adapters, api_base
from routeiq.upstream.foreign import AdapterRegistry
from routeiq_sdk import ConfigError, Context, Embedder, Event, ModelGroup, PluginError
from routeiq_sdk.gateway import Directory, ModelAdapter
from routeiq_sdk.values.delegation import Delegation
from routeiq_sdk.values.tools import ToolServer
from routeiq_sdk.values.vitals import HookFigures, Vitals

_CLOSE_SECONDS = 20.0


@dataclass(slots=True)
class Runtime:
    """One configuration, ready to serve. Frozen by habit: nothing but `users` changes after `build`."""

    config: Config
    shared: Shared
    catalog: Catalog
    plugins: PluginSet
    services: Services
    road: Road
    table: RouteTable
    adapters: Adapters
    policy: EgressPolicy
    fan_out: FanOut
    virtual_models: Mapping[str, VirtualModel]
    registry: StrategyRegistry
    embedders: Mapping[str, Embedder]
    foreign: Mapping[str, ModelAdapter]
    tools: ToolRoad
    tool_servers: Mapping[str, ToolServer]
    delegation: Delegation | None
    directory: Directory | None
    running: Mapping[str, int]
    users: Users = field(default_factory=Users)

    @property
    def emulated_version(self) -> str:
        """The LiteLLM version whose contract this runtime keeps."""
        return EMULATED[self.config.routeiq.compat.litellm_profile]

    @property
    def notices(self) -> tuple[str, ...]:
        """What a start tells: of the plugins, then of the configuration, but for what a running plugin makes untrue."""
        run = {member.name for member in self.plugins.members}
        told = (str(notice) for notice in self.config.notices if notice.unless_plugin not in run)
        return (*self.plugins.notices, *told)

    def calls(self) -> Iterator[Call]:
        """Every plugin's call at every gate."""
        for member in self.plugins.members:
            yield from member.calls

    def check_rows(self, rows: Sequence[Mapping[str, Any]], plugin: str) -> None:
        """Whether this configuration could be served with these rows of a plugin. Raises `ConfigError`."""
        own = replace(self.config, models=tuple(row for row in self.config.models if not row.added))
        config = with_rows(own, rows, f"models of {plugin}")
        _assemble(config, self.shared, self.plugins, self.registry, self.embedders, self.foreign)

    def vitals(self) -> Vitals:
        """How this process is doing."""
        shared = self.shared
        figures = {
            f"{call.plugin}.{call.hook}": HookFigures(call.stats.calls, call.stats.errors, call.stats.total_ns / 1e9)
            for call in self.calls()
            if call.stats.calls
        }
        return Vitals(
            in_flight=shared.in_flight.now,
            most_in_flight=shared.in_flight.most,
            shed=shared.in_flight.refused,
            running=dict(self.running),
            benched=shared.cooldowns.benched(),
            store=shared.stores.name,
            store_up=shared.stores.up,
            events_waiting=self.fan_out.waiting,
            events_lost=self.fan_out.dropped,
            records_lost=shared.records.lost,
            hooks=figures,
        )

    async def readiness(self) -> health.Report:
        """Whether new requests should come here."""
        return await health.check(
            self.services.pipeline.health_check,
            draining=self.shared.drain.draining,
            loading=self.adapters.loading(),
            stores=self.shared.stores,
        )

    async def close(self, keep: Runtime | None) -> None:
        """Wait for its requests, then tear down the plugins that its successor does not keep."""
        try:
            async with asyncio.timeout(self.config.routeiq.server.grace_seconds):
                await self.users.gone()
        except TimeoutError:
            pass  # the server cuts what is left
        await self.shared.background.finish(_CLOSE_SECONDS)
        await self.fan_out.stop(_CLOSE_SECONDS)
        await self.plugins.close(keep=keep.plugins.members if keep is not None else ())
        await self.adapters.close()


async def build(
    config: Config, shared: Shared, *, previous: Runtime | None = None, lock: Path | None = None
) -> Runtime:
    """The runtime of a configuration, its plugins set up. Raises `ConfigError` or `PluginError`; `previous` serves
    on."""
    try:
        runtime = assemble_all(config, shared, previous=previous, lock=lock)
    except PluginError as error:
        raise ConfigError(str(error)) from error  # what the YAML asks for cannot be had: another try would not help
    if previous is None:
        shared.egress.use_policy(runtime.policy)  # a plugin's `setup` may call what the operator wrote
    await runtime.plugins.open(lambda name: PluginHandle(name, runtime))
    try:
        return await _with_added_rows(runtime)
    except BaseException:
        await runtime.plugins.close(keep=previous.plugins.members if previous is not None else ())
        raise


async def _with_added_rows(runtime: Runtime) -> Runtime:
    """The runtime, or one built anew with the rows of models that its plugins add."""
    config = runtime.config
    for plugin, rows in await runtime.plugins.collect_rows():
        config = with_rows(config, rows, f"models of {plugin}")
    if config is runtime.config:
        return runtime
    return _assemble(config, runtime.shared, runtime.plugins, runtime.registry, runtime.embedders, runtime.foreign)


def assemble_all(
    config: Config, shared: Shared, *, previous: Runtime | None = None, lock: Path | None = None
) -> Runtime:
    """Everything short of setting plugins up. Raises `ConfigError` or `PluginError`."""
    plugins = assemble(config, lock=lock, previous=previous.plugins if previous is not None else None)
    embedders = EmbedderRegistry()
    plugins.collect_embedders(embedders)
    registry = StrategyRegistry(SimpleShuffle())
    plugins.collect_strategies(registry)
    adapters = AdapterRegistry()
    plugins.collect_adapters(adapters)
    return _assemble(config, shared, plugins, registry, embedders.by_name, adapters.by_provider)


def _refuse_unenforced(config: Config, plugins: PluginSet, registry: StrategyRegistry) -> None:
    present = {member.name: member for member in plugins.members}
    enforced = {"router_settings.routing_strategy"} if registry.offers(config.router.routing_strategy) else set()
    problems = []
    for key in config.protective:
        member = present.get(key.needs_plugin)
        if key.path in enforced or (member is not None and sees(member.examined.type.Config, key.path)):
            continue
        told, mend = key.message, None
        if member is not None:
            told = f"{key.path}: the plugin {member.name} runs, and does not enforce this key"
            mend = f"remove the key, or list {key.path} in routeiq.compat.accept_unenforced"
        problems.append(ConfigError(told, file=key.file, line=key.line, mend=mend))
    if problems:
        raise ConfigErrors(problems)


def _catalog(config: Config, foreign: Collection[str]) -> Catalog:
    rows = [row for row in config.models if not row.router_model]
    wanted = []
    for row in rows:
        provider, model, _ = provider_of(row.litellm_params)
        wanted.append((provider, row.model_info.base_model or model))
    prices = PriceBook.load(find_price_map(), config.routeiq.prices, wanted=wanted)
    aliases = {name: (alias.model, alias.hidden) for name, alias in config.router.model_group_alias.items()}
    drop = config.litellm.drop_params
    deployments = [deployment_of(row, prices, config.environment, drop_params=drop, foreign=foreign) for row in rows]
    return Catalog(deployments, aliases, lambda deployment: priced(deployment, prices), prices.models)


def _assemble(
    config: Config,
    shared: Shared,
    plugins: PluginSet,
    registry: StrategyRegistry,
    embedders: Mapping[str, Embedder],
    foreign: Mapping[str, ModelAdapter],
) -> Runtime:
    _refuse_unenforced(config, plugins, registry)
    catalog = _catalog(config, foreign)
    block = config.routeiq
    pipeline = plugins.pipeline
    errors = Errors(block.compat.litellm_profile)
    rules = routing_rules(config)
    registry.check_virtual_models(config)
    policy = _policy(config, catalog, plugins)
    adapters = Adapters(catalog.deployments, shared.egress, _untrusted(config, catalog), foreign)
    confinement = Confinement(policy, errors) if policy.tenants else None
    choice = Choice(
        pipeline,
        registry.deployment_strategy(config),
        shared.cooldowns,
        errors,
        adapters.accepts,
        confinement,
    )
    virtual = _virtual_models(config, catalog)

    async def top_up(ctx: Context, ranked: Sequence[ModelGroup]) -> None:
        if pipeline.reserve:
            await road.reserve(ctx, tuple(ranked))

    fan_out = FanOut(pipeline.emit, pipeline.commit)

    async def commit(event: Event, ctx: Context | None = None) -> None:
        fan_out.put(event, committed=True)
        await gates.commit(pipeline.commit, event, errors, ctx)

    tools = ToolRoad(pipeline, errors, commit, fan_out.put, shared.background, shared.live.add_call)
    services = Services(
        pipeline=pipeline,
        errors=errors,
        master_key=MasterKey(config.master_key),
        key_header=config.general.litellm_key_header_name,
        bounds=Bounds(config.body_bytes, block.limits.body_seconds, block.limits.json_depth, block.limits.tool_rounds),
        guardrails=config.guardrail_names,
        rules=rules,
        router=Router(
            pipeline=pipeline,
            strategies=registry.model_strategies,
            resolve=catalog.resolve,
            virtual=virtual,
            pools=Pools(choice, shared.cooldowns),
            errors=errors,
        ),
        attempts=Attempts(
            pipeline=pipeline,
            choice=choice,
            cooldowns=shared.cooldowns,
            adapters=adapters.by_wire,
            errors=errors,
            resolve=catalog.resolve,
            top_up=top_up,
            idle_seconds=block.limits.stream_idle_seconds,
            confinement=confinement,
        ),
        headers=AnswerHeaders(
            block.compat.litellm_profile,
            config.revision,
            https_only=block.server.tls is not None and not block.server.loopback,
        ),
        records=shared.records,
        commit=commit,
        api_base=api_base,
        tell_stream_cost=block.compat.litellm_profile != "1.80",
        settle=Settlement(pipeline.settle, shared.background).start,
        log_request=log_request,
    )
    road = Road(services)
    return Runtime(
        config=config,
        shared=shared,
        catalog=catalog,
        plugins=plugins,
        services=services,
        road=road,
        table=_table(plugins, loopback=block.server.loopback),
        adapters=adapters,
        policy=policy,
        fan_out=fan_out,
        virtual_models=virtual,
        registry=registry,
        embedders=embedders,
        foreign=foreign,
        tools=tools,
        tool_servers=plugins.collect_tool_servers(),
        delegation=plugins.collect_delegation(),
        directory=plugins.collect_directory(),
        running=choice.running,
    )


def _untrusted(config: Config, catalog: Catalog) -> frozenset[str]:
    """Ids of the deployments that plugins added. By place: which id a row asks for is its author's word."""
    rows = (row for row in config.models if not row.router_model)
    return frozenset(d.id for row, d in zip(rows, catalog.deployments, strict=True) if row.added)


def _policy(config: Config, catalog: Catalog, plugins: PluginSet) -> EgressPolicy:
    added = _untrusted(config, catalog)
    urls = set().union(*(addresses(d) for d in catalog.deployments if d.id not in added))
    for member in plugins.members:
        urls |= _origins(member)
    block = config.routeiq.egress
    _check_entries(config, ("routeiq", "egress", "allow"), block.allow)
    for name, tenant in block.tenants.items():
        _check_entries(config, ("routeiq", "egress", "tenants", name, "only"), tenant.only)
    try:
        return EgressPolicy.compile(urls, block.allow, {name: each.only for name, each in block.tenants.items()})
    except EgressRefused as error:
        raise ConfigError(f"an address in model_list cannot be called: {error}", mend="correct its api_base") from None


def _check_entries(config: Config, path: tuple[str, ...], entries: Sequence[str]) -> None:
    problems = Problems(config.positions)
    for place, text in enumerate(entries):
        try:
            AllowRule.parse(text)
        except ValueError as error:
            problems.add((*path, place), f"{dotted(path)}: {error}", "write a network or host[:port]")
    problems.raise_if_any()


def _origins(member: Member) -> set[str]:
    """What the operator wrote for this plugin; each looked at on its own, so that a bad one is told by its plugin."""
    urls = set(member.instance.origins)
    for url in urls:
        try:
            EgressPolicy.compile((url,), ())
        except EgressRefused as error:
            raise PluginError(member.name, f"an address in its configuration cannot be called: {error}") from None
    return urls


def _virtual_models(config: Config, catalog: Catalog) -> dict[str, VirtualModel]:
    found: dict[str, VirtualModel] = {}
    for name, written in config.routeiq.virtual_models.items():
        pool = [_group(catalog, name, model) for model in written.models]
        found[name] = VirtualModel(name, tuple(pool), _group(catalog, name, written.fallback), written.strategy)
    return found


def _group(catalog: Catalog, virtual: str, name: str) -> ModelGroup:
    group = catalog.resolve(name)
    if group is None:
        raise ConfigError(
            f"routeiq.virtual_models.{virtual} names {name!r}, which no row of model_list offers",
            mend="add the row or correct the name",
        )
    return group


def _table(plugins: PluginSet, *, loopback: bool) -> RouteTable:
    table = RouteTable()
    for source in (llm, models, guardrails, probes, admin, decisions, openapi):
        for route in source.routes():
            table.add(route)
    plugins.collect_routes(lambda plugin: PluginRoutes(table, llm.CHAT, plugin, loopback=loopback))
    return table
