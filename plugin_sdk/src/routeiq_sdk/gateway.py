"""The handle through which a plugin reaches the core's services. Plugins import this, never the core.

The services' implementations live in the core; here are only their shapes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

from routeiq_sdk.context import Context
from routeiq_sdk.values.decision import Decision
from routeiq_sdk.values.models import Deployment, ModelGroup
from routeiq_sdk.values.records import Event


class ModelStrategy(Protocol):
    """Ranks models for a request; see `RoutingHooks.select_model`."""

    async def rank(self, ctx: Context, groups: Sequence[ModelGroup]) -> Decision | None:
        """Rank `groups`, or return `None` to abstain."""


class DeploymentStrategy(Protocol):
    """Picks a deployment for an attempt; see `RoutingHooks.select_deployment`."""

    def pick(self, ctx: Context, group: ModelGroup, deployments: Sequence[Deployment]) -> Deployment | None:
        """Pick one of `deployments`, or return `None` to abstain."""


class Strategies(Protocol):
    """Where `register_strategies` hooks offer strategies by name."""

    def add_model_strategy(self, name: str, strategy: ModelStrategy) -> None:
        """Offer a strategy that virtual models may name. Raises `PluginError` when the name is taken."""

    def add_deployment_strategy(self, name: str, strategy: DeploymentStrategy) -> None:
        """Offer a strategy that `router_settings.routing_strategy` may name. Raises `PluginError` when the name is
        taken."""


class Embedder(Protocol):
    """Turns texts into vectors. It burns CPU, so it is called in a worker thread, never on the event loop."""

    @property
    def fingerprint(self) -> str:
        """Names the model, its version and its preprocessing. Vectors may be compared only under one fingerprint."""

    @property
    def dimensions(self) -> int:
        """Length of the vectors."""

    def embed(self, texts: Sequence[str]) -> Sequence[Sequence[float]]:
        """One vector a text, in their order; a numpy array of shape (texts, dimensions) will do.

        Must give a text the same vector alone and in a batch, and stand being called from several threads.
        """


class Embedders(Protocol):
    """Where `register_embedders` hooks offer embedders by name."""

    def add_embedder(self, name: str, embedder: Embedder) -> None:
        """Offer an embedder that strategies may ask for. Raises `PluginError` when the name is taken."""


class EgressResponse(Protocol):
    """An answer from the outside. Leave the context manager to give the connection back."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers, case-insensitive."""

    async def read(self) -> bytes:
        """The whole body, within the size cap of the call."""

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives."""


class EgressService(Protocol):
    """Outbound HTTP with the gateway's address rules. A plugin opens no connection in any other way."""

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout_seconds: float = 30.0,
        max_bytes: int = 10 * 1024 * 1024,
    ) -> AbstractAsyncContextManager[EgressResponse]:
        """Call `url`. Private addresses are refused unless the operator wrote the origin or allows it in
        `routeiq.egress.allow`."""


class Clock(Protocol):
    """Time as the gateway sees it; a test can hold it still."""

    def now_ns(self) -> int:
        """Unix time in nanoseconds."""

    def monotonic(self) -> float:
        """Seconds that only go forward."""


class Lease(Protocol):
    """A named lock with an end and a fencing epoch."""

    @property
    def epoch(self) -> int:
        """Rises with each new holder; a store refuses writes of an older epoch."""


class StateService(Protocol):
    """Whatever must be true across processes: atomic steps, leases, records, messages. One interface, several
    stores."""

    async def increment(
        self, key: str, by: int, *, limit: int | None = None, ttl_seconds: float | None = None
    ) -> int | None:
        """Add `by` to a counter in one atomic step and return the new value; `None`, unchanged, when it would pass
        `limit`."""

    async def counters(self, keys: Sequence[str]) -> list[int]:
        """Values of several counters; 0 for one that does not exist."""

    async def put(self, table: str, key: str, value: bytes, *, ttl_seconds: float | None = None) -> None:
        """Write a record. A table whose name ends in `.cache` may lose its oldest records when the store is full."""

    async def put_if(self, table: str, key: str, value: bytes, *, expected: bytes | None) -> bool:
        """Write a record only if it still is `expected` (`None`: does not exist). Says whether it wrote.

        A record that existed keeps the end of life that it has.
        """

    async def get(self, table: str, key: str) -> bytes | None:
        """Read a record."""

    async def delete(self, table: str, key: str) -> bool:
        """Delete a record; says whether there was one."""

    def scan(self, table: str, prefix: str = "") -> AsyncIterator[tuple[str, bytes]]:
        """All records of a table whose key starts with `prefix`, in key order."""

    async def acquire(self, name: str, owner: str, ttl_seconds: float) -> Lease | None:
        """Take a lease, or `None` when another holds it."""

    async def renew(self, name: str, owner: str, ttl_seconds: float) -> bool:
        """Prolong a lease one holds; `False` when it was lost."""

    async def release(self, name: str, owner: str) -> None:
        """Give a lease back; harmless when it was lost."""

    async def publish(self, channel: str, message: bytes) -> None:
        """Send a message to all subscribers of all processes that share the store."""

    def subscribe(self, channel: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Receive messages published while the context is open."""


class SpoolService(Protocol):
    """A durable queue on local disk: what was acknowledged survives a crash."""

    async def append(self, payload: bytes) -> int:
        """Write one entry and return its sequence number once it is on disk."""

    def read(self, after: int = 0) -> AsyncIterator[tuple[int, bytes]]:
        """Entries with a sequence number above `after`, in order, up to the newest one now."""

    async def forget(self, upto: int) -> None:
        """Entries up to this sequence number are no longer needed."""


class Gateway(Protocol):
    """What a plugin gets at `setup`."""

    @property
    def plugin(self) -> str:
        """The name under which this plugin runs."""

    @property
    def data_dir(self) -> Path:
        """A directory of the plugin's own, under the gateway's `data_dir`. Created on first use."""

    @property
    def keys_dir(self) -> Path:
        """The directory of public keys (`*.pub`) whose signatures this gateway trusts. May not exist."""

    @property
    def embedders(self) -> Mapping[str, Embedder]:
        """The embedders that the plugins of this runtime offer, by name."""

    @property
    def egress(self) -> EgressService:
        """Outbound HTTP."""

    @property
    def state(self) -> StateService:
        """Shared state."""

    @property
    def clock(self) -> Clock:
        """Time."""

    @property
    def groups(self) -> Mapping[str, ModelGroup]:
        """The model groups of this runtime."""

    @property
    def running(self) -> Mapping[str, int]:
        """Calls under way in this process, by deployment id; those of nobody are not listed."""

    async def spool(self, name: str) -> SpoolService:
        """Open (or create) a durable queue of the plugin's own. It is closed after `teardown`."""

    async def call(self, parent: Context | None, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make a nested chat completion as a child of `parent`: it walks authorize to settle, so nothing bypasses the
        ledger.

        `body` and the result are OpenAI chat completions. Raises `RequestError` as a client would see it.
        """

    def emit(self, event: Event) -> None:
        """Queue an event for all sinks. Never waits; drops and counts when the queue is full."""

    def spawn(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` in the background until it ends or the plugin is torn down, when it is cancelled."""
