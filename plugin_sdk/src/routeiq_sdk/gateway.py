"""The handle through which a plugin reaches the core's services. Plugins import this, never the core.

The services' implementations live in the core; here are only their shapes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

from routeiq_sdk.context import Context
from routeiq_sdk.errors import RequestError
from routeiq_sdk.secret import Secret
from routeiq_sdk.values.decision import Decision
from routeiq_sdk.values.delegation import Delegation, ProtectedResource
from routeiq_sdk.values.directory import DirectoryGroup, DirectoryUser
from routeiq_sdk.values.http import Headers
from routeiq_sdk.values.meters import Charge, Held, Level, Overdue, Pace, Posting, Refused
from routeiq_sdk.values.models import Deployment, ModelGroup
from routeiq_sdk.values.principal import Principal
from routeiq_sdk.values.records import Event
from routeiq_sdk.values.tools import ToolServer, ToolService
from routeiq_sdk.values.vitals import Vitals


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


class ModelAdapter(Protocol):
    """Calls deployments of one provider that the core does not know, in OpenAI's chat form."""

    async def complete(
        self, ctx: Context, deployment: Deployment, body: Mapping[str, Any]
    ) -> Mapping[str, Any] | AsyncIterator[Mapping[str, Any]]:
        """A `chat.completion`, or its chunks when `body` asks for a stream. Raises `RequestError` for what the provider
        refused; its status decides whether another deployment is tried."""


class ModelAdapters(Protocol):
    """Where `register_adapters` hooks offer providers by name."""

    def add_adapter(self, provider: str, adapter: ModelAdapter) -> None:
        """Serve rows whose `model` begins with `provider/`. Raises `PluginError` when the name is taken."""


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
        untrusted: bool = False,
        tenants: Iterable[str] = (),
    ) -> AbstractAsyncContextManager[EgressResponse]:
        """Call `url`. Private addresses are refused unless the operator wrote the origin or allows it in
        `routeiq.egress.allow`. No redirect is followed, so `headers` reach the origin of `url` alone.

        `untrusted` says that the URL came from a tenant, a database or an answer of somebody's: then an origin that the
        operator wrote elsewhere is no exception. `tenants` are those on whose behalf the call is made, as
        `Principal.tenants` names them: what `routeiq.egress.tenants` lists for them binds it. Raises a `RouteIQError`
        for a call that was refused.
        """

    async def check(self, target: str) -> None:
        """Whether a C library, which opens its own connections, may be given `target`: a URL of any scheme or
        `host[:port]`, written by the operator.

        Ask it at `setup`. Cloud metadata is refused, by name and by every address that the name has now; the library's
        own connections are not checked again, so a URL that anybody else wrote must never get there. Raises a
        `RouteIQError`.
        """

    async def vet(self, url: str, *, tenants: Iterable[str] = ()) -> None:
        """Whether `call` would take `url` from somebody who is not trusted, with every address that its name has now.

        Ask it when such a URL is kept for later, so that whoever sent it hears of it; `call` looks again. Raises a
        `RouteIQError`, also for a name that has no address.
        """

    async def pinned(self, url: str, *, untrusted: bool = False, tenants: Iterable[str] = ()) -> Sequence[str]:
        """The numeric addresses to which `call` would connect for `url` now, each of them checked; the arguments are
        those of `call`.

        It is for a library that opens its own connections and can be given an address. Ask before each use, give the
        library these addresses and never the name: then an answer of the name server that changes gains nothing.
        Raises a `RouteIQError`, also for a name that has no address.
        """


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


class MeterService(Protocol):
    """Meters that requests hold parts of: reserve, then settle. Each call is one atomic step over all meters it names,
    in every process that shares the store.

    A store that lost its meters (a flush, a failover, a new process's memory) says so with `MetersLost` until
    `restore` filled it again. A store that cannot be reached raises `StoreUnavailable`, fast while it stays away.
    """

    async def reserve(
        self,
        hold: str,
        charges: Sequence[Charge],
        paces: Sequence[Pace] = (),
        *,
        part: int = 0,
        most: int = 0,
        least: int = 0,
        seconds: float = 120.0,
        note: bytes = b"",
        forced: bool = False,
    ) -> Held | Refused:
        """Hold `base + n * rate` on every meter of `charges`, with the largest `n` from `least` to `most` that all
        limits allow; or nothing at all when not even `least` fits.

        A hold grows by parts: asking for a `part` again gives its first answer and takes nothing. The lease ends
        `seconds` from now, and `note` (kept from part 0) helps whoever finds the hold overdue. `forced` takes `most`
        whatever the limits say, also while the meters are lost: it puts a hold back that the store forgot.
        A hold that was settled is refused (`Refused.ended`). Raises `ValueError` when a `Pace` asks for more than its
        burst.
        """

    async def settle(self, hold: str, used: Sequence[Posting]) -> bool:
        """End a hold: its meters give back what it held and take what was `used` (limits are not asked). Says whether
        this call ended it: `False`, changing nothing, when it was ended before.

        Ends an unknown hold too (its meters then only take what was used). Ended holds are remembered for an hour.
        """

    async def renew(self, holds: Sequence[str], seconds: float) -> list[str]:
        """Prolong leases; returns the holds that the store does not know (any more)."""

    async def overdue(self, most: int = 100) -> list[Overdue]:
        """Holds whose lease ran out, oldest first. They stay until somebody settles them."""

    async def levels(self, meters: Sequence[str]) -> list[Level]:
        """What meters stand at; zeros for one that does not exist. Works while the meters are lost, too."""

    async def adjust(self, postings: Sequence[Posting]) -> None:
        """Add to meters outside any hold: corrections, resets (a negative amount)."""

    async def lost(self) -> bool:
        """Whether the store lost its meters and nobody restored them."""

    async def restore(self, postings: Sequence[Posting]) -> bool:
        """Fill a store that lost its meters: each stands at its amount plus what the holds in the store hold. Says
        whether it did: `False`, changing nothing, when the meters were not lost."""


class Directory(Protocol):
    """Users and groups, kept by one plugin (`offer_directory`) and provisioned by others."""

    async def user(self, id: str) -> DirectoryUser | None:
        """One user by id."""

    async def find_users(
        self, *, email: str | None = None, external_id: str | None = None, after: str = "", most: int = 100
    ) -> Sequence[DirectoryUser]:
        """Users in the order of their ids, after id `after`; those with this email or external id when given."""

    async def save_user(self, user: DirectoryUser) -> DirectoryUser:
        """Create or replace a user. Keeps what the directory knows beyond these fields."""

    async def remove_user(self, id: str) -> bool:
        """Delete a user with its keys; says whether there was one."""

    async def group(self, id: str) -> DirectoryGroup | None:
        """One group by id."""

    async def find_groups(
        self, *, name: str | None = None, external_id: str | None = None, after: str = "", most: int = 100
    ) -> Sequence[DirectoryGroup]:
        """Groups in the order of their ids, after id `after`; those with this name or external id when given."""

    async def save_group(self, group: DirectoryGroup) -> DirectoryGroup:
        """Create or replace a group and its members."""

    async def remove_group(self, id: str) -> bool:
        """Delete a group; says whether there was one."""


class SpoolService(Protocol):
    """A durable queue on local disk: what was acknowledged survives a crash."""

    @property
    def size(self) -> int:
        """Bytes on disk now."""

    async def append(self, payload: bytes) -> int:
        """Write one entry and return its sequence number once it is on disk.

        Appends that wait together share one fsync. Raises `SpoolFull` when there is no room, `SpoolFailed` when the
        disk failed or the spool is closed.
        """

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
    def meters(self) -> MeterService:
        """Quotas and budgets in the shared store."""

    @property
    def directory(self) -> Directory | None:
        """Users and groups, when a plugin keeps them."""

    @property
    def litellm_profile(self) -> str:
        """The LiteLLM version whose statuses and error bodies clients see: `1.80` or `1.109`."""

    @property
    def workers(self) -> int:
        """Worker processes of this gateway; `worker` numbers this one from 0."""

    @property
    def worker(self) -> int:
        """The number of this worker process."""

    @property
    def clock(self) -> Clock:
        """Time."""

    @property
    def groups(self) -> Mapping[str, ModelGroup]:
        """The model groups of this runtime."""

    @property
    def running(self) -> Mapping[str, int]:
        """Calls under way in this process, by deployment id; those of nobody are not listed."""

    @property
    def tools(self) -> ToolService:
        """The road of tool calls, for the adapters of their protocols."""

    @property
    def tool_servers(self) -> Mapping[str, ToolServer]:
        """The servers inside the gateway that plugins offer, by name."""

    @property
    def delegation(self) -> Delegation | None:
        """Tokens in the caller's name, when a plugin offers them."""

    @property
    def loopback(self) -> bool:
        """Whether the gateway listens on loopback addresses alone."""

    def protected_resource(self, path: str) -> ProtectedResource | None:
        """The OAuth resource that a plugin serves at `path`."""

    def challenge(self, ctx: Context, error: RequestError) -> Mapping[str, str]:
        """Headers for an adapter's own answer with status 401 or 403. Errors that a handler raises get them anyway."""

    async def identify(self, ctx: Context, credential: Secret | None = None) -> Principal:
        """Who calls a public route, as `authenticate` hooks say: by what the request of `ctx` carries, or by
        `credential` instead, such as a key typed into a form.

        Raises `RequestError` for nobody.
        """

    def admitted(
        self, door: str, headers: Headers, *, action: str, client: str | None = None, long_lived: bool = False
    ) -> AbstractAsyncContextManager[Context]:
        """A request that came to a listener of the plugin's own, such as a gRPC server: `async with` it around all
        that is done for it. It walks what a route with `access="key"` walks before its handler.

        It takes a place among the requests in flight (with `long_lived` until the block begins, so the plugin bounds
        how many there are), is waited for when the gateway stops, and is logged. Its caller is found by `headers` and
        must be permitted `action`; `door` (`/package.Service/Method`) stands for the route, `client` is the numeric
        address that it comes from. Raises `RequestError` for who may not, and while the gateway starts, stops or has
        too much to do.
        """

    async def spool(
        self, name: str, *, directory: Path | None = None, most_bytes: int = 512 * 1024 * 1024
    ) -> SpoolService:
        """Open (or create) a durable queue of the plugin's own. It is closed after `teardown`.

        A spool has one writer, so each worker gets a folder of its own, `NAME-WORKER`, in `directory` or else in the
        plugin's `data_dir`. It holds at most `most_bytes` (at least 16 MiB). Raises `SpoolFailed` when another process
        has it or its entries cannot be read.
        """

    async def call(self, parent: Context | None, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make a nested chat completion as a child of `parent`: it walks authorize to settle, so nothing bypasses the
        ledger.

        `body` and the result are OpenAI chat completions. Raises `RequestError` as a client would see it.
        """

    def emit(self, event: Event) -> None:
        """Queue an event for all sinks. Never waits; drops and counts when the queue is full."""

    async def commit(self, event: Event) -> None:
        """Let the `commit` hooks make an event durable, before the action it tells of is acknowledged.

        Raises `RequestError` when one could not: the action must then be refused.
        """

    def vitals(self) -> Vitals:
        """How this process is doing: load, benched deployments, losses of telemetry."""

    def check_rows(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Look at rows that `model_rows` would answer, without serving them. Raises `ConfigError` for one that cannot
        be used."""

    async def reload(self) -> None:
        """Build the runtime anew, here and in all workers of this gateway: what `model_rows` answers is asked again.

        Raises `ConfigError` when it cannot be; the old runtime then serves on.
        """

    def spawn(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` in the background until it ends or the plugin is torn down, when it is cancelled."""
