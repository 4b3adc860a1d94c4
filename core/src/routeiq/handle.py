"""The handle that a plugin gets at `setup`: the core's services in the SDK's shapes, ended with the plugin.

The services themselves live in their rooms.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp

from routeiq.admitted import admitted
from routeiq.egress import Egress, Timeouts, Url, read_capped
from routeiq.request import gates, nested
from routeiq.request.context import RequestContext
from routeiq.request.tool_road import ToolRoad
from routeiq.state.spool import Spool, SpoolLimits
from routeiq.telemetry.background import Background
from routeiq_sdk import Context, Event, ModelGroup, Principal, RequestError, Secret, Vitals
from routeiq_sdk.gateway import (
    Clock,
    Directory,
    EgressResponse,
    Embedder,
    MeterService,
    SpoolService,
    StateService,
)
from routeiq_sdk.values.delegation import Delegation, ProtectedResource
from routeiq_sdk.values.http import Headers
from routeiq_sdk.values.tools import ToolServer

if TYPE_CHECKING:
    from routeiq.runtime import Runtime

_FAREWELL_SECONDS = 5.0
_LEAST_SPOOL = 16 << 20


class PluginHandle:
    """Implements `routeiq_sdk.Gateway` for one plugin. It follows the runtime that serves now, over reloads."""

    def __init__(self, plugin: str, first: Runtime) -> None:
        self._plugin = plugin
        self._first = first
        self._before = first.shared.current
        self._background = Background()
        self._spools: dict[Path, Spool] = {}
        self._opening = asyncio.Lock()
        self._egress = PluginEgress(first.shared.egress)

    @property
    def plugin(self) -> str:
        """The name under which the plugin runs."""
        return self._plugin

    @property
    def data_dir(self) -> Path:
        """A directory of the plugin's own."""
        path = self._first.config.routeiq.data_dir / "plugins" / self._plugin
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    @property
    def keys_dir(self) -> Path:
        """Where trusted public keys lie."""
        return self._first.config.routeiq.data_dir / "keys"

    @property
    def embedders(self) -> Mapping[str, Embedder]:
        """The embedders of the runtime that serves now; during `setup` those of the one being built."""
        return self._now.embedders

    @property
    def egress(self) -> PluginEgress:
        """Outbound HTTP."""
        return self._egress

    @property
    def state(self) -> StateService:
        """Shared state."""
        return self._first.shared.state

    @property
    def meters(self) -> MeterService:
        """Quotas and budgets in the shared store."""
        return self._first.shared.meters

    @property
    def directory(self) -> Directory | None:
        """The users and groups of the runtime that serves now."""
        return self._now.directory

    @property
    def litellm_profile(self) -> str:
        """The LiteLLM version whose contract clients see."""
        return self._now.services.errors.profile

    @property
    def workers(self) -> int:
        """Worker processes."""
        return self._first.shared.workers

    @property
    def worker(self) -> int:
        """This one's number."""
        return self._first.shared.worker

    @property
    def clock(self) -> Clock:
        """Time."""
        return self._first.shared.clock

    @property
    def groups(self) -> Mapping[str, ModelGroup]:
        """The model groups served now; during `setup` those that will be."""
        return self._now.catalog.groups

    @property
    def running(self) -> Mapping[str, int]:
        """Calls under way in this process."""
        return self._now.running

    @property
    def tools(self) -> ToolRoad:
        """The road of tool calls."""
        return self._now.tools

    @property
    def tool_servers(self) -> Mapping[str, ToolServer]:
        """The servers that plugins offer inside the gateway."""
        return self._now.tool_servers

    @property
    def delegation(self) -> Delegation | None:
        """Tokens in the caller's name."""
        return self._now.delegation

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        return self._now.config.routeiq.server.loopback

    def protected_resource(self, path: str) -> ProtectedResource | None:
        """The OAuth resource at a path. Raises `RequestError` when a plugin fails to tell."""
        pipeline, errors = self._now.services.pipeline, self._now.services.errors
        for call in pipeline.protected_resource:
            try:
                found: ProtectedResource | None = gates.ask_now(call, path)
            except Exception as error:
                gates.failed(call, None, error)
                raise errors.plugin_failed(call.plugin, call.hook) from None
            if found is not None:
                return found
        return None

    def challenge(self, ctx: Context, error: RequestError) -> Mapping[str, str]:
        """Headers that tell a refused caller how to come in."""
        return gates.challenges(self._now.services.pipeline.challenge, ctx, error)

    async def identify(self, ctx: Context, credential: Secret | None = None) -> Principal:
        """Who calls a public route, by what its request carries or by `credential` alone."""
        asking = RequestContext(
            request_id=ctx.request_id,
            surface=ctx.surface,
            route=ctx.route,
            method=ctx.method,
            path=ctx.path,
            headers=ctx.headers if credential is None else Headers([]),
            client=ctx.client,
            config=ctx.config,
            action=ctx.action,
            credential=ctx.credential if credential is None else credential,
        )
        return await self._now.road.identify(asking)

    def admitted(
        self, door: str, headers: Headers, *, action: str, client: str | None = None, long_lived: bool = False
    ) -> AbstractAsyncContextManager[Context]:
        """A request that came to a listener of the plugin's own."""
        return admitted(self._first.shared, door, headers, action=action, client=client, long_lived=long_lived)

    async def spool(self, name: str, *, directory: Path | None = None, most_bytes: int = 512 << 20) -> SpoolService:
        """A durable queue in the plugin's directory or another; one a worker, since a spool has one writer."""
        folder = (directory or self.data_dir / "spool") / f"{name}-{self._first.shared.worker}"
        async with self._opening:
            known = self._spools.get(folder)
            if known is None:
                limits = SpoolLimits(total_bytes=max(most_bytes, _LEAST_SPOOL))
                known = self._spools[folder] = await Spool.open(folder, limits=limits)
            return known

    async def call(self, parent: Context | None, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """A nested chat completion."""
        runtime = self._now
        return await nested.call(runtime.road, parent, body, runtime.config.revision)

    def emit(self, event: Event) -> None:
        """Queue an event for all sinks."""
        self._now.fan_out.put(event)

    async def commit(self, event: Event) -> None:
        """Let the `commit` hooks make an event durable."""
        await self._now.services.commit(event)

    def vitals(self) -> Vitals:
        """How this process is doing."""
        return self._now.vitals()

    def check_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Look at rows of models without serving them."""
        self._now.check_rows(rows, self._plugin)

    async def reload(self) -> None:
        """Build the runtime anew, here and in all workers."""
        await self._first.shared.reload()

    def spawn(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` until it ends or the plugin is torn down."""
        self._background.spawn(f"{self._plugin}: {name}", work)

    async def aclose(self) -> None:
        """Cancel what was spawned and close what was opened."""
        await self._background.close()
        for spool in self._spools.values():
            await spool.close(timeout_seconds=_FAREWELL_SECONDS)

    @property
    def _now(self) -> Runtime:
        current = self._first.shared.current
        return self._first if current is None or current is self._before else current


class PluginEgress:
    """Outbound HTTP in the SDK's shape. URLs are checked as written by nobody the gateway trusts, except the
    operator's origins."""

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    @asynccontextmanager
    async def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_seconds: float = 30.0,
        max_bytes: int = 10 * 1024 * 1024,
        untrusted: bool = False,
        tenants: Iterable[str] = (),
    ) -> AsyncIterator[EgressResponse]:
        """Call `url`; the connection is given back at the end of the block."""
        policy = self._egress.policy
        target = policy.parse(url)
        sent = {"accept-encoding": "identity", **(headers or {})}
        timeouts = Timeouts(total=timeout_seconds)
        async with self._egress.request(
            method,
            target,
            headers=sent,
            data=body,
            timeout=timeouts,
            untrusted=untrusted,
            reach=policy.reach(tenants),
        ) as response:
            yield _Response(response, target, max_bytes)

    async def check(self, target: str) -> None:
        """Whether a library that opens its own connections may be given `target`."""
        await self._egress.check(target)

    async def vet(self, url: str, *, tenants: Iterable[str] = ()) -> None:
        """Whether a URL that nobody vouches for would be called."""
        policy = self._egress.policy
        await self._egress.vet(policy.parse(url), policy.reach(tenants))

    async def pinned(self, url: str, *, untrusted: bool = False, tenants: Iterable[str] = ()) -> Sequence[str]:
        """Checked addresses for a library that connects by itself."""
        policy = self._egress.policy
        return await self._egress.addresses(policy.parse(url), untrusted=untrusted, reach=policy.reach(tenants))


class _Response:
    def __init__(self, response: aiohttp.ClientResponse, url: Url, max_bytes: int) -> None:
        self._response = response
        self._url = url
        self._max_bytes = max_bytes

    @property
    def status(self) -> int:
        return self._response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._response.headers

    async def read(self) -> bytes:
        return await read_capped(self._response, self._url, self._max_bytes)

    async def chunks(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.content.iter_any():
            yield chunk
