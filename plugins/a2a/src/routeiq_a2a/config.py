"""What the YAML may say under `routeiq.plugins.a2a`, and LiteLLM's rows of agents.

What it means is the other modules' business.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from routeiq_a2a.addresses import checked_url, is_loopback, listening_at
from routeiq_a2a.litellm import LitellmAgent
from routeiq_sdk import FromLitellm, PluginConfig, Secret
from routeiq_sdk.values.delegation import OutboundAuth

AgentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
Binding = Literal["JSONRPC", "HTTP+JSON", "GRPC"]
Version = Literal["1.0", "0.3"]
_SHORTEST_SECRET = 16


Url = Annotated[str, AfterValidator(checked_url)]


class AgentSettings(PluginConfig):
    """One agent behind the gateway."""

    url: Url | None = Field(
        None, description="The agent's address; its card is looked for below it, at `/.well-known/agent-card.json`."
    )
    card_url: Url | None = Field(None, description="Where its card is, when it is not there.")
    origins: tuple[Url, ...] = Field(
        (), description="Other addresses that its card may name. Without this, only the origin of its own address."
    )
    binding: Binding | None = Field(
        None, description="The binding to call it by. Left out: the first that fits, GRPC after the others."
    )
    version: Version | None = Field(
        None, description="The version of A2A to call it with. Left out: 1.0 if its card has it."
    )
    auth: OutboundAuth = Field(OutboundAuth(), description="How the gateway authenticates to the agent.")
    trusted_keys: tuple[str, ...] = Field(
        (), description="Public keys (PEM or JWK) of which one must have signed the agent's card."
    )
    verify_signature: bool | None = Field(
        None, description="Whether the card's signature is checked. Left out: when there are `trusted_keys`."
    )
    push: bool = Field(True, description="Whether clients may have webhooks called, if the agent can push.")
    as_model: bool = Field(False, description="Whether the agent is offered as the model `agent/NAME`.")
    as_tools: bool = Field(False, description="Whether the agent is offered as a tool of the MCP server `agents`.")
    price: Decimal = Field(Decimal(0), ge=0, description="What one message costs, in USD.")
    timeout: float = Field(120.0, gt=0, le=3600, description="Seconds for one answer.")
    stream_timeout: float = Field(3600.0, gt=0, le=86_400, description="Seconds that a stream may last.")

    @model_validator(mode="after")
    def _can_be_found_and_checked(self) -> AgentSettings:
        if self.url is None and self.card_url is None:
            raise ValueError("neither url nor card_url: say where the agent is")
        if self.verify_signature and not self.trusted_keys:
            raise ValueError("verify_signature without trusted_keys: no signature could be right; add the agent's keys")
        return self


class PushSettings(PluginConfig):
    """Calling clients' webhooks."""

    attempts: int = Field(8, ge=1, le=20, description="How often a delivery is tried.")
    first_delay: float = Field(1.0, gt=0, le=60, description="Seconds before the second try; later waits are longer.")
    longest_delay: float = Field(600.0, gt=0, le=86_400, description="The longest wait between two tries, in seconds.")
    timeout: float = Field(15.0, gt=0, le=60, description="Seconds for one try.")
    most: int = Field(20, ge=1, le=100, description="Webhooks of one task.")


class GrpcTls(PluginConfig):
    """The certificate of the gRPC listener."""

    certfile: Path = Field(description="PEM file of the certificate chain.")
    keyfile: Path = Field(description="PEM file of the private key.")


class GrpcSettings(PluginConfig):
    """Serving the agents over gRPC, on a port of its own."""

    listen: str = Field(description="Where to listen, `HOST:PORT`; HOST is an address or `localhost`.")
    tls: GrpcTls | None = Field(None, description="The certificate. Only loopback addresses need none.")
    address: str | None = Field(
        None,
        min_length=1,
        description="What cards name, as gRPC clients take it. Left out: the host of `public_url` and the listener's "
        "port.",
    )
    message_mib: float = Field(32.0, gt=0, le=512, description="The longest request, in MiB.")

    @model_validator(mode="after")
    def _can_listen(self) -> GrpcSettings:
        host, _ = listening_at(self.listen)
        if self.tls is None and not is_loopback(host):
            raise ValueError("listens beyond loopback without tls: keys would travel in the clear; add a certificate")
        return self


class A2AConfig(PluginConfig):
    """Settings of the a2a plugin."""

    agents: dict[AgentName, AgentSettings] = Field({}, description="The agents, by name.")
    public_url: Url | None = Field(
        None, description="The gateway's own address as clients and agents see it. Left out: the host of the request."
    )
    default_agent: AgentName | None = Field(
        None, description="The agent whose card is served at `/.well-known/agent-card.json`."
    )
    public_cards: bool = Field(False, description="Whether cards are shown to callers without a key.")
    sign_key: Secret | None = Field(
        None, description="The private key (PEM, EC P-256) that signs cards. Left out: one made in the data folder."
    )
    encryption_key: Secret | None = Field(
        None, description="What seals secrets in the state store, the same for all replicas. Left out: one made there."
    )
    task_days: float = Field(30.0, gt=0, le=3650, description="Days for which the gateway remembers whose task it is.")
    answer_mib: float = Field(10.0, gt=0, le=512, description="The longest answer of an agent, in MiB.")
    stream_mib: float = Field(64.0, gt=0, le=4096, description="All that a stream may bring, in MiB.")
    streams: int = Field(500, ge=1, le=100_000, description="Streams to clients at one time, in one worker.")
    push: PushSettings = Field(PushSettings(), description="Calling clients' webhooks.")
    grpc: GrpcSettings | None = Field(
        None, description="Serving the agents over gRPC. Left out: they are served over HTTP alone."
    )
    litellm_agents: Annotated[tuple[LitellmAgent, ...], FromLitellm("agents")] = Field(
        (), description="LiteLLM's rows of agents."
    )
    litellm_agent_list: Annotated[tuple[LitellmAgent, ...], FromLitellm("agent_list")] = Field(
        (), description="LiteLLM's rows of agents, under its other name."
    )

    @field_validator("public_url")
    @classmethod
    def _public(cls, url: str | None) -> str | None:
        return url.rstrip("/") if url is not None else None

    @field_validator("encryption_key")
    @classmethod
    def _strong(cls, secret: Secret | None) -> Secret | None:
        if secret is not None and len(secret.reveal()) < _SHORTEST_SECRET:
            raise ValueError(f"too short: at least {_SHORTEST_SECRET} characters")
        return secret

    @model_validator(mode="after")
    def _names(self) -> A2AConfig:
        names = [*self.agents, *(row.agent_name for row in (*self.litellm_agents, *self.litellm_agent_list))]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two agents are called {twice[0]!r}; say it in one place")
        if self.default_agent is not None and self.default_agent not in names:
            raise ValueError("default_agent names no agent")
        if self.grpc is not None and self.public_url is None:
            raise ValueError("grpc needs public_url: a call of gRPC does not tell where the gateway is on the web")
        return self
