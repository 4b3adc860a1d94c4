"""The parts of the plugin, put together once a runtime.

No decision is taken here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from a2a.types import AgentCard

from routeiq_a2a.addresses import listening_at
from routeiq_a2a.cards import trust
from routeiq_a2a.cards.serving import ServedCards
from routeiq_a2a.cards.signing import open_signer
from routeiq_a2a.cards.store import Cards
from routeiq_a2a.config import A2AConfig
from routeiq_a2a.faces.chat import ChatFace
from routeiq_a2a.forwarding.forwarder import Forwarder
from routeiq_a2a.forwarding.road import Road
from routeiq_a2a.forwarding.tasks import Tasks
from routeiq_a2a.optional import MEND, has_grpc
from routeiq_a2a.push.delivery import Deliveries
from routeiq_a2a.push.hooks import Hooks
from routeiq_a2a.push.inbox import Inbox
from routeiq_a2a.registry.admin import Admin
from routeiq_a2a.registry.agent import Agent
from routeiq_a2a.registry.registry import Registry
from routeiq_a2a.registry.rows import configured
from routeiq_a2a.registry.stored import StoredAgents
from routeiq_a2a.sealing import open_sealer
from routeiq_a2a.upstream.calling import Agents
from routeiq_a2a.upstream.interfaces import GRPC
from routeiq_a2a.wire.door import Door
from routeiq_a2a.wire.events import Streams
from routeiq_a2a.wire.jsonrpc import JsonRpc
from routeiq_a2a.wire.rest import Rest
from routeiq_sdk import ConfigError, Context, Gateway

if TYPE_CHECKING:
    from routeiq_a2a.wire.grpc_listener import GrpcListener

_MIB = 1 << 20


class Parts:
    """What `setup` makes."""

    def __init__(self, config: A2AConfig, gateway: Gateway) -> None:
        self._gateway = gateway
        self.agents = configured(config)
        sealer = open_sealer(config.encryption_key, gateway.data_dir)
        self.registry = Registry(self.agents, StoredAgents(gateway, sealer))
        self.cards = Cards(gateway)
        signer = open_signer(config.sign_key, gateway.data_dir)
        if config.grpc is not None or any(agent.binding == GRPC for agent in self.agents):
            _require_grpc()
        served = ServedCards(gateway, self.cards, signer, public=config.public_cards, grpc=_grpc_address(config))
        self._calls = calls = Agents(
            gateway,
            self.cards,
            answer_bytes=int(config.answer_mib * _MIB),
            stream_bytes=int(config.stream_mib * _MIB),
        )
        tasks = Tasks(gateway, days=config.task_days)
        self.road = Road(gateway, self.cards)
        hooks = Hooks(gateway, sealer, config.push, days=config.task_days)
        self.deliveries = Deliveries(gateway, hooks, sealer, config.push)
        forwarder = Forwarder(self.cards, served, calls, tasks, self.road, hooks)
        streams = Streams(config.streams)
        self.door = Door(
            config, self.registry, self.road, served, JsonRpc(forwarder, streams), Rest(forwarder, streams)
        )
        self._listener: GrpcListener | None = None
        if config.grpc is not None:
            from routeiq_a2a.wire.grpc_door import GrpcDoor
            from routeiq_a2a.wire.grpc_listener import GrpcListener

            base, default = config.public_url or "", config.default_agent
            door = GrpcDoor(gateway, self.registry, self.road, forwarder, streams, base=base, default=default)
            self._listener = GrpcListener(config.grpc, door.handlers())
        self.inbox = Inbox(self.registry, hooks, tasks, self.road, self.deliveries)
        self.admin = Admin(gateway, self.registry, self.road)
        self._served = served
        self.chat = ChatFace(self.registry, self.cards, calls, tasks, self.road)

    def challenge(self, ctx: Context) -> Mapping[str, str] | None:
        """How to sign in, for who did not. Of an OAuth resource its own plugin tells more."""
        if self._gateway.protected_resource(ctx.path) is not None:
            return None
        error = ', error="invalid_token"' if ctx.credential is not None else ""
        return {"www-authenticate": f'Bearer realm="agents"{error}'}

    async def guarded_card(self, ctx: Context, agent: Agent) -> AgentCard:
        """What an agent says of itself, as guards let it pass. Raises an `A2AError`."""
        return await self._served.guarded(ctx, agent)

    async def start(self) -> None:
        """Check what can be checked, and begin what runs behind. Raises `ConfigError`."""
        for agent in self.agents:
            try:
                trust.checked_keys(agent.trusted_keys)
            except ValueError as error:
                raise ConfigError(f"routeiq.plugins.a2a.agents.{agent.name}: {error}") from None
            if agent.auth.mode in ("none", "static"):
                continue
            if self._gateway.delegation is None:
                raise ConfigError(
                    f"routeiq.plugins.a2a.agents.{agent.name}.auth: mode {agent.auth.mode} needs a plugin that offers "
                    "delegation.",
                    mend="name it in routeiq.plugins, such as oauth",
                )
            await self._gateway.delegation.check(agent.delegate)
        await self.registry.stored.refresh()
        self._gateway.spawn("hear of changes to agents", self.registry.stored.follow)
        self._gateway.spawn("deliver push notifications", self.deliveries.run)
        if self._listener is not None:
            await self._listener.start()

    async def stop(self) -> None:
        """Listen no more, and close what is open to agents."""
        if self._listener is not None:
            await self._listener.stop()
        await self._calls.close()


def _require_grpc() -> None:
    if not has_grpc():
        raise ConfigError("routeiq.plugins.a2a: gRPC is asked for, and its library is not installed.", mend=MEND)


def _grpc_address(config: A2AConfig) -> str | None:
    """Where clients reach the listener, as cards name it."""
    if config.grpc is None:
        return None
    if config.grpc.address is not None:
        return config.grpc.address
    host = urlsplit(config.public_url or "").hostname or ""
    return f"{f'[{host}]' if ':' in host else host}:{listening_at(config.grpc.listen)[1]}"
